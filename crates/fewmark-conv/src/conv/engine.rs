//! Runs a correlation as its recipe says.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::compute::{Compute, Place};
use super::correlation::Correlation;
use super::part_weights::PartWeights;
use super::plan::{Division, Recipe, whole_band};
use super::row_pairs::{self, RowPairs};
use super::scratch;
use super::staging::{Band, Source, Staged};
use crate::level::Level;
use crate::memory;

/// What is done to the results of a job, while they are in the cache.
pub(crate) trait Finish: Sync {
    /// Changes the results of a job in place.
    fn finish<S: Simd>(&self, simd: S, results: &mut Results<'_>);
}

/// The results of a job: some voxels of some channels of one image.
pub(crate) struct Results<'a> {
    image: usize,
    /// Group of the channels
    group: usize,
    /// Among those of all groups
    pub(crate) first_channel: usize,
    /// Within a channel
    first_voxel: usize,
    /// Channels of an image
    all_channels: usize,
    /// Voxels of a channel
    channel_len: usize,
    /// The voxels of each channel
    pub(crate) channels: Vec<&'a mut [f32]>,
}

impl Results<'_> {
    /// Calls `f` with each channel's results and the index of their first sample among all results.
    #[inline(always)]
    pub(crate) fn for_each_channel(&mut self, mut f: impl FnMut(usize, &mut [f32])) {
        for (i, channel) in self.channels.iter_mut().enumerate() {
            f((self.image * self.all_channels + self.first_channel + i) * self.channel_len + self.first_voxel, channel);
        }
    }
}

/// A correlation, how to compute it, and its operands.
pub(crate) struct Pass<'a, X, F> {
    pub(crate) correlation: &'a Correlation,
    pub(crate) recipe: Recipe,
    pub(crate) source: X,
    pub(crate) weights: &'a [f32],
    /// What is added to each sink channel
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) finish: F,
}

impl<'a, X: Source, F: Finish> Pass<'a, X, F> {
    /// A pass without bias, as its sizes suggest on the present level.
    pub(crate) fn new(correlation: &'a Correlation, source: X, weights: &'a [f32], finish: F) -> Self {
        Self { correlation, recipe: Recipe::design(correlation, Level::current()), source, weights, bias: None, finish }
    }

    /// Fills `sink`, `[batch, groups * sinks, z, y, x]`.
    pub(crate) fn run(&self, sink: &mut [f32]) {
        let c = self.correlation;
        if let (Division::Bands { planes, rows }, true) = (self.recipe.division, self.recipe.row_pairs)
            && let Some(pairs) = RowPairs::suiting(c, self.recipe.level.lanes())
        {
            return self.run_row_pairs(&pairs, sink, planes, rows);
        }
        let parts: Vec<_> = c.parts.iter().map(|part| PartWeights::new(c, part, self.weights)).collect();
        match self.recipe.division {
            Division::Bands { planes, rows } => self.run_bands(&parts, sink, planes, rows),
            Division::Channels => self.run_channels(&parts, sink),
        }
        parts.into_iter().for_each(PartWeights::recycle);
    }

    fn run_bands(&self, parts: &[PartWeights<'_>], sink: &mut [f32], planes: usize, rows: usize) {
        self.bands(sink, planes, rows).into_par_iter().with_max_len(1).for_each(|(place, mut results)| {
            scratch::with([self.staged_len(&place.staged), place.results_len()], |[sources, runs]| {
                let first = self.first_source(&results);
                self.recipe.level.run(Fill { pass: self, staged: place.staged, first, sources });
                self.compute(place, parts, sources, runs, &mut results);
            });
        });
    }

    fn run_row_pairs(&self, pairs: &RowPairs, sink: &mut [f32], planes: usize, rows: usize) {
        let (correlation, level) = (self.correlation, self.recipe.level);
        let weights = pairs.weights(correlation, self.weights);
        self.bands(sink, planes, rows).into_par_iter().with_max_len(1).for_each(|(place, mut results)| {
            let staged = place.staged;
            scratch::with(pairs.staged_len(&staged, correlation.sources), |[sources, plain]| {
                let (first, source) = (self.first_source(&results), &self.source);
                level.run(row_pairs::Fill {
                    pairs,
                    correlation,
                    staged,
                    source,
                    first,
                    memory: [&mut *sources, plain],
                });
                let bias = self.bias.map(|bias| &bias[results.first_channel..]);
                let (group, weights, channels) = (results.group, &weights, &mut results.channels);
                level.run(row_pairs::Compute { pairs, place, weights, group, sources, bias, channels });
            });
            level.run(Finishing { finish: &self.finish, results: &mut results });
        });
        memory::give(weights);
    }

    /// The jobs of bands of that many planes and rows, each with its place and room for its results.
    fn bands<'c>(&self, sink: &'c mut [f32], planes: usize, rows: usize) -> Vec<(Place<'a>, Results<'c>)> {
        let c = self.correlation;
        let places: Vec<_> = Band::all(c.positions(), planes, rows).map(|band| self.place(band)).collect();
        let mut jobs = Vec::with_capacity(c.batch * c.groups * places.len());
        for (images, sink) in sink.chunks_exact_mut(c.sinks * c.sink_len()).enumerate() {
            let first = jobs.len();
            jobs.extend(places.iter().map(|&place| {
                let channels = Vec::with_capacity(c.sinks);
                (place, self.results(images, 0, place.voxels().start, channels))
            }));
            for mut channel in sink.chunks_exact_mut(c.sink_len()) {
                for (place, results) in &mut jobs[first..] {
                    let (voxels, after) = channel.split_at_mut(place.voxels().len());
                    results.channels.push(voxels);
                    channel = after;
                }
            }
        }
        jobs
    }

