//! Which slice of one scan shows what a slice of another shows.

use super::place::Body;

/// Cells along each side of the grid of a [`descriptor`]. Of 210 pairs of abdominal scans 3 % are aligned worse than by five slices with 6 x 6, and
/// 8 % with 4 x 4 cells of the whole slice.
const CELLS: usize = 6;

/// The slices of a scan along z, and what each looks like.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    /// Of each slice, of length 1, the mean over the slices taken away
    descriptors: Vec<Vec<f32>>,
    /// mm between two slices
    step: f64,
}

/// Where the slices of one scan lie in another: `slope * slice + offset`, in slices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Alignment {
    slope: f64,
    offset: f64,
}

/// Ratios of lengths along the body that are tried: by the distances of slices, and by their numbers, as if both scans showed the same part of
/// the body.
const RATIOS: [f64; 7] = [0.8, 0.87, 0.93, 1.0, 1.07, 1.15, 1.25];

/// Distances whose ratio is as many times that of the numbers of slices, or as many times less, are not believed: files may say anything.
const MOST_APART: f64 = 64.0;

/// What it costs, in mean cosines, that the ends of two stacks lie the longer one's length apart; half as far costs a quarter. Mean Dice x 100 of
/// scans of which nothing is known, with the encoder inside the program on scans that are learned from: cardiac MRI, five folds, whose files
/// know no spacing, 63.9 without, and with ratios of distances alone, 66.9 with 0.5, 69.8 with 2; abdominal MRI, three folds, 79.9, 80.2 and 79.4.
/// Scans of other parts of the body want it small.
const ENDS_COST: f64 = 0.5;

/// Share of the shorter stack that must lie in the other.
const LEAST_OVERLAP: f64 = 0.6;

impl Stack {
    /// A stack of descriptors, `step` mm apart.
    pub(super) fn new(mut descriptors: Vec<Vec<f32>>, step: f64) -> Self {
        let count = descriptors.len() as f32;
        let mut mean = vec![0.0; descriptors.first().map_or(0, Vec::len)];
        for descriptor in &descriptors {
            mean.iter_mut().zip(descriptor).for_each(|(mean, x)| *mean += x / count);
        }
        for descriptor in &mut descriptors {
            descriptor.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= mean);
            let norm = descriptor.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            descriptor.iter_mut().for_each(|x| *x /= norm);
        }
        Self { descriptors, step }
    }

    /// A stack whose descriptors have the mean taken away already and length 1.
    pub(super) fn from_parts(descriptors: Vec<Vec<f32>>, step: f64) -> Self {
        Self { descriptors, step }
    }

    /// The descriptors, and mm between two slices.
    pub(super) fn parts(&self) -> (&[Vec<f32>], f64) {
        (&self.descriptors, self.step)
    }

    fn depth(&self) -> usize {
        self.descriptors.len()
    }

    /// Where the slices of this stack lie in another: of all ratios of length and all offsets by half a slice for which the stacks
    /// overlap enough, the one of the largest mean cosine of the descriptors, less what it costs that their ends lie apart. Both run the same way
    /// along z.
    pub(super) fn in_stack(&self, other: &Self) -> Alignment {
        let cosines: Vec<Vec<f32>> = self
            .descriptors
            .iter()
            .map(|a| other.descriptors.iter().map(|b| a.iter().zip(b).map(|(a, b)| a * b).sum()).collect())
            .collect();
        let mut best = (f64::NEG_INFINITY, Alignment { slope: 1.0, offset: 0.0 });
        let (own, others) = (self.depth() as f64, other.depth() as f64);
        let by_number = others / own;
        let by_distance = (self.step / other.step).clamp(by_number / MOST_APART, by_number * MOST_APART);
        let [by_distance, by_number] = [by_distance, by_number].map(|unit| RATIOS.map(|r| r * unit));
        for slope in by_distance.into_iter().chain(by_number) {
            let least = LEAST_OVERLAP * (own * slope).min(others) / slope;
            for half in -(2.0 * own * slope) as i64..=(2.0 * others) as i64 {
                let alignment = Alignment { slope, offset: half as f64 / 2.0 };
                let found: Vec<f64> = cosines
                    .iter()
                    .enumerate()
                    .filter_map(|(z, cosines)| {
                        let at = alignment.place(z);
                        (-0.5..=others - 0.5).contains(&at).then(|| f64::from(between(cosines, at)))
                    })
                    .collect();
                let score = found.iter().sum::<f64>() / found.len() as f64 - self.ends_cost(other, alignment);
                if found.len() as f64 >= least && score > best.0 {
                    best = (score, alignment);
                }
            }
        }
        best.1
    }

    /// See [`ENDS_COST`].
    fn ends_cost(&self, other: &Self, alignment: Alignment) -> f64 {
        let last = [self, other].map(|stack| stack.depth() - 1);
        let longer = (other.depth() as f64).max(alignment.slope * self.depth() as f64);
        let far = [(0, 0.0), (last[0], last[1] as f64)].map(|(own, other)| (alignment.place(own) - other) / longer);
        ENDS_COST * (far[0].powi(2) + far[1].powi(2)) / 2.0
    }
}

