//! The classical methods: `geodesic`, `distance`, `convex`, `click`. A case of a square has its side as its number.

use std::ops::ControlFlow;
use std::rc::Rc;

use fewmark::Image;
use fewmark::classical::convex::{AdmmParams, ConvexProblem, PrimalDualParams, Warm, admm, minimise};
use fewmark::classical::fitting::FittingBand;
use fewmark::classical::geodesic::{CostParams, Normalisation, geodesic_distance};
use fewmark::classical::markers::{MarkerShape, marker_region};
use fewmark::classical::selective::{Regulariser, SelectiveParams, Session};
use fewmark::image::{Interpolation, resample_to};
use fewmark_grid::{Grid, distance_to};

use crate::case::{Case, Failure, Work};

/// The kinds of work and the sides of the squares they are timed on; those with `true` also have a cube.
const KINDS: [(Prepare, &str, &[usize], bool); 6] = [
    (geodesic, "geodesic", &[256, 512, 1024, 2048], true),
    (distance, "distance", &[256, 512, 1024, 2048], true),
    (convex, "convex", &[256, 512, 1024, 2048], true),
    (convex_warm, "convex-warm", &[512], false),
    (click_cold, "click", &[512], false),
    (click_warm, "click-warm", &[512], false),
];

/// Side of the cubes.
const CUBE: usize = 256;

type Prepare = fn(Field) -> Result<Work, Failure>;

/// The cases: on `image`, resized to squares, and on a synthetic cube.
pub(crate) fn cases(image: Option<Rc<Image>>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (prepare, kind, sides, with_cube) in KINDS {
        for &n in sides {
            let name = format!("{kind}/{n}");
            cases.push(match image.clone() {
                Some(image) => Case::new(name, move || prepare(square(&image, n)?)),
                None => Case::without_image(name),
            });
        }
        if with_cube {
            cases.push(Case::new(format!("{kind}/{CUBE}^3"), move || prepare(cube(CUBE))));
        }
    }
    cases
}

/// A field in `[0, 1]` and its grid.
struct Field {
    f: Vec<f32>,
    grid: Grid,
}

/// The image at `n` by `n` pixels.
fn square(image: &Image, n: usize) -> Result<Field, Failure> {
    let target = image.geometry().resized([n, n, 1]).map_err(fewmark::image::Error::from)?;
    let resized = resample_to(image, &target, Interpolation::Linear, 0.0)?;
    Ok(Field { f: resized.channel(0).iter().map(|s| s / 255.0).collect(), grid: Grid::unit([n, n, 1]) })
}

/// A smooth volume of waves, between 0 and 1.
fn cube(n: usize) -> Field {
    let grid = Grid::unit([n; 3]);
    let wave = |i: usize| {
        let [x, y, z] = grid.voxel(i).map(|v| v as f32);
        let sum = (x * 0.11).sin() * (y * 0.07).cos() + (y * 0.13 + z * 0.05).sin() + (z * 0.09 - x * 0.03).cos();
        (sum + 3.0) / 6.0
    };
    Field { f: (0..grid.len()).map(wave).collect(), grid }
}

impl Field {
    /// A square or cube of 8 voxels a side that begins at a third of each axis, as the peers have it.
    fn source(&self) -> Vec<bool> {
        let inside = |voxel: [usize; 3]| {
            self.grid.axes().all(|a| (self.grid.size[a] / 3..self.grid.size[a] / 3 + 8).contains(&voxel[a]))
        };
        (0..self.grid.len()).map(|i| inside(self.grid.voxel(i))).collect()
    }

    fn cost(&self) -> Result<Vec<f32>, Failure> {
        Ok(CostParams::default().cost(&self.f, &self.grid)?)
    }

    /// Clicks in the lung at the left of the picture.
    fn clicks(&self) -> Vec<[usize; 3]> {
        let at = |x: f64, y: f64| {
            let n = self.grid.size.map(|n| n as f64);
            [(x * n[0]) as usize, (y * n[1]) as usize, self.grid.size[2] / 2]
        };
        vec![at(0.27, 0.40), at(0.33, 0.45), at(0.27, 0.55)]
    }

