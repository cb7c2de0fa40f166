//! An image and its clicks as a network sees them.

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_classical::selective::{NormalisationKind, SelectiveParams, Session, Terms};
use fewmark_image::{Dimension, Image, Interpolation, Scaling, resample_to_spacing};

use super::Variant;
use super::config::DipConfig;
use crate::Error;

/// An image with clicks on one object.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The image, 2-D.
    pub image: Image,
    /// Clicks inside the object, as voxels.
    pub foreground: Vec<[usize; 3]>,
    /// Clicks on what does not belong to it.
    pub background: Vec<[usize; 3]>,
}

/// The image on the grid of the networks, and the terms of its energy there.
pub(super) struct Prepared {
    /// Scaled to `[0, 1]`, one channel.
    pub(super) image: Image,
    pub(super) terms: Terms,
}

impl Prepared {
    /// Brings an image and its clicks to the grid of the networks.
    pub(super) fn new(
        image: &Image,
        foreground: &[[usize; 3]],
        background: &[[usize; 3]],
        size: usize,
        scaling: &Scaling,
        model: &SelectiveParams,
    ) -> Result<Self, Error> {
        if image.geometry().dimension() != Dimension::Two {
            return Err(fewmark_classical::Error::Dimension { method: "dip", size: image.geometry().size() }.into());
        }
        let scaled = Image::new(scaling.apply(image)?, 1, image.geometry().clone())?;
        let shrunk = resized(&scaled, size)?;
        let (from, to) = (image.geometry().size(), shrunk.geometry().size());
        let moved = |clicks: &[[usize; 3]]| -> Vec<[usize; 3]> {
            clicks.iter().map(|click| std::array::from_fn(|a| (2 * click[a] + 1) * to[a] / (2 * from[a]))).collect()
        };
        let foreground = moved(foreground);
        // On a coarser grid a background click may fall on a foreground click.
        let background: Vec<_> = moved(background).into_iter().filter(|click| !foreground.contains(click)).collect();
        let mut session = Session::new(shrunk.samples(), &shrunk.geometry().grid(), model)?;
        let terms = session.terms(&foreground, &background)?;
        Ok(Self { image: shrunk, terms })
    }

    /// The channels of the VM Net, `[1, 2 or 3, y, x]`: the image, the marked region or the distance from it, scaled to `[0, 1]`, and the
    /// data term where the configuration has it.
    pub(super) fn input(&self, config: &DipConfig, device: &Device) -> Tensor<4> {
        let DipConfig { variant, model, data_channel, .. } = config;
        let second: Vec<f32> = match variant {
            Variant::M4 => {
                let most = match model.distance_normalisation {
                    NormalisationKind::Quantile => model.distance_cap as f32,
                    NormalisationKind::Max => 1.0,
                };
                self.terms.distance.iter().map(|d| d / most).collect()
            }
            _ => self.terms.marker.iter().map(|&m| f32::from(u8::from(m))).collect(),
        };
        let mut channels = vec![self.field(self.image.samples(), device), self.field(&second, device)];
        if *data_channel {
            channels.push(self.field(&self.terms.data, device).clamp(-1.0, 1.0));
        }
        Tensor::cat(channels, 1)
    }

    /// Values of the pixels as `[1, 1, y, x]`.
    pub(super) fn field(&self, values: &[f32], device: &Device) -> Tensor<4> {
        let [width, height, _] = self.image.geometry().size();
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, height, width]), device)
    }
}

/// The image with `size` pixels along its longer side; 0 leaves it as it is.
fn resized(image: &Image, size: usize) -> Result<Image, Error> {
    let [width, height, _] = image.geometry().size();
    if size == 0 || width.max(height) == size {
        return Ok(image.clone());
    }
    let ratio = width.max(height) as f64 / size as f64;
    let [x, y, z] = image.geometry().spacing();
    Ok(resample_to_spacing(image, [x * ratio, y * ratio, z], Interpolation::Linear)?)
}

/// A case on the grid of the networks.
pub(super) fn prepare(case: &Case, config: &DipConfig) -> Result<Prepared, Error> {
    let DipConfig { size, scaling, model, .. } = config;
    Prepared::new(&case.image, &case.foreground, &case.background, *size, scaling, model)
        .map_err(|error| error.of_case(&case.name))
}
