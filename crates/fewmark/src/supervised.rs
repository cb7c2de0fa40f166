//! Networks that were trained on labelled images.

use fewmark_image::{Image, SampleType};
use fewmark_learn::supervised::Predictor;

use crate::method::{Method, Progress, Segmentation, Step, Trace};
use crate::{Error, Marks};

/// A network that was trained on labelled images: it needs no marks and answers in the codes that it learned.
pub(crate) struct Trained {
    predictor: Predictor,
    table: toml::Table,
}

impl Trained {
    /// The method of a model.
    pub(crate) fn new(predictor: Predictor) -> Self {
        let table = toml::Table::try_from(predictor.config()).expect("settings are plain numbers and names");
        Self { predictor, table }
    }
}

impl Method for Trained {
    fn name(&self) -> &'static str {
        self.predictor.config().network.name()
    }

    fn needs_marks(&self) -> bool {
        false
    }

    fn segment(&self, image: &Image, _: &Marks, progress: &mut Progress<'_>) -> Result<Segmentation, Error> {
        let begun = std::time::Instant::now();
        let found = self
            .predictor
            .predict(image, &mut |share| progress(&Step::share("predict", share)))
            .map_err(crate::learned::stopped)?;
        let object = found.probabilities.channel(0).iter().map(|background| 1.0 - background).collect();
        let object = Image::new(object, 1, image.geometry().clone())?.with_stored(SampleType::F32);
        Ok(Segmentation {
            labels: found.labels,
            probability: Some(object),
            trace: Trace {
                method: self.name(),
                parameters: self.table.clone(),
                stages: vec![("predict", begun.elapsed().as_secs_f64())],
                ..Trace::default()
            },
        })
    }
}
