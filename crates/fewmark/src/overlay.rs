//! Pictures of a result: the windowed image, the contour of every label, and the clicks.
//!
//! A 2-D image is shown as it is stored. Of a volume three planes are shown beside each other, axial, coronal and sagittal (of a single slice
//! that slice), in the radiological way: the patient's right on the left of the picture, anterior or superior at the top.

use fewmark_image::intensity::percentiles;
use fewmark_image::{Dimension, Geometry, Image, LabelMap};

use crate::{Error, VoxelMarks};

/// A picture has at least this many pixels along its longer side, so that small images can be looked at.
const LONG_SIDE: f64 = 512.0;
/// Pixels for a voxel at the most, unless the picture is small.
const MOST_STRETCHED: f64 = 16.0;
/// Samples outside these percentiles are shown black or white.
const WINDOW: [f64; 2] = [0.5, 99.5];
const FOREGROUND: [u8; 3] = [60, 230, 90];
const BACKGROUND: [u8; 3] = [240, 60, 60];
/// Contour colours of labels 1, 2, ... in turn, told apart also by people with colour-blindness.
const CONTOURS: [[u8; 3]; 6] =
    [[255, 196, 0], [0, 190, 255], [255, 96, 192], [140, 255, 100], [255, 130, 40], [170, 150, 255]];
const GAP: usize = 8;

/// The colour of the contour of a label: red, green and blue.
pub fn color(label: u16) -> [u8; 3] {
    CONTOURS[usize::from(label.saturating_sub(1)) % CONTOURS.len()]
}

/// Draws labels and clicks on an image: an RGB picture, `[3, 1, y, x]`.
///
/// # Errors
/// [`fewmark_image::Error::GeometryMismatch`] when image and labels do not lie in the same space.
pub fn render(image: &Image, labels: &LabelMap, marks: &VoxelMarks) -> Result<Image, Error> {
    let geometry = image.geometry();
    geometry.expect_same_space(labels.geometry()).map_err(fewmark_image::Error::from)?;
    let scene = Scene { image, labels, marks, window: window(image) };
    let planes = planes(geometry, focus(labels, marks));
    let millimetres = |p: &Plane| p.extent(geometry);
    let longest = planes.iter().map(|p| millimetres(p).into_iter().fold(0.0, f64::max)).fold(0.0, f64::max);
    let scale = match geometry.dimension() {
        Dimension::Two => pixel_of(geometry, LONG_SIDE),
        Dimension::Three => longest / LONG_SIDE,
    };
    let panels: Vec<Canvas> = planes.iter().map(|plane| scene.draw(plane, scale)).collect();
    Canvas::beside_each_other(&panels).into_image()
}

/// The side of a pixel, in mm, for a picture of a 2-D image: that of its finest voxels, less for small images, whose longer side gets so many pixels, and
/// more where a file claims spacings that nobody could look at.
pub(crate) fn pixel_of(geometry: &Geometry, long_side: f64) -> f64 {
    let extent = [0, 1].map(|a| geometry.size()[a] as f64 * geometry.spacing()[a]);
    let longest = extent[0].max(extent[1]);
    let finest = geometry.spacing()[0].min(geometry.spacing()[1]);
    let most = (MOST_STRETCHED * geometry.size()[0].max(geometry.size()[1]) as f64).max(long_side);
    finest.min(longest / long_side).max(longest / most)
}

/// Lower and upper sample of the grey range.
fn window(image: &Image) -> (f32, f32) {
    let Some([low, high]) = percentiles(image.samples(), WINDOW) else { return (0.0, 1.0) };
    let (low, high) = (low as f32, high as f32);
    if high > low { (low, high) } else { (low - 0.5, low + 0.5) }
}

/// The voxel that the planes of a volume pass through: the middle of the labels, or the first click.
fn focus(labels: &LabelMap, marks: &VoxelMarks) -> [usize; 3] {
    let grid = labels.geometry().grid();
    let (mut sum, mut count) = ([0usize; 3], 0usize);
    for (i, _) in labels.labels().iter().enumerate().filter(|(_, l)| **l != 0) {
        let voxel = grid.voxel(i);
        sum = std::array::from_fn(|a| sum[a] + voxel[a]);
        count += 1;
    }
    match (count, marks.foreground.first()) {
        (0, Some(&click)) => click,
        (0, None) => grid.size.map(|n| n / 2),
        _ => sum.map(|s| s / count),
    }
}

