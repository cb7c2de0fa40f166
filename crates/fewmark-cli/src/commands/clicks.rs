//! `fewmark clicks`: the clicks of a person who sees the truth.

use fewmark::LabelMap;
use fewmark::Marks;
use fewmark::image::{expect_apart, expect_folder, read_labels, write_labels};
use fewmark::simulate::Object;

use crate::args::{Clicks, Common, Component};
use crate::failure::Failure;
use crate::output::{note, print_json, write_json};

pub(crate) fn run(arguments: &Clicks, common: &Common) -> Result<(), Failure> {
    if let Some(path) = &arguments.output {
        expect_folder(path)?;
    }
    expect_apart(arguments.output.iter().chain(&arguments.object), [&arguments.truth])?;
    let truth = read_labels(&arguments.truth)?;
    let object = match arguments.component {
        Component::Largest => Object::largest(&truth, arguments.label)?,
        Component::All => Object::whole(&truth, arguments.label)?,
    };
    let clicks = object.clicks(arguments.count.map(std::num::NonZeroUsize::get), arguments.seed);
    let marks = Marks::from_voxels(truth.geometry(), &clicks, &[]);
    if let Some(path) = &arguments.object {
        write_labels(path, &LabelMap::from_mask(object.mask(), truth.geometry().clone())?)?;
    }
    match &arguments.output {
        Some(path) => {
            write_json(path, &marks)?;
            note(common, format!("{} clicks in an object of {} voxels", clicks.len(), object.size()));
            if common.json { print_json(&marks) } else { Ok(()) }
        }
        None => print_json(&marks),
    }
}
