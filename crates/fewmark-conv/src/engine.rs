//! Runs a correlation as its recipe says.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::correlation::{Correlation, Part};
use crate::plan::{Division, Recipe, whole_band};
use crate::scratch;
use crate::staging::{Band, Source, Staged};
use crate::tile::{self, Factors};

/// Fewest taps for which a channel is worth a segment of its own; below, one segment holds all channels.
const SEGMENT_TAPS: usize = 4;

/// What is done to the results of a job, while they are in the cache.
pub(crate) trait Finish: Sync {
    /// `channels` hold the voxels from `first_voxel` on, of the channels from `first_channel` on, of image `image`.
    fn finish(&self, image: usize, first_channel: usize, first_voxel: usize, channels: &mut [&mut [f32]]);
}

/// A correlation, how to compute it, and its operands.
pub(crate) struct Pass<'a, X, F> {
    pub(crate) correlation: &'a Correlation,
    pub(crate) recipe: Recipe,
    pub(crate) source: X,
    pub(crate) weights: &'a [f32],
    pub(crate) finish: F,
}

/// The results of a job: for each of its images, the voxels of each of its channels.
struct Output<'a> {
    image: usize,
    group: usize,
    first_channel: usize,
    channels: Vec<&'a mut [f32]>,
}

impl<X: Source, F: Finish> Pass<'_, X, F> {
    /// Fills `sink`, `[batch, groups * sinks, z, y, x]`.
    pub(crate) fn run(&self, sink: &mut [f32]) {
        match self.recipe.division {
            Division::Bands { planes, rows } => self.run_bands(sink, planes, rows),
            Division::Channels { sinks } => self.run_channels(sink, sinks),
        }
    }

    fn run_bands(&self, sink: &mut [f32], planes: usize, rows: usize) {
        let c = self.correlation;
        let [all_planes, all_rows, _] = c.positions();
        let ranges = |all: usize, each: usize| (0..all).step_by(each).map(move |from| (from, (from + each).min(all)));
        let bands: Vec<Band> = ranges(all_planes, planes)
            .flat_map(|planes| ranges(all_rows, rows).map(move |rows| Band { planes, rows }))
            .collect();
        let panels = self.shared_panels();
        let mut jobs: Vec<(Band, Output<'_>)> = Vec::with_capacity(c.batch * c.groups * bands.len());
        for (channels, plane) in (0..c.batch * c.groups).zip(sink.chunks_exact_mut(c.sinks * c.sink_len())) {
            let first = jobs.len();
            let (image, group) = (channels / c.groups, channels % c.groups);
            jobs.extend(bands.iter().map(|&band| {
                let channels = Vec::with_capacity(c.sinks);
                (band, Output { image, group, first_channel: group * c.sinks, channels })
            }));
            for mut channel in plane.chunks_exact_mut(c.sink_len()) {
                for (band, output) in &mut jobs[first..] {
                    let (voxels, after) = channel.split_at_mut(self.voxels(band).len());
                    output.channels.push(voxels);
                    channel = after;
                }
            }
        }
        jobs.into_par_iter().with_max_len(1).for_each(|(band, mut output)| {
            let staged = Staged::new(c, &band);
            let lens = [self.staged_len(&staged), self.run_len(&staged, &band) * self.recipe.tile];
            scratch::with(lens, |[sources, results]| {
                self.recipe.level.run(Job {
                    pass: self,
                    band,
                    staged,
                    sources: Sources::Own(sources),
                    panels: Panels::Shared(&panels[output.group]),
                    results,
                    outputs: std::slice::from_mut(&mut output),
                });
            });
        });
    }

    fn run_channels(&self, sink: &mut [f32], sinks: usize) {
        let c = self.correlation;
        let band = whole_band(c);
        let staged = Staged::new(c, &band);
        let mut sources = vec![0.0; c.batch * c.groups * self.staged_len(&staged)];
        sources.par_chunks_mut(self.staged_len(&staged)).enumerate().for_each(|(channels, sources)| {
            self.recipe.level.run(Fill { pass: self, staged, channels, sources });
        });
        let shares = c.sinks.div_ceil(sinks);
        let mut jobs: Vec<Vec<Output<'_>>> = (0..c.groups * shares).map(|_| Vec::with_capacity(c.batch)).collect();
        for (channels, plane) in (0..c.batch * c.groups).zip(sink.chunks_exact_mut(c.sinks * c.sink_len())) {
            let (image, group) = (channels / c.groups, channels % c.groups);
            for (share, channels) in plane.chunks_mut(sinks * c.sink_len()).enumerate() {
                let channels = channels.chunks_exact_mut(c.sink_len()).collect();
                let output = Output { image, group, first_channel: group * c.sinks + share * sinks, channels };
                jobs[group * shares + share].push(output);
            }
        }
        let sources = &sources;
        jobs.into_par_iter().with_max_len(1).for_each(|mut outputs| {
            let tiles = outputs.first().map_or(0, |output| output.channels.len().div_ceil(self.recipe.tile));
            let lens = [self.run_len(&staged, &band) * self.recipe.tile, tiles * self.panel_len()];
            scratch::with(lens, |[results, panels]| {
                self.recipe.level.run(Job {
                    pass: self,
                    band,
                    staged,
                    sources: Sources::Shared(sources),
                    panels: Panels::Own(panels),
                    results,
                    outputs: &mut outputs,
                });
            });
        });
    }

    /// Sink voxels of a band, within a channel.
    fn voxels(&self, band: &Band) -> std::ops::Range<usize> {
        let c = self.correlation;
        let [_, height, width] = c.sink;
        let end = |a: usize, position: usize| (position * c.spread[a]).min(c.sink[a]);
        let at = |plane: usize, row: usize| (end(0, plane) * height + end(1, row)) * width;
        let all_rows = band.rows == (0, c.positions()[1]);
        let last = if all_rows { at(band.planes.1, 0) } else { at(band.planes.0, band.rows.1) };
        at(band.planes.0, band.rows.0)..last
    }

    /// Samples of the staged sources of a group, with room for the last vector to read past them.
    fn staged_len(&self, staged: &Staged) -> usize {
        self.correlation.sources * staged.channel_len() + 2 * self.recipe.level.lanes()
    }

    /// Samples of a run, in whole vectors.
    fn run_len(&self, staged: &Staged, band: &Band) -> usize {
        let rows = band.rows.1 - band.rows.0;
        ((rows - 1) * staged.row() + self.correlation.positions()[2]).next_multiple_of(self.recipe.level.lanes())
    }

    /// Weights of one tile of output channels, of all parts.
    fn panel_len(&self) -> usize {
        let taps: usize = self.correlation.parts.iter().map(|part| part.taps.len()).sum();
        taps * self.correlation.sources * self.recipe.tile
    }

    /// The packed weights of each group.
    fn shared_panels(&self) -> Vec<Vec<f32>> {
        let tiles = self.correlation.sinks.div_ceil(self.recipe.tile);
        let pack = |group: usize| {
            let mut panels = vec![0.0; tiles * self.panel_len()];
            self.pack(group, 0, &mut panels);
            panels
        };
        (0..self.correlation.groups).map(pack).collect()
    }

    /// Packs the weights of the tiles from sink `first` of a group on, `[tile][part][source][tap][sink]`, with zeros where a
    /// tile has more rows than there are sinks.
    #[inline(always)]
    fn pack(&self, group: usize, first: usize, panels: &mut [f32]) {
        let (c, tile, panel_len) = (self.correlation, self.recipe.tile, self.panel_len());
        let weights = &self.weights[group * c.group_weights()..][..c.group_weights()];
        let tiles = panels.len() / panel_len.max(1);
        let mut before = 0;
        for part in &c.parts {
            for source in 0..c.sources {
                let at = before + source * part.taps.len() * tile;
                for t in 0..tiles {
                    let sinks = first + t * tile..(first + (t + 1) * tile).min(c.sinks);
                    let rows = panels[t * panel_len + at..].chunks_exact_mut(tile);
                    for (tap, row) in part.taps.iter().zip(rows) {
                        row.fill(0.0);
                        for (sink, row) in sinks.clone().zip(row) {
                            *row = weights[source * c.source_stride + sink * c.sink_stride + tap.weight];
                        }
                    }
                }
            }
            before += c.sources * part.taps.len() * tile;
        }
    }
}

