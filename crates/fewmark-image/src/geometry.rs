use fewmark_grid::Grid;

/// Largest number of voxels that a geometry may have: 2^40, a bound that keeps every product of sizes within `usize`
/// and `f64` exact, and lies far beyond any scanner.
const MAX_VOXELS: u128 = 1 << 40;

/// Columns of the direction matrix may differ from unit length by this much: text headers are often rounded.
const UNIT_TOLERANCE: f64 = 1e-3;

/// Two geometries are the same space when no corner voxel is displaced by more than this fraction of the smallest
/// spacing. Formats that store 32-bit numbers or rounded text stay well below it.
const SAME_SPACE_TOLERANCE: f64 = 1e-3;

/// Whether a file holds a flat image or a volume.
///
/// A volume of one slice is still a volume: a mask written for it has the same header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// An image with axes x and y; its z size is 1.
    Two,
    /// A volume with axes x, y and z.
    Three,
}

impl Dimension {
    /// 2 or 3.
    pub fn count(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

/// Where the voxels of an image lie in the patient: size, spacing, origin and direction.
///
/// World axes are RAS+ in mm: they increase towards the patient's right, front and head; formats that use LPS are
/// converted when they are read and written. The centre of voxel `(i, j, k)` lies at `origin + linear * (i, j, k)`,
/// with `linear = direction * diag(spacing)`.
///
/// Both the spacing and direction pair and their product are stored, each as its file gave it, so that a result written
/// in the format of its input repeats the input's numbers to the bit.
#[derive(Clone, Debug)]
pub struct Geometry {
    dimension: Dimension,
    size: [usize; 3],
    spacing: [f64; 3],
    origin: [f64; 3],
    direction: [[f64; 3]; 3],
    linear: [[f64; 3]; 3],
    nifti: Option<NiftiOrientation>,
}

/// The orientation fields of a NIfTI-1 header, kept verbatim.
///
/// Quaternions and 32-bit affines do not survive a trip through any other representation to the last bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NiftiOrientation {
    pub(crate) pixdim: [f32; 8],
    pub(crate) xyzt_units: u8,
    pub(crate) qform_code: i16,
    pub(crate) sform_code: i16,
    pub(crate) quatern: [f32; 3],
    pub(crate) qoffset: [f32; 3],
    pub(crate) srow: [[f32; 4]; 3],
}

/// Why numbers do not make a geometry.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// An axis without voxels, a 2-D image with several slices, or more voxels than any image has.
    #[error("size {0:?} is not a size of an image: expected at least 1 voxel along each axis and at most 2^40 in all")]
    Size([usize; 3]),
    /// A spacing that is zero, negative or not finite.
    #[error("spacing {0:?} mm: expected positive, finite numbers")]
    Spacing([f64; 3]),
    /// An origin that is not finite.
    #[error("origin {0:?} mm: expected finite numbers")]
    Origin([f64; 3]),
    /// Axes that are not finite, not of unit length, or do not span the space.
    #[error("direction {0:?}: expected finite, linearly independent axes of unit length")]
    Direction([[f64; 3]; 3]),
}

/// Two images that should lie in the same space do not.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the geometries differ in {field}:\n  left:  {left}\n  right: {right}")]
pub struct GeometryMismatch {
    /// What differs: "size", "spacing", "direction" or "origin".
    pub field: &'static str,
    /// The first geometry.
    pub left: Box<Geometry>,
    /// The second geometry.
    pub right: Box<Geometry>,
}

impl Geometry {
    /// A geometry from its parts.
    ///
    /// `direction` is row-major: column `a` is the world direction of voxel axis `a` (RAS+).
    ///
    /// # Errors
    /// [`GeometryError`] when a size is 0 or too large, a spacing is not positive, anything is not finite, or the axes
    /// are not independent unit vectors.
    pub fn from_parts(
        dimension: Dimension,
        size: [usize; 3],
        spacing: [f64; 3],
        origin: [f64; 3],
        direction: [[f64; 3]; 3],
    ) -> Result<Self, GeometryError> {
        let linear = std::array::from_fn(|r| std::array::from_fn(|c| direction[r][c] * spacing[c]));
        Self { dimension, size, spacing, origin, direction, linear, nifti: None }.checked()
    }