/// A voxel axis as it runs across a picture.
#[derive(Clone, Copy)]
struct Direction {
    axis: usize,
    flipped: bool,
}

struct Plane {
    across: Direction,
    down: Direction,
    /// The axis that the plane cuts, and where.
    cut: (usize, usize),
}

impl Plane {
    fn axes(&self) -> [usize; 2] {
        [self.across.axis, self.down.axis]
    }

    fn extent(&self, geometry: &Geometry) -> [f64; 2] {
        self.axes().map(|a| geometry.size()[a] as f64 * geometry.spacing()[a])
    }
}

fn planes(geometry: &Geometry, focus: [usize; 3]) -> Vec<Plane> {
    let stored = |axis| Direction { axis, flipped: false };
    if geometry.dimension() == Dimension::Two {
        return vec![Plane { across: stored(0), down: stored(1), cut: (2, 0) }];
    }
    // Pictures run towards the patient's left, back and feet: against each of the RAS+ world axes.
    let [left, posterior, inferior] = towards_negative_world_axes(geometry);
    let all = [(left, posterior, inferior), (left, inferior, posterior), (posterior, inferior, left)]
        .map(|(across, down, cut)| Plane { across, down, cut: (cut.axis, focus[cut.axis]) });
    // Across a single slice there is nothing to see.
    let (seen, lines): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|plane| plane.axes().iter().all(|&axis| geometry.size()[axis] > 1));
    if seen.is_empty() { lines } else { seen }
}

/// For each world axis the voxel axis closest to it, flipped so that it runs against it.
fn towards_negative_world_axes(geometry: &Geometry) -> [Direction; 3] {
    let direction = geometry.direction();
    let permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let alignment = |p: &[usize; 3]| (0..3).map(|world| direction[world][p[world]].abs()).sum::<f64>();
    let best = permutations.into_iter().max_by(|a, b| alignment(a).total_cmp(&alignment(b))).unwrap_or([0, 1, 2]);
    std::array::from_fn(|world| Direction { axis: best[world], flipped: direction[world][best[world]] > 0.0 })
}

struct Scene<'a> {
    image: &'a Image,
    labels: &'a LabelMap,
    marks: &'a VoxelMarks,
    window: (f32, f32),
}

