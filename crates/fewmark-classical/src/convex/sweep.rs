//! One iteration of the primal-dual method in one sweep over memory.
//!
//! A sweep visits rows in order. At each it moves the dual vectors forward, which needs the extrapolated `u` of this
//! row and of the next ones, not yet overwritten; then it moves `u`, which needs the new dual vectors of this row and
//! of the ones before. So one pass does what two would do, in place, and every value depends only on values of the
//! iteration before: neither the order of bands nor the number of threads can show in the result.
//!
//! Far from an object's boundary nothing moves: `u` is 0 or 1 and its neighbours agree. A segment of a row whose
//! values, and whose neighbours' values, came out of an iteration with the same bits as they went in will do so again,
//! because the iteration is a function of those bits only. Such segments sleep until a neighbour moves. (A step that is
//! not over-relaxed could still move them by less than their last bit.)

use std::borrow::Cow;

use multiversion::multiversion;
use rayon::prelude::*;

use super::problem::Radius;

/// Voxels computed at a time: a few cache lines of each field, which stay in the first cache between the two halves.
const SEGMENT: usize = 64;

/// Segments of a row that can be told apart, one bit of a `u64` each.
const BITS: usize = 64;

/// Fewer voxels than this in a band are not worth another task.
const VOXELS_PER_BAND: usize = 1 << 13;

const ZEROS: [f32; SEGMENT] = [0.0; SEGMENT];

/// Rows of `nx` voxels, `middle` rows to a slice, `slices` slices. An image is rows only: each is a slice of its own,
/// so that bands of slices serve images and volumes alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) nx: usize,
    pub(super) middle: usize,
    pub(super) slices: usize,
}

impl Shape {
    pub(super) fn new(size: [usize; 3]) -> Self {
        match size {
            [nx, ny, 1] => Self { nx, middle: 1, slices: ny },
            [nx, middle, slices] => Self { nx, middle, slices },
        }
    }

    pub(super) fn rows(self) -> usize {
        self.middle * self.slices
    }

    pub(super) fn len(self) -> usize {
        self.nx * self.rows()
    }

    pub(super) fn slice(self) -> usize {
        self.nx * self.middle
    }

    /// Voxels that one bit of a row's mask stands for.
    fn bit_width(self) -> usize {
        self.nx.div_ceil(BITS).next_multiple_of(SEGMENT)
    }

    fn all_bits(self) -> u64 {
        u64::MAX >> (BITS - self.nx.div_ceil(self.bit_width()))
    }
}

/// Step sizes of one iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Steps {
    /// Of `u`.
    pub(super) tau: f32,
    /// Of the dual vectors.
    pub(super) sigma: f32,
    /// Over-relaxation, 1 to less than 2.
    pub(super) relaxation: f32,
}

/// The problem on one grid.
pub(super) struct Level<'a> {
    pub(super) shape: Shape,
    /// Weights of the differences along x, the middle axis and the slices.
    pub(super) weight: [f32; 3],
    pub(super) data: Cow<'a, [f32]>,
    pub(super) radius: Radius,
}

impl Level<'_> {
    /// Dual vectors of zeros; an image has none along the middle axis.
    pub(super) fn zeros(&self) -> [Vec<f32>; 3] {
        let n = self.shape.len();
        [vec![0.0; n], vec![0.0; if self.shape.middle > 1 { n } else { 0 }], vec![0.0; n]]
    }
}

/// The fields of one level and what moves in them.
pub(super) struct Fields<'a> {
    pub(super) level: Level<'a>,
    pub(super) u: Vec<f32>,
    /// `2 v - u`, `v` the unrelaxed step of `u`.
    pub(super) ahead: Vec<f32>,
    /// Dual vectors along x, the middle axis (empty for an image) and the slices.
    pub(super) p: [Vec<f32>; 3],
    activity: Activity,
    /// Energy and dual energy of each row when last computed.
    sums: Vec<[f64; 2]>,
}

/// Bits of the segments of every row.
#[derive(Default)]
struct Activity {
    /// Those that moved in the last iteration.
    moved: Vec<u64>,
    /// Those to be computed in this one: moved, or beside one that did.
    awake: Vec<u64>,
    /// Those awake at any time since the sums of their row were computed.
    touched: Vec<u64>,
}

