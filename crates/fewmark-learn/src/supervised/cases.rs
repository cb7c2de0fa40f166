//! Labelled images as a training sees them.

use std::collections::BTreeMap;

use fewmark_image::{Dimension, Image, LabelMap, Scaling, memory};
use serde::{Deserialize, Serialize};

use super::SupervisedConfig;
use crate::Error;

/// An image and its labels.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The image, of any number of channels.
    pub image: Image,
    /// A label for each of its voxels.
    pub labels: LabelMap,
}

/// The classes of a network: the background and some codes of label maps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes(Vec<u16>);

impl Classes {
    /// The classes that a configuration names, or those that occur in the cases.
    ///
    /// # Errors
    /// [`Error::Case`] for a code that the configuration does not name, [`Error::Unfit`] for one that it names and that occurs nowhere,
    /// and where no case has any.
    pub fn of(cases: &[Case], config: &SupervisedConfig) -> Result<Self, Error> {
        let mut voxels: BTreeMap<u16, u64> = BTreeMap::new();
        for case in cases {
            let mut of_case: BTreeMap<u16, u64> = BTreeMap::new();
            case.labels.labels().iter().filter(|&&l| l != 0).for_each(|&l| *of_case.entry(l).or_default() += 1);
            for (label, count) in of_case {
                if !(config.labels.is_empty() || config.labels.contains(&label)) {
                    let problem = format!("the label {label} ({count} voxels) is none of {:?}", config.labels);
                    return Err(Error::Unfit { problem, hint: UNKNOWN }.of_case(&case.name));
                }
                *voxels.entry(label).or_default() += count;
            }
        }
        if voxels.is_empty() {
            return Err(Error::Unfit { problem: "no case has a label but the background".into(), hint: NONE });
        }
        if let Some(missing) = config.labels.iter().find(|label| !voxels.contains_key(label)) {
            let occurring: Vec<_> = voxels.keys().collect();
            let problem = format!("the label {missing} occurs in no case; {occurring:?} do");
            return Err(Error::Unfit { problem, hint: MISSING });
        }
        if voxels.len() > MOST_CLASSES {
            let problem =
                format!("the label maps have {} different labels, {MOST_CLASSES} can be learned", voxels.len());
            return Err(Error::Unfit { problem, hint: PICTURES });
        }
        Ok(Self(voxels.into_keys().collect()))
    }

    /// Classes, the background included.
    pub fn count(&self) -> usize {
        self.0.len() + 1
    }

    /// The codes of the classes but the background.
    pub fn codes(&self) -> &[u16] {
        &self.0
    }

    /// The code of a class.
    pub fn code(&self, class: usize) -> u16 {
        if class == 0 { 0 } else { self.0[class - 1] }
    }

    fn class(&self, code: u16) -> u8 {
        self.0.iter().position(|&c| c == code).map_or(0, |at| at as u8 + 1)
    }
}

/// Largest patches (x, y, z) unless the configuration names others, by the axes of a network's images.
const PATCHES: [[usize; 3]; 2] = [[256, 256, 1], [96, 96, 96]];

/// Most classes besides the background: an example keeps the class of a voxel in a byte.
const MOST_CLASSES: usize = u8::MAX as usize;

const PICTURES: &str = "check that label maps were given, and no pictures";
const RESAMPLE: &str = "resample the label map to the grid of the image: `fewmark convert --labels --like IMAGE`";
const UNKNOWN: &str = "name it under labels, or mend the label map";
const NONE: &str = "give label maps in which something is labelled; `fewmark info` shows the labels of a file";
const MISSING: &str = "leave it out of labels, or add a case that has it";
const SHAPES: &str = "train with images of one kind: all 2-D or all volumes, all of the same number of channels";