impl Alignment {
    /// The place of a slice in the other scan, in slices.
    pub(super) fn place(self, z: usize) -> f64 {
        self.slope * z as f64 + self.offset
    }
}

/// A slice as numbers that do not depend on small shifts: means over a grid of cells of the body's rectangle, of features of length 1. `features`
/// are `[channels, rows, columns]`.
pub(super) fn descriptor(features: &[f32], [rows, columns]: [usize; 2], body: &Body) -> Vec<f32> {
    let count = rows * columns;
    let mut sums = vec![0.0; features.len() / count * CELLS * CELLS];
    let mut counts = [0.0_f32; CELLS * CELLS];
    let cells: Vec<Option<usize>> = (0..count).map(|i| body.cell(i / columns, i % columns, CELLS)).collect();
    cells.iter().flatten().for_each(|&cell| counts[cell] += 1.0);
    // Channel by channel, as they lie in memory.
    let mut lengths = vec![0.0_f32; count];
    for plane in features.chunks_exact(count) {
        lengths.iter_mut().zip(plane).for_each(|(sum, x)| *sum += x * x);
    }
    lengths.iter_mut().for_each(|sum| *sum = sum.sqrt().max(f32::MIN_POSITIVE));
    for (sums, plane) in sums.chunks_exact_mut(CELLS * CELLS).zip(features.chunks_exact(count)) {
        for ((x, length), cell) in plane.iter().zip(&lengths).zip(&cells) {
            if let Some(cell) = *cell {
                sums[cell] += x / length;
            }
        }
    }
    sums.iter_mut().zip(counts.iter().cycle()).for_each(|(sum, count)| *sum /= count.max(1.0));
    sums
}

/// The value at a place between numbers, linear; beyond the ends that of the end.
fn between(values: &[f32], at: f64) -> f32 {
    let last = values.len() - 1;
    let at = at.clamp(0.0, last as f64);
    let low = at as usize;
    let high = (at - low as f64) as f32;
    values[low] * (1.0 - high) + values[(low + 1).min(last)] * high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(at: f64) -> Vec<f32> {
        (1..6).map(|k| (f64::from(k) * 0.35 * at).sin() as f32).collect()
    }

    #[test]
    fn a_part_of_a_stack_is_found_in_it() {
        let whole = Stack::new((0..30).map(|z| body(f64::from(z))).collect(), 5.0);
        let part = Stack::new((0..12).map(|z| body(f64::from(z) + 9.0)).collect(), 5.0);
        let found = part.in_stack(&whole);
        assert!((found.place(0) - 9.0).abs() < 0.6 && (found.place(11) - 20.0).abs() < 0.6, "{found:?}");
    }

    #[test]
    fn stacks_that_look_alike_nowhere_are_laid_end_to_end() {
        let flat = |depth: usize| Stack::new(vec![vec![1.0]; depth], 1.0);
        for (own, others) in [(6, 17), (17, 6), (9, 9)] {
            let found = flat(own).in_stack(&flat(others));
            let ends = [found.place(0), found.place(own - 1) - (others - 1) as f64];
            assert!(ends.iter().all(|end| end.abs() < 1.0), "{found:?} for {own} in {others}");
        }
    }

    #[test]
    fn where_distances_are_unknown_numbers_of_slices_give_the_ratio() {
        let whole = |depth: usize| (0..depth).map(move |z| body(30.0 * (z as f64 + 0.5) / depth as f64));
        let (own, other) = (Stack::new(whole(8).collect(), 1.0), Stack::new(whole(18).collect(), 1.0));
        let found = own.in_stack(&other);
        let ends = [found.place(0) - 0.6, found.place(7) - 16.4];
        assert!(ends.iter().all(|end| end.abs() < 1.0), "{found:?}");
    }

    #[test]
    fn distances_that_cannot_be_are_not_followed_for_ever() {
        let whole = |step: f64| Stack::new((0..18).map(|z| body(f64::from(z))).collect(), step);
        for step in [1e-12, 1e12] {
            let found = whole(step).in_stack(&whole(5.0));
            assert!((0..18).all(|z| (found.place(z) - z as f64).abs() < 0.6), "{found:?}");
        }
    }

    #[test]
    fn other_spacings_and_lengths_are_found() {
        // The same body, 1.25 times as long, with slices 7.5 mm apart instead of 5.
        let own = Stack::new((0..20).map(|z| body(f64::from(z) * 1.2)).collect(), 7.5);
        let other = Stack::new((0..24).map(|z| body(f64::from(z))).collect(), 5.0);
        let found = own.in_stack(&other);
        assert!((found.place(0)).abs() < 0.6 && (found.place(19) - 22.8).abs() < 1.0, "{found:?}");
    }
}
