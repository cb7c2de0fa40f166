//! Scans as an encoder sees them.

use fewmark_image::{Geometry, Image, LabelMap, intensity};

use super::config::FewShotConfig;
use super::frame::Frame;
use crate::Error;

/// A scan that is learned from.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Its name.
    pub name: String,
    /// The scan, of one channel.
    pub image: Image,
    /// Labels, where they are learned from.
    pub labels: Option<LabelMap>,
    /// For each slice whether episodes may be made of it; none allows all.
    pub allowed: Option<Vec<bool>>,
}

/// The slices of a scan in squares, clipped.
pub(super) struct Slices {
    /// Of each slice
    pub(super) squares: Vec<Vec<f32>>,
    pub(super) frame: Frame,
}

impl Slices {
    /// The slices with samples of mean 0 and standard deviation 1 over the scan, in squares of `side` pixels.
    pub(super) fn standardised(image: &Image, config: &FewShotConfig, side: usize) -> Result<Self, Error> {
        let mut samples = clipped(image, config)?.0;
        intensity::z_score(&mut samples);
        Ok(Self::of(&samples, image, side))
    }

    /// The slices with the percentiles to which they are clipped at 0 and 255.
    pub(super) fn scaled(image: &Image, config: &FewShotConfig, side: usize) -> Result<Self, Error> {
        let mut samples = samples_in_unit(image, config)?;
        samples.iter_mut().for_each(|s| *s *= 255.0);
        Ok(Self::of(&samples, image, side))
    }

    /// Of each slice the share of each pixel that is not background.
    pub(super) fn foreground(image: &Image, config: &FewShotConfig, side: usize) -> Result<Vec<Vec<f32>>, Error> {
        let threshold = config.episodes.superpixels.foreground.unwrap_or(0.0);
        let is_inside = |s: f32| f32::from(u8::from(s > threshold));
        let slices = Self::scaled(image, config, side)?.squares;
        Ok(slices.into_iter().map(|slice| slice.into_iter().map(is_inside).collect()).collect())
    }

    fn of(samples: &[f32], image: &Image, side: usize) -> Self {
        let [width, height, _] = image.geometry().size();
        let frame = Frame::new([height, width], relative_height(image.geometry()), side);
        let outside = samples.iter().copied().fold(f32::INFINITY, f32::min);
        Self { squares: samples.chunks_exact(width * height).map(|slice| frame.put(slice, outside)).collect(), frame }
    }
}

/// The height of a scan's pixels by their width; a file that tells more than a factor of 64 is not believed.
pub(super) fn relative_height(geometry: &Geometry) -> f64 {
    let [across, down, _] = geometry.spacing();
    (down / across).clamp(1.0 / 64.0, 64.0)
}

/// The samples of a scan with the percentiles to which they are clipped at 0 and 1.
pub(super) fn samples_in_unit(image: &Image, config: &FewShotConfig) -> Result<Vec<f32>, Error> {
    let (mut samples, [low, high]) = clipped(image, config)?;
    samples.iter_mut().for_each(|s| *s = (*s - low) / (high - low));
    Ok(samples)
}

/// The samples of a scan between the percentiles of the configuration, or all where these are the same, and the ends.
fn clipped(image: &Image, config: &FewShotConfig) -> Result<(Vec<f32>, [f32; 2]), Error> {
    let own = image.channel(0);
    // Grey pictures are often stored in colours.
    if (1..image.channels()).any(|channel| image.channel(channel) != own) {
        let problem = format!("the image has {} channels that differ, one is needed", image.channels());
        return Err(Error::Unfit { problem, hint: "give grey images, and of a series in time a single frame" });
    }
    let clip = |[low, high]: [f64; 2]| {
        let mut samples = own.to_vec();
        let [low, high] = intensity::percentile_clip(&mut samples, low, high)?;
        samples.iter_mut().filter(|s| s.is_nan()).for_each(|s| *s = low);
        (low < high).then_some((samples, [low, high]))
    };
    // Where nearly all is background percentiles may be the same.
    clip(config.clip).or_else(|| clip([0.0, 100.0])).ok_or_else(|| Error::Unfit {
        problem: "the image has no contrast".into(),
        hint: "leave it out; `fewmark info` shows its samples",
    })
}

/// The share of a label in each pixel of the square around a slice.
pub(super) fn share(labels: &LabelMap, z: usize, label: u16, frame: &Frame) -> Vec<f32> {
    frame.put(&labels.slice(z).iter().map(|&l| f32::from(u8::from(l == label))).collect::<Vec<_>>(), 0.0)
}
