//! The energy, summed row by row in a fixed order so that it does not depend on the number of threads.

use rayon::prelude::*;

use super::ConvexProblem;
use crate::difference::Difference;

/// `mu * sum g |Du| + <r, u>`.
pub(crate) fn energy(problem: &ConvexProblem, difference: &Difference, u: &[f32]) -> f64 {
    let nx = difference.size[0];
    let rows = difference.len() / nx.max(1);
    let sums: Vec<f64> = (0..rows)
        .into_par_iter()
        .with_min_len(16)
        .map_init(
            || [vec![0.0f32; nx], vec![0.0f32; nx]],
            |buffers, row| row_energy(problem, difference, u, row, buffers),
        )
        .collect();
    sums.iter().sum()
}

fn row_energy(
    problem: &ConvexProblem,
    difference: &Difference,
    u: &[f32],
    row: usize,
    [squares, slope]: &mut [Vec<f32>; 2],
) -> f64 {
    squares.fill(0.0);
    for axis in difference.axes() {
        difference.difference_row(axis, u, row, slope);
        for (s, &d) in squares.iter_mut().zip(&*slope) {
            *s += d * d;
        }
    }
    let variation: f64 = match problem.weight {
        None => squares.iter().map(|&s| f64::from(s.sqrt())).sum(),
        Some(g) => squares.iter().zip(difference.row(g, row)).map(|(&s, &g)| f64::from(s.sqrt() * g)).sum(),
    };
    let fit = difference.row(problem.data, row).iter().zip(difference.row(u, row));
    problem.mu * variation + fit.map(|(&r, &u)| f64::from(r) * f64::from(u)).sum::<f64>()
}
