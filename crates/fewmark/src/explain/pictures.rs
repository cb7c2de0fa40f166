//! Fields of any grid as pictures of one size.

use fewmark_image::intensity::percentiles;
use fewmark_image::{Dimension, Geometry, Image, SampleType};

use crate::Error;
use crate::overlay::pixel_of;

/// Pixels along the longer side of a picture, at least.
const LONG_SIDE: f64 = 256.0;
/// Samples outside these percentiles are shown black or white.
const WINDOW: [f64; 2] = [1.0, 99.0];

/// Pixels across and down of a picture of this place, its pixels square.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    size: [usize; 2],
}

impl Frame {
    /// Large enough for every voxel of the finest grid.
    pub(super) fn of(geometry: &Geometry) -> Self {
        let extent = [0, 1].map(|a| geometry.size()[a] as f64 * geometry.spacing()[a]);
        let scale = pixel_of(geometry, LONG_SIDE);
        Self { size: extent.map(|mm| ((mm / scale).round() as usize).max(1)) }
    }

    /// The picture of a colour for each voxel of a grid over this place, each voxel as large as it is.
    fn draw(self, [width, height]: [usize; 2], colour: impl Fn(usize) -> [u8; 3]) -> Result<Image, Error> {
        let [across, down] = self.size;
        let pixels: Vec<[u8; 3]> = (0..across * down)
            .map(|i| colour(i / across * height / down * width + i % across * width / across))
            .collect();
        let samples = (0..3).flat_map(|channel| pixels.iter().map(move |pixel| f32::from(pixel[channel])));
        let geometry = Geometry::unit(Dimension::Two, [across, down, 1]).map_err(fewmark_image::Error::from)?;
        Ok(Image::new(samples.collect(), 3, geometry)?.with_stored(SampleType::U8))
    }

    /// Samples from black, the smallest, to white, the largest.
    pub(super) fn stretched(self, field: &Image, samples: &[f32]) -> Result<Image, Error> {
        let [low, high] = percentiles(samples, WINDOW).unwrap_or([0.0, 1.0]).map(|x| x as f32);
        let range = if high > low { high - low } else { 1.0 };
        self.shares(field, [255; 3], |i| (samples[i] - low) / range)
    }

    /// Shares from 0, black, to 1, of a colour.
    pub(super) fn shares(self, field: &Image, colour: [u8; 3], share: impl Fn(usize) -> f32) -> Result<Image, Error> {
        self.draw(across_and_down(field), |i| colour.map(|c| (share(i).clamp(0.0, 1.0) * f32::from(c)).round() as u8))
    }

    /// The colour of a channel for each voxel.
    pub(super) fn channels(self, field: &Image, channel: &[usize]) -> Result<Image, Error> {
        self.draw(across_and_down(field), |i| colour(channel[i]))
    }
}

fn across_and_down(field: &Image) -> [usize; 2] {
    let [width, height, _] = field.geometry().size();
    [width, height]
}

/// A colour for each channel, by the golden angle around the colour circle so that few are alike, light and dark in turn.
pub(super) fn colour(channel: usize) -> [u8; 3] {
    let hue = (channel as f32 * 0.618_034).fract() * 6.0;
    let value = [1.0, 0.72][channel % 2];
    let saturation = [0.62, 0.9, 0.75][channel % 3];
    // Red, green and blue are brightest a third of the circle apart.
    [0.0, 4.0, 2.0].map(|turn| {
        let from_peak = ((hue + turn) % 6.0 - 3.0).abs();
        let tone = (from_peak - 1.0).clamp(0.0, 1.0);
        (255.0 * value * (1.0 - saturation * (1.0 - tone))).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(size: [usize; 3], samples: Vec<f32>) -> Image {
        Image::new(samples, 1, Geometry::unit(Dimension::Two, size).unwrap()).unwrap()
    }

    fn pixel(picture: &Image, x: usize, y: usize) -> [f32; 3] {
        let [width, ..] = picture.geometry().size();
        std::array::from_fn(|channel| picture.channel(channel)[y * width + x])
    }

    #[test]
    fn a_voxel_of_any_grid_covers_its_part_of_the_picture() {
        let frame = Frame::of(&Geometry::unit(Dimension::Two, [5, 4, 1]).unwrap());
        let coarse = field([2, 1, 1], vec![-3.0, 5.0]);
        let picture = frame.stretched(&coarse, coarse.samples()).unwrap();
        assert_eq!(picture.geometry().size(), [256, 205, 1]);
        for y in [0, 204] {
            assert_eq!((pixel(&picture, 127, y), pixel(&picture, 128, y)), ([0.0; 3], [255.0; 3]));
        }
    }

    #[test]
    fn pixels_are_square_and_enough_for_every_voxel() {
        let geometry = |size, spacing: [f64; 3]| {
            let direction = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
            Geometry::from_parts(Dimension::Two, size, spacing, [0.0; 3], direction).unwrap()
        };
        assert_eq!(Frame::of(&geometry([400, 100, 1], [1.0, 2.0, 1.0])).size, [400, 200]);
        assert_eq!(Frame::of(&geometry([16, 8, 1], [1.0, 4.0, 1.0])).size, [128, 256]);
    }

    #[test]
    fn shares_are_shades_of_a_colour() {
        let frame = Frame::of(&Geometry::unit(Dimension::Two, [3, 1, 1]).unwrap());
        let shares = field([3, 1, 1], vec![0.0, 0.5, 1.5]);
        let picture = frame.shares(&shares, [200, 100, 0], |i| shares.samples()[i]).unwrap();
        let found = [0, 128, 255].map(|x| pixel(&picture, x, 0));
        assert_eq!(found, [[0.0; 3], [100.0, 50.0, 0.0], [200.0, 100.0, 0.0]]);
    }

    #[test]
    fn channels_are_told_apart() {
        let distance = |a: [u8; 3], b: [u8; 3]| (0..3).map(|c| a[c].abs_diff(b[c]) as u32).sum::<u32>();
        for a in 0..16 {
            assert!(colour(a).into_iter().max() > Some(170), "no channel is dark");
            for b in 0..a {
                assert!(distance(colour(a), colour(b)) > 40, "{a} {:?}, {b} {:?}", colour(a), colour(b));
            }
        }
    }
}
