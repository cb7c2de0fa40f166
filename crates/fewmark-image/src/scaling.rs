//! One scale for images of any kind, as methods and networks want it.

use serde::{Deserialize, Serialize};

use crate::{Error, Image};

/// How the samples of an image become `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scaling {
    /// Lowest and highest sample of the range that becomes `[0, 1]`; empty for the quantiles below.
    pub window: Vec<f64>,
    /// Samples below this quantile and above its complement are cut off, so that a few bright voxels do not squeeze the rest.
    pub clip_quantile: f64,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { window: Vec::new(), clip_quantile: 0.001 }
    }
}

impl Scaling {
    /// Whether the numbers are ones that can be.
    ///
    /// # Errors
    /// A sentence about the first one that is not.
    pub fn check(&self) -> Result<(), String> {
        let Self { window, clip_quantile } = self;
        let ordered = matches!(window[..], [low, high] if low < high);
        if !(window.is_empty() || ordered) {
            return Err(format!("window = {window:?}: expected [low, high] with low < high, or []"));
        }
        if !(0.0..0.5).contains(clip_quantile) {
            return Err(format!("clip_quantile = {clip_quantile}: expected at least 0 and less than 0.5"));
        }
        Ok(())
    }

    /// The mean of the channels, `[z, y, x]`, scaled to `[0, 1]`. Samples that are not finite become 0, the lowest value.
    ///
    /// # Errors
    /// [`Error::NoContrast`] when all samples are the same, or none is finite.
    pub fn apply(&self, image: &Image) -> Result<Vec<f32>, Error> {
        let mut f = image.channel(0).to_vec();
        for channel in 1..image.channels() {
            f.iter_mut().zip(image.channel(channel)).for_each(|(f, &s)| *f += s);
        }
        let count = image.channels() as f32;
        f.iter_mut().for_each(|f| *f /= count);
        self.scale(f)
    }

    /// All channels, `[channels, z, y, x]`, scaled to `[0, 1]` by one range, so that colours stay colours. Samples that are not finite
    /// become 0, the lowest value.
    ///
    /// # Errors
    /// [`Error::NoContrast`] when all samples are the same, or none is finite.
    pub fn apply_jointly(&self, image: &Image) -> Result<Vec<f32>, Error> {
        self.scale(image.samples().to_vec())
    }

    /// The samples of an image that become 0 and 1.
    ///
    /// # Errors
    /// [`Error::NoContrast`] when all samples are the same, or none is finite.
    pub fn range_of(&self, image: &Image) -> Result<(f32, f32), Error> {
        self.range(image.samples())
    }

    fn range(&self, f: &[f32]) -> Result<(f32, f32), Error> {
        match self.window[..] {
            [low, high] => Ok((low as f32, high as f32)),
            _ => range(f, self.clip_quantile),
        }
    }

    fn scale(&self, mut f: Vec<f32>) -> Result<Vec<f32>, Error> {
        let (low, high) = self.range(&f)?;
        let per_range = 1.0 / (high - low);
        f.iter_mut().for_each(|f| *f = if f.is_finite() { ((*f - low) * per_range).clamp(0.0, 1.0) } else { 0.0 });
        Ok(f)
    }
}

/// The finite samples' quantiles `q` and `1 - q`, or their minimum and maximum where those are the same.
fn range(f: &[f32], q: f64) -> Result<(f32, f32), Error> {
    let mut finite: Vec<f32> = f.iter().copied().filter(|f| f.is_finite()).collect();
    if finite.is_empty() {
        return Err(Error::NoContrast("no sample of the image is finite".into()));
    }
    let (min, max) = finite.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &f| (min.min(f), max.max(f)));
    if min == max {
        return Err(Error::NoContrast(format!("every sample of the image is {min}")));
    }
    let mut quantile = |q: f64| {
        let at = ((finite.len() - 1) as f64 * q).round() as usize;
        *finite.select_nth_unstable_by(at, f32::total_cmp).1
    };
    let (low, high) = (quantile(q), quantile(1.0 - q));
    Ok(if low < high { (low, high) } else { (min, max) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dimension, Geometry};

    fn image(samples: Vec<f32>) -> Image {
        let geometry = Geometry::unit(Dimension::Two, [samples.len(), 1, 1]).unwrap();
        Image::new(samples, 1, geometry).unwrap()
    }

    fn scaling(window: &[f64], clip_quantile: f64) -> Scaling {
        Scaling { window: window.to_vec(), clip_quantile }
    }

    #[test]
    fn samples_are_scaled_to_the_unit_interval() {
        let image = image(vec![-1000.0, 0.0, f32::NAN, 1000.0]);
        assert_eq!(scaling(&[], 0.0).apply(&image).unwrap(), [0.0, 0.5, 0.0, 1.0]);
        assert_eq!(scaling(&[0.0, 500.0], 0.0).apply(&image).unwrap(), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn an_image_without_contrast_is_refused() {
        for samples in [vec![3.0; 5], vec![f32::NAN; 5]] {
            assert!(matches!(scaling(&[], 0.01).apply(&image(samples)), Err(Error::NoContrast(_))));
        }
    }
}
