//! Episodes: a support slice with a mask, and a query slice with another.

use std::collections::BTreeMap;

use fewmark_image::{Dimension, Geometry, Image};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use super::config::{EpisodeConfig, FewShotConfig, Source};
use super::scan::{Scan, Slices, samples_in_unit, share};
use super::support::Support;
use super::synthesis;
use crate::Error;
use crate::superpixels::superpixels;

/// How often an episode is drawn again because a variation moved the object out of the slice.
const DRAWS: usize = 20;

/// A slice and a mask of it, squares of equal size.
pub(super) struct Pair {
    pub(super) image: Vec<f32>,
    pub(super) mask: Vec<f32>,
}

/// What one step is taken for.
pub(super) struct Episode {
    pub(super) support: Pair,
    pub(super) query: Pair,
}

/// Whether episodes can be made of some scans; without their superpixels, which take a while.
///
/// # Errors
/// [`Error::NoCase`] without scans where some are needed, what is wrong with one, [`Error::Unfit`] for labels that are missing.
pub fn check(scans: &[Scan], config: &FewShotConfig) -> Result<(), Error> {
    config.check()?;
    if scans.is_empty() && config.episodes.source != Source::Synthetic {
        return Err(Error::NoCase);
    }
    let of_scan = |scan: &Scan| {
        samples_in_unit(&scan.image, config)?;
        match (&scan.labels, config.episodes.source) {
            (Some(labels), Source::Labels) => Support::check(scan.image.geometry(), labels),
            (None, Source::Labels) => Err(Error::Unfit {
                problem: "there are no labels for it".into(),
                hint: "give labels, or learn from superpixels",
            }),
            _ => Ok(()),
        }
    };
    scans.iter().try_for_each(|scan| of_scan(scan).map_err(|e| e.of_case(&scan.name)))
}

/// Scans from which episodes are drawn.
pub(super) struct Episodes<'a> {
    config: &'a FewShotConfig,
    slices: Vec<Slice>,
    /// The places of the slices that have each mask: of each superpixel its slice, of each label all that have it
    classes: Vec<Vec<(usize, u16)>>,
    /// For superpixels the classes of each slice, so that slices are drawn evenly
    of_slice: Vec<Vec<usize>>,
}

struct Slice {
    image: Vec<f32>,
    regions: Vec<u16>,
}

impl<'a> Episodes<'a> {
    /// Prepares scans.
    ///
    /// # Errors
    /// [`Error::NoCase`] without scans; [`Error::Unfit`] where no episode can be made of them; what is wrong with a scan.
    pub(super) fn new(scans: &[Scan], config: &'a FewShotConfig) -> Result<Self, Error> {
        check(scans, config)?;
        let mut all = Self { config, slices: Vec::new(), classes: Vec::new(), of_slice: Vec::new() };
        let mut labelled: BTreeMap<u16, Vec<(usize, u16)>> = BTreeMap::new();
        if config.episodes.source != Source::Synthetic {
            for scan in scans {
                all.add(scan, &mut labelled).map_err(|e| e.of_case(&scan.name))?;
            }
        }
        if config.episodes.source == Source::Labels {
            all.classes = labelled.into_values().collect();
        }
        if all.classes.is_empty() && config.episodes.source != Source::Synthetic {
            let least = config.episodes.least_pixels;
            let problem = format!("no slice has a mask of at least {least} pixels on the grid of the encoder");
            return Err(Error::Unfit { problem, hint: "lower episodes.least_pixels or give other scans" });
        }
        Ok(all)
    }

    fn add(&mut self, scan: &Scan, labelled: &mut BTreeMap<u16, Vec<(usize, u16)>>) -> Result<(), Error> {
        let Slices { squares, frame } = Slices::standardised(&scan.image, self.config, self.config.size)?;
        let regions = match (self.config.episodes.source, &scan.labels) {
            (Source::Superpixels | Source::Synthetic, _) => self.superpixels(&scan.image)?,
            (Source::Labels, Some(labels)) => {
                let slice = |z| {
                    let mut regions = vec![0; squares[0].len()];
                    for code in labels.present_in(z) {
                        let share = share(labels, z, code, &frame);
                        regions.iter_mut().zip(share).filter(|(_, s)| *s > 0.5).for_each(|(region, _)| *region = code);
                    }
                    regions
                };
                (0..squares.len()).map(slice).collect()
            }
            (Source::Labels, None) => unreachable!("scans were checked"),
        };
        for (z, (image, regions)) in squares.into_iter().zip(regions).enumerate() {
            if scan.allowed.as_ref().is_some_and(|allowed| !allowed.get(z).copied().unwrap_or(false)) {
                continue;
            }
            let large = large_regions(&regions, self.config.episodes.least_pixels);
            let place = self.slices.len();
            let mut own = Vec::new();
            for region in large {
                match self.config.episodes.source {
                    Source::Superpixels | Source::Synthetic => {
                        own.push(self.classes.len());
                        self.classes.push(vec![(place, region)]);
                    }
                    Source::Labels => labelled.entry(region).or_default().push((place, region)),
                }
            }
            if !own.is_empty() {
                self.of_slice.push(own);
            }
            self.slices.push(Slice { image, regions });
        }
        Ok(())
    }