    /// A geometry from a voxel-to-world matrix: `world = affine * (i, j, k, 1)`, RAS+ in mm.
    ///
    /// The spacing is the length of each column, the direction the column over its length.
    ///
    /// # Errors
    /// As [`Geometry::from_parts`].
    pub fn from_affine(dimension: Dimension, size: [usize; 3], affine: [[f64; 4]; 3]) -> Result<Self, GeometryError> {
        let linear: [[f64; 3]; 3] = std::array::from_fn(|r| std::array::from_fn(|c| affine[r][c]));
        let origin = std::array::from_fn(|r| affine[r][3]);
        // `hypot` leaves a single non-zero entry as it is, so that axis-aligned spacings stay exact.
        let spacing: [f64; 3] = std::array::from_fn(|c| linear[0][c].hypot(linear[1][c]).hypot(linear[2][c]));
        let direction = std::array::from_fn(|r| std::array::from_fn(|c| linear[r][c] / spacing[c]));
        Self { dimension, size, spacing, origin, direction, linear, nifti: None }.checked()
    }

    /// The geometry of a picture without one: unit spacing, axes along the world's, origin 0.
    ///
    /// # Errors
    /// [`GeometryError::Size`] for an empty or too large size.
    pub fn unit(dimension: Dimension, size: [usize; 3]) -> Result<Self, GeometryError> {
        Self::from_parts(dimension, size, [1.0; 3], [0.0; 3], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    }

    fn checked(self) -> Result<Self, GeometryError> {
        let voxels = self.size.iter().fold(1u128, |n, &s| n.saturating_mul(s as u128));
        if voxels == 0 || voxels > MAX_VOXELS || (self.dimension == Dimension::Two && self.size[2] != 1) {
            return Err(GeometryError::Size(self.size));
        }
        if !self.spacing.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Err(GeometryError::Spacing(self.spacing));
        }
        if !self.origin.iter().all(|o| o.is_finite()) {
            return Err(GeometryError::Origin(self.origin));
        }
        let unit = (0..3).all(|c| {
            let length = (0..3).map(|r| self.direction[r][c].powi(2)).sum::<f64>().sqrt();
            (length - 1.0).abs() <= UNIT_TOLERANCE
        });
        if !unit || determinant(&self.direction).abs() < 1e-6 {
            return Err(GeometryError::Direction(self.direction));
        }
        Ok(self)
    }

    pub(crate) fn with_nifti(mut self, orientation: NiftiOrientation) -> Self {
        self.nifti = Some(orientation);
        self
    }

    pub(crate) fn nifti(&self) -> Option<&NiftiOrientation> {
        self.nifti.as_ref()
    }

    /// Flat image or volume.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Number of voxels along x, y and z.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Distance between voxel centres along each voxel axis, in mm.
    pub fn spacing(&self) -> [f64; 3] {
        self.spacing
    }

    /// World position of the centre of voxel `(0, 0, 0)`, RAS+ in mm.
    pub fn origin(&self) -> [f64; 3] {
        self.origin
    }

    /// World directions of the voxel axes, one a column.
    pub fn direction(&self) -> [[f64; 3]; 3] {
        self.direction
    }

    /// The voxel-to-world matrix, three rows of four (RAS+, mm).
    pub fn affine(&self) -> [[f64; 4]; 3] {
        std::array::from_fn(|r| [self.linear[r][0], self.linear[r][1], self.linear[r][2], self.origin[r]])
    }

    /// Number of voxels.
    #[allow(clippy::len_without_is_empty, reason = "a geometry with no voxels cannot be made")]
    pub fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// Size and spacing: what a solver needs to know.
    pub fn grid(&self) -> Grid {
        Grid { size: self.size, spacing: self.spacing }
    }

