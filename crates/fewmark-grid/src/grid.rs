/// Size and spacing of a dense field of voxels.
///
/// Fields are slices of `nx * ny * nz` samples with x running fastest. World orientation is not known here: a grid is
/// what a solver or a distance needs of a geometry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Number of voxels along x, y and z; `nz = 1` for a 2-D image.
    pub size: [usize; 3],
    /// Distance between voxel centres along x, y and z, in mm.
    pub spacing: [f64; 3],
}

impl Grid {
    /// A grid of the given size with a spacing of 1 mm.
    pub fn unit(size: [usize; 3]) -> Self {
        Self { size, spacing: [1.0; 3] }
    }

    /// Number of voxels.
    #[allow(clippy::len_without_is_empty, reason = "a grid with no voxels is never built")]
    pub fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// Steps in a field between neighbours along x, y and z.
    pub fn strides(&self) -> [usize; 3] {
        [1, self.size[0], self.size[0] * self.size[1]]
    }

    /// Position in a field of the voxel `(x, y, z)`.
    pub fn index(&self, [x, y, z]: [usize; 3]) -> usize {
        x + self.size[0] * (y + self.size[1] * z)
    }

    /// The voxel `(x, y, z)` at a position in a field.
    pub fn voxel(&self, index: usize) -> [usize; 3] {
        let [nx, ny, _] = self.size;
        [index % nx, index / nx % ny, index / (nx * ny)]
    }

    /// The axes that have more than one voxel: those along which anything can vary.
    pub fn axes(&self) -> impl Iterator<Item = usize> + use<> {
        let size = self.size;
        (0..3).filter(move |&axis| size[axis] > 1)
    }

    /// Volume of a voxel in mm³ (for a 2-D image of unit slice thickness: its area in mm²).
    pub fn voxel_volume(&self) -> f64 {
        self.spacing.iter().product()
    }
}