impl Activity {
    fn new(shape: Shape) -> Self {
        let all = vec![shape.all_bits(); shape.rows()];
        Self { moved: all.clone(), awake: all.clone(), touched: all }
    }

    /// Wakes what moved and its neighbours, and forgets what moved.
    fn advance(&mut self, shape: Shape) {
        let (rows, middle, all) = (shape.rows(), shape.middle, shape.all_bits());
        for row in 0..rows {
            let at = |row: Option<usize>| row.and_then(|row| self.moved.get(row)).copied().unwrap_or(0);
            let mut bits = at(Some(row)) | at(row.checked_sub(1)) | at(Some(row + 1));
            if middle > 1 {
                bits |= at(row.checked_sub(middle)) | at(Some(row + middle));
                bits |= at((row + 1).checked_sub(middle)) | at((row + middle).checked_sub(1));
            }
            self.awake[row] = (bits | bits << 1 | bits >> 1) & all;
            self.touched[row] |= self.awake[row];
        }
        self.moved.fill(0);
    }
}

/// The part of the fields that one task sweeps: whole slices.
struct Band<'a> {
    /// First row, counted over the whole level.
    first: usize,
    u: &'a mut [f32],
    ahead: &'a mut [f32],
    p: [&'a mut [f32]; 3],
    moved: &'a mut [u64],
    awake: &'a [u64],
    /// New dual vectors, along the slices, of the slice before the first; empty at the start.
    before: &'a [f32],
    /// Whether the dual vectors of the last slice have been moved already, because they need the band that follows.
    last_done: bool,
}

/// What stays the same during a sweep.
struct Fixed<'a> {
    shape: Shape,
    weight: [f32; 3],
    data: &'a [f32],
    radius: &'a Radius,
    steps: Steps,
}

impl<'a> Fixed<'a> {
    fn new(level: &'a Level, steps: Steps) -> Self {
        Self { shape: level.shape, weight: level.weight, data: &level.data, radius: &level.radius, steps }
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new(level: Level<'a>, u: Vec<f32>, p: [Vec<f32>; 3]) -> Self {
        let shape = level.shape;
        let sums = vec![[0.0; 2]; shape.rows()];
        Self { level, ahead: u.clone(), u, p, activity: Activity::new(shape), sums }
    }

    /// The unrelaxed `v` in `[0, 1]`.
    pub(super) fn solution(&self) -> Vec<f32> {
        self.u.iter().zip(&self.ahead).map(|(&u, &a)| (0.5 * (u + a)).clamp(0.0, 1.0)).collect()
    }

    /// Goes on from another state.
    pub(super) fn restart(&mut self, u: &[f32], p: &[Vec<f32>; 3]) {
        self.u.copy_from_slice(u);
        self.ahead.copy_from_slice(u);
        self.p.clone_from(p);
        self.activity = Activity::new(self.level.shape);
    }

    /// One iteration.
    pub(super) fn sweep(&mut self, steps: Steps) {
        let shape = self.level.shape;
        self.activity.advance(shape);
        let most = (shape.rows() * shape.nx / VOXELS_PER_BAND).clamp(1, 4 * rayon::current_num_threads());
        let slices_per_band =
            if rayon::current_num_threads() == 1 { shape.slices } else { shape.slices.div_ceil(most) };
        let before = self.edges(slices_per_band, steps);
        let fixed = Fixed::new(&self.level, steps);
        let chunk = slices_per_band * shape.slice();
        let rows = slices_per_band * shape.middle;
        let [px, pm, po] = &mut self.p;
        let bands = shape.slices.div_ceil(slices_per_band);
        let middle: Vec<&mut [f32]> =
            if pm.is_empty() { (0..bands).map(|_| &mut [][..]).collect() } else { pm.chunks_mut(chunk).collect() };
        let mut bands: Vec<Band> = (self.u.chunks_mut(chunk).zip(self.ahead.chunks_mut(chunk)))
            .zip(px.chunks_mut(chunk).zip(middle).zip(po.chunks_mut(chunk)))
            .zip(self.activity.moved.chunks_mut(rows).zip(self.activity.awake.chunks(rows)))
            .enumerate()
            .map(|(k, (((u, ahead), ((px, pm), po)), (moved, awake)))| Band {
                first: k * rows,
                u,
                ahead,
                p: [px, pm, po],
                moved,
                awake,
                before: k.checked_sub(1).map_or(&[], |k| &before[k * shape.slice()..(k + 1) * shape.slice()]),
                last_done: k + 1 < bands,
            })
            .collect();
        match &mut bands[..] {
            [band] => sweep_band(&fixed, band),
            bands => bands.par_iter_mut().with_max_len(1).for_each(|band| sweep_band(&fixed, band)),
        }
    }

    /// Moves the dual vectors of the last slice of every band but the last, and returns those along the slices.
    fn edges(&mut self, slices_per_band: usize, steps: Steps) -> Vec<f32> {
        let Self { level, u, ahead, p, activity, .. } = self;
        let (shape, fixed) = (level.shape, Fixed::new(level, steps));
        let mut before = Vec::new();
        for slice in (slices_per_band..shape.slices).step_by(slices_per_band).map(|next| next - 1) {
            let rows = slice * shape.middle..(slice + 1) * shape.middle;
            let [px, pm, po] = p;
            let mut all = Band {
                first: 0,
                u,
                ahead,
                p: [px, pm, po],
                moved: &mut activity.moved,
                awake: &activity.awake,
                before: &[],
                last_done: false,
            };
            dual_rows(&fixed, &mut all, rows);
            before.extend_from_slice(&po[slice * shape.slice()..(slice + 1) * shape.slice()]);
        }
        before
    }

    /// The energy of `v` and the dual energy of `p`, which must be feasible: the last sweep was not relaxed.
    pub(super) fn energies(&mut self) -> [f64; 2] {
        let (u, ahead, p) = (&self.u, &self.ahead, &self.p);
        let fixed = Fixed::new(&self.level, Steps { tau: 0.0, sigma: 0.0, relaxation: 1.0 });
        (self.sums.par_iter_mut().zip(&mut self.activity.touched)).with_min_len(32).enumerate().for_each(
            |(row, (sums, touched))| {
                if std::mem::take(touched) != 0 {
                    *sums = row_energies(&fixed, u, ahead, p, row);
                }
            },
        );
        self.sums.iter().fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]])
    }
}