/// Stages all sources of one group of one image.
struct Fill<'a, 'b, X, F> {
    pass: &'a Pass<'b, X, F>,
    staged: Staged,
    channels: usize,
    sources: &'a mut [f32],
}

impl<X: Source, F: Finish> WithSimd for Fill<'_, '_, X, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let c = self.pass.correlation;
        let mut line = Vec::new();
        let channels = self.sources.chunks_exact_mut(self.staged.channel_len()).take(c.sources);
        for (i, channel) in channels.enumerate() {
            let first = (self.channels * c.sources + i) * c.source_len();
            self.staged.fill(&self.pass.source, first, channel, &mut line);
        }
    }
}

/// Staged sources: a job's own, still to be filled, or those of all images.
enum Sources<'a> {
    Own(&'a mut [f32]),
    Shared(&'a [f32]),
}

/// Packed weights: a job's own, still to be filled, or those of all tiles of a group.
enum Panels<'a> {
    Own(&'a mut [f32]),
    Shared(&'a [f32]),
}

/// The work of one job: some output channels of a band, of one or more images.
struct Job<'a, 'b, 'c, X, F> {
    pass: &'a Pass<'b, X, F>,
    band: Band,
    staged: Staged,
    sources: Sources<'a>,
    panels: Panels<'a>,
    results: &'a mut [f32],
    outputs: &'a mut [Output<'c>],
}

