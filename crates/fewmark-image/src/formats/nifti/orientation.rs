use super::bad;
use super::header::Header;
use crate::formats::world::normal;
use crate::geometry::NiftiOrientation;
use crate::{DecodeError, Dimension, Format, Geometry};

/// Rotations closer to half a turn than this cannot be told from one: the first quaternion component is the root of
/// what the other three leave of 1, and 32-bit numbers leave an error of this size (nibabel's bound).
const HALF_TURN: f64 = 3.0 * f32::EPSILON as f64;

/// Axes whose scalar products differ from those of a rotation by more than this are not written as a quaternion.
const ORTHONORMAL: f64 = 1e-4;

/// `NIFTI_UNITS_MM`.
const UNITS_MM: u8 = 2;

/// `NIFTI_XFORM_SCANNER_ANAT`: world axes of the scanner.
const SCANNER: i16 = 1;

/// Where the header puts the voxels, with its orientation fields kept verbatim.
pub(super) fn geometry(header: &Header, dimension: Dimension, size: [usize; 3]) -> Result<Geometry, DecodeError> {
    let unit = millimetres(header.xyzt_units)?;
    let spacing = spacing(header, dimension)?.map(|s| s * unit);
    let made = if header.sform_code > 0 {
        Geometry::from_affine(dimension, size, sform(header, dimension)?.map(|row| row.map(|v| v * unit)))
    } else if header.qform_code > 0 {
        let origin = finite("qoffset", header.qoffset)?.map(|v| v * unit);
        Geometry::from_parts(dimension, size, spacing, origin, qform_direction(header)?)
    } else {
        Geometry::from_affine(dimension, size, centred(spacing, size))
    };
    let geometry = made.map_err(|source| DecodeError::Geometry { format: Format::Nifti, source })?;
    Ok(geometry.with_nifti(verbatim(header)))
}

/// Length in mm of the unit of space.
fn millimetres(xyzt_units: i32) -> Result<f64, DecodeError> {
    match xyzt_units & 7 {
        0 | 2 => Ok(1.0),
        1 => Ok(1000.0),
        3 => Ok(0.001),
        _ => Err(bad("xyzt_units", "a unit of space from 0 to 3", xyzt_units & 7)),
    }
}

/// `pixdim[1]` to `pixdim[3]`; the missing third of a flat image is 1.
fn spacing(header: &Header, dimension: Dimension) -> Result<[f64; 3], DecodeError> {
    let mut spacing = [1.0; 3];
    for (axis, spacing) in spacing.iter_mut().enumerate().take(dimension.count()) {
        *spacing = header.pixdim[axis + 1];
        // Zero is left to the geometry: an sform makes it irrelevant.
        if !spacing.is_finite() || *spacing < 0.0 {
            return Err(bad(format!("pixdim[{}]", axis + 1), "a positive, finite number", *spacing));
        }
    }
    Ok(spacing)
}

/// Method 3: the affine, row by row.
fn sform(header: &Header, dimension: Dimension) -> Result<[[f64; 4]; 3], DecodeError> {
    let mut affine = header.srow;
    for (name, row) in ["srow_x", "srow_y", "srow_z"].into_iter().zip(affine) {
        finite(name, row)?;
    }
    if dimension == Dimension::Two && affine.iter().all(|row| row[2] == 0.0) {
        let normal = normal(affine.map(|row| row[0]), affine.map(|row| row[1]));
        for (row, component) in affine.iter_mut().zip(normal) {
            row[2] = component;
        }
    }
    Ok(affine)
}

/// Method 2: the rotation of a unit quaternion, its last column turned round by a negative `pixdim[0]`.
fn qform_direction(header: &Header) -> Result<[[f64; 3]; 3], DecodeError> {
    let [b, c, d] = finite("quatern_b, quatern_c, quatern_d", header.quatern)?;
    let rest = 1.0 - (b * b + c * c + d * d);
    if rest < -HALF_TURN {
        return Err(bad("quatern_b, quatern_c, quatern_d", "squares that sum to at most 1", 1.0 - rest));
    }
    let a = if rest < HALF_TURN { 0.0 } else { rest.sqrt() };
    let scale = 2.0 / (a * a + b * b + c * c + d * d);
    let mut rotation = [
        [1.0 - scale * (c * c + d * d), scale * (b * c - a * d), scale * (b * d + a * c)],
        [scale * (b * c + a * d), 1.0 - scale * (b * b + d * d), scale * (c * d - a * b)],
        [scale * (b * d - a * c), scale * (c * d + a * b), 1.0 - scale * (b * b + c * c)],
    ];
    if header.pixdim[0] < 0.0 {
        rotation.iter_mut().for_each(|row| row[2] = -row[2]);
    }
    Ok(rotation)
}