    /// A data term `Phi + 2 D` for some clicks.
    fn data(&self, clicks: &[[usize; 3]]) -> Result<Vec<f32>, Failure> {
        let marker = marker_region(&self.grid, clicks, MarkerShape::ConvexHull)?;
        let mut distance = geodesic_distance(&self.cost()?, &self.grid, &marker)?;
        Normalisation::Quantile { q: 0.75, cap: 1.0, floor: 0.0 }.apply(&mut distance)?;
        let mut r = FittingBand::robust(&self.f, &marker)?.phi(&self.f, 1.0);
        r.iter_mut().zip(distance).for_each(|(r, d)| *r += 2.0 * d);
        Ok(r)
    }
}

fn geodesic(field: Field) -> Result<Work, Failure> {
    let (cost, source) = (field.cost()?, field.source());
    Ok(Box::new(move || {
        std::hint::black_box(geodesic_distance(&cost, &field.grid, &source)?);
        Ok(())
    }))
}

fn distance(field: Field) -> Result<Work, Failure> {
    let mean = field.f.iter().sum::<f32>() / field.f.len() as f32;
    // The peer measures the distance to the nearest zero.
    let zero: Vec<bool> = field.f.iter().map(|&f| f <= mean).collect();
    Ok(Box::new(move || {
        std::hint::black_box(distance_to(&zero, &field.grid));
        Ok(())
    }))
}

/// Weight of the total variation in pixels.
const MU: f64 = 1.5;

fn solve(grid: &Grid, data: &[f32], warm: &mut Warm) -> Result<f64, Failure> {
    let problem = ConvexProblem { grid, data, weight: None, mu: MU };
    let (u, report) = minimise(&problem, &PrimalDualParams::default(), warm, &mut |_| ControlFlow::Continue(()))?;
    std::hint::black_box(u);
    Ok(report.energy)
}

fn convex(field: Field) -> Result<Work, Failure> {
    let data = field.data(&field.clicks())?;
    Ok(Box::new(move || solve(&field.grid, &data, &mut Warm::default()).map(drop)))
}

fn convex_warm(field: Field) -> Result<Work, Failure> {
    let clicks = field.clicks();
    let mut warm = Warm::default();
    solve(&field.grid, &field.data(&clicks[..2])?, &mut warm)?;
    let data = field.data(&clicks)?;
    Ok(Box::new(move || solve(&field.grid, &data, &mut warm.clone()).map(drop)))
}

/// The whole way from clicks to a mask on a new image.
fn click_cold(field: Field) -> Result<Work, Failure> {
    click(field, false)
}

/// The same with one click more or less on the same image.
fn click_warm(field: Field) -> Result<Work, Failure> {
    click(field, true)
}

fn click(field: Field, warm: bool) -> Result<Work, Failure> {
    let (clicks, params) = (field.clicks(), SelectiveParams::default());
    let segment = |session: &mut Session, clicks: &[[usize; 3]]| -> Result<(), Failure> {
        let go_on = &mut |_: &'static str, _: &fewmark::classical::Iteration| ControlFlow::Continue(());
        std::hint::black_box(session.segment(clicks, &[], Regulariser::TotalVariation, go_on)?);
        Ok(())
    };
    if !warm {
        return Ok(Box::new(move || segment(&mut Session::new(&field.f, &field.grid, &params)?, &clicks)));
    }
    let mut session = Session::new(&field.f, &field.grid, &params)?;
    let mut all = false;
    // The clicks alternate between two and three, so that each run changes one.
    Ok(Box::new(move || {
        all = !all;
        segment(&mut session, if all { &clicks } else { &clicks[..2] })
    }))
}

/// Energies of the default solver and of ADMM run to a far smaller tolerance, at 512 pixels.
pub(crate) fn energies(image: &Image) -> Result<(f64, f64), Failure> {
    let field = square(image, 512)?;
    let data = field.data(&field.clicks())?;
    let ours = solve(&field.grid, &data, &mut Warm::default())?;
    let problem = ConvexProblem { grid: &field.grid, data: &data, weight: None, mu: MU };
    let params =
        AdmmParams { tolerance: 1e-6, constraint_tolerance: 1e-3, max_iterations: 5000, ..AdmmParams::default() };
    let (_, report) = admm(&problem, &params, None, &mut |_| ControlFlow::Continue(()))?;
    Ok((ours, report.energy))
}
