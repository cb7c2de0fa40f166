//! What is known of images and labels beside their files.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::files::name_of;
use super::names::dotted;
use super::{Datastore, ImageFile, index};
use crate::error::Problem;

/// Names and colours of labels, by their values.
pub(crate) type Legend = BTreeMap<u16, (String, Option<String>)>;

/// Colours of labels that have none, told apart also by people with colour-blindness.
const COLOURS: [&str; 6] = ["#ffc400", "#00beff", "#ff60c0", "#8cff64", "#ff8228", "#aa96ff"];

/// The colour of a label that was given none.
pub(crate) fn colour_of(value: u16) -> String {
    COLOURS[usize::from(value.saturating_sub(1)) % COLOURS.len()].to_owned()
}

impl Datastore {
    /// What the index knows of an image.
    pub(crate) fn image_info(&self, id: &str) -> Map<String, Value> {
        self.lock().image_info(id)
    }

    /// Adds to what the index knows of an image.
    pub(crate) fn set_image_info(&self, image: &ImageFile, info: Map<String, Value>) -> Result<(), Problem> {
        self.lock().change(|index| index.set_image(&image.id, &image.name(), Some(info)))
    }

    /// What the index knows of a label.
    pub(crate) fn label_info(&self, id: &str, tag: &str) -> Map<String, Value> {
        self.lock().label_info(id, tag)
    }

    /// Adds to what the index knows of a label.
    pub(crate) fn set_label_info(&self, id: &str, tag: &str, info: Map<String, Value>) -> Result<(), Problem> {
        let (image, path) = self.label(id, tag)?;
        let ending = dotted(&name_of(&path));
        self.lock().change(|index| {
            index.set_image(&image.id, &image.name(), None);
            index.set_label(&image.id, tag, &ending, info);
        })
    }

    /// Some images with their labels as MONAI Label's index has them.
    pub(crate) fn as_index<'a>(&self, images: impl IntoIterator<Item = &'a ImageFile>) -> Value {
        let mut index = self.lock();
        index.reload();
        let objects: Map<String, Value> = images
            .into_iter()
            .map(|image| {
                let labels: Map<String, Value> = image
                    .labels
                    .iter()
                    .map(|(tag, path)| {
                        (
                            tag.clone(),
                            json!({ "ext": dotted(&name_of(path)), "info": index.label_info(&image.id, tag) }),
                        )
                    })
                    .collect();
                let (ext, info) = (dotted(&image.name()), index.image_info(&image.id));
                (image.id.clone(), json!({ "image": { "ext": ext, "info": info }, "labels": labels }))
            })
            .collect();
        json!({
            "name": self.name(),
            "description": "",
            "images_dir": ".",
            "labels_dir": "labels",
            "objects": objects,
        })
    }

    /// Names and colours of labels that were saved, by their values.
    pub(crate) fn legend(&self) -> Legend {
        self.lock().legend()
    }

    /// Names and colours of the values of one label.
    pub(crate) fn legend_of(&self, id: &str, tag: &str) -> Legend {
        let info = self.label_info(id, tag).into();
        index::legend_of(&info).into_iter().map(|(value, name, colour)| (value, (name, colour))).collect()
    }
}