/// Method 1, as nibabel reads it: x runs to the left and the world's origin is the centre of the volume.
fn centred(spacing: [f64; 3], size: [usize; 3]) -> [[f64; 4]; 3] {
    let mut affine = [[0.0; 4]; 3];
    for (axis, row) in affine.iter_mut().enumerate() {
        let step = if axis == 0 { -spacing[axis] } else { spacing[axis] };
        row[axis] = step;
        row[3] = -step * (size[axis] as f64 - 1.0) / 2.0;
    }
    affine
}

fn finite<const N: usize>(field: &str, values: [f64; N]) -> Result<[f64; N], DecodeError> {
    match values.iter().find(|v| !v.is_finite()) {
        Some(value) => Err(bad(field, "finite numbers", value)),
        None => Ok(values),
    }
}

/// The orientation fields of a header; those of a NIfTI-2 header are rounded to 32 bits.
fn verbatim(header: &Header) -> NiftiOrientation {
    NiftiOrientation {
        pixdim: header.pixdim.map(|v| v as f32),
        xyzt_units: header.xyzt_units as u8,
        qform_code: header.qform_code,
        sform_code: header.sform_code,
        quatern: header.quatern.map(|v| v as f32),
        qoffset: header.qoffset.map(|v| v as f32),
        srow: header.srow.map(|row| row.map(|v| v as f32)),
    }
}

/// The orientation fields to write for a geometry: those that it was read with, or an sform and a qform that agree.
///
/// A sheared grid has no qform: its code is then 0, so that no reader takes the rotation for the truth.
pub(super) fn fields(geometry: &Geometry) -> NiftiOrientation {
    geometry.nifti().copied().unwrap_or_else(|| {
        let direction = geometry.direction();
        let (quatern, qfac) = quaternion(direction);
        let [x, y, z] = geometry.spacing().map(|s| s as f32);
        NiftiOrientation {
            pixdim: [qfac, x, y, z, 1.0, 1.0, 1.0, 1.0],
            xyzt_units: UNITS_MM,
            qform_code: if is_orthonormal(direction) { SCANNER } else { 0 },
            sform_code: SCANNER,
            quatern,
            qoffset: geometry.origin().map(narrow),
            srow: geometry.affine().map(|row| row.map(narrow)),
        }
    })
}

/// Rounds to 32 bits; zero has no sign.
fn narrow(value: f64) -> f32 {
    value as f32 + 0.0
}

fn is_orthonormal(m: [[f64; 3]; 3]) -> bool {
    let product = |a: usize, b: usize| m.iter().map(|row| row[a] * row[b]).sum::<f64>();
    (0..3).all(|a| (0..3).all(|b| (product(a, b) - f64::from(u8::from(a == b))).abs() < ORTHONORMAL))
}

/// The last three components of the unit quaternion of a rotation, and `qfac`: -1 where the third axis is mirrored.
///
/// The largest component is found first and the others divided by it, which stays accurate for every angle
/// (S. W. Shepperd, "Quaternion from rotation matrix", J. Guidance and Control 1 (3), 1978).
fn quaternion(mut m: [[f64; 3]; 3]) -> ([f32; 3], f32) {
    let normal = normal(m.map(|row| row[0]), m.map(|row| row[1]));
    let mirrored = normal.iter().zip(m).map(|(n, row)| n * row[2]).sum::<f64>() < 0.0;
    if mirrored {
        m.iter_mut().for_each(|row| row[2] = -row[2]);
    }
    let [x, y, z] = [m[0][0], m[1][1], m[2][2]];
    // Four times the squares of the components, and the products of pairs of them.
    let squares = [1.0 + x + y + z, 1.0 + x - y - z, 1.0 - x + y - z, 1.0 - x - y + z];
    let (ab, ac, ad) = (m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]);
    let (bc, bd, cd) = (m[0][1] + m[1][0], m[0][2] + m[2][0], m[1][2] + m[2][1]);
    let products =
        [[squares[0], ab, ac, ad], [ab, squares[1], bc, bd], [ac, bc, squares[2], cd], [ad, bd, cd, squares[3]]];
    let largest = (0..4).fold(0, |best, i| if squares[i] > squares[best] { i } else { best });
    let row = products[largest];
    let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
    let sign = if row[0] < 0.0 { -1.0 } else { 1.0 };
    let [b, c, d] = [row[1], row[2], row[3]].map(|v| narrow(sign * v / length));
    ([b, c, d], if mirrored { -1.0 } else { 1.0 })
}
