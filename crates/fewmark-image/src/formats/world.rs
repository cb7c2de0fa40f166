//! Between the world axes of files and RAS+, and between two and three world axes.

use crate::{Dimension, Geometry};

/// Turns LPS rows into RAS+ rows and back: x and y change sign, and no zero becomes -0.
pub(crate) fn flip_xy<const N: usize>(mut rows: [[f64; N]; 3]) -> [[f64; N]; 3] {
    for value in rows[..2].iter_mut().flatten() {
        *value = 0.0 - *value;
    }
    rows
}

/// Unit normal of the plane of a flat image, which stands in for its missing third axis.
///
/// Not finite for parallel axes, which a [`Geometry`] then refuses.
pub(crate) fn normal(x: [f64; 3], y: [f64; 3]) -> [f64; 3] {
    let cross = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
    let length = cross.iter().map(|c| c * c).sum::<f64>().sqrt();
    cross.map(|c| c / length)
}

/// World axes that a file needs for this geometry: two for a flat image that lies in the plane z = 0, three otherwise.
///
/// Formats that give a flat image two world axes cannot place any other plane; such an image is stored as a volume of
/// one slice rather than in a wrong place.
pub(crate) fn axes_to_store(geometry: &Geometry) -> usize {
    let [x, y, z] = geometry.affine();
    let flat = [x[2], y[2], z[0], z[1], z[3]] == [0.0; 5] && z[2] > 0.0;
    if flat { geometry.dimension().count() } else { Dimension::Three.count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flipping_twice_changes_nothing_and_makes_no_negative_zero() {
        let rows = [[1.0, 0.0, -2.5], [0.0, 3.0, 0.0], [0.0, -1.0, 7.0]];
        let flipped = flip_xy(rows);
        assert_eq!(flipped, [[-1.0, 0.0, 2.5], [0.0, -3.0, 0.0], [0.0, -1.0, 7.0]]);
        assert!(flipped.iter().flatten().all(|v| v.to_bits() != (-0.0f64).to_bits()));
        assert_eq!(flip_xy(flipped), rows);
    }

    #[test]
    fn only_a_flat_image_in_its_plane_gets_two_axes() {
        let of = |dimension, z| {
            let affine = [[2.0, 0.0, 0.0, 5.0], [0.0, 3.0, 0.0, 6.0], [0.0, 0.0, 1.0, z]];
            axes_to_store(&Geometry::from_affine(dimension, [4, 4, 1], affine).unwrap())
        };
        assert_eq!([of(Dimension::Two, 0.0), of(Dimension::Two, 9.0), of(Dimension::Three, 0.0)], [2, 3, 3]);
    }

    #[test]
    fn the_normal_is_upright_and_of_unit_length() {
        assert_eq!(normal([2.0, 0.0, 0.0], [0.0, 0.0, 5.0]), [0.0, -1.0, 0.0]);
    }
}
