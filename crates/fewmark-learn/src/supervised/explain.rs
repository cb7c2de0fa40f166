//! What an MSNet does with an image, grid by grid.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_image::{Geometry, Image, LabelMap, SampleType, crop_to_box, memory, slice};
use fewmark_nets::{Energy, MsNet, MsNetConfig, Network2d, Network3d, Pass};

use super::cases::Prepared;
use super::predictor::{AnyNetwork, Predictor, cut, dims, likeliest, window};
use crate::Error;

/// Fields of all channels on the finest grid that an explanation holds at once, about.
const FIELDS: usize = 40;

/// What an MSNet does with an image: one slice of it, or of its middle where the image is larger than what the network sees at once.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The slice of a volume, 0 of a 2-D image.
    pub slice: usize,
    /// What is shown, a 2-D image. All others lie in its space.
    pub image: Image,
    /// The codes of the label maps that the network learned from.
    pub labels: LabelMap,
    /// The probability of each class, `[classes, y, x]`, the background first.
    pub probabilities: Image,
    /// The codes of the classes, the background's 0 first.
    pub codes: Vec<u16>,
    /// Whether [`Predictor::predict`] answers with means over mirrored copies of the image, of which these are the one as it is.
    pub mirrored: bool,
    /// What the network is made from.
    pub config: MsNetConfig,
    /// What the network does, in its order.
    pub visits: Vec<Visited>,
}

/// A visit of a grid, as [`fewmark_nets::Visit`].
#[derive(Clone, Debug)]
pub struct Visited {
    /// The grid, from 1, the finest.
    pub grid: usize,
    /// The way the grid is passed.
    pub pass: Pass,
    /// Voxels of the grid along x, y and z.
    pub size: [usize; 3],
    /// The features, `[channels, y, x]` of the slice of the grid that lies at the slice shown.
    pub u: Image,
    /// The weights, as `u`.
    pub v: Image,
    /// The functional as the grid was entered, of the whole grid.
    pub entered: Energy,
    /// The functional after the update of `u`.
    pub after_u: Energy,
    /// The functional after the update of `v`.
    pub after_v: Energy,
}

impl Predictor {
    /// What the network does with an image, if it is an MSNet. Of a volume the slice `z` is shown, or else the middle one; a network for
    /// volumes sees what is around it.
    /// Slices are counted along the axes of the images that were learned from.
    ///
    /// # Errors
    /// [`Error::NotExplained`] for other networks, as [`predict`](Self::predict) for images that do not fit, [`Error::Image`] for a
    /// slice outside the image and where there is too little memory.
    pub fn explain(&self, image: &Image, z: Option<usize>) -> Result<Explained, Error> {
        let refused = Err(Error::NotExplained { network: self.config().network.name().into() });
        match self.network() {
            AnyNetwork::Flat(network) => match &**network {
                Network2d::MsNet(network) => self.explained(network, image, z),
                _ => refused,
            },
            AnyNetwork::Solid(network) => match &**network {
                Network3d::MsNet(network) => self.explained(network, image, z),
                _ => refused,
            },
        }
    }