    /// The superpixels of each slice.
    fn superpixels(&self, image: &Image) -> Result<Vec<Vec<u16>>, Error> {
        let squares = Slices::scaled(image, self.config, self.config.size)?.squares;
        let (side, depth) = (self.config.size, squares.len());
        let dimension = if depth == 1 { Dimension::Two } else { Dimension::Three };
        let geometry = Geometry::unit(dimension, [side, side, depth]).map_err(fewmark_image::Error::from)?;
        let found = superpixels(&Image::new(squares.concat(), 1, geometry)?, &self.config.episodes.superpixels)?;
        Ok(found.labels().chunks_exact(side * side).map(<[u16]>::to_vec).collect())
    }

    /// An episode.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Episode {
        let least = self.config.episodes.least_pixels as f32 / 10.0;
        let mut episode = self.draw_once(random);
        for _ in 1..DRAWS {
            let seen = |pair: &Pair| pair.mask.iter().sum::<f32>() >= least.max(1.0);
            if seen(&episode.support) && seen(&episode.query) {
                break;
            }
            episode = self.draw_once(random);
        }
        episode
    }

    fn draw_once(&self, random: &mut ChaCha8Rng) -> Episode {
        let EpisodeConfig { source, synthetic, augment_support, least_pixels, .. } = self.config.episodes;
        if source == Source::Synthetic || (synthetic > 0.0 && random.random_bool(synthetic)) {
            let (image, regions) = synthesis::slice(self.config.size, random);
            let slice = Slice { image, regions };
            let large = large_regions(&slice.regions, least_pixels);
            let any = if large.is_empty() { large_regions(&slice.regions, 1) } else { large };
            let region = any[random.random_range(0..any.len())];
            let support = self.pair(&slice, region, augment_support, random);
            return Episode { support, query: self.pair(&slice, region, true, random) };
        }
        let places = if self.of_slice.is_empty() {
            any_two(&self.classes[random.random_range(0..self.classes.len())], random)
        } else {
            let classes = &self.of_slice[random.random_range(0..self.of_slice.len())];
            [self.classes[classes[random.random_range(0..classes.len())]][0]; 2]
        };
        self.of_places(places, random)
    }

    /// Some episodes of one label, which is drawn the more often the fewer slices have it (Roy and others 2020).
    pub(super) fn draw_of_one_label(&self, count: usize, random: &mut ChaCha8Rng) -> Vec<Episode> {
        // A label that all slices have is not impossible.
        let weight = |class: &Vec<_>| self.slices.len() - class.len() + 1;
        let class = self.classes.choose_weighted(random, weight).expect("weights of at least 1");
        (0..count).map(|_| self.of_places(any_two(class, random), random)).collect()
    }

    fn of_places(&self, [support, query]: [(usize, u16); 2], random: &mut ChaCha8Rng) -> Episode {
        let augment_support = self.config.episodes.augment_support;
        let support = self.pair(&self.slices[support.0], support.1, augment_support, random);
        Episode { support, query: self.pair(&self.slices[query.0], query.1, true, random) }
    }

    /// A slice and the mask of a region, varied or not.
    fn pair(&self, slice: &Slice, region: u16, varied: bool, random: &mut ChaCha8Rng) -> Pair {
        let mask: Vec<f32> = slice.regions.iter().map(|&r| f32::from(u8::from(r == region))).collect();
        if !varied {
            return Pair { image: slice.image.clone(), mask };
        }
        let [image, mask] = self.config.augmentation.vary(&slice.image, &mask, self.config.size, random);
        Pair { image, mask }
    }
}

/// Two places of a class, which may be the same.
fn any_two(class: &[(usize, u16)], random: &mut ChaCha8Rng) -> [(usize, u16); 2] {
    std::array::from_fn(|_| class[random.random_range(0..class.len())])
}

/// The regions, from 1 on, of at least so many pixels.
fn large_regions(regions: &[u16], least: usize) -> Vec<u16> {
    let mut pixels: BTreeMap<u16, usize> = BTreeMap::new();
    regions.iter().filter(|&&region| region != 0).for_each(|&region| *pixels.entry(region).or_default() += 1);
    pixels.into_iter().filter(|(_, count)| *count >= least.max(1)).map(|(region, _)| region).collect()
}
