//! What a person marks on an image.

use std::path::Path;

use fewmark_image::Geometry;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The coordinates in which clicks are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Voxel indices x, y, z counted from 0.
    #[default]
    Voxel,
    /// World coordinates in mm, RAS+.
    World,
}

/// Clicks on the object and on what does not belong to it.
///
/// A 2-D click has two coordinates, a 3-D click three. Its JSON form is the file that `fewmark clicks` writes:
///
/// ```json
/// { "space": "voxel", "foreground": [[120, 88, 40], [131, 90, 40]], "background": [[60, 88, 40]] }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with a list `foreground`")]
pub struct Marks {
    /// Coordinates of all clicks.
    #[serde(default)]
    pub space: Space,
    /// Clicks inside the object.
    pub foreground: Vec<Vec<f64>>,
    /// Clicks on regions that must not belong to the result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<Vec<f64>>,
}

/// Clicks as voxels of one image, each inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoxelMarks {
    /// Clicks inside the object.
    pub foreground: Vec<[usize; 3]>,
    /// Clicks on regions that must not belong to the result.
    pub background: Vec<[usize; 3]>,
}

impl Marks {
    /// Marks from voxels.
    pub fn from_voxels(geometry: &Geometry, foreground: &[[usize; 3]], background: &[[usize; 3]]) -> Self {
        let count = geometry.dimension().count();
        let list = |voxels: &[[usize; 3]]| {
            voxels.iter().map(|voxel| voxel[..count].iter().map(|&c| c as f64).collect()).collect()
        };
        Self { space: Space::Voxel, foreground: list(foreground), background: list(background) }
    }

    /// The clicks of a JSON file.
    ///
    /// # Errors
    /// [`Error::MarksFile`] when the file holds no clicks, [`Error::Image`] when it cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| fewmark_image::Error::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|e| Error::MarksFile {
            path: path.to_owned(),
            problem: if e.is_eof() { "it is cut short".into() } else { e.to_string() },
        })
    }

    /// The voxels of an image that were clicked: the nearest ones to the coordinates.
    ///
    /// # Errors
    /// [`Error::NoClick`] without a foreground click, [`Error::Click`] for one with the wrong number of coordinates,
    /// outside the image, or both foreground and background.
    pub fn in_voxels(&self, geometry: &Geometry) -> Result<VoxelMarks, Error> {
        if self.foreground.is_empty() {
            return Err(Error::NoClick);
        }
        let convert =
            |clicks: &[Vec<f64>]| clicks.iter().map(|click| self.voxel(click, geometry)).collect::<Result<Vec<_>, _>>();
        let marks = VoxelMarks { foreground: convert(&self.foreground)?, background: convert(&self.background)? };
        match marks.background.iter().position(|click| marks.foreground.contains(click)) {
            Some(at) => Err(Error::Click {
                click: self.background[at].clone(),
                problem: "it is marked as foreground and as background".into(),
            }),
            None => Ok(marks),
        }
    }

    /// The voxels that were clicked, for a picture: as [`in_voxels`](Self::in_voxels), but there may be none.
    ///
    /// # Errors
    /// As `in_voxels`.
    pub fn drawn(&self, geometry: &Geometry) -> Result<VoxelMarks, Error> {
        if *self == Self::default() { Ok(VoxelMarks::default()) } else { self.in_voxels(geometry) }
    }

    fn voxel(&self, click: &[f64], geometry: &Geometry) -> Result<[usize; 3], Error> {
        let problem = |problem: String| Error::Click { click: click.to_owned(), problem };
        let count = geometry.dimension().count();
        if click.len() != count && !(self.space == Space::World && click.len() == 3) {
            return Err(problem(format!("the image has {count} axes, the click {} coordinates", click.len())));
        }
        let mut point = [0.0; 3];
        point[..click.len()].copy_from_slice(click);
        let voxel = match self.space {
            Space::Voxel => point,
            Space::World => geometry.world_to_voxel(point),
        };
        let size = geometry.size();
        let nearest = voxel.map(f64::round);
        // In the plane of a 2-D image the distance to the plane is of no matter.
        let inside = (0..count).all(|a| nearest[a] >= 0.0 && nearest[a] < size[a] as f64);
        if !inside {
            return Err(problem(match self.space {
                Space::Voxel => format!("it lies outside the image of size {:?}", &size[..count]),
                Space::World => format!("it lies at voxel {:?}, outside the image: {geometry}", &nearest[..count]),
            }));
        }
        Ok(std::array::from_fn(|a| if a < count { nearest[a] as usize } else { 0 }))
    }
}

#[cfg(test)]
mod tests {
    use fewmark_image::Dimension;

    use super::*;

    fn volume() -> Geometry {
        let direction = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Geometry::from_parts(Dimension::Three, [10, 20, 30], [0.5, 1.0, 2.0], [5.0, -5.0, 7.0], direction).unwrap()
    }

    #[test]
    fn world_clicks_find_their_voxels() {
        let g = volume();
        let world = g.voxel_to_world([3.0, 4.0, 5.0]).to_vec();
        let marks = Marks { space: Space::World, foreground: vec![world], background: vec![] };
        assert_eq!(marks.in_voxels(&g).unwrap().foreground, [[3, 4, 5]]);
    }

    #[test]
    fn clicks_that_cannot_be_are_refused() {
        let g = volume();
        let marks = |foreground: &[&[f64]], background: &[&[f64]]| Marks {
            foreground: foreground.iter().map(|c| c.to_vec()).collect(),
            background: background.iter().map(|c| c.to_vec()).collect(),
            ..Marks::default()
        };
        assert!(matches!(marks(&[], &[&[1.0; 3]]).in_voxels(&g), Err(Error::NoClick)));
        for click in [[-1.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 0.0, 30.0], [f64::NAN; 3]] {
            assert!(matches!(marks(&[&click], &[]).in_voxels(&g), Err(Error::Click { .. })), "{click:?}");
        }
        assert!(matches!(marks(&[&[1.0, 2.0]], &[]).in_voxels(&g), Err(Error::Click { .. })));
        assert!(matches!(marks(&[&[1.0; 3]], &[&[1.0; 3]]).in_voxels(&g), Err(Error::Click { .. })));
    }

    #[test]
    fn marks_survive_json() {
        let marks = Marks::from_voxels(&volume(), &[[1, 2, 3]], &[[4, 5, 6]]);
        let text = serde_json::to_string(&marks).unwrap();
        assert_eq!(serde_json::from_str::<Marks>(&text).unwrap(), marks);
    }
}