impl<X: Source, F: Finish> WithSimd for Job<'_, '_, '_, X, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (pass, recipe) = (self.pass, &self.pass.recipe);
        let c = pass.correlation;
        if let Sources::Own(sources) = &mut self.sources {
            let channels = self.outputs[0].image * c.groups + self.outputs[0].group;
            Fill { pass, staged: self.staged, channels, sources }.with_simd(simd);
        }
        if let Panels::Own(panels) = &mut self.panels {
            pass.pack(self.outputs[0].group, self.outputs[0].first_channel - self.outputs[0].group * c.sinks, panels);
        }
        let panels: &[f32] = match &self.panels {
            Panels::Own(panels) => panels,
            Panels::Shared(panels) => panels,
        };
        let staged_len = pass.staged_len(&self.staged);
        let first_voxel = pass.voxels(&self.band).start;
        let mut steps = Vec::new();
        let mut segments = Vec::new();
        for output in self.outputs.iter_mut() {
            let sources: &[f32] = match &self.sources {
                Sources::Own(sources) => sources,
                Sources::Shared(sources) => &sources[(output.image * c.groups + output.group) * staged_len..][..staged_len],
            };
            for (t, channels) in output.channels.chunks_mut(recipe.tile).enumerate() {
                let mut panel = &panels[t * pass.panel_len()..];
                for part in &c.parts {
                    self.staged.offsets(part, c.sources, &mut segments, &mut steps);
                    let len = segments.len() * steps.len() * recipe.tile;
                    let factors = Factors { panel: &panel[..len], b: sources, segments: &segments, steps: &steps };
                    panel = &panel[len..];
                    write_part(simd, pass, &self.band, &self.staged, part, &factors, self.results, channels);
                }
            }
            pass.finish.finish(output.image, output.first_channel, first_voxel, &mut output.channels);
        }
    }
}

