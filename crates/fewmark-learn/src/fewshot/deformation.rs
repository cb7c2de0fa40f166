//! The place of an object bent to the slice that is looked at, by what both look like on pixels: finer than features, and for objects that
//! look like their neighbours.

use fewmark_classical::demons::{DemonsParams, register};
use fewmark_classical::edge::gaussian;
use fewmark_grid::Grid;

use super::search::correlation;
use crate::Error;

/// Standard deviation of the Gaussian in which the brightness of a pixel is told, in sides of the square.
const NEAR: f64 = 0.1;

/// How far beyond an object slices are compared, in sides of the square.
const MARGIN: f64 = 0.12;

/// Least standard deviation of samples from 0 to 1 that counts as contrast.
const FLAT: f32 = 0.01;

/// A square with samples from 0 to 1 relative to mean and standard deviation near each pixel, so that neither the scale of a scan nor a slowly
/// varying field matters.
pub(super) fn picture(square: &[f32], side: usize) -> Result<Vec<f32>, Error> {
    let grid = Grid::unit([side, side, 1]);
    let near = NEAR * side as f64;
    let means = gaussian(square, &grid, near)?;
    let squares = gaussian(&square.iter().map(|s| s * s).collect::<Vec<_>>(), &grid, near)?;
    let relative =
        |((s, mean), square): ((&f32, &f32), f32)| (s - mean) / (square - mean * mean).max(FLAT * FLAT).sqrt();
    Ok(square.iter().zip(&means).zip(squares).map(relative).collect())
}

/// An object laid over a slice: its mask, and what the slice that shows it looks like there. Both are squares.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    pub(super) mask: Vec<f32>,
    pub(super) shown: Vec<f32>,
}

impl Laid {
    /// The same, bent to a picture. `smoothing` is the standard deviation of the Gaussian that smooths displacements, in pixels.
    pub(super) fn bent(mut self, picture: &[f32], smoothing: f64) -> Result<Self, Error> {
        let Some(window) = Window::around(&self.mask) else { return Ok(self) };
        let params = DemonsParams { smoothing, ..DemonsParams::default() };
        let shown = window.cut(&self.shown);
        let found = register(&window.cut(picture), &shown, &window.grid(), &params)?;
        window.paste(&found.pull(&shown)?, &mut self.shown);
        let mask = found.pull(&window.cut(&self.mask))?;
        self.mask.fill(0.0);
        window.paste(&mask, &mut self.mask);
        Ok(self)
    }

    /// How alike it and a picture look in the object and near it: their correlation, weighted by the mask blurred by a Gaussian of the standard
    /// deviation `near`, in pixels; 0 where there is no object.
    pub(super) fn likeness(&self, picture: &[f32], near: f64) -> Result<f64, Error> {
        let Some(window) = Window::around(&self.mask) else { return Ok(0.0) };
        let weights = gaussian(&window.cut(&self.mask), &window.grid(), near)?;
        Ok(correlation(&window.cut(&self.shown), &window.cut(picture), &weights))
    }
}

/// A part of a square.
struct Window {
    side: usize,
    /// First column and row
    first: [usize; 2],
    /// Columns and rows
    size: [usize; 2],
}

impl Window {
    /// What lies no further than the margin from a mask; none around nothing.
    fn around(mask: &[f32]) -> Option<Self> {
        let side = mask.len().isqrt();
        let margin = (MARGIN * side as f64).round() as usize;
        let inside = || (0..mask.len()).filter(|&i| mask[i] > 0.0);
        let of = |along: fn(usize, usize) -> usize| {
            let least = inside().map(|i| along(i, side)).min()?.saturating_sub(margin);
            let most = (inside().map(|i| along(i, side)).max()? + margin).min(side - 1);
            Some((least, most - least + 1))
        };
        let ((x, width), (y, height)) = (of(|i, side| i % side)?, of(|i, side| i / side)?);
        Some(Self { side, first: [x, y], size: [width, height] })
    }

    fn grid(&self) -> Grid {
        let [width, height] = self.size;
        Grid::unit([width, height, 1])
    }

    fn rows(&self) -> impl Iterator<Item = usize> {
        let ([x, y], [_, height], side) = (self.first, self.size, self.side);
        (y..y + height).map(move |row| row * side + x)
    }

    fn cut(&self, square: &[f32]) -> Vec<f32> {
        self.rows().flat_map(|first| &square[first..first + self.size[0]]).copied().collect()
    }

    fn paste(&self, part: &[f32], square: &mut [f32]) {
        for (first, line) in self.rows().zip(part.chunks_exact(self.size[0])) {
            square[first..first + line.len()].copy_from_slice(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 64;

    /// A disc around a point, with a brighter one below it.
    fn slice(x: f32, y: f32, radius: f32) -> (Vec<f32>, Vec<f32>) {
        let far = |i: usize, y: f32| ((i % SIDE) as f32 - x).hypot((i / SIDE) as f32 - y);
        let square = |i| {
            if far(i, y) < radius {
                0.6
            } else if far(i, y + 18.0) < 6.0 {
                0.9
            } else {
                0.2
            }
        };
        let mask = |i| f32::from(u8::from(far(i, y) < radius));
        ((0..SIDE * SIDE).map(square).collect(), (0..SIDE * SIDE).map(mask).collect())
    }

    #[test]
    fn a_mask_follows_what_the_other_slice_looks_like() {
        let ((shown, mask), (other, truth)) = (slice(30.0, 28.0, 7.0), slice(33.0, 26.0, 9.0));
        // Another scale and another offset.
        let other: Vec<f32> = other.iter().map(|s| 0.5 * s + 0.1).collect();
        let [shown, other] = [&shown, &other].map(|square| picture(square, SIDE).unwrap());
        let laid = Laid { mask: mask.clone(), shown };
        let found = laid.clone().bent(&other, 1.5).unwrap();
        let dice = |a: &[f32], b: &[f32]| {
            let both: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            2.0 * both / (a.iter().sum::<f32>() + b.iter().sum::<f32>())
        };
        let (before, after) = (dice(&mask, &truth), dice(&found.mask, &truth));
        assert!(before < 0.75 && after > 0.9, "{before} {after}");
        let [before, after] = [&laid, &found].map(|laid| laid.likeness(&other, 4.0).unwrap());
        assert!(before < 0.6 && after > 0.85, "{before} {after}");
    }

    #[test]
    fn nothing_stays_nothing() {
        let flat = picture(&[0.5; SIDE * SIDE], SIDE).unwrap();
        assert!(flat.iter().all(|s| s.abs() < 1e-3));
        let nothing = Laid { mask: vec![0.0; SIDE * SIDE], shown: flat.clone() }.bent(&flat, 1.5).unwrap();
        assert_eq!(nothing.mask, [0.0; SIDE * SIDE]);
        assert_eq!(nothing.likeness(&flat, 4.0).unwrap(), 0.0);
    }
}
