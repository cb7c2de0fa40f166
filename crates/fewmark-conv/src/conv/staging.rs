//! Copies of source voxels in which every tap is a fixed offset.
//!
//! The voxels that a band of positions reads are copied with their padding. Where positions are several voxels apart, the copy is
//! sorted by the voxel's residue first, so that neighbouring positions read neighbouring samples. A run of positions over
//! several rows is then one contiguous run of samples; those between two rows belong to no position and are computed in vain,
//! which costs less than broken vectors.

use super::correlation::{Correlation, Tap};

/// Where the samples of a correlation's sources come from.
pub(crate) trait Source: Sync {
    /// Fills `row` with the samples from index `at` on, all of one channel.
    fn read(&self, at: usize, row: &mut [f32]);

    /// Fills `row` with every `step`-th sample from index `at` on; `line` is memory to work in.
    #[inline(always)]
    fn read_every(&self, step: usize, at: usize, row: &mut [f32], line: &mut Vec<f32>) {
        line.resize((row.len() - 1) * step + 1, 0.0);
        self.read(at, line);
        pick(line, step, row);
    }
}

impl Source for &[f32] {
    #[inline(always)]
    fn read(&self, at: usize, row: &mut [f32]) {
        row.copy_from_slice(&self[at..][..row.len()]);
    }

    #[inline(always)]
    fn read_every(&self, step: usize, at: usize, row: &mut [f32], _: &mut Vec<f32>) {
        pick(&self[at..][..(row.len() - 1) * step + 1], step, row);
    }
}

/// A range of positions: planes, and rows within each plane. Bands of several planes have all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    pub(crate) planes: (usize, usize),
    pub(crate) rows: (usize, usize),
}

impl Band {
    /// The bands of at most so many planes and rows that cover all positions.
    pub(crate) fn all(positions: [usize; 3], planes: usize, rows: usize) -> impl Iterator<Item = Self> {
        let ranges = |all: usize, each: usize| (0..all).step_by(each).map(move |from| (from, (from + each).min(all)));
        ranges(positions[0], planes)
            .flat_map(move |planes| ranges(positions[1], rows).map(move |rows| Self { planes, rows }))
    }
}

/// The layout of a staged band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Staged {
    step: [usize; 3],
    /// Source voxel of the first sample
    origin: [isize; 3],
    source: [usize; 3],
    least: [isize; 3],
    /// Samples along each axis of one residue
    pub(crate) size: [usize; 3],
}

impl Staged {
    pub(crate) fn new(correlation: &Correlation, band: &Band) -> Self {
        let (least, most) = correlation.reach();
        let first = [band.planes.0, band.rows.0, 0];
        let count = [band.planes.1 - band.planes.0, band.rows.1 - band.rows.0, correlation.positions()[2]];
        let step = correlation.step;
        let extent = |a: usize| (count[a] - 1) * step[a] + (most[a] - least[a]) as usize + 1;
        Self {
            step,
            origin: std::array::from_fn(|a| (first[a] * step[a]) as isize + least[a]),
            source: correlation.source,
            least,
            size: std::array::from_fn(|a| extent(a).div_ceil(step[a])),
        }
    }

    /// Samples of one channel.
    pub(crate) fn channel_len(&self) -> usize {
        self.size.iter().product::<usize>() * self.step.iter().product::<usize>()
    }

    /// Samples from one row to the next.
    pub(crate) fn row(&self) -> usize {
        self.size[2]
    }

    /// Samples from one plane to the next.
    pub(crate) fn plane(&self) -> usize {
        self.size[1] * self.size[2]
    }

    /// Offset of a tap from its position's sample.
    pub(crate) fn offset(&self, tap: &Tap) -> usize {
        let from: [usize; 3] = std::array::from_fn(|a| (tap.shift[a] - self.least[a]) as usize);
        let [sz, sy, sx] = self.step;
        let residue = (from[0] % sz * sy + from[1] % sy) * sx + from[2] % sx;
        let at = [from[0] / sz, from[1] / sy, from[2] / sx];
        residue * self.size.iter().product::<usize>() + at[0] * self.plane() + at[1] * self.row() + at[2]
    }