    /// Index of the first channel that some results read among those of all images.
    fn first_source(&self, results: &Results<'_>) -> usize {
        (results.image * self.correlation.groups + results.group) * self.correlation.sources
    }

    fn run_channels(&self, parts: &[PartWeights<'_>], sink: &mut [f32]) {
        let (c, tile) = (self.correlation, self.recipe.tile);
        let place = self.place(whole_band(c));
        let staged = place.staged;
        let staged_len = self.staged_len(&staged);
        let mut sources = memory::take(c.batch * c.groups * staged_len);
        for (images, sources) in sources.chunks_exact_mut(staged_len).enumerate() {
            let channels = sources.par_chunks_exact_mut(staged.channel_len()).take(c.sources).enumerate();
            channels.for_each(|(i, sources)| {
                self.recipe.level.run(Fill { pass: self, staged, first: images * c.sources + i, sources });
            });
        }
        // A job has its tile of every image, so that it reads its weights once.
        let tiles = c.sinks.div_ceil(tile);
        let mut jobs: Vec<Vec<Results<'_>>> = (0..c.groups * tiles).map(|_| Vec::with_capacity(c.batch)).collect();
        for (images, sink) in sink.chunks_exact_mut(c.sinks * c.sink_len()).enumerate() {
            for (t, channels) in sink.chunks_mut(tile * c.sink_len()).enumerate() {
                let channels = channels.chunks_exact_mut(c.sink_len()).collect();
                jobs[images % c.groups * tiles + t].push(self.results(images, t * tile, 0, channels));
            }
        }
        jobs.into_par_iter().with_max_len(1).for_each(|mut job| {
            scratch::with([place.results_len()], |[runs]| {
                for results in &mut job {
                    let images = results.image * c.groups + results.group;
                    self.compute(place, parts, &sources[images * staged_len..][..staged_len], runs, results);
                }
            });
        });
        memory::give(sources);
    }

    fn place(&self, band: Band) -> Place<'a> {
        let (correlation, Recipe { level, tile, .. }) = (self.correlation, self.recipe);
        Place { correlation, band, staged: Staged::new(correlation, &band), tile, lanes: level.lanes() }
    }

    /// Results still to be computed, of the group and image that are the `images`-th.
    fn results<'c>(
        &self,
        images: usize,
        first: usize,
        first_voxel: usize,
        channels: Vec<&'c mut [f32]>,
    ) -> Results<'c> {
        let c = self.correlation;
        let (image, group) = (images / c.groups, images % c.groups);
        let (first_channel, all_channels) = (group * c.sinks + first, c.groups * c.sinks);
        Results { image, group, first_channel, first_voxel, all_channels, channel_len: c.sink_len(), channels }
    }

    fn compute(
        &self,
        place: Place<'_>,
        parts: &[PartWeights<'_>],
        sources: &[f32],
        runs: &mut [f32],
        results: &mut Results<'_>,
    ) {
        let first = results.first_channel - results.group * self.correlation.sinks;
        let bias = self.bias.map(|bias| &bias[results.first_channel..]);
        let (group, channels) = (results.group, &mut results.channels);
        self.recipe.level.run(Compute { place, parts, group, first, sources, bias, results: runs, channels });
        self.recipe.level.run(Finishing { finish: &self.finish, results });
    }

    /// Samples of the staged sources of a group, with room for the last vector to read past them.
    fn staged_len(&self, staged: &Staged) -> usize {
        self.correlation.sources * staged.channel_len() + 2 * self.recipe.level.lanes()
    }
}

/// Stages neighbouring source channels.
struct Fill<'a, 'b, X, F> {
    pass: &'a Pass<'b, X, F>,
    staged: Staged,
    /// Index of the first channel among those of all images
    first: usize,
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
            self.staged.fill(&self.pass.source, (self.first + i) * c.source_len(), channel, &mut line);
        }
    }
}

/// What follows the computation of a job.
struct Finishing<'a, 'c, F> {
    finish: &'a F,
    results: &'a mut Results<'c>,
}

impl<F: Finish> WithSimd for Finishing<'_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.finish.finish(simd, self.results);
    }
}