    fn explained<const R: usize>(
        &self,
        network: &MsNet<R>,
        image: &Image,
        z: Option<usize>,
    ) -> Result<Explained, Error> {
        self.expect_fitting(image)?;
        let turned = self.orientation_of(image.geometry()).image(image)?;
        let image = turned.as_ref();
        let z = z.unwrap_or(image.geometry().size()[2] / 2);
        let flat = slice(image, 2, z)?;
        let prepared = Prepared::new(image, &self.config().scaling)?;
        let (prepared, z_seen) = if R == 4 { (prepared.slice(z), 0) } else { (prepared, z) };

        let window = Window::around(prepared.size, window(prepared.size, self.config()), z_seen);
        let voxels: usize = window.size.iter().product();
        memory::plan("looking into the network", (4 * FIELDS * network.config().channels * voxels) as u64)?;
        let [x, y] = [0, 1].map(|a| window.start[a]..window.start[a] + window.size[a]);
        let flat = crop_to_box(&flat, [x, y, 0..1])?;
        let z_seen = z_seen - window.start[2];

        let found = network.explain(tensor(&prepared, &window, self.device()));
        let shown = |x: &Tensor<R>| plane(x, z_seen, window.size[2], flat.geometry());
        let probabilities = shown(&softmax(found.logits, 1))?;
        let classes = self.classes();
        let labels = likeliest(probabilities.samples(), classes.count()).into_iter().map(|class| classes.code(class));
        let visited = |visit: &fewmark_nets::Visit<R>| {
            Ok(Visited {
                grid: visit.grid,
                pass: visit.pass,
                size: size(&visit.u),
                u: shown(&visit.u)?,
                v: shown(&visit.v)?,
                entered: visit.entered,
                after_u: visit.after_u,
                after_v: visit.after_v,
            })
        };
        Ok(Explained {
            slice: z,
            labels: LabelMap::new(labels.collect(), flat.geometry().clone())?,
            probabilities,
            codes: (0..classes.count()).map(|class| classes.code(class)).collect(),
            mirrored: self.config().mirrored_predictions,
            config: network.config().clone(),
            visits: found.visits.iter().map(visited).collect::<Result<_, Error>>()?,
            image: flat,
        })
    }
}

/// The part of an image that a network sees, in voxels along x, y and z.
#[derive(Debug, PartialEq)]
struct Window {
    start: [usize; 3],
    size: [usize; 3],
}

impl Window {
    /// The largest window of at most `most` voxels in the middle of an image, and around the slice `z`.
    fn around(image: [usize; 3], most: [usize; 3], z: usize) -> Self {
        let size: [usize; 3] = std::array::from_fn(|a| image[a].min(most[a]));
        let middle = [image[0] / 2, image[1] / 2, z];
        let start = |a: usize| middle[a].saturating_sub(size[a] / 2).min(image[a] - size[a]);
        Self { start: std::array::from_fn(start), size }
    }
}

fn tensor<const R: usize>(image: &Prepared, window: &Window, device: &Device) -> Tensor<R> {
    let samples = cut(image, window.start, window.size);
    Tensor::from_data(TensorData::new(samples, dims::<R>(1, image.channels, window.size)), device)
}

/// Voxels along x, y and z.
fn size<const R: usize>(x: &Tensor<R>) -> [usize; 3] {
    let dims = x.dims();
    [dims[R - 1], dims[R - 2], if R == 5 { dims[2] } else { 1 }]
}