    /// The first sample of a row that is no padding, how many there are, and the source voxel of the first.
    #[inline(always)]
    fn row_inside(&self, residue: usize) -> (usize, usize, usize) {
        let (step, source) = (self.step[2] as isize, self.source[2] as isize);
        let start = self.origin[2] + residue as isize;
        let before = (-start).max(0) as usize;
        let first = before.div_ceil(self.step[2]).min(self.row());
        let at = start + first as isize * step;
        let room = (source - at).max(0) as usize;
        let count = room.div_ceil(self.step[2]).min(self.row() - first);
        (first, count, at.max(0) as usize)
    }

    /// Stages one channel whose first sample is `channel` of `source`: fills `out`, [`channel_len`](Self::channel_len) long.
    // Plain loops: a closure would be compiled apart, without the vector instructions of the caller.
    #[inline(always)]
    pub(crate) fn fill(&self, source: &impl Source, channel: usize, out: &mut [f32], line: &mut Vec<f32>) {
        if self.has_whole_rows() {
            for (z, plane) in out.chunks_exact_mut(self.plane()).enumerate() {
                match self.inside(0, z, 0) {
                    Some(z) => {
                        let row = z * self.source[1] + self.origin[1] as usize;
                        source.read(channel + row * self.source[2], plane);
                    }
                    None => plane.fill(0.0),
                }
            }
            return;
        }
        let [sz, sy, sx] = self.step;
        let mut rows = out.chunks_exact_mut(self.row());
        for residue in 0..sz * sy * sx {
            let (first, count, from) = self.row_inside(residue % sx);
            for z in 0..self.size[0] {
                let z = self.inside(0, z, residue / (sy * sx));
                for y in 0..self.size[1] {
                    let Some(out) = rows.next() else { return };
                    let row = z.zip(self.inside(1, y, residue / sx % sy));
                    let Some((z, y)) = row.filter(|_| count > 0) else {
                        out.fill(0.0);
                        continue;
                    };
                    out[..first].fill(0.0);
                    out[first + count..].fill(0.0);
                    let at = channel + (z * self.source[1] + y) * self.source[2] + from;
                    let out = &mut out[first..first + count];
                    if sx == 1 {
                        source.read(at, out);
                    } else {
                        source.read_every(sx, at, out, line);
                    }
                }
            }
        }
    }

    /// Whether a staged plane is rows of the source as they are, one after the other, without padding.
    fn has_whole_rows(&self) -> bool {
        let last_row = self.origin[1] + self.size[1] as isize;
        let rows_inside = self.origin[1] >= 0 && last_row <= self.source[1] as isize;
        self.step == [1; 3] && rows_inside && self.origin[2] == 0 && self.row() == self.source[2]
    }

    /// The source voxel of a staged one along an axis, if it is no padding.
    #[inline(always)]
    fn inside(&self, axis: usize, at: usize, residue: usize) -> Option<usize> {
        let at = self.origin[axis] + (at * self.step[axis] + residue) as isize;
        usize::try_from(at).ok().filter(|&at| at < self.source[axis])
    }
}

/// Takes every `step`-th sample of a line, the first and the last included.
#[inline(always)]
fn pick(line: &[f32], step: usize, row: &mut [f32]) {
    if step == 2 {
        // A step that the compiler knows, so that it moves whole vectors.
        let (pairs, last) = line.as_chunks::<2>();
        let (row, behind) = row.split_at_mut(pairs.len());
        for (to, pair) in row.iter_mut().zip(pairs) {
            *to = pair[0];
        }
        behind.copy_from_slice(last);
    } else {
        for (to, sample) in row.iter_mut().zip(line.iter().step_by(step)) {
            *to = *sample;
        }
    }
}
