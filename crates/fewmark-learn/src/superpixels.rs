//! Superpixels of scans: the pseudo-labels that few-shot networks are trained on.

use fewmark_classical::superpixels::{FelzenszwalbParams, SlicParams, felzenszwalb, foreground, slic, within};
use fewmark_image::{Image, LabelMap};
use serde::{Deserialize, Serialize};

use crate::Error;

/// An algorithm and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case")]
pub enum Partition {
    /// Merging along a minimum spanning tree: regions of any shape.
    Felzenszwalb(FelzenszwalbParams),
    /// Local clustering: regions of about equal size.
    Slic(SlicParams),
}

impl Default for Partition {
    fn default() -> Self {
        Self::Felzenszwalb(FelzenszwalbParams::default())
    }
}

/// How superpixels are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuperpixelParams {
    /// The partition.
    pub partition: Partition,
    /// Samples up to this are background; superpixels are kept within the largest part of the others. None keeps all.
    pub foreground: Option<f32>,
    /// Whether regions reach through the slices of a volume. Otherwise every slice has its own, numbered from 1.
    pub in_3d: bool,
}

impl SuperpixelParams {
    /// A name for files that are made with these settings: "felzenszwalb-scale1-sigma1-min400-above50".
    pub fn name(&self) -> String {
        let partition = match &self.partition {
            Partition::Felzenszwalb(FelzenszwalbParams { scale, sigma, min_size }) => {
                format!("felzenszwalb-scale{scale}-sigma{sigma}-min{min_size}")
            }
            Partition::Slic(SlicParams { segments, compactness, sigma, iterations }) => {
                format!("slic{segments}-compactness{compactness}-sigma{sigma}-iterations{iterations}")
            }
        };
        let above = self.foreground.map_or(String::new(), |threshold| format!("-above{threshold}"));
        let axes = if self.in_3d { "-3d" } else { "" };
        format!("{partition}{above}{axes}")
    }

    /// Whether every number is one that it can be.
    ///
    /// # Errors
    /// [`Error::Classical`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        match &self.partition {
            Partition::Felzenszwalb(params) => params.check()?,
            Partition::Slic(params) => params.check()?,
        }
        Ok(())
    }
}

/// The superpixels of an image, from 1 on; 0 is what is not foreground, by the mean of the channels.
///
/// # Errors
/// [`Error::Classical`] for parameters that cannot be and samples that are not finite, [`Error::Unfit`] for more superpixels than a label
/// map has labels.
pub fn superpixels(image: &Image, params: &SuperpixelParams) -> Result<LabelMap, Error> {
    let geometry = image.geometry();
    let grid = geometry.grid();
    let [width, height, _] = grid.size;
    let area = if params.in_3d { grid.len() } else { width * height };
    let mut plane = grid;
    if !params.in_3d {
        plane.size[2] = 1;
    }
    let mut labels = Vec::with_capacity(grid.len());
    for first in (0..grid.len()).step_by(area) {
        let channels = (0..image.channels()).map(|channel| &image.channel(channel)[first..first + area]);
        let samples: Vec<f32> = channels.flatten().copied().collect();
        let parts = match &params.partition {
            Partition::Felzenszwalb(params) => felzenszwalb(&samples, &plane, params)?,
            Partition::Slic(params) => slic(&samples, &plane, params)?,
        };
        let mask = match params.foreground {
            Some(threshold) => {
                let of = |voxel: usize| samples[voxel..].iter().step_by(area).sum::<f32>() / image.channels() as f32;
                foreground(&(0..area).map(of).collect::<Vec<_>>(), &plane, threshold)
            }
            None => vec![true; area],
        };
        let parts = within(&parts, &mask);
        let most = parts.iter().copied().max().unwrap_or(0);
        if most > u32::from(u16::MAX) {
            let problem = format!("{most} superpixels were found, of which a label map holds 65535");
            return Err(Error::Unfit { problem, hint: "ask for fewer or larger superpixels" });
        }
        labels.extend(parts.into_iter().map(|part| part as u16));
    }
    Ok(LabelMap::new(labels, geometry.clone())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fewmark_image::{Dimension, Geometry};

    #[test]
    fn slices_have_their_own_superpixels_and_volumes_common_ones() {
        let geometry = Geometry::unit(Dimension::Three, [12, 10, 3]).expect("a size that can be");
        let step = |i: usize| if i % 12 < 6 { 20.0 } else { 90.0 };
        let image = Image::new((0..360).map(step).collect(), 1, geometry).expect("as many samples as voxels");
        let partition = FelzenszwalbParams { sigma: 0.0, min_size: 10, ..FelzenszwalbParams::default() };
        let partition = Partition::Felzenszwalb(partition);
        let params = SuperpixelParams { partition, ..SuperpixelParams::default() };
        for in_3d in [false, true] {
            let found = superpixels(&image, &SuperpixelParams { in_3d, ..params.clone() }).expect("superpixels");
            assert!(found.labels().iter().enumerate().all(|(i, &l)| l == 1 + u16::from(i % 12 >= 6)), "{in_3d}");
        }
        let bright = SuperpixelParams { foreground: Some(50.0), ..params };
        let found = superpixels(&image, &bright).expect("superpixels");
        assert!(found.labels().iter().enumerate().all(|(i, &l)| l == u16::from(i % 12 >= 6)));
        assert_eq!(bright.name(), "felzenszwalb-scale1-sigma0-min10-above50");
    }
}