    /// World position in mm (RAS+) of a voxel position, which may lie between voxels.
    pub fn voxel_to_world(&self, voxel: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|r| self.origin[r] + (0..3).map(|c| self.linear[r][c] * voxel[c]).sum::<f64>())
    }

    /// Voxel position of a world position in mm (RAS+); outside the image it lies outside the size.
    pub fn world_to_voxel(&self, world: [f64; 3]) -> [f64; 3] {
        let m = &self.linear;
        let d: [f64; 3] = std::array::from_fn(|r| world[r] - self.origin[r]);
        let determinant = determinant(m);
        // Cramer's rule: column `a` of the matrix replaced by the offset.
        std::array::from_fn(|a| {
            let replaced: [[f64; 3]; 3] =
                std::array::from_fn(|r| std::array::from_fn(|c| if c == a { d[r] } else { m[r][c] }));
            self::determinant(&replaced) / determinant
        })
    }

    /// The geometry of the box of `size` voxels that begins at voxel `start`, which may be negative (padding).
    ///
    /// # Errors
    /// [`GeometryError::Size`] for an empty or too large box.
    pub fn window(&self, start: [i64; 3], size: [usize; 3]) -> Result<Self, GeometryError> {
        if start == [0; 3] && size == self.size {
            return Ok(self.clone());
        }
        let origin = self.voxel_to_world(start.map(|s| s as f64));
        Self { size, origin, nifti: None, ..self.clone() }.checked()
    }

    /// The geometry of another sampling of the same box in space: the outer faces of the corner voxels stay where they
    /// are, and the spacing follows from the new size.
    ///
    /// # Errors
    /// [`GeometryError::Size`] for an empty or too large size.
    pub fn resized(&self, size: [usize; 3]) -> Result<Self, GeometryError> {
        let factor: [f64; 3] = std::array::from_fn(|a| self.size[a] as f64 / size[a] as f64);
        let spacing = std::array::from_fn(|a| self.spacing[a] * factor[a]);
        let origin = self.voxel_to_world(factor.map(|f| (f - 1.0) / 2.0));
        Self::from_parts(self.dimension, size, spacing, origin, self.direction)
    }

    /// Whether two geometries put every voxel at the same place.
    ///
    /// # Errors
    /// [`GeometryMismatch`] with both sides when the sizes differ or a corner voxel is displaced by more than a
    /// thousandth of the smallest spacing.
    pub fn expect_same_space(&self, other: &Self) -> Result<(), GeometryMismatch> {
        let mismatch =
            |field| Err(GeometryMismatch { field, left: Box::new(self.clone()), right: Box::new(other.clone()) });
        if self.size != other.size {
            return mismatch("size");
        }
        let tolerance = SAME_SPACE_TOLERANCE * self.spacing.iter().copied().fold(f64::INFINITY, f64::min);
        let farther = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).any(|(a, b)| (a - b).abs() > tolerance);
        if farther(self.origin, other.origin) {
            return mismatch("origin");
        }
        let corner_moved = (0..8).any(|bits: usize| {
            let corner = std::array::from_fn(|a| if bits >> a & 1 == 1 { (self.size[a] - 1) as f64 } else { 0.0 });
            farther(self.voxel_to_world(corner), other.voxel_to_world(corner))
        });
        if !corner_moved {
            return Ok(());
        }
        let spacing_differs = (0..3).any(|a| (self.spacing[a] / other.spacing[a] - 1.0).abs() > SAME_SPACE_TOLERANCE);
        mismatch(if spacing_differs { "spacing" } else { "direction" })
    }
}

/// Equal numbers, whatever file they came from.
impl PartialEq for Geometry {
    fn eq(&self, other: &Self) -> bool {
        self.dimension == other.dimension
            && self.size == other.size
            && self.origin == other.origin
            && self.linear == other.linear
    }
}

