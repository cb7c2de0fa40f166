//! Weights as the tile reads them.

use std::borrow::Cow;

use rayon::prelude::*;

use super::correlation::{Correlation, Part};
use super::staging::Staged;
use super::tile::{self, Taps};
use crate::memory;

/// Fewest taps of a channel that are read from where they are though the weights of two channels lie apart, so that each channel needs a
/// segment of its own.
const SEGMENT_TAPS: usize = 4;

/// Output channels whose weights are gathered by one job: for each source they are neighbours, whole lines of a cache.
const GATHERED: usize = 32;

/// Sources whose weights are gathered together: as many lines of the first cache are read by one output channel after the other, and
/// more at distances of a power of two would have the same places there.
const SOURCES: usize = 8;

/// The weights of a part, `[group][sink][source][tap]` for some strides, the taps being neighbours.
pub(crate) struct PartWeights<'a> {
    pub(crate) part: &'a Part,
    values: Cow<'a, [f32]>,
    group: usize,
    /// Distance from one sink to the next
    pub(crate) sink: usize,
    source: usize,
}

impl<'a> PartWeights<'a> {
    /// Takes the weights as they are where the tile can read them so, and else gathers them.
    pub(crate) fn new(c: &Correlation, part: &'a Part, weights: &'a [f32]) -> Self {
        let taps = part.taps.len();
        let kernel = c.sink_stride.min(c.source_stride);
        let all_taps = taps == kernel && part.taps.iter().enumerate().all(|(t, tap)| tap.weight == t);
        if all_taps && (taps >= SEGMENT_TAPS || c.source_stride == taps) {
            let (sink, source) = (c.sink_stride, c.source_stride);
            return Self { part, values: Cow::Borrowed(weights), group: c.group_weights(), sink, source };
        }
        let mut values = memory::take(c.groups * c.sinks * c.sources * taps);
        let row = c.sources * taps;
        values.par_chunks_mut((GATHERED * row).max(1)).enumerate().for_each(|(chunk, rows)| {
            for first in (0..c.sources).step_by(SOURCES) {
                for (i, row) in rows.chunks_exact_mut(row).enumerate() {
                    let (group, sink) = ((chunk * GATHERED + i) / c.sinks, (chunk * GATHERED + i) % c.sinks);
                    let from = group * c.group_weights() + sink * c.sink_stride;
                    for source in first..(first + SOURCES).min(c.sources) {
                        for (to, tap) in row[source * taps..].iter_mut().zip(&part.taps) {
                            *to = weights[from + source * c.source_stride + tap.weight];
                        }
                    }
                }
            }
        });
        Self { part, values: Cow::Owned(values), group: c.sinks * row, sink: row, source: taps }
    }

    /// Gives back the memory of gathered weights.
    pub(crate) fn recycle(self) {
        if let Cow::Owned(values) = self.values {
            memory::give(values);
        }
    }

    /// The weights from a sink of a group on.
    pub(crate) fn of(&self, group: usize, sink: usize) -> &[f32] {
        &self.values[group * self.group + sink * self.sink..]
    }

    /// The offsets of the taps in the weights of a sink and in a staged source. A segment holds several channels where their weights are
    /// neighbours.
    pub(crate) fn offsets(&self, staged: &Staged, sources: usize) -> (Vec<(usize, usize)>, Taps) {
        let (channel, taps) = (staged.channel_len(), self.part.taps.len());
        let together = if self.source == taps { tile::segment_channels(sources, taps) } else { 1 };
        let steps = (0..together).flat_map(|i| self.part.taps.iter().map(move |tap| i * channel + staged.offset(tap)));
        let segments = (0..sources).step_by(together).map(|i| (i * self.source, i * channel));
        (segments.collect(), Taps::new(steps.collect()))
    }
}
