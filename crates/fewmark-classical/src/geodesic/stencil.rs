//! First-order Godunov update of the eikonal equation, for all neighbours of one voxel at a time.
//!
//! A voxel `p` whose distance fell offers new distances to its neighbours. The offer to a neighbour `q` solves
//! `sum_k ((x - m_k)+ / h_k)² = F²` with `m_k` the smaller of the two distances along axis `k`, and `D(p)` along the
//! axis that joins `p` and `q`. (Should the voxel behind `q` be smaller, the offer is merely not the best one, and that
//! voxel has made its own.) Everything is computed without a branch: a distance `m_k` too large to take part is
//! replaced by the solution found without it, and then changes nothing.

/// A voxel and its face neighbours in a field that has a border of one voxel on every side.
pub(super) trait Stencil<const NEIGHBOURS: usize> {
    /// Steps from a voxel to its neighbours.
    fn offsets(&self) -> [isize; NEIGHBOURS];

    /// Distances of the neighbours of voxel `i`, and the distances it offers them.
    ///
    /// Distances and costs are infinite on the border, whose voxels therefore never accept an offer.
    fn offers(&self, distance: &[f64], cost: &[f32], i: usize) -> ([f64; NEIGHBOURS], [f64; NEIGHBOURS]);
}

/// The four neighbours of a pixel: left, right, above, below.
pub(super) struct Plane {
    row: usize,
    spacing: [f64; 2],
    /// `1 / h_k²`.
    weight: [f64; 2],
    /// One over the sum of the weights.
    per_sum: f64,
}

impl Plane {
    pub(super) fn new(row: usize, spacing: [f64; 2]) -> Self {
        let weight = spacing.map(|h| 1.0 / (h * h));
        Self { row, spacing, weight, per_sum: 1.0 / (weight[0] + weight[1]) }
    }
}

impl Stencil<4> for Plane {
    fn offsets(&self) -> [isize; 4] {
        let row = self.row as isize;
        [-1, 1, -row, row]
    }

    #[inline(always)]
    fn offers(&self, distance: &[f64], cost: &[f32], i: usize) -> ([f64; 4], [f64; 4]) {
        let above = triple(distance, i - self.row);
        let here = triple(distance, i);
        let below = triple(distance, i + self.row);
        let current = [here[0], here[2], above[1], below[1]];
        let across = [
            smaller(above[0], below[0]),
            smaller(above[2], below[2]),
            smaller(above[0], above[2]),
            smaller(below[0], below[2]),
        ];
        let [left, _, right] = triple(cost, i);
        let cost = [left, right, cost[i - self.row], cost[i + self.row]].map(f64::from);
        let axis = [0, 0, 1, 1];
        let offers = std::array::from_fn(|k| {
            let (along, across_axis) = (axis[k], 1 - axis[k]);
            self.solve(here[1], along, across[k], across_axis, cost[k])
        });
        (current, offers)
    }
}

impl Plane {
    /// Solves for the distance `a` along axis `k` and `b` along axis `l`.
    #[inline(always)]
    fn solve(&self, a: f64, k: usize, b: f64, l: usize, cost: f64) -> f64 {
        let (h, w) = (&self.spacing, &self.weight);
        // The side that is too far off is drawn to where it just ceases to count.
        let (a, b) = (smaller(a, b + cost * h[l]), smaller(b, a + cost * h[k]));
        two_axes(a, w[k], b - a, w[l], cost, self.per_sum)
    }
}

/// The six neighbours of a voxel: along x, y and z, the lower one first.
pub(super) struct Volume {
    row: usize,
    slice: usize,
    axes: [Axis; 3],
    /// One over the sum of the weights.
    per_sum: f64,
}

/// What the update needs to know of an axis.
#[derive(Clone, Copy)]
struct Axis {
    spacing: f64,
    /// `1 / h²`.
    weight: f64,
    /// One over the sum of the weights of the other two axes.
    per_others: f64,
}

impl Volume {
    pub(super) fn new(row: usize, slice: usize, spacing: [f64; 3]) -> Self {
        let weight = spacing.map(|h| 1.0 / (h * h));
        let axes = std::array::from_fn(|k| {
            let per_others = 1.0 / (weight[(k + 1) % 3] + weight[(k + 2) % 3]);
            Axis { spacing: spacing[k], weight: weight[k], per_others }
        });
        Self { row, slice, axes, per_sum: 1.0 / weight.iter().sum::<f64>() }
    }
}

