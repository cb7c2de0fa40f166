//! An image and its clicks as a network sees them.

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_classical::selective::{NormalisationKind, SelectiveParams, Session, Terms};
use fewmark_image::{Dimension, Image, Interpolation, Scaling, memory, resample_to_spacing};

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

/// The image on the grid of the networks, and the terms of its energy there, a value a pixel each.
pub(super) struct Prepared {
    /// Scaled to `[0, 1]`, one channel.
    pub(super) image: Image,
    /// The region that the clicks mark, 0 to 1.
    marker: Vec<f32>,
    /// `D`, the normalised distance from it.
    distance: Vec<f32>,
    /// `r`, the data term.
    pub(super) data: Vec<f32>,
    /// `g`, the edge detector, where there is one.
    pub(super) edge: Option<Vec<f32>>,
    /// `mu`, the weight of the regulariser in pixels of this grid.
    pub(super) mu: f64,
    /// Quantities derived from image and clicks, by name.
    pub(super) derived: Vec<(&'static str, f64)>,
}

impl Prepared {
    /// Brings an image and the terms of its energy to the grid of the networks.
    ///
    /// The terms are those of the image as it is: on a coarser grid small objects would have neither edges nor a marker, and all that is
    /// measured in pixels would mean something else than for the other methods.
    pub(super) fn new(
        image: &Image,
        foreground: &[[usize; 3]],
        background: &[[usize; 3]],
        size: usize,
        scaling: &Scaling,
        model: &SelectiveParams,
    ) -> Result<Self, Error> {
        let geometry = image.geometry();
        if geometry.dimension() != Dimension::Two {
            return Err(fewmark_classical::Error::Dimension { method: "dip", size: geometry.size() }.into());
        }
        let pixels = geometry.len();
        memory::plan(format!("segmenting an image of {pixels} pixels"), Session::memory(pixels))?;
        let scaled = scaling.apply(image)?;
        let Terms { marker, distance, data, edge, mu, derived, .. } =
            Session::new(&scaled, &geometry.grid(), model)?.terms(foreground, background)?;
        let marker = marker.into_iter().map(|marked| f32::from(u8::from(marked))).collect();
        let fields: Vec<Vec<f32>> = [scaled, marker, distance, data].into_iter().chain(edge).collect();
        let (channels, before) = (fields.len(), geometry.spacing()[0]);
        let fields = resized(&Image::new(fields.concat(), channels, geometry.clone())?, size)?;
        let field = |channel: usize| fields.channel(channel).to_vec();
        Ok(Self {
            image: Image::new(field(0), 1, fields.geometry().clone())?,
            marker: field(1),
            distance: field(2),
            data: field(3),
            edge: (channels > 4).then(|| field(4)),
            mu: mu * before / fields.geometry().spacing()[0],
            derived,
        })
    }

    /// The channels of the VM Net, `[1, 2 or 3, y, x]`: the image, the marked region or the distance from it, scaled to `[0, 1]`, and the
    /// data term where the configuration has it.
    pub(super) fn input(&self, config: &DipConfig, device: &Device) -> Tensor<4> {
        let DipConfig { variant, model, data_channel, .. } = config;
        let second = match variant {
            Variant::M4 => {
                let most = match model.distance_normalisation {
                    NormalisationKind::Quantile => model.distance_cap,
                    NormalisationKind::Max => 1.0,
                };
                self.field(&self.distance, device) / most
            }
            _ => self.field(&self.marker, device),
        };
        let mut channels = vec![self.field(self.image.samples(), device), second];
        if *data_channel {
            channels.push(self.field(&self.data, device).clamp(-1.0, 1.0));
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