impl Scene<'_> {
    /// Draws a plane at `scale` mm a pixel.
    fn draw(&self, plane: &Plane, scale: f64) -> Canvas {
        let geometry = self.image.geometry();
        let [width, height] = plane.extent(geometry).map(|mm| ((mm / scale).round() as usize).max(1));
        let mut canvas = Canvas::new(width, height);
        let column = positions(plane.across, geometry, width);
        let row = positions(plane.down, geometry, height);
        for (y, &down) in row.iter().enumerate() {
            for (x, &across) in column.iter().enumerate() {
                canvas.set(x, y, self.pixel(plane, across, down));
            }
        }
        self.draw_contours(plane, &column, &row, &mut canvas);
        for (clicks, color) in [(&self.marks.background, BACKGROUND), (&self.marks.foreground, FOREGROUND)] {
            for click in
                clicks.iter().filter(|c| c[plane.cut.0] == plane.cut.1 || geometry.dimension() == Dimension::Three)
            {
                let nearest = |list: &[f64], axis: usize| {
                    (0..list.len()).min_by(|&a, &b| {
                        let distance = |i: usize| (list[i] - click[axis] as f64).abs();
                        distance(a).total_cmp(&distance(b))
                    })
                };
                if let (Some(x), Some(y)) = (nearest(&column, plane.across.axis), nearest(&row, plane.down.axis)) {
                    // A click that lies in another slice is drawn faintly: a ring without its centre.
                    canvas.ring(x, y, color, click[plane.cut.0] == plane.cut.1);
                }
            }
        }
        canvas
    }

    /// The windowed colour at a position between voxels, interpolated bilinearly within the plane.
    fn pixel(&self, plane: &Plane, across: f64, down: f64) -> [u8; 3] {
        let grid = self.image.geometry().grid();
        let (low, high) = self.window;
        let corners = [(across, plane.across.axis), (down, plane.down.axis)].map(|(position, axis)| {
            let position = position.clamp(0.0, (grid.size[axis] - 1) as f64);
            let first = position.floor() as usize;
            (first, (first + 1).min(grid.size[axis] - 1), (position - position.floor()) as f32)
        });
        let [(x0, x1, tx), (y0, y1, ty)] = corners;
        let level = |channel: usize| {
            let samples = self.image.channel(channel);
            let at = |x: usize, y: usize| samples[grid.index(voxel(plane, x, y))];
            let mix = |a: f32, b: f32, t: f32| a + t * (b - a);
            let value = mix(mix(at(x0, y0), at(x1, y0), tx), mix(at(x0, y1), at(x1, y1), tx), ty);
            ((value - low) / (high - low) * 255.0).round().clamp(0.0, 255.0) as u8
        };
        if self.image.channels() == 3 { [level(0), level(1), level(2)] } else { [level(0); 3] }
    }

    /// Colours the pixels of each label that touch another label.
    fn draw_contours(&self, plane: &Plane, column: &[f64], row: &[f64], canvas: &mut Canvas) {
        let grid = self.image.geometry().grid();
        let nearest = |p: f64, axis: usize| p.round().clamp(0.0, (grid.size[axis] - 1) as f64) as usize;
        let columns: Vec<usize> = column.iter().map(|&p| nearest(p, plane.across.axis)).collect();
        let rows: Vec<usize> = row.iter().map(|&p| nearest(p, plane.down.axis)).collect();
        let label = |x: usize, y: usize| self.labels.labels()[grid.index(voxel(plane, columns[x], rows[y]))];
        let (width, height) = (columns.len(), rows.len());
        for y in 0..height {
            for x in 0..width {
                let here = label(x, y);
                if here == 0 {
                    continue;
                }
                let left = x == 0 || label(x - 1, y) != here;
                let right = x + 1 == width || label(x + 1, y) != here;
                let above = y == 0 || label(x, y - 1) != here;
                let below = y + 1 == height || label(x, y + 1) != here;
                if left || right || above || below {
                    canvas.set(x, y, color(here));
                }
            }
        }
    }
}

/// The voxel of a plane at the given positions across and down.
fn voxel(plane: &Plane, across: usize, down: usize) -> [usize; 3] {
    let mut voxel = [0; 3];
    voxel[plane.cut.0] = plane.cut.1;
    voxel[plane.across.axis] = across;
    voxel[plane.down.axis] = down;
    voxel
}