impl Stencil<6> for Volume {
    fn offsets(&self) -> [isize; 6] {
        let (row, slice) = (self.row as isize, self.slice as isize);
        [-1, 1, -row, row, -slice, slice]
    }

    #[inline(always)]
    fn offers(&self, distance: &[f64], cost: &[f32], i: usize) -> ([f64; 6], [f64; 6]) {
        let (row, slice) = (self.row, self.slice);
        let here = triple(distance, i);
        let [north, south] = [triple(distance, i - row), triple(distance, i + row)];
        let [back, front] = [triple(distance, i - slice), triple(distance, i + slice)];
        let [north_back, south_back] = [distance[i - slice - row], distance[i - slice + row]];
        let [north_front, south_front] = [distance[i + slice - row], distance[i + slice + row]];
        let current = [here[0], here[2], north[1], south[1], back[1], front[1]];
        // For each neighbour the smaller distance along the two axes that do not lead to it, in the order x, y, z.
        let across = [
            [smaller(north[0], south[0]), smaller(back[0], front[0])],
            [smaller(north[2], south[2]), smaller(back[2], front[2])],
            [smaller(north[0], north[2]), smaller(north_back, north_front)],
            [smaller(south[0], south[2]), smaller(south_back, south_front)],
            [smaller(back[0], back[2]), smaller(north_back, south_back)],
            [smaller(front[0], front[2]), smaller(north_front, south_front)],
        ];
        let [left, _, right] = triple(cost, i);
        let cost = [left, right, cost[i - row], cost[i + row], cost[i - slice], cost[i + slice]].map(f64::from);
        const AXES: [[usize; 3]; 3] = [[0, 1, 2], [1, 0, 2], [2, 0, 1]];
        let offers = std::array::from_fn(|k| {
            let axes = AXES[k / 2];
            self.solve([here[1], across[k][0], across[k][1]], axes, cost[k])
        });
        (current, offers)
    }
}

impl Volume {
    /// Solves for the distances `m` along the given axes.
    #[inline(always)]
    fn solve(&self, m: [f64; 3], axes: [usize; 3], cost: f64) -> f64 {
        let term = |k: usize| (m[k], self.axes[axes[k]]);
        let (a, b) = sort(term(0), term(1));
        let (b, c) = sort(b, term(2));
        let (a, b) = sort(a, b);
        let ((a, first), (b, second), (c, third)) = (a, b, c);
        let [w1, w2, w3] = [first.weight, second.weight, third.weight];
        let b = smaller(b - a, cost * first.spacing);
        let c = smaller(c, two_axes(a, w1, b, w2, cost, third.per_others)) - a;
        let spread = w1 * w2 * b * b + w1 * w3 * c * c + w2 * w3 * (c - b) * (c - b);
        let root = positive((w1 + w2 + w3) * cost * cost - spread).sqrt();
        a + (w2 * b + w3 * c + root) * self.per_sum
    }
}

/// The `x` with `w1 (x - a)² + w2 (x - a - offset)² = cost²`; `per_sum` is `1 / (w1 + w2)`.
///
/// Written from the offset, so that nothing is lost when the distances are large beside the cost.
#[inline(always)]
fn two_axes(a: f64, w1: f64, offset: f64, w2: f64, cost: f64, per_sum: f64) -> f64 {
    let root = positive((w1 + w2) * cost * cost - w1 * w2 * offset * offset).sqrt();
    a + (w2 * offset + root) * per_sum
}

/// Rounding can leave a discriminant that should be 0 a little below it.
#[inline(always)]
fn positive(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

/// One instruction, which `f64::min` with its care for NaN is not.
#[inline(always)]
fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

#[inline(always)]
fn sort(a: (f64, Axis), b: (f64, Axis)) -> ((f64, Axis), (f64, Axis)) {
    if b.0 < a.0 { (b, a) } else { (a, b) }
}

/// The samples at `i - 1`, `i` and `i + 1`.
#[inline(always)]
fn triple<T: Copy>(field: &[T], i: usize) -> [T; 3] {
    let window = &field[i - 1..i + 2];
    [window[0], window[1], window[2]]
}