/// Whether a network can learn from cases: they belong together and fit it, and so do their labels. Returns the channels of the images and
/// the classes.
///
/// # Errors
/// [`Error::NoCase`], [`Error::Case`] for the first case that does not, [`Error::Unfit`] when there is too little memory, and as
/// [`Classes::of`].
pub fn check(cases: &[Case], config: &SupervisedConfig) -> Result<(usize, Classes), Error> {
    let first = cases.first().ok_or(Error::NoCase)?;
    let (channels, dimension) = (first.image.channels(), first.image.geometry().dimension());
    for case in cases {
        let failed = |problem: String, hint| Err(Error::Unfit { problem, hint }.of_case(&case.name));
        let geometry = case.image.geometry();
        if let Err(mismatch) = geometry.expect_same_space(case.labels.geometry()) {
            return failed(format!("the label map (right) does not lie on the image (left): {mismatch}"), RESAMPLE);
        }
        if case.image.channels() != channels {
            let found = case.image.channels();
            return failed(format!("the image has {found} channels, {} has {channels}", first.name), SHAPES);
        }
        if geometry.dimension() != dimension {
            let kind = |d: Dimension| if d == Dimension::Two { "2-D" } else { "a volume" };
            let (found, expected) = (kind(geometry.dimension()), kind(dimension));
            return failed(format!("the image is {found}, {} is {expected}", first.name), SHAPES);
        }
        fits(&case.image, config).map_err(|e| e.of_case(&case.name))?;
        config.scaling.range_of(&case.image).map_err(|e| Error::from(e).of_case(&case.name))?;
    }
    let classes = Classes::of(cases, config)?;
    plan_memory(cases, channels, classes.count(), config)?;
    Ok((channels, classes))
}

/// Whether a network can see an image of these axes.
pub(super) fn fits(image: &Image, config: &SupervisedConfig) -> Result<(), Error> {
    if config.axes() == 3 && image.geometry().dimension() == Dimension::Two {
        let problem = format!("the network {} is for volumes, the image is 2-D", config.network.name());
        return Err(Error::Unfit {
            problem,
            hint: "give volumes, or train a 2-D network: `fewmark networks` lists them",
        });
    }
    Ok(())
}

/// Refuses a training that needs more memory than is free: weights, their gradients and the two moments of Adam, what layers keep for their
/// gradients, and the cases as the training keeps them.
fn plan_memory(cases: &[Case], channels: usize, classes: usize, config: &SupervisedConfig) -> Result<(), Error> {
    let network = config.network.clone().with_channels(channels, classes);
    let patch = patch_size(cases.iter().map(|case| case.image.geometry().size()), config);
    let patch_voxels = patch.iter().fold(1_u64, |product, &n| product.saturating_mul(n as u64));
    let voxels = (config.batch as u64).saturating_mul(patch_voxels);
    let kept = voxels.saturating_mul(network.kept_per_voxel() as u64);
    // Weights, gradients and moments are four times its size; with what a checkpoint is made of it was 13 times for a U-Net.
    let of_network = 13 * network.parameters()? as u64;
    // Samples, places and classes of the cases, beside the images and label maps that were read.
    let of_cases: u64 =
        cases.iter().map(|case| (case.image.samples().len() + 2 * case.labels.labels().len()) as u64).sum();
    let need = kept.saturating_add(of_network).saturating_add(of_cases).saturating_mul(4);
    match memory::free() {
        Some(free) if need > free => Err(Error::Unfit {
            problem: format!(
                "training {} with steps of {} patches of {patch:?} voxels needs about {} MiB of memory, {} MiB are free",
                network.name(),
                config.batch,
                need >> 20,
                free >> 20
            ),
            hint: "make patch or batch smaller, take a network with fewer parameters, or give fewer cases",
        }),
        _ => Ok(()),
    }
}