impl Staged {
    /// The offsets of a part's taps, in the order of its panel: a segment for each channel and a step for each tap, or where
    /// there are few taps one segment and a step for each channel and tap.
    fn offsets(&self, part: &Part, sources: usize, segments: &mut Vec<usize>, steps: &mut Vec<usize>) {
        let channel = self.channel_len();
        segments.clear();
        steps.clear();
        if part.taps.len() < SEGMENT_TAPS {
            segments.push(0);
            steps.extend((0..sources).flat_map(|i| part.taps.iter().map(move |tap| i * channel + self.offset(tap))));
        } else {
            segments.extend((0..sources).map(|i| i * channel));
            steps.extend(part.taps.iter().map(|tap| self.offset(tap)));
        }
    }
}

/// Computes a part of some output channels of a band, and puts it where it belongs.
#[allow(clippy::too_many_arguments, reason = "one call, split from a loop to be read alone")]
#[inline(always)]
fn write_part<S: Simd, X: Source, F: Finish>(
    simd: S,
    pass: &Pass<'_, X, F>,
    band: &Band,
    staged: &Staged,
    part: &Part,
    factors: &Factors<'_>,
    results: &mut [f32],
    channels: &mut [&mut [f32]],
) {
    let c = pass.correlation;
    let [planes, rows, width] = c.part_positions(part);
    let run = pass.run_len(staged, band);
    let first_voxel = pass.voxels(band).start;
    for plane in band.planes.0..band.planes.1.min(planes) {
        let start = (plane - band.planes.0) * staged.plane();
        match pass.recipe.tile {
            8 => sweep::<S, 8, 3>(simd, factors, start, run, results),
            4 if S::REGISTER_COUNT >= 32 => sweep::<S, 4, 6>(simd, factors, start, run, results),
            4 => sweep::<S, 4, 2>(simd, factors, start, run, results),
            _ => sweep::<S, 1, 6>(simd, factors, start, run, results),
        }
        for (result, channel) in results.chunks_exact(run).zip(channels.iter_mut()) {
            for row in band.rows.0..band.rows.1.min(rows) {
                let from = &result[(row - band.rows.0) * staged.row()..][..width];
                let (z, y) = (plane * c.spread[0] + part.residue[0], row * c.spread[1] + part.residue[1]);
                let to = &mut channel[(z * c.sink[1] + y) * c.sink[2] - first_voxel..][..c.sink[2]];
                if c.spread[2] == 1 {
                    to.copy_from_slice(from);
                } else {
                    let to = to[part.residue[2]..].iter_mut().step_by(c.spread[2]);
                    for (to, from) in to.zip(from) {
                        *to = *from;
                    }
                }
            }
        }
    }
}

/// Computes a run of positions from `start` on: `results` is `[row][position]`.
#[inline(always)]
fn sweep<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    start: usize,
    run: usize,
    results: &mut [f32],
) {
    let vectors = run / S::F32_LANES;
    let mut at = 0;
    while vectors - at >= N {
        stretch::<S, ROWS, N>(simd, factors, start, at, run, results);
        at += N;
    }
    while vectors - at >= 2 {
        stretch::<S, ROWS, 2>(simd, factors, start, at, run, results);
        at += 2;
    }
    if at < vectors {
        stretch::<S, ROWS, 1>(simd, factors, start, at, run, results);
    }
}

/// Computes `N` vectors of a run.
#[inline(always)]
fn stretch<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    start: usize,
    vector: usize,
    run: usize,
    results: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let at = vector * lanes;
    let factors = Factors { b: &factors.b[start + at..], ..*factors };
    let columns = std::array::from_fn(|n| n * lanes);
    tile::tile::<S, ROWS, N>(simd, &factors, columns, |m, n, sum| {
        tile::store::<S>(&mut results[m * run + at + n * lanes..][..lanes], sum);
    });
}
