//! Labels carried on. A scan that looks little like the labelled one may look like a third, and that like the labelled one; so a scan without
//! labels, once it is segmented, is a support as well (propagation of atlases over unlabelled scans: Wolz and others, LEAP, NeuroImage 2010).
//! And what was found must find its way back: shown as a label, it is looked for in the labelled scan, where the truth is known (reverse
//! classification accuracy: Valindria and others, IEEE TMI 2017).

use std::ops::ControlFlow;

use fewmark_image::LabelMap;

use super::encoded::Encoded;
use super::inference::View;
use super::predictor::Predictor;
use super::support::Support;
use crate::Error;

/// In so many slices of a support it is looked whether something finds its way back: in the middles of as many parts of the object.
const CHECKED: usize = 3;

impl Predictor {
    /// The support that a scan without labels becomes by what `supports` find in it; none where they find nothing. See
    /// `paper/results/fewshot-card-mri.md` for what it brings.
    ///
    /// # Errors
    /// As [`Predictor::segment`].
    pub fn carried(
        &self,
        scan: &Encoded,
        supports: &[Support],
        progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Option<Support>, Error> {
        let found = self.segment(scan, supports, progress)?.labels;
        let support = (!found.present().is_empty()).then(|| Support::new(self, scan, &found)).transpose()?;
        Ok(support.map(|support| Support { is_carried: true, ..support }))
    }

    /// How well what was found of an object in a scan finds the object in a labelled one, by what slices look like alone: Dice from 0 to 1.
    pub(super) fn returned(&self, mask: &[bool], scan: &Encoded, code: u16, labelled: &Support) -> Result<f64, Error> {
        let labels = mask.iter().map(|&inside| if inside { code } else { 0 }).collect();
        let labels = LabelMap::new(labels, scan.geometry().clone())?;
        if labels.present().is_empty() {
            return Ok(0.0);
        }
        let found = Support::new(self, scan, &labels)?;
        let (from, to) = (middles(&found.showing(code)), middles(&labelled.showing(code)));
        if from.is_empty() || to.is_empty() {
            return Ok(0.0);
        }
        let slices = from.into_iter().zip(&to).map(|(at, z)| (at as f64, &labelled.pictures[z][..])).collect();
        let view = View { size: scan.size(), body: labelled.body, slices };
        let unknown = vec![vec![0.0; view.size[0] * view.size[1]]; to.len()];
        let (_, places) = self.places(&view, &found, code, &unknown)?;
        let (mut both, mut all) = (0.0, 0.0);
        for (place, z) in places.iter().zip(to) {
            for (place, share) in place.iter().zip(&labelled.slices[z][&code].mask) {
                both += f64::from(place * share);
                all += f64::from(place + share);
            }
        }
        Ok(if all > 0.0 { 2.0 * both / all } else { 0.0 })
    }
}

/// The slices in the middles of the parts of an object; of fewer slices some more than once.
fn middles(showing: &[usize]) -> Vec<usize> {
    let parts = if showing.is_empty() { 0 } else { CHECKED };
    (0..parts).map(|part| showing[showing.len() * (2 * part + 1) / (2 * CHECKED)]).collect()
}

#[cfg(test)]
mod tests {
    use super::middles;

    #[test]
    fn parts_have_their_middles() {
        assert_eq!(middles(&[4, 5, 6, 7, 8, 9]), [5, 7, 9]);
        assert_eq!((middles(&[3]), middles(&[])), (vec![3; 3], vec![]));
    }
}