/// Voxels (x, y, z) of the patches for images of some sizes: those of the configuration, or those of the largest image, if that is neither too
/// large nor too small for the network.
pub(super) fn patch_size(sizes: impl Iterator<Item = [usize; 3]> + Clone, config: &SupervisedConfig) -> [usize; 3] {
    std::array::from_fn(|a| match config.patch.get(a) {
        Some(&n) => n,
        None if a >= config.axes() => 1,
        None => {
            let largest = sizes.clone().map(|size| size[a]).max().unwrap_or(1);
            largest.clamp(config.network.smallest_size(), PATCHES[config.axes() - 2][a])
        }
    })
}

/// An image as networks see it.
pub(super) struct Prepared {
    /// `[channels, z, y, x]`, scaled to `[0, 1]`
    pub(super) samples: Vec<f32>,
    pub(super) channels: usize,
    /// x, y, z
    pub(super) size: [usize; 3],
}

impl Prepared {
    pub(super) fn new(image: &Image, scaling: &Scaling) -> Result<Self, Error> {
        let samples = scaling.apply_jointly(image)?;
        Ok(Self { samples, channels: image.channels(), size: image.geometry().size() })
    }

    /// Voxels of the image.
    pub(super) fn voxels(&self) -> usize {
        self.size.iter().product()
    }

    /// The same, no smaller along any of the first `axes` than `least`: continued beyond its last voxels by these.
    pub(super) fn padded(&self, axes: usize, least: usize) -> Self {
        let size: [usize; 3] = std::array::from_fn(|a| if a < axes { self.size[a].max(least) } else { self.size[a] });
        let [width, height, depth] = self.size;
        let mut samples = Vec::with_capacity(self.channels * size.iter().product::<usize>());
        for channel in self.samples.chunks_exact(self.voxels()) {
            for row in
                (0..size[2]).flat_map(|z| (0..size[1]).map(move |y| z.min(depth - 1) * height + y.min(height - 1)))
            {
                let row = &channel[row * width..(row + 1) * width];
                samples.extend_from_slice(row);
                samples.resize(samples.len() + size[0] - width, row[width - 1]);
            }
        }
        Self { samples, channels: self.channels, size }
    }

    /// One slice of it.
    pub(super) fn slice(&self, z: usize) -> Self {
        let [width, height, _] = self.size;
        let area = width * height;
        let of_channel = |channel: &[f32]| channel[z * area..(z + 1) * area].to_vec();
        let samples = self.samples.chunks_exact(self.voxels()).flat_map(of_channel).collect();
        Self { samples, channels: self.channels, size: [width, height, 1] }
    }
}

/// An image and its classes as a training sees them.
pub(super) struct Example {
    pub(super) image: Prepared,
    /// The class of each voxel
    pub(super) classes: Vec<u8>,
    /// Voxels of each class but the background
    pub(super) places: Vec<Vec<u32>>,
}

impl Example {
    fn new(image: Prepared, classes: Vec<u8>, count: usize) -> Self {
        let mut places = vec![Vec::new(); count - 1];
        for (voxel, &class) in classes.iter().enumerate().filter(|(_, class)| **class > 0) {
            places[usize::from(class) - 1].push(voxel as u32);
        }
        Self { image, classes, places }
    }
}

/// Cases as a training sees them: as they are, or slice by slice where a 2-D network learns from volumes.
pub(super) fn examples(cases: &[&Case], classes: &Classes, config: &SupervisedConfig) -> Result<Vec<Example>, Error> {
    let mut examples = Vec::new();
    for case in cases {
        let image = Prepared::new(&case.image, &config.scaling).map_err(|error| error.of_case(&case.name))?;
        let of_voxels: Vec<u8> = case.labels.labels().iter().map(|&code| classes.class(code)).collect();
        if config.axes() == 2 && image.size[2] > 1 {
            let slices = of_voxels.chunks_exact(image.size[0] * image.size[1]).enumerate();
            examples.extend(slices.map(|(z, slice)| Example::new(image.slice(z), slice.to_vec(), classes.count())));
        } else {
            examples.push(Example::new(image, of_voxels, classes.count()));
        }
    }
    Ok(examples)
}