/// The slice of `[1, channels, ..]` on a coarser grid that lies at the slice `z` of `depth`, in the space of a slice of the finest grid.
fn plane<const R: usize>(x: &Tensor<R>, z: usize, depth: usize, space: &Geometry) -> Result<Image, Error> {
    let ([width, height, slices], channels) = (size(x), x.dims()[1]);
    let z = z * slices / depth;
    let samples = x.clone().into_data().convert::<f32>().try_to_vec::<f32>().expect("numbers that were just converted");
    let area = width * height;
    let of_channel = |channel: &[f32]| channel[z * area..(z + 1) * area].to_vec();
    let samples = samples.chunks_exact(slices * area).flat_map(of_channel).collect();
    let geometry = space.resized([width, height, 1]).map_err(fewmark_image::Error::from)?;
    Ok(Image::new(samples, channels, geometry)?.with_stored(SampleType::F32))
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use fewmark_image::Dimension;
    use fewmark_nets::{Architecture, Segmenter as _};

    use super::super::SupervisedConfig;
    use super::super::cases::{Case, check};
    use super::super::predictor::Settings;
    use super::*;

    /// A volume, or an image where `depth` is 1, of waves.
    fn waves(size: [usize; 3]) -> Image {
        let dimension = if size[2] == 1 { Dimension::Two } else { Dimension::Three };
        let geometry = Geometry::unit(dimension, size).unwrap();
        let samples = (0..geometry.len()).map(|i| (0.37 * i as f32).sin() + (0.11 * i as f32).cos()).collect();
        Image::new(samples, 1, geometry).unwrap()
    }

    /// An untrained network for the labels 0, 2 and 5 in such images.
    fn predictor(name: &str) -> Predictor {
        let image = waves([18, 17, 6]);
        let labels = (0..image.geometry().len()).map(|i| [0, 2, 5][i % 3]).collect();
        let case = Case { name: "a".into(), labels: LabelMap::new(labels, image.geometry().clone()).unwrap(), image };
        let config = SupervisedConfig::new(Architecture::find(name, 1, 3).unwrap());
        let config = SupervisedConfig { mirrored_predictions: false, ..config };
        let (_, classes) = check(&[case], &config).unwrap();
        let device = Device::flex();
        let network = if config.network.rank() == 4 {
            AnyNetwork::flat(Network2d::of(&config.network, &device).unwrap())
        } else {
            AnyNetwork::solid(Network3d::of(&config.network, &device).unwrap())
        };
        Predictor::new(network, Settings { classes, config, direction: None }, device)
    }

    #[test]
    fn the_answer_is_that_of_the_prediction() {
        let mut go_on = |_| ControlFlow::Continue(());
        for (name, size, z) in [
            ("msnet-2d", [21, 18, 1], None),
            ("msnet-2d", [21, 18, 5], Some(3)),
            ("msnet-3d", [21, 18, 7], Some(6)),
            ("msnet-3d", [21, 18, 7], None),
        ] {
            let (predictor, image) = (predictor(name), waves(size));
            let predicted = predictor.predict(&image, &mut go_on).unwrap();
            let explained = predictor.explain(&image, z).unwrap();
            let z = z.unwrap_or(size[2] / 2);
            assert_eq!(explained.slice, z);
            assert_eq!(explained.codes, [0, 2, 5]);
            let expected = slice(&predicted.probabilities, 2, z).unwrap();
            let pairs = explained.probabilities.samples().iter().zip(expected.samples());
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6), "{name}, slice {z}");
            explained.labels.geometry().expect_same_space(expected.geometry()).unwrap();
            assert_eq!(explained.visits.len(), 9);
            let [last, coarsest] = [&explained.visits[8], &explained.visits[4]];
            assert_eq!((last.u.channels(), last.v.geometry().size()), (16, [21, 18, 1]));
            assert_eq!((coarsest.grid, coarsest.u.geometry().size()), (5, [2, 2, 1]));
        }
    }

    #[test]
    fn the_slice_of_a_coarser_grid_lies_at_the_one_shown() {
        let space = Geometry::unit(Dimension::Two, [4, 4, 1]).unwrap();
        let samples: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let x = Tensor::<5>::from_data(TensorData::new(samples, [1, 2, 3, 2, 2]), &Device::flex());
        let first = |z| plane(&x, z, 5, &space).unwrap().samples()[0];
        assert_eq!([0, 1, 2, 3, 4].map(first), [0.0, 0.0, 4.0, 4.0, 8.0]);
        let image = plane(&x, 4, 5, &space).unwrap();
        assert_eq!(image.samples(), [8.0, 9.0, 10.0, 11.0, 20.0, 21.0, 22.0, 23.0]);
        assert_eq!(image.geometry().spacing()[..2], [2.0, 2.0]);
    }

    #[test]
    fn a_large_image_is_shown_around_its_middle_and_the_slice() {
        let around = |image, z| Window::around(image, [128; 3], z).start;
        assert_eq!(around([100, 128, 50], 20), [0, 0, 0]);
        assert_eq!(around([300, 200, 400], 0), [86, 36, 0]);
        assert_eq!(around([300, 200, 400], 200)[2], 136);
        assert_eq!(around([300, 200, 400], 399)[2], 272);
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        let volume = waves([12, 10, 6]);
        let refused = predictor("unet").explain(&volume, None).unwrap_err();
        assert!(matches!(&refused, Error::NotExplained { network } if network == "unet"));
        assert!(refused.hint().is_some());
        let msnet = predictor("msnet-3d");
        assert!(matches!(msnet.explain(&volume, Some(6)), Err(Error::Image(_))));
        assert!(matches!(msnet.explain(&waves([12, 10, 1]), None), Err(Error::Unfit { .. })));
    }
}
