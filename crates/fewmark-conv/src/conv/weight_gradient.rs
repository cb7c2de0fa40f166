//! The gradient to the weights: the same tile, summed over positions.
//!
//! The lanes of a vector are input channels. The staged input is sorted so that the channels of a voxel are neighbours,
//! `[block of channels][voxel][lane]`; the gradient to the output takes the place that the weights have in a forward pass.
//! A column is a tap and a block of channels, so that one pass over the positions of a band adds to a tile of weights.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::compute::{Block, sweep_tile};
use super::correlation::Correlation;
use super::plan::{Division, Recipe, whole_band};
use super::scratch;
use super::staging::{Band, Source, Staged};
use super::tile::{self, Factors, Left, Positions};
use crate::level::Level;
use crate::memory;

/// Weights above which each job sums its own output channels over all images, instead of its own bands over all channels.
const MANY_WEIGHTS: usize = 48 * 1024;

/// Partial sums that a pass over bands is cut into. A constant, so that the result does not depend on the number of threads.
const PARTIAL_SUMS: usize = 8;

/// The operands of a weight gradient, and how to compute it.
pub(crate) struct WeightGradient<'a, X> {
    /// The forward pass whose weights these are
    pub(crate) correlation: &'a Correlation,
    pub(crate) recipe: Recipe,
    pub(crate) x: X,
    pub(crate) dy: &'a [f32],
}

/// How to compute a weight gradient.
pub(crate) fn design(correlation: &Correlation, level: Level) -> Recipe {
    let weights = correlation.groups * correlation.group_weights();
    let mut recipe = Recipe { row_pairs: false, ..Recipe::design(correlation, level) };
    let tiles = correlation.groups * correlation.sinks.div_ceil(recipe.tile);
    recipe.division = if weights >= MANY_WEIGHTS && tiles >= PARTIAL_SUMS {
        Division::Channels
    } else {
        super::plan::bands(correlation, level)
    };
    recipe
}

impl<'a, X: Source> WeightGradient<'a, X> {
    /// A weight gradient as its sizes suggest on the present level.
    pub(crate) fn new(correlation: &'a Correlation, x: X, dy: &'a [f32]) -> Self {
        Self { correlation, recipe: design(correlation, Level::current()), x, dy }
    }

    /// Fills `dw`, `[groups * sinks, sources, taps]`.
    pub(crate) fn run(&self, dw: &mut [f32]) {
        match self.recipe.division {
            Division::Bands { planes, rows } => self.run_bands(dw, planes, rows),
            Division::Channels => self.run_channels(dw),
        }
    }

    fn run_bands(&self, dw: &mut [f32], planes: usize, rows: usize) {
        let c = self.correlation;
        let bands: Vec<(usize, Band)> = (0..c.batch)
            .flat_map(|image| Band::all(c.positions(), planes, rows).map(move |band| (image, band)))
            .collect();
        let group_len = c.sinks.next_multiple_of(self.recipe.tile) * self.row_len();
        let sums: Vec<Vec<f32>> = bands
            .par_chunks(bands.len().div_ceil(PARTIAL_SUMS).max(1))
            .with_max_len(1)
            .map(|bands| {
                let mut sums = vec![0.0; c.groups * group_len];
                for &(image, band) in bands {
                    let staged = Staged::new(c, &band);
                    let lens = [self.staged_len(&staged), self.lines_len(&staged)];
                    scratch::with(lens, |[sources, lines]| {
                        for (group, sums) in sums.chunks_exact_mut(group_len).enumerate() {
                            let sorting = Sort { pass: self, staged, image, group, sources, lines };
                            self.recipe.level.run(sorting);
                            let sums = Sum { pass: self, band, staged, image, group, first: 0, sources, sums };
                            self.recipe.level.run(sums);
                        }
                    });
                }
                sums
            })
            .collect();
        let sink_weights = c.sources * self.taps();
        dw.par_chunks_mut(sink_weights).enumerate().for_each(|(sink, dw)| {
            let (group, row) = (sink / c.sinks, sink % c.sinks);
            dw.fill(0.0);
            for sums in &sums {
                let sums = &sums[group * group_len + row * self.row_len()..][..self.row_len()];
                self.unsort(sums, |weight, sum| dw[weight] += sum);
            }
        });
    }