/// The energy of a function and the dual energy of feasible vectors.
pub(super) fn energies_of(level: &Level, u: &[f32], p: &[Vec<f32>; 3]) -> [f64; 2] {
    let fixed = Fixed::new(level, Steps { tau: 0.0, sigma: 0.0, relaxation: 1.0 });
    let row = |row| row_energies(&fixed, u, u, p, row);
    let rows: Vec<[f64; 2]> = (0..level.shape.rows()).into_par_iter().with_min_len(32).map(row).collect();
    rows.iter().fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]])
}

/// Ranges of x, at most a segment long, of the set bits of a row.
#[inline(always)]
fn segments(shape: Shape, bits: u64) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let width = shape.bit_width();
    (0..shape.nx)
        .step_by(SEGMENT)
        .map(move |x| (1 << (x / width), x..(x + SEGMENT).min(shape.nx)))
        .filter(move |(bit, _)| bits & bit != 0)
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn sweep_band(fixed: &Fixed, band: &mut Band) {
    let rows = band.moved.len();
    for row in 0..rows {
        let dual = !(band.last_done && row + fixed.shape.middle >= rows);
        for (bit, range) in segments(fixed.shape, band.awake[row]) {
            let mut moved = 0;
            if dual {
                moved |= dual_segment(fixed, band, row, range.clone());
            }
            moved |= primal_segment(fixed, band, row, range);
            band.moved[row] |= if moved == 0 { 0 } else { bit };
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn dual_rows(fixed: &Fixed, band: &mut Band, rows: std::ops::Range<usize>) {
    for row in rows {
        for (bit, range) in segments(fixed.shape, band.awake[row]) {
            let moved = dual_segment(fixed, band, row, range);
            band.moved[row] |= if moved == 0 { 0 } else { bit };
        }
    }
}

/// `p <- p + relaxation (proj(p + sigma D ahead) - p)` on a segment; not 0 when a bit changed.
#[inline(always)]
fn dual_segment(fixed: &Fixed, band: &mut Band, row: usize, range: std::ops::Range<usize>) -> u32 {
    let Shape { nx, middle, slices } = fixed.shape;
    let n = range.len();
    let at = row * nx + range.start;
    let global = band.first + row;
    let ahead = &*band.ahead;
    let here = &ahead[at..at + n];
    let mut right = ZEROS;
    right[..n - 1].copy_from_slice(&here[1..]);
    right[n - 1] = if range.end < nx { ahead[at + n] } else { here[n - 1] };
    let constant;
    let radius = match fixed.radius {
        Radius::Field(field) => &field[global * nx + range.start..][..n],
        Radius::Constant(radius) => {
            constant = [*radius; SEGMENT];
            &constant[..n]
        }
    };
    let sigma = fixed.weight.map(|w| w * fixed.steps.sigma);
    let next_slice = if global / middle + 1 < slices { &ahead[at + nx * middle..][..n] } else { here };
    let [px, pm, po] = &mut band.p;
    let (px, po) = (&mut px[at..at + n], &mut po[at..at + n]);
    let relaxation = fixed.steps.relaxation;
    if middle == 1 {
        return dual_2d(here, &right[..n], next_slice, radius, sigma, relaxation, px, po);
    }
    let next_middle = if global % middle + 1 < middle { &ahead[at + nx..][..n] } else { here };
    let pm = &mut pm[at..at + n];
    dual_3d(here, &right[..n], next_middle, next_slice, radius, sigma, relaxation, px, pm, po)
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "arguments are known not to overlap, so that the loop needs no checks")]
fn dual_2d(
    here: &[f32],
    right: &[f32],
    next: &[f32],
    radius: &[f32],
    sigma: [f32; 3],
    relaxation: f32,
    px: &mut [f32],
    po: &mut [f32],
) -> u32 {
    let n = here.len();
    let (right, next, radius, px, po) = (&right[..n], &next[..n], &radius[..n], &mut px[..n], &mut po[..n]);
    let mut moved = 0;
    for i in 0..n {
        let here = here[i];
        let x = px[i] + sigma[0] * (right[i] - here);
        let o = po[i] + sigma[2] * (next[i] - here);
        let shrink = projection(x * x + o * o, radius[i]);
        moved |= step(&mut px[i], shrink * x, relaxation);
        moved |= step(&mut po[i], shrink * o, relaxation);
    }
    moved
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "arguments are known not to overlap, so that the loop needs no checks")]
fn dual_3d(
    here: &[f32],
    right: &[f32],
    above: &[f32],
    next: &[f32],
    radius: &[f32],
    sigma: [f32; 3],
    relaxation: f32,
    px: &mut [f32],
    pm: &mut [f32],
    po: &mut [f32],
) -> u32 {
    let n = here.len();
    let (right, above, next, radius) = (&right[..n], &above[..n], &next[..n], &radius[..n]);
    let (px, pm, po) = (&mut px[..n], &mut pm[..n], &mut po[..n]);
    let mut moved = 0;
    for i in 0..n {
        let here = here[i];
        let x = px[i] + sigma[0] * (right[i] - here);
        let m = pm[i] + sigma[1] * (above[i] - here);
        let o = po[i] + sigma[2] * (next[i] - here);
        let shrink = projection(x * x + m * m + o * o, radius[i]);
        moved |= step(&mut px[i], shrink * x, relaxation);
        moved |= step(&mut pm[i], shrink * m, relaxation);
        moved |= step(&mut po[i], shrink * o, relaxation);
    }
    moved
}

/// The factor that takes a vector with this square length into the ball of this radius.
#[inline(always)]
fn projection(square: f32, radius: f32) -> f32 {
    let length = square.sqrt();
    let longest = if length > radius { length } else { radius };
    radius / if longest > f32::MIN_POSITIVE { longest } else { f32::MIN_POSITIVE }
}

/// `x <- x + relaxation (target - x)`; the bits that changed.
#[inline(always)]
fn step(x: &mut f32, target: f32, relaxation: f32) -> u32 {
    let old = *x;
    *x = old + relaxation * (target - old);
    old.to_bits() ^ x.to_bits()
}

/// `u <- u + relaxation (v - u)`, `v <- clip(u - tau (r - div p))` on a segment; not 0 when a bit changed.
#[inline(always)]
fn primal_segment(fixed: &Fixed, band: &mut Band, row: usize, range: std::ops::Range<usize>) -> u32 {
    let Shape { nx, middle, .. } = fixed.shape;
    let n = range.len();
    let at = row * nx + range.start;
    let global = band.first + row;
    let [px, pm, po] = [&*band.p[0], &*band.p[1], &*band.p[2]];
    let mut left = ZEROS;
    left[0] = if range.start > 0 { px[at - 1] } else { 0.0 };
    left[1..n].copy_from_slice(&px[at..at + n - 1]);
    let left = &left[..n];
    let before = if row >= middle {
        &po[at - nx * middle..][..n]
    } else if band.before.is_empty() {
        &ZEROS[..n]
    } else {
        &band.before[at..at + n]
    };
    let (px, po) = (&px[at..at + n], &po[at..at + n]);
    let data = &fixed.data[global * nx + range.start..][..n];
    let (u, ahead) = (&mut band.u[at..at + n], &mut band.ahead[at..at + n]);
    let Steps { tau, relaxation, .. } = fixed.steps;
    let [wx, wm, wo] = fixed.weight;
    let half = 0.5 * relaxation;
    let mut moved = 0;
    if middle == 1 {
        for i in 0..n {
            let div = wx * (px[i] - left[i]) + wo * (po[i] - before[i]);
            moved |= primal_step(&mut u[i], &mut ahead[i], data[i] - div, tau, half);
        }
        return moved;
    }
    let above = if !global.is_multiple_of(middle) { &pm[at - nx..][..n] } else { &ZEROS[..n] };
    let pm = &pm[at..at + n];
    for i in 0..n {
        let div = wx * (px[i] - left[i]) + wm * (pm[i] - above[i]) + wo * (po[i] - before[i]);
        moved |= primal_step(&mut u[i], &mut ahead[i], data[i] - div, tau, half);
    }
    moved
}

#[inline(always)]
fn primal_step(u: &mut f32, ahead: &mut f32, slope: f32, tau: f32, half: f32) -> u32 {
    let (old, old_ahead) = (*u, *ahead);
    let new = old + half * (old_ahead - old);
    let v = (new - tau * slope).clamp(0.0, 1.0);
    *u = new;
    *ahead = 2.0 * v - new;
    (old.to_bits() ^ new.to_bits()) | (old_ahead.to_bits() ^ ahead.to_bits())
}

/// Energy and dual energy of one row.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn row_energies(fixed: &Fixed, u: &[f32], ahead: &[f32], p: &[Vec<f32>; 3], row: usize) -> [f64; 2] {
    let Shape { nx, middle, slices } = fixed.shape;
    let at = row * nx;
    let next_slice = if row / middle + 1 < slices { at + nx * middle } else { at };
    let next_middle = if row % middle + 1 < middle { at + nx } else { at };
    let mut sums = [[0.0f64; 8]; 2];
    for x in 0..nx {
        let twice = |at: usize, x: usize| u[at + x] + ahead[at + x];
        let here = twice(at, x);
        let dx = fixed.weight[0] * (twice(at, (x + 1).min(nx - 1)) - here);
        let dm = fixed.weight[1] * (twice(next_middle, x) - here);
        let d_o = fixed.weight[2] * (twice(next_slice, x) - here);
        let radius = match fixed.radius {
            Radius::Constant(r) => *r,
            Radius::Field(field) => field[at + x],
        };
        let r = fixed.data[at + x];
        let mut div = fixed.weight[0] * (p[0][at + x] - if x > 0 { p[0][at + x - 1] } else { 0.0 });
        if middle > 1 {
            div += fixed.weight[1] * (p[1][at + x] - if !row.is_multiple_of(middle) { p[1][at + x - nx] } else { 0.0 });
        }
        div += fixed.weight[2] * (p[2][at + x] - if row >= middle { p[2][at + x - nx * middle] } else { 0.0 });
        let e = 0.5 * (radius * (dx * dx + dm * dm + d_o * d_o).sqrt() + r * here);
        sums[0][x % 8] += f64::from(e);
        sums[1][x % 8] += f64::from((r - div).min(0.0));
    }
    sums.map(|lanes| lanes.iter().sum())
}
