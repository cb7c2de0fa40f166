//! The convex problem and what makes one valid.

use fewmark_grid::Grid;

use super::energy;
use crate::Error;
use crate::difference::Difference;

/// `min mu * sum g |Du| + <r, u>` over `0 <= u <= 1` (Burrows, Chen and Torella, eq. 1 and 4).
///
/// `|Du|` is the isotropic length of the forward differences. Lengths are in units of the spacing along x: the
/// difference along an axis `a` is divided by `h_a / h_x`, so that `mu` means the same in the pixels of an image and in
/// a volume with thick slices.
#[derive(Clone, Copy, Debug)]
pub struct ConvexProblem<'a> {
    /// Grid of all fields, 2-D or 3-D.
    pub grid: &'a Grid,
    /// Data term `r`, negative where the object is likely.
    pub data: &'a [f32],
    /// Edge weight `g >= 0`; 1 when absent.
    pub weight: Option<&'a [f32]>,
    /// Weight `mu >= 0` of the total variation.
    pub mu: f64,
}

impl ConvexProblem<'_> {
    /// Value of the energy at `u`, summed in double precision.
    ///
    /// # Errors
    /// As [`check`](Self::check), and when `u` has the wrong length.
    pub fn energy(&self, u: &[f32]) -> Result<f64, Error> {
        self.check()?;
        Error::check_length("u", self.grid, u.len())?;
        Ok(energy::energy(self, &Difference::new(self.grid), u))
    }

    /// Whether the problem can be solved.
    ///
    /// # Errors
    /// Fields of the wrong length or with samples that are not finite, a negative weight, a negative or infinite `mu`,
    /// a spacing that is not positive.
    pub fn check(&self) -> Result<(), Error> {
        Error::check_length("data", self.grid, self.data.len())?;
        check_finite("data", self.data)?;
        if let Some(weight) = self.weight {
            Error::check_length("weight", self.grid, weight.len())?;
            check_finite("weight", weight)?;
            if let Some(&found) = weight.iter().find(|&&g| g < 0.0) {
                return Err(Error::Parameter { name: "weight", expected: "0 or more", found: found.into() });
            }
        }
        check_parameter("mu", self.mu, "0 or more, and finite", self.mu >= 0.0)?;
        for h in self.grid.spacing {
            check_parameter("spacing", h, "more than 0, and finite", h > 0.0)?;
        }
        Ok(())
    }

    /// The mask `[r < 0]`: the minimiser when `mu = 0`, and where solvers begin.
    pub(crate) fn pointwise(&self) -> Vec<f32> {
        self.data.iter().map(|&r| if r < 0.0 { 1.0 } else { 0.0 }).collect()
    }

    /// Largest length `mu g` of the dual vectors at each voxel, or the same for all.
    pub(crate) fn radius(&self) -> Radius {
        match self.weight {
            None => Radius::Constant(self.mu as f32),
            Some(g) => Radius::Field(g.iter().map(|&g| (self.mu * f64::from(g)) as f32).collect()),
        }
    }
}

/// The bound `mu g` of the dual vectors.
pub(crate) enum Radius {
    Constant(f32),
    Field(Vec<f32>),
}

/// `Ok` when a parameter is finite and fulfils its condition.
pub(crate) fn check_parameter(name: &'static str, found: f64, expected: &'static str, ok: bool) -> Result<(), Error> {
    if ok && found.is_finite() { Ok(()) } else { Err(Error::Parameter { name, expected, found }) }
}

/// `Ok` when all samples are finite.
pub(crate) fn check_finite(what: &'static str, samples: &[f32]) -> Result<(), Error> {
    match samples.iter().filter(|x| !x.is_finite()).count() {
        0 => Ok(()),
        count => Err(Error::NotFinite { what, count }),
    }
}
