//! Trainings of Deep-Image-Prior networks: images and clicks.

use fewmark_image::{read_image, write_image};
use fewmark_learn::dataset::CaseFiles;
use fewmark_learn::dip::{self, Case, DipConfig, Predictor};
use fewmark_learn::report::{self, Png, Section};
use fewmark_learn::{Observer, Run, StopReason};

use super::{Trained, Training, typed};
use crate::{Error, LabelMap, Marks, VoxelMarks, overlay};

/// Every setting with its default.
pub(super) fn defaults() -> toml::Table {
    super::table(&DipConfig::default())
}

pub(super) fn check(training: &Training) -> Result<(), Error> {
    Ok(typed::<DipConfig>(training)?.check()?)
}

/// An image and its clicks from files.
pub(super) fn read(files: &CaseFiles) -> Result<Case, Error> {
    let image = read_image(&files.image)?;
    let path = super::with(files)?;
    let of_file = |error: Error| fewmark_learn::Error::Data {
        path: path.to_owned(),
        problem: error.to_string(),
        hint: "click inside the image, and at least once inside the object: voxel indices counted from 0",
    };
    let marks = Marks::read(path)?.in_voxels(image.geometry()).map_err(of_file)?;
    Ok(Case { name: files.name.clone(), image, foreground: marks.foreground, background: marks.background })
}

pub(super) fn train(
    training: &Training,
    cases: &[Case],
    run: &mut Run,
    observe: &mut Observer<'_>,
) -> Result<Trained, Error> {
    let config: DipConfig = typed(training)?;
    let device = training.device.device()?;
    let trained = dip::train_on(cases, &config, &device, Some(run), observe)?;
    let mut outcome = Trained {
        model: None,
        iterations: trained.iterations,
        seconds: trained.seconds,
        loss: trained.loss,
        best: None,
    };
    if trained.reason == StopReason::Stopped {
        return Ok(outcome);
    }
    let predictor = Predictor::new(trained.network, config, device);
    let names = cases.iter().map(|case| case.name.clone()).collect();
    predictor.save(&run.model(), outcome.summary(names, predictor.config().training.seed))?;
    let pictures = cases.iter().map(|case| picture(&predictor, case, run)).collect::<Result<Vec<_>, _>>()?;
    let masks = Section::new("Masks of the images it was trained with").pictures(pictures);
    let settings = Section::new("Settings").settings(report::settings_of(&training.settings));
    report::write(run, "Deep-Image-Prior networks", [masks, settings])?;
    outcome.model = Some(run.model());
    Ok(outcome)
}

/// The contour that the trained network draws in an image, and a caption.
fn picture(predictor: &Predictor, case: &Case, run: &Run) -> Result<(Png, String), Error> {
    let geometry = case.image.geometry();
    let labels = LabelMap::from_mask(&predictor.predict(case, false)?.mask, geometry.clone())?;
    let marks = VoxelMarks { foreground: case.foreground.clone(), background: case.background.clone() };
    let path = run.path().join(format!("pictures/mask-{}.png", case.name));
    write_image(&path, &overlay::render(&case.image, &labels, &marks)?)?;
    Ok((Png::read(&path)?, case.name.clone()))
}