/// The voxel position at the centre of each of `count` pixels along a direction.
fn positions(direction: Direction, geometry: &Geometry, count: usize) -> Vec<f64> {
    let size = geometry.size()[direction.axis] as f64;
    let position = |i: usize| (i as f64 + 0.5) / count as f64 * size - 0.5;
    (0..count).map(|i| position(if direction.flipped { count - 1 - i } else { i })).collect()
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0; 3]; width * height] }
    }

    fn set(&mut self, x: usize, y: usize, color: [u8; 3]) {
        if x < self.width && y < self.height {
            self.pixels[x + self.width * y] = color;
        }
    }

    /// A ring of radius 4 with a dark rim, and a filled centre when `solid`.
    fn ring(&mut self, x: usize, y: usize, color: [u8; 3], solid: bool) {
        for dy in -5i64..=5 {
            for dx in -5i64..=5 {
                let (px, py) = (x as i64 + dx, y as i64 + dy);
                let radius = ((dx * dx + dy * dy) as f64).sqrt();
                let ink = match radius {
                    r if r <= 1.5 => solid.then_some(color),
                    r if r <= 2.7 => None,
                    r if r <= 4.2 => Some(color),
                    r if r <= 5.2 => Some([0, 0, 0]),
                    _ => None,
                };
                if let (Some(ink), true) = (ink, px >= 0 && py >= 0) {
                    self.set(px as usize, py as usize, ink);
                }
            }
        }
    }

    fn beside_each_other(panels: &[Self]) -> Self {
        let width = panels.iter().map(|p| p.width).sum::<usize>() + GAP * panels.len().saturating_sub(1);
        let height = panels.iter().map(|p| p.height).max().unwrap_or(0);
        let mut all = Self::new(width, height);
        let mut left = 0;
        for panel in panels {
            let top = (height - panel.height) / 2;
            for (i, &color) in panel.pixels.iter().enumerate() {
                all.set(left + i % panel.width, top + i / panel.width, color);
            }
            left += panel.width + GAP;
        }
        all
    }

    fn into_image(self) -> Result<Image, Error> {
        let geometry =
            Geometry::unit(Dimension::Two, [self.width, self.height, 1]).map_err(fewmark_image::Error::from)?;
        let samples = (0..3).flat_map(|c| self.pixels.iter().map(move |p| f32::from(p[c]))).collect();
        Ok(Image::new(samples, 3, geometry)?.with_stored(fewmark_image::SampleType::U8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors(picture: &Image) -> Vec<[f32; 3]> {
        (0..picture.geometry().len()).map(|i| std::array::from_fn(|c| picture.channel(c)[i])).collect()
    }

    #[test]
    fn the_contour_surrounds_the_label_and_nothing_else() {
        let geometry = Geometry::unit(Dimension::Two, [600, 600, 1]).unwrap();
        let inside = |i: usize| (200..400).contains(&(i % 600)) && (100..300).contains(&(i / 600));
        let mask: Vec<bool> = (0..geometry.len()).map(inside).collect();
        let image = Image::new((0..geometry.len()).map(|i| (i % 600) as f32).collect(), 1, geometry.clone()).unwrap();
        let labels = LabelMap::from_mask(&mask, geometry).unwrap();
        let picture = render(&image, &labels, &VoxelMarks::default()).unwrap();
        assert_eq!(picture.geometry().size(), [600, 600, 1]);
        let contour = CONTOURS[0].map(f32::from);
        let drawn: Vec<usize> =
            colors(&picture).iter().enumerate().filter(|(_, c)| **c == contour).map(|(i, _)| i).collect();
        assert_eq!(drawn.len(), 4 * 200 - 4);
        assert!(drawn.iter().all(|&i| inside(i)));
    }

    #[test]
    fn spacings_that_cannot_be_make_no_endless_picture() {
        let direction = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let geometry =
            Geometry::from_parts(Dimension::Two, [100, 80, 1], [1e-6, 1.0, 1.0], [0.0; 3], direction).unwrap();
        let image = Image::new(vec![0.0; 8000], 1, geometry.clone()).unwrap();
        let labels = LabelMap::new(vec![0; 8000], geometry).unwrap();
        let picture = render(&image, &labels, &VoxelMarks::default()).unwrap();
        assert_eq!(picture.geometry().size(), [1, 1600, 1]);
    }

    #[test]
    fn of_a_single_slice_that_slice_is_shown() {
        let geometry = Geometry::unit(Dimension::Three, [8, 4, 1]).unwrap();
        let image = Image::new((0..32).map(|i| i as f32).collect(), 1, geometry.clone()).unwrap();
        let labels = LabelMap::new(vec![0; 32], geometry).unwrap();
        let picture = render(&image, &labels, &VoxelMarks::default()).unwrap();
        assert_eq!(picture.geometry().size(), [512, 256, 1]);
    }

    #[test]
    fn a_volume_is_shown_the_radiological_way() {
        // One bright voxel at the patient's right, front and top of a volume stored in LPS order.
        let direction = [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]];
        let geometry = Geometry::from_parts(Dimension::Three, [4, 4, 4], [1.0; 3], [0.0; 3], direction).unwrap();
        let mut samples = vec![0.0; 64];
        samples[geometry.grid().index([0, 0, 3])] = 1.0;
        let image = Image::new(samples, 1, geometry.clone()).unwrap();
        let empty = LabelMap::new(vec![0; 64], geometry).unwrap();
        let marks = VoxelMarks { foreground: vec![], background: vec![] };
        let mut at_corner = empty.clone();
        at_corner.labels_mut()[empty.geometry().grid().index([0, 0, 3])] = 1;
        let picture = render(&image, &at_corner, &marks).unwrap();
        let [width, height, _] = picture.geometry().size();
        assert_eq!([width, height], [3 * 512 + 2 * GAP, 512]);
        let contour = CONTOURS[0].map(f32::from);
        let pixels = colors(&picture);
        // Top left in each plane: right-anterior, right-superior, anterior-superior.
        for panel in 0..3 {
            assert_eq!(pixels[panel * (512 + GAP)], contour, "panel {panel}");
            assert_ne!(pixels[panel * (512 + GAP) + 511], contour, "panel {panel}");
        }
    }
}
