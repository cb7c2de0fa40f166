//! A scan as the methods see it: its features, its brightness, its edges, and where the body is.

use burn::tensor::Tensor;
use fewmark_classical::edge::gaussian;
use fewmark_grid::Grid;
use fewmark_image::{Geometry, Image, LabelMap};
use rayon::prelude::*;

use super::alignment::{Stack, descriptor};
use super::appearance::{Appearance, Around};
use super::config::FewShotConfig;
use super::deformation::picture;
use super::frame::{Frame, resize};
use super::outline;
use super::place::Body;
use super::scan::{Slices, relative_height, samples_in_unit, share};
use crate::Error;

/// The features of the slices of a scan.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Of each slice `[channels, y, x]`
    features: Vec<Tensor<3>>,
    frame: Frame,
    geometry: Geometry,
    body: Body,
    /// From 0 to 1
    samples: Vec<f32>,
    /// Of each slice
    pictures: Vec<Vec<f32>>,
    /// Weights of outlines in each voxel
    edges: Vec<f32>,
}

impl Encoded {
    /// A scan, its features and what else is asked of it. The features are of the slices as they lie in `frame`, `[channels, y, x]` each.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a scan of several channels or without contrast.
    pub(super) fn new(
        image: &Image,
        features: Vec<Tensor<3>>,
        frame: Frame,
        config: &FewShotConfig,
    ) -> Result<Self, Error> {
        let (geometry, side) = (image.geometry().clone(), frame.side());
        let [_, rows, columns] = features[0].dims();
        let inside = Slices::foreground(image, config, side)?;
        let inside: Vec<Vec<f32>> = inside.iter().map(|plane| resize(plane, [side; 2], [rows, columns])).collect();
        let body = Body::of(&inside, [rows, columns]);
        let (grid, longer) = pixels(&geometry);
        let samples = samples_in_unit(image, config)?;
        let mut edges = Vec::with_capacity(samples.len());
        for slice in samples.chunks_exact(grid.len()) {
            edges.extend(outline::edges(slice, &grid, longer, &config.inference)?);
        }
        let pictures = samples.par_chunks_exact(grid.len()).map(|slice| picture(&frame.put(slice, 0.0), side));
        let pictures = pictures.collect::<Result<Vec<_>, Error>>()?;
        Ok(Self { features, frame, geometry, body, samples, pictures, edges })
    }

    /// Slices of the scan.
    pub fn depth(&self) -> usize {
        self.features.len()
    }

    /// The geometry of the scan.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Of a slice `[channels, y, x]`.
    pub(super) fn features(&self, z: usize) -> Tensor<3> {
        self.features[z].clone()
    }

    pub(super) fn body(&self) -> Body {
        self.body
    }

    /// Rows and columns of the features.
    pub(super) fn size(&self) -> [usize; 2] {
        let [_, rows, columns] = self.features[0].dims();
        [rows, columns]
    }

    /// What the slices look like, for an alignment along z.
    pub(super) fn stack(&self) -> Stack {
        let of_slice = |features: &Tensor<3>| {
            let features = features.clone().into_data().convert::<f32>();
            let features = features.try_to_vec::<f32>().expect("numbers that were just converted");
            descriptor(&features, self.size(), &self.body)
        };
        Stack::new(self.features.iter().map(of_slice).collect(), self.geometry.spacing()[2])
    }

    /// Values of features on the pixels of the square.
    pub(super) fn enlarged(&self, values: &[f32]) -> Vec<f32> {
        resize(values, self.size(), [self.side(); 2])
    }

    /// Pixels along each side of the square.
    pub(super) fn side(&self) -> usize {
        self.frame.side()
    }

    /// Values of the pixels of the square on those of a slice, row by row.
    pub(super) fn taken(&self, square: &[f32]) -> Vec<f32> {
        self.frame.take(square)
    }

    /// The share of a label in each pixel of the square.
    pub(super) fn share(&self, labels: &LabelMap, z: usize, label: u16) -> Vec<f32> {
        share(labels, z, label, &self.frame)
    }

    /// What a slice looks like in the square, see [`picture()`].
    pub(super) fn picture(&self, z: usize) -> &[f32] {
        &self.pictures[z]
    }

    /// The samples of a slice, from 0 to 1.
    pub(super) fn slice(&self, z: usize) -> &[f32] {
        let area = self.samples.len() / self.depth();
        &self.samples[z * area..(z + 1) * area]
    }

    /// How bright a label is in a slice beside what lies around it.
    pub(super) fn appearance(&self, labels: &LabelMap, z: usize, label: u16, window: f64) -> Result<Appearance, Error> {
        let object: Vec<f32> = labels.slice(z).iter().map(|&l| f32::from(u8::from(l == label))).collect();
        self.appearance_of([(z, &object)], window)
    }

    /// How bright an object is beside what lies around it in some slices, each with how far its pixels belong to it.
    pub(super) fn appearance_of<'a>(
        &self,
        shown: impl IntoIterator<Item = (usize, &'a Vec<f32>)>,
        window: f64,
    ) -> Result<Appearance, Error> {
        let (grid, side) = pixels(&self.geometry);
        Appearance::of(shown.into_iter().map(|(z, inside)| (self.slice(z), &inside[..])), &grid, window * side)
    }

    /// Values of the pixels of a slice, smoothed by a Gaussian whose standard deviation is in sides of the square.
    pub(super) fn smoothed(&self, values: &[f32], deviation: f64) -> Result<Vec<f32>, Error> {
        let (grid, side) = pixels(&self.geometry);
        Ok(gaussian(values, &grid, deviation * side)?)
    }

    /// What a slice is like around an object that lies at a place, on pixels.
    pub(super) fn around(&self, z: usize, place: &[f32], window: f64) -> Result<Option<Around>, Error> {
        Ok(Around::of(self.slice(z), &self.smoothed(place, window)?))
    }

    /// Where an object lies on the pixels of a slice, by the logarithm of its odds there.
    pub(super) fn outlined(&self, z: usize, odds: &[f32], smoothing: f64) -> Result<Vec<bool>, Error> {
        if smoothing == 0.0 {
            return Ok(odds.iter().map(|&odds| odds > 0.0).collect());
        }
        let edges = &self.edges[z * odds.len()..(z + 1) * odds.len()];
        let (grid, side) = pixels(&self.geometry);
        let u = outline::outlined(odds, edges, &grid, smoothing * side)?;
        Ok(u.into_iter().map(|u| u > 0.5).collect())
    }
}

/// The pixels of a slice, and the length of its longer side; lengths are in widths of a pixel.
fn pixels(geometry: &Geometry) -> (Grid, f64) {
    let ([width, height, _], down) = (geometry.size(), relative_height(geometry));
    let grid = Grid { spacing: [1.0, down, 1.0], ..Grid::unit([width, height, 1]) };
    (grid, (width as f64).max(height as f64 * down))
}