    fn run_channels(&self, dw: &mut [f32]) {
        let c = self.correlation;
        let band = whole_band(c);
        let staged = Staged::new(c, &band);
        let staged_len = self.staged_len(&staged);
        let block_len = staged.channel_len() * self.lanes();
        let mut sources = memory::take(c.batch * c.groups * staged_len);
        let blocks = sources.par_chunks_mut(staged_len).enumerate().flat_map(|(images, sources)| {
            sources.par_chunks_mut(block_len).enumerate().map(move |(block, sources)| (images, block, sources))
        });
        blocks.for_each(|(images, block, sources)| {
            let (image, group) = (images / c.groups, images % c.groups);
            scratch::with([self.lines_len(&staged)], |[lines]| {
                self.recipe.level.run(SortBlock { pass: self, staged, image, group, block, sources, lines });
            });
        });
        let tile = self.recipe.tile;
        let group_weights = c.sinks * c.sources * self.taps();
        let shares = dw.par_chunks_mut(group_weights).enumerate().flat_map(|(group, dw)| {
            let share = tile * c.sources * self.taps();
            dw.par_chunks_mut(share).enumerate().map(move |(t, dw)| (group, t * tile, dw))
        });
        shares.for_each(|(group, first, dw)| {
            scratch::with([tile * self.row_len()], |[sums]| {
                sums.fill(0.0);
                for image in 0..c.batch {
                    let sources = &sources[(image * c.groups + group) * staged_len..][..staged_len];
                    self.recipe.level.run(Sum { pass: self, band, staged, image, group, first, sources, sums });
                }
                let rows = dw.chunks_exact_mut(c.sources * self.taps());
                for (dw, sums) in rows.zip(sums.chunks_exact(self.row_len())) {
                    self.unsort(sums, |weight, sum| dw[weight] = sum);
                }
            });
        });
        memory::give(sources);
    }

    fn lanes(&self) -> usize {
        self.recipe.level.lanes()
    }

    fn taps(&self) -> usize {
        self.correlation.parts[0].taps.len()
    }

    /// Blocks of input channels of a group, each as many channels as a vector has lanes.
    fn blocks(&self) -> usize {
        self.correlation.sources.div_ceil(self.lanes())
    }

    /// Sums of one output channel, `[block][tap][lane]`.
    fn row_len(&self) -> usize {
        self.blocks() * self.taps() * self.lanes()
    }

    /// Samples of a group's staged input, `[block][voxel][lane]`.
    fn staged_len(&self, staged: &Staged) -> usize {
        self.blocks() * staged.channel_len() * self.lanes()
    }

    /// Samples of a block of channels before they are sorted.
    fn lines_len(&self, staged: &Staged) -> usize {
        staged.channel_len() * self.lanes()
    }

    /// Hands every sum of an output channel with the index of its weight.
    #[inline(always)]
    fn unsort(&self, sums: &[f32], mut put: impl FnMut(usize, f32)) {
        let (taps, lanes) = (self.taps(), self.lanes());
        for source in 0..self.correlation.sources {
            for tap in 0..taps {
                put(source * taps + tap, sums[(source / lanes * taps + tap) * lanes + source % lanes]);
            }
        }
    }
}

/// Stages the input channels of a group, sorted.
struct Sort<'a, 'b, X> {
    pass: &'a WeightGradient<'b, X>,
    staged: Staged,
    image: usize,
    group: usize,
    sources: &'a mut [f32],
    lines: &'a mut [f32],
}

impl<X: Source> WithSimd for Sort<'_, '_, X> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pass, staged, image, group, sources, lines } = self;
        for (block, sources) in sources.chunks_exact_mut(lines.len()).enumerate() {
            SortBlock { pass, staged, image, group, block, sources, lines }.with_simd(simd);
        }
    }
}

/// Stages one block of input channels of a group, sorted.
struct SortBlock<'a, 'b, X> {
    pass: &'a WeightGradient<'b, X>,
    staged: Staged,
    image: usize,
    group: usize,
    block: usize,
    sources: &'a mut [f32],
    lines: &'a mut [f32],
}

