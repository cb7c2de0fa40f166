use crate::{Error, statistics};

/// How a distance is brought to a range that does not depend on the image.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// `D / max D`, as published. The maximum often lies behind a remote edge, such as the couch of a CT scanner, and
    /// leaves little of the range to what surrounds the object.
    Maximum,
    /// `min(D / max(Q_q, floor), cap)` with `Q_q` the `q`-quantile of the voxels with `D > 0`.
    Quantile {
        /// The quantile, above 0 and at most 1.
        q: f64,
        /// The largest value, positive.
        cap: f64,
        /// The smallest divisor, so that the short distances of an image without edges are not blown up; 0 for none.
        floor: f64,
    },
}

impl Normalisation {
    /// Normalises a distance in place. A distance that is 0 everywhere stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`]; [`Error::Parameter`] when the quantile is not within `(0, 1]` or the cap is not positive.
    pub fn apply(self, distance: &mut [f32]) -> Result<(), Error> {
        let count = distance.iter().filter(|distance| !distance.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "distance", count });
        }
        let (unit, cap) = match self {
            Self::Maximum => (distance.iter().copied().fold(0.0, f32::max), 1.0),
            Self::Quantile { q, cap, floor } => (quantile_outside(distance, q)?.max(floor as f32), check_cap(cap)?),
        };
        if unit > 0.0 {
            for distance in distance {
                *distance = (*distance / unit).min(cap);
            }
        }
        Ok(())
    }
}

/// The `q`-quantile of the distances that are not 0; 0 when all are.
fn quantile_outside(distance: &[f32], q: f64) -> Result<f32, Error> {
    if !(q > 0.0 && q <= 1.0) {
        return Err(Error::Parameter { name: "quantile", expected: "a number in (0, 1]", found: q });
    }
    let mut outside: Vec<f32> = distance.iter().copied().filter(|distance| *distance > 0.0).collect();
    Ok(if outside.is_empty() { 0.0 } else { statistics::quantile(&mut outside, q) })
}

fn check_cap(cap: f64) -> Result<f32, Error> {
    if cap > 0.0 { Ok(cap as f32) } else { Err(Error::Parameter { name: "cap", expected: "above 0", found: cap }) }
}