impl std::fmt::Display for Geometry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let join = |v: &[f64]| v.iter().map(|x| format!("{x:.4}")).collect::<Vec<_>>().join(", ");
        let count = self.dimension.count();
        let size = self.size[..count].iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        let rows: Vec<String> = self.direction.iter().map(|row| join(row)).collect();
        write!(
            f,
            "size {size}, spacing ({}) mm, origin ({}) mm, direction [{}]",
            join(&self.spacing[..count]),
            join(&self.origin),
            rows.join("; ")
        )
    }
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oblique() -> Geometry {
        let (s, c) = 0.3f64.sin_cos();
        let direction = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, -1.0]];
        Geometry::from_parts(Dimension::Three, [5, 6, 7], [0.7, 0.8, 3.0], [10.0, -20.0, 30.0], direction).unwrap()
    }

    #[test]
    fn world_and_voxel_are_inverse() {
        let g = oblique();
        for v in [[0.0, 0.0, 0.0], [1.5, 2.0, 6.0], [-3.0, 100.0, 0.25]] {
            let back = g.world_to_voxel(g.voxel_to_world(v));
            assert!(back.iter().zip(v).all(|(a, b)| (a - b).abs() < 1e-9), "{back:?} != {v:?}");
        }
    }

    #[test]
    fn a_32_bit_affine_survives_to_the_bit() {
        let affine: [[f64; 4]; 3] = [[-0.71_f32, 0.013, 0.2, 5.1], [0.011, 0.69, -0.3, -7.7], [0.1, 0.2, 2.9, 101.3]]
            .map(|r: [f32; 4]| r.map(f64::from));
        let g = Geometry::from_affine(Dimension::Three, [4, 4, 4], affine).unwrap();
        assert_eq!(g.affine(), affine);
    }

    #[test]
    fn the_window_of_a_geometry_keeps_its_voxels_in_place() {
        let g = oblique();
        let w = g.window([-1, 2, 3], [4, 2, 2]).unwrap();
        let (a, b) = (w.voxel_to_world([1.0, 0.0, 1.0]), g.voxel_to_world([0.0, 2.0, 4.0]));
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_resized_geometry_keeps_its_outer_faces() {
        let g = oblique();
        let r = g.resized([10, 3, 14]).unwrap();
        for corner in [-0.5, 1.0] {
            let at = |g: &Geometry| {
                let n = g.size().map(|s| s as f64);
                g.voxel_to_world(n.map(|n| if corner < 0.0 { -0.5 } else { n - 0.5 }))
            };
            assert!(at(&g).iter().zip(at(&r)).all(|(a, b)| (a - b).abs() < 1e-9));
        }
    }

    #[test]
    fn unusable_numbers_are_named() {
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let make = |size, spacing, origin, direction| {
            Geometry::from_parts(Dimension::Three, size, spacing, origin, direction).unwrap_err()
        };
        assert!(matches!(make([0, 1, 1], [1.0; 3], [0.0; 3], identity), GeometryError::Size(_)));
        assert!(matches!(make([usize::MAX; 3], [1.0; 3], [0.0; 3], identity), GeometryError::Size(_)));
        assert!(matches!(make([2; 3], [1.0, -1.0, 1.0], [0.0; 3], identity), GeometryError::Spacing(_)));
        assert!(matches!(make([2; 3], [1.0; 3], [f64::NAN; 3], identity), GeometryError::Origin(_)));
        assert!(matches!(make([2; 3], [1.0; 3], [0.0; 3], [[1.0; 3]; 3]), GeometryError::Direction(_)));
    }

    #[test]
    fn a_mismatch_names_what_differs() {
        let g = oblique();
        assert!(g.expect_same_space(&g.clone()).is_ok());
        let moved = Geometry::from_parts(g.dimension, g.size, g.spacing, [10.1, -20.0, 30.0], g.direction).unwrap();
        assert_eq!(g.expect_same_space(&moved).unwrap_err().field, "origin");
        let scaled = Geometry::from_parts(g.dimension, g.size, [0.7, 0.8, 3.1], g.origin, g.direction).unwrap();
        assert_eq!(g.expect_same_space(&scaled).unwrap_err().field, "spacing");
    }
}
