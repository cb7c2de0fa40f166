//! Volumes that were stored along other axes: their voxels are reordered so that the axes run as those of another volume. No sample changes.

use std::borrow::Cow;

use crate::{Dimension, Error, Geometry, Image, LabelMap};

/// In which order the axes of a volume are taken, and which of them backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation([(usize, bool); 3]);

/// What another order must be better by, as a sum of three cosines, so that a volume halfway between two keeps its own.
const CLEARLY: f64 = 1e-3;

impl Orientation {
    /// As it is.
    pub const SAME: Self = Self([(0, false), (1, false), (2, false)]);

    /// That in which the axes of a volume point most nearly where those of another do; pictures stay as they are.
    pub fn towards(geometry: &Geometry, direction: &[[f64; 3]; 3]) -> Self {
        match geometry.dimension() {
            Dimension::Two => Self::SAME,
            Dimension::Three => Self::between(&geometry.direction(), direction),
        }
    }

    /// That in which axes point most nearly where others do, see [`Geometry::direction`].
    ///
    /// Two oblique volumes are compared with each other, not with the axes of the body, so those that were planned alike stay as they are.
    pub fn between(own: &[[f64; 3]; 3], direction: &[[f64; 3]; 3]) -> Self {
        let cosine = |axis: usize, of: usize| (0..3).map(|row| direction[row][axis] * own[row][of]).sum::<f64>();
        let likeness = |order: [usize; 3]| (0..3).map(|axis| cosine(axis, order[axis]).abs()).sum::<f64>();
        const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let better = |best: [usize; 3], order: [usize; 3]| {
            if likeness(order) > likeness(best) + CLEARLY { order } else { best }
        };
        let order = ORDERS.into_iter().reduce(better).unwrap_or(ORDERS[0]);
        Self(std::array::from_fn(|axis| (order[axis], cosine(axis, order[axis]) < 0.0)))
    }

    /// Voxels along the axes in this order, of a volume of this size.
    pub fn size(&self, size: [usize; 3]) -> [usize; 3] {
        self.0.map(|(of, _)| size[of])
    }

