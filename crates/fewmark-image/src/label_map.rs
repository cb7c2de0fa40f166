use std::collections::BTreeMap;

use crate::{Error, Geometry, Image, SampleType};

/// Name and colour of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What the label marks, "left lung".
    pub name: String,
    /// Display colour, red, green and blue.
    pub color: [u8; 3],
}

/// An integer label for each voxel, 0 for the background, with its place in the patient.
///
/// # Shape
/// `[z, y, x]`, x running fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelMap {
    labels: Vec<u16>,
    geometry: Geometry,
    legend: BTreeMap<u16, Label>,
}

impl LabelMap {
    /// A label map from its labels, `[z, y, x]`.
    ///
    /// # Errors
    /// [`Error::SampleCount`] unless there is a label for each voxel.
    pub fn new(labels: Vec<u16>, geometry: Geometry) -> Result<Self, Error> {
        if labels.len() != geometry.len() {
            return Err(Error::SampleCount { expected: geometry.len(), found: labels.len() });
        }
        Ok(Self { labels, geometry, legend: BTreeMap::new() })
    }

    /// A label map with label 1 where the mask is set.
    ///
    /// # Errors
    /// [`Error::SampleCount`] unless there is a value for each voxel.
    pub fn from_mask(mask: &[bool], geometry: Geometry) -> Result<Self, Error> {
        Self::new(mask.iter().map(|&m| u16::from(m)).collect(), geometry)
    }

    /// The labels that an image holds as numbers. Several channels have to be the same, as in a grey picture that was saved in colour.
    ///
    /// # Errors
    /// [`Error::NotLabels`] when channels differ, or a sample is not a whole number from 0 to 65535.
    pub fn from_image(image: &Image) -> Result<Self, Error> {
        let samples = image.channel(0);
        if (1..image.channels()).any(|channel| image.channel(channel) != samples) {
            return Err(Error::NotLabels { path: None, found: format!("{} channels that differ", image.channels()) });
        }
        let labels = samples.iter().map(|&s| {
            if (0.0..=65_535.0).contains(&s) && s.fract() == 0.0 {
                Ok(s as u16)
            } else {
                Err(Error::NotLabels { path: None, found: format!("the sample {s}") })
            }
        });
        Self::new(labels.collect::<Result<_, _>>()?, image.geometry().clone())
    }

    /// The labels as an image of one channel, stored in the smallest integer type that holds them.
    pub fn to_image(&self) -> Image {
        let small = self.labels.iter().all(|&l| l <= u16::from(u8::MAX));
        Image::from_parts(
            self.labels.iter().map(|&l| f32::from(l)).collect(),
            1,
            self.geometry.clone(),
            if small { SampleType::U8 } else { SampleType::U16 },
        )
    }

    /// All labels, `[z, y, x]`.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// All labels, to be changed in place.
    pub fn labels_mut(&mut self) -> &mut [u16] {
        &mut self.labels
    }

    /// Where the voxels lie.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Names and colours of labels.
    pub fn legend(&self) -> &BTreeMap<u16, Label> {
        &self.legend
    }

    /// Names and colours of labels, to be changed in place.
    pub fn legend_mut(&mut self) -> &mut BTreeMap<u16, Label> {
        &mut self.legend
    }

    /// The voxels that have the label.
    pub fn mask(&self, label: u16) -> Vec<bool> {
        self.labels.iter().map(|&l| l == label).collect()
    }

    /// The labels that occur, without the background, in ascending order.
    pub fn present(&self) -> Vec<u16> {
        present(&self.labels)
    }

    /// The labels that occur in slice `z`, without the background, in ascending order.
    ///
    /// # Panics
    /// If there is no such slice.
    pub fn present_in(&self, z: usize) -> Vec<u16> {
        present(self.slice(z))
    }

    /// The labels of slice `z`, `[y, x]`.
    ///
    /// # Panics
    /// If there is no such slice.
    pub fn slice(&self, z: usize) -> &[u16] {
        let [width, height, _] = self.geometry.size();
        &self.labels[z * width * height..(z + 1) * width * height]
    }
}

fn present(labels: &[u16]) -> Vec<u16> {
    let mut seen = vec![false; usize::from(u16::MAX) + 1];
    for &label in labels {
        seen[usize::from(label)] = true;
    }
    (1..=u16::MAX).filter(|&label| seen[usize::from(label)]).collect()
}