impl<X: Source> WithSimd for SortBlock<'_, '_, X> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let c = self.pass.correlation;
        let channel_len = self.staged.channel_len();
        let mut line = Vec::new();
        for (lane, channel) in self.lines.chunks_exact_mut(channel_len).enumerate() {
            let source = self.block * S::F32_LANES + lane;
            if source < c.sources {
                let first = ((self.image * c.groups + self.group) * c.sources + source) * c.source_len();
                self.staged.fill(&self.pass.x, first, channel, &mut line);
            } else {
                channel.fill(0.0);
            }
        }
        interleave(self.lines, channel_len, S::F32_LANES, self.sources);
    }
}

/// `sorted[v * channels + c] = lines[c * len + v]`.
#[inline(always)]
fn interleave(lines: &[f32], len: usize, channels: usize, sorted: &mut [f32]) {
    for (v, voxel) in sorted.chunks_exact_mut(channels).enumerate().take(len) {
        for (c, sample) in voxel.iter_mut().enumerate() {
            *sample = lines[c * len + v];
        }
    }
}

/// Adds the sums of a band to the weights of the output channels from `first` of a group on.
struct Sum<'a, 'b, X> {
    pass: &'a WeightGradient<'b, X>,
    band: Band,
    staged: Staged,
    image: usize,
    group: usize,
    first: usize,
    sources: &'a [f32],
    sums: &'a mut [f32],
}

impl<X: Source> WithSimd for Sum<'_, '_, X> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (pass, c, lanes) = (self.pass, self.pass.correlation, S::F32_LANES);
        let (tile, row_len) = (pass.recipe.tile, pass.row_len());
        let (planes, rows) = (self.band.planes.1 - self.band.planes.0, self.band.rows.1 - self.band.rows.0);
        let [_, height, width] = c.sink;
        let segments: Vec<(usize, usize)> = (0..planes)
            .flat_map(|z| (0..rows).map(move |y| (z, y)))
            .map(|(z, y)| {
                let in_dy = ((self.band.planes.0 + z) * height + self.band.rows.0 + y) * width;
                (in_dy, (z * self.staged.plane() + y * self.staged.row()) * lanes)
            })
            .collect();
        let positions = Positions::new(width, lanes);
        let block_len = self.staged.channel_len() * lanes;
        let columns: Vec<(usize, usize)> = (0..pass.blocks())
            .flat_map(|block| c.parts[0].taps.iter().map(move |tap| (block, tap)))
            .map(|(block, tap)| block * block_len + self.staged.offset(tap) * lanes)
            .enumerate()
            .collect();
        for (t, sums) in self.sums.chunks_exact_mut(tile * row_len).enumerate() {
            let first = self.first + t * tile;
            let channel = (self.image * c.groups + self.group) * c.sinks + first;
            let values = &pass.dy[channel * c.sink_len()..];
            let left = Left { values, rows: tile.min(c.sinks - first), row: c.sink_len() };
            let factors = Factors { left, right: self.sources, segments: &segments };
            let mut block = Add { factors, positions: &positions, row_len, sums };
            sweep_tile(simd, tile, &columns, &mut block);
        }
    }
}

/// Adds the columns of a tile, each with its index and its offset, to sums `[row][column][lane]`.
struct Add<'a> {
    factors: Factors<'a>,
    positions: &'a Positions,
    row_len: usize,
    sums: &'a mut [f32],
}

impl<S: Simd> Block<S, (usize, usize)> for Add<'_> {
    #[inline(always)]
    fn compute<const ROWS: usize, const N: usize>(&mut self, simd: S, columns: [(usize, usize); N]) {
        let offsets = columns.map(|(_, offset)| offset);
        let added = tile::sum_positions::<S, ROWS, N>(simd, &self.factors, self.positions, offsets);
        for (m, added) in added.iter().enumerate().take(self.factors.left.rows) {
            for n in 0..N {
                let at = m * self.row_len + columns[n].0 * S::F32_LANES;
                let to = &mut self.sums[at..][..S::F32_LANES];
                let before = tile::load::<S>(to);
                tile::store::<S>(to, simd.add_f32s(before, added[n]));
            }
        }
    }
}
