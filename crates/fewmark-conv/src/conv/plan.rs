//! How a product is computed: decided from its sizes alone, before anything runs, and comparable.

use super::correlation::Correlation;
use super::row_pairs::RowPairs;
use super::staging::{Band, Staged};
use crate::level::Level;

/// A pass is cut into a multiple of this many jobs where its size allows, so that a few cores share them evenly.
const JOBS: usize = 8;

/// Weights from which reading all of them for every band costs more than staging all sources once for every job.
const MANY_WEIGHTS: usize = 64 * 1024;

/// Weight of a staged sample against one that is read from a cache: chosen so that the shapes of the benchmark get the division that
/// is faster for them.
const STAGING: usize = 4;

/// Samples of all staged sources beyond which no copy is shared between jobs.
const SHARED_SAMPLES: usize = 16 << 20;

/// How the work of a pass is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// Few channels on large maps: a job stages a band of positions and computes all its output channels.
    Bands {
        /// Planes of positions of a band
        planes: usize,
        /// Rows of positions of a band
        rows: usize,
    },
    /// Many channels on small maps: a job computes one tile of output channels everywhere; the staged sources are shared.
    Channels,
}

/// How a pass is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The vectors that it runs on
    pub level: Level,
    /// How its work is divided
    pub division: Division,
    /// Output channels of a tile
    pub tile: usize,
    /// Whether bands are computed by pairs of rows, with two thirds of the products
    pub row_pairs: bool,
}

impl Recipe {
    /// The recipe for a correlation.
    pub(crate) fn design(correlation: &Correlation, level: Level) -> Self {
        let weights = correlation.group_weights();
        let whole = Staged::new(correlation, &whole_band(correlation));
        let shared = correlation.batch * correlation.groups * correlation.sources * whole.channel_len();
        let tile = match correlation.sinks {
            1 | 2 => 1,
            3 | 4 => 4,
            _ => level.rows(),
        };
        let tiles = correlation.groups * correlation.sinks.div_ceil(tile);
        let bands = bands(correlation, level);
        let channels = weights >= MANY_WEIGHTS
            && shared <= SHARED_SAMPLES
            && tiles >= JOBS
            && tiles / correlation.groups * shared + STAGING * shared <= bands_cost(correlation, bands);
        if channels {
            return Self { level, division: Division::Channels, tile, row_pairs: false };
        }
        Self { level, division: bands, tile, row_pairs: false }.in_bands(correlation)
    }

    /// The same recipe with its work divided into bands, of whole pairs of rows where these pay and bands do not become much larger.
    pub(crate) fn in_bands(self, correlation: &Correlation) -> Self {
        let division = bands(correlation, self.level);
        let direct = Self { division, row_pairs: false, ..self };
        let Division::Bands { planes, rows } = division else { return direct };
        let Some(pairs) = RowPairs::suiting(correlation, self.level.lanes()) else { return direct };
        let whole = pairs.whole_rows(rows).min(correlation.positions()[1]);
        if whole > 2 * rows {
            return direct;
        }
        Self { division: Division::Bands { planes, rows: whole }, row_pairs: true, ..self }
    }
}

/// Samples that all jobs read if they are bands: for each one all weights, and its staged sources.
fn bands_cost(correlation: &Correlation, division: Division) -> usize {
    let [all_planes, all_rows, _] = correlation.positions();
    let Division::Bands { planes, rows } = division else { return usize::MAX };
    let staged = Staged::new(correlation, &Band { planes: (0, planes), rows: (0, rows) });
    let jobs = correlation.batch * correlation.groups * all_planes.div_ceil(planes) * all_rows.div_ceil(rows);
    jobs * (correlation.group_weights() + STAGING * correlation.sources * staged.channel_len())
}

/// All positions.
pub(crate) fn whole_band(correlation: &Correlation) -> Band {
    let [planes, rows, _] = correlation.positions();
    Band { planes: (0, planes), rows: (0, rows) }
}

/// The largest bands that fit the cache and still give every core work.
pub(crate) fn bands(correlation: &Correlation, level: Level) -> Division {
    let [planes, rows, _] = correlation.positions();
    // Samples of staged sources and of results that a job may hold: half of the cache.
    let most = level.second_cache() / 2 / size_of::<f32>();
    let samples = |band_planes: usize, band_rows: usize| {
        let staged = Staged::new(correlation, &Band { planes: (0, band_planes), rows: (0, band_rows) });
        let results = band_planes * band_rows * staged.row() * correlation.spread.iter().product::<usize>();
        correlation.sources * staged.channel_len() + correlation.sinks * results
    };
    let images = correlation.batch * correlation.groups;
    let fits = |band_planes: usize, band_rows: usize| {
        let jobs = images * planes.div_ceil(band_planes) * rows.div_ceil(band_rows);
        samples(band_planes, band_rows) <= most && jobs >= JOBS.min(images * planes * rows)
    };
    // No fewer rows than the taps read beyond them, where these nearly fit, as each band stages those too.
    let (first, last) = correlation.reach();
    let beyond = ((last[1] - first[1]) as usize).clamp(1, rows);
    // The sink voxels of a band are contiguous, which some rows of two sink planes are not.
    let least = match correlation.spread[0] {
        1 if samples(1, beyond) <= 2 * most => beyond,
        1 => 1,
        _ => rows,
    };
    let band_rows = (least..=rows).rev().find(|&r| fits(1, r)).unwrap_or(least);
    if band_rows < rows {
        // As many jobs as several cores can share without one waiting for the other, all of about the same size.
        // Fewer, larger ones where these still nearly fit: each of them reads all weights.
        let bands = rows.div_ceil(band_rows);
        let even = |bands: &usize| (images * planes * bands).is_multiple_of(JOBS);
        let fewer = (1..=bands).rev().find(even).map(|bands| rows.div_ceil(bands));
        let more = || rows.div_ceil((bands..bands + JOBS).find(even).unwrap_or(bands));
        let rows = fewer.filter(|&rows| samples(1, rows) <= most / 3 * 4).unwrap_or_else(more);
        return Division::Bands { planes: 1, rows: rows.max(least) };
    }
    let band_planes = (1..=planes).rev().find(|&p| fits(p, rows)).unwrap_or(1);
    Division::Bands { planes: band_planes, rows }
}