    /// A volume in this order.
    ///
    /// # Errors
    /// [`Error::Geometry`] for a geometry that cannot be, which one of a volume always can.
    pub fn image<'a>(&self, image: &'a Image) -> Result<Cow<'a, Image>, Error> {
        if *self == Self::SAME {
            return Ok(Cow::Borrowed(image));
        }
        let size = image.geometry().size();
        let channels = (0..image.channels()).flat_map(|channel| self.there(image.channel(channel), size)).collect();
        let turned = Image::new(channels, image.channels(), self.geometry(image.geometry())?)?;
        Ok(Cow::Owned(turned.with_stored(image.stored())))
    }

    /// A label map in this order.
    ///
    /// # Errors
    /// As [`Orientation::image`].
    pub fn labels<'a>(&self, labels: &'a LabelMap) -> Result<Cow<'a, LabelMap>, Error> {
        if *self == Self::SAME {
            return Ok(Cow::Borrowed(labels));
        }
        let turned = self.there(labels.labels(), labels.geometry().size());
        let mut map = LabelMap::new(turned, self.geometry(labels.geometry())?)?;
        map.legend_mut().clone_from(labels.legend());
        Ok(Cow::Owned(map))
    }

    /// What was found in a volume in this order, voxel by voxel, in the order of the volume itself, which is of this size.
    ///
    /// # Panics
    /// If there are not as many values as voxels.
    pub fn back<T: Copy>(&self, values: Vec<T>, size: [usize; 3]) -> Vec<T> {
        assert_eq!(values.len(), size.iter().product::<usize>(), "a value for each voxel");
        if *self == Self::SAME {
            return values;
        }
        let mut found = values.clone();
        self.places(size).zip(values).for_each(|(place, value)| found[place] = value);
        found
    }

    fn there<T: Copy>(&self, values: &[T], size: [usize; 3]) -> Vec<T> {
        self.places(size).map(|place| values[place]).collect()
    }

    /// Where each voxel in this order lies in a volume of this size.
    fn places(&self, size: [usize; 3]) -> impl Iterator<Item = usize> + use<> {
        let axes = self.0;
        let stride = [1, size[0], size[0] * size[1]];
        let along = move |axis: usize| {
            let (of, backwards) = axes[axis];
            (0..size[of]).map(move |at| (if backwards { size[of] - 1 - at } else { at }) * stride[of])
        };
        along(2).flat_map(move |z| along(1).flat_map(move |y| along(0).map(move |x| x + y + z)))
    }

    fn geometry(&self, geometry: &Geometry) -> Result<Geometry, Error> {
        let (size, spacing, direction) = (geometry.size(), geometry.spacing(), geometry.direction());
        let mut first = [0.0; 3];
        for (of, backwards) in self.0 {
            first[of] = if backwards { (size[of] - 1) as f64 } else { 0.0 };
        }
        let sign = |backwards: bool| if backwards { -1.0 } else { 1.0 };
        Ok(Geometry::from_parts(
            geometry.dimension(),
            self.size(size),
            self.0.map(|(of, _)| spacing[of]),
            geometry.voxel_to_world(first),
            direction.map(|row| self.0.map(|(of, backwards)| sign(backwards) * row[of])),
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An oblique volume of 2 x 3 x 4 voxels, numbered.
    fn volume() -> Image {
        let (sin, cos) = 0.3_f64.sin_cos();
        let direction = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
        let geometry = Geometry::from_parts(Dimension::Three, [2, 3, 4], [1.0, 1.5, 3.0], [5.0, -6.0, 7.0], direction);
        Image::new((0..24).map(|i| i as f32).collect(), 1, geometry.unwrap()).unwrap()
    }

    /// All 48 orders.
    fn all() -> Vec<Orientation> {
        let mut all = Vec::new();
        for [a, b, c] in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for bits in 0..8 {
                all.push(Orientation([(a, bits & 1 > 0), (b, bits & 2 > 0), (c, bits & 4 > 0)]));
            }
        }
        all
    }

    #[test]
    fn every_voxel_stays_where_it_was_in_the_patient() {
        let volume = volume();
        let world = |image: &Image| -> Vec<(i64, [i64; 3])> {
            let [nx, ny, nz] = image.geometry().size();
            let mut all = Vec::new();
            for (i, sample) in image.samples().iter().enumerate() {
                let voxel = [i % nx, i / nx % ny, i / (nx * ny)];
                assert!(voxel[2] < nz);
                let at = image.geometry().voxel_to_world(voxel.map(|v| v as f64));
                all.push((*sample as i64, at.map(|x| (x * 1e6).round() as i64)));
            }
            all.sort_unstable();
            all
        };
        for orientation in all() {
            let turned = orientation.image(&volume).unwrap();
            assert_eq!(world(&turned), world(&volume), "{orientation:?}");
            assert_eq!(orientation.size([2, 3, 4]), turned.geometry().size());
            // The way back, and the way that is found to where it came from.
            assert_eq!(orientation.back(turned.samples().to_vec(), [2, 3, 4]), volume.samples());
            let found = Orientation::towards(turned.geometry(), &volume.geometry().direction());
            let again = found.image(&turned).unwrap();
            assert_eq!(again.samples(), volume.samples());
            again.geometry().expect_same_space(volume.geometry()).unwrap();
            assert_eq!(Orientation::towards(volume.geometry(), &turned.geometry().direction()), orientation);
        }
    }

    #[test]
    fn what_is_turned_a_little_and_what_is_flat_stays_as_it_is() {
        let volume = volume();
        for angle in [0.2_f64, 0.78] {
            let (sin, cos) = (0.3 + angle).sin_cos();
            let other = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
            assert_eq!(Orientation::towards(volume.geometry(), &other), Orientation::SAME);
        }
        let flat = Geometry::unit(Dimension::Two, [3, 2, 1]).unwrap();
        let mirrored = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(Orientation::towards(&flat, &mirrored), Orientation::SAME);
    }

    #[test]
    fn labels_keep_their_names() {
        let mut labels = LabelMap::new((0..24).collect(), volume().geometry().clone()).unwrap();
        let name = crate::Label { name: "liver".into(), color: [1, 2, 3] };
        labels.legend_mut().insert(3, name.clone());
        let turned = all()[13].labels(&labels).unwrap().into_owned();
        assert_eq!(turned.legend()[&3], name);
        assert_eq!(all()[13].back(turned.labels().to_vec(), [2, 3, 4]), labels.labels());
    }
}
