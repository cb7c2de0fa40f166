//! `datastore_v2.json`: what MONAI Label knows of images and labels.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use fewmark::image::write_atomically;
use serde_json::{Map, Value, json};

use super::Legend;
use crate::error::Problem;
use crate::stamp::Stamp;

const NAME: &str = "datastore_v2.json";
/// MONAI Label's own server locks this file while it writes.
const LOCK: &str = ".lock";

/// The index as it was last read or written.
pub(super) struct Index {
    folder: PathBuf,
    /// The whole file; keys that we do not know are kept.
    content: Map<String, Value>,
    /// Which file was read.
    read: Option<Stamp>,
}

impl Index {
    pub(super) fn at(folder: &Path) -> Self {
        let mut index = Self { folder: folder.to_owned(), content: Map::new(), read: None };
        index.reload();
        index
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Reads the file again if another program has written it. A missing file is an empty index; a broken one too, and is put aside. What cannot be
    /// read now is read the next time.
    pub(super) fn reload(&mut self) {
        // Another program may be in the middle of writing it: it locks it.
        if let Ok(false) = self.read()
            && let Ok(_lock) = self.locked()
            && let Ok(false) = self.read()
        {
            self.put_aside();
        }
    }

    /// Whether the file is an index, or none; it is read if another program has written it.
    fn read(&mut self) -> std::io::Result<bool> {
        let path = self.path();
        let written = match Stamp::of(&path) {
            Ok(written) => written,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                (self.content, self.read) = (Map::new(), None);
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        if self.read.as_ref() == Some(&written) {
            return Ok(true);
        }
        let Ok(content) = serde_json::from_slice(&fs::read(&path)?) else { return Ok(false) };
        (self.content, self.read) = (content, Some(written));
        Ok(true)
    }

    /// Puts a broken file aside, under a name that no other has.
    fn put_aside(&mut self) {
        let path = self.path();
        let names = (0..)
            .map(|n| path.with_extension(if n == 0 { "json.broken".to_owned() } else { format!("json.broken.{n}") }));
        let free = names.into_iter().find(|path| !path.exists()).expect("names without end");
        let _ = fs::rename(&path, free);
        (self.content, self.read) = (Map::new(), None);
    }

    /// The lock that other programs keep while they write the file.
    fn locked(&self) -> std::io::Result<File> {
        let lock = File::create(self.folder.join(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }

    /// Changes the index and writes it, whole or not at all; other programs that lock it wait.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), Problem> {
        let _lock = self.locked().map_err(|e| Problem::io("lock", NAME, e))?;
        if !self.read().map_err(|e| Problem::io("read", NAME, e))? {
            self.put_aside();
        }
        change(self);
        for (key, value) in [("name", "studies"), ("description", ""), ("images_dir", "."), ("labels_dir", "labels")] {
            self.content.entry(key).or_insert_with(|| value.into());
        }
        self.objects();
        let text = serde_json::to_vec_pretty(&self.content).expect("JSON values are JSON");
        write_atomically(self.path(), &text)?;
        self.read = Stamp::of(&self.path()).ok();
        Ok(())
    }

    fn objects(&mut self) -> &mut Map<String, Value> {
        as_object(self.content.entry("objects").or_insert_with(|| json!({})))
    }

    fn object(&self, id: &str) -> Option<&Value> {
        self.content.get("objects")?.get(id)
    }

    pub(super) fn image_info(&self, id: &str) -> Map<String, Value> {
        info(self.object(id).and_then(|object| object.get("image")))
    }

    pub(super) fn label_info(&self, id: &str, tag: &str) -> Map<String, Value> {
        info(self.object(id).and_then(|object| object.get("labels")?.get(tag)))
    }

    /// Notes an image and, where given, adds to what is known of it.
    pub(super) fn set_image(&mut self, id: &str, name: &str, more: Option<Map<String, Value>>) {
        let ext = super::names::dotted(name);
        let object = as_object(self.objects().entry(id).or_insert_with(|| json!({})));
        object.entry("labels").or_insert_with(|| json!({}));
        let image = as_object(object.entry("image").or_insert_with(|| json!({})));
        image.insert("ext".into(), ext.into());
        let info = as_object(image.entry("info").or_insert_with(|| json!({})));
        info.extend(more.unwrap_or_default());
        info.insert("name".into(), name.into());
        info.entry("ts").or_insert_with(|| crate::clock::now().into());
    }

    /// Notes a label, and replaces what is known of it.
    pub(super) fn set_label(&mut self, id: &str, tag: &str, ext: &str, info: Map<String, Value>) {
        let object = as_object(self.objects().entry(id).or_insert_with(|| json!({})));
        let labels = as_object(object.entry("labels").or_insert_with(|| json!({})));
        labels.insert(tag.into(), json!({ "ext": ext, "info": info }));
    }

    pub(super) fn remove_label(&mut self, id: &str, tag: &str) {
        if let Some(labels) = self.objects().get_mut(id).and_then(|object| object.get_mut("labels")) {
            as_object(labels).remove(tag);
        }
    }

    pub(super) fn remove_image(&mut self, id: &str) {
        self.objects().remove(id);
    }

    /// Names and colours of labels that were saved, by their values: those of the label that was saved last.
    pub(super) fn legend(&mut self) -> Legend {
        self.reload();
        let mut found: BTreeMap<u16, (u64, String, Option<String>)> = BTreeMap::new();
        let objects = self.content.get("objects").and_then(Value::as_object);
        let labels = objects.into_iter().flat_map(|objects| objects.values());
        let infos = labels.filter_map(|object| object.get("labels")?.as_object()).flat_map(|labels| labels.values());
        for info in infos.filter_map(|label| label.get("info")) {
            let saved = info.get("ts").and_then(Value::as_u64).unwrap_or(0);
            for (value, name, colour) in legend_of(info) {
                if found.get(&value).is_none_or(|(before, ..)| *before <= saved) {
                    found.insert(value, (saved, name, colour));
                }
            }
        }
        found.into_iter().map(|(value, (_, name, colour))| (value, (name, colour))).collect()
    }
}

/// What a value is called that has no name.
pub(crate) fn unnamed(value: u64) -> String {
    format!("label-{value}")
}

/// Values, names and colours of the labels that an entry of the index lists, in one of the two ways of MONAI Label.
pub(super) fn legend_of(info: &Value) -> Vec<(u16, String, Option<String>)> {
    let value = |value: &Value| value.as_u64().and_then(|value| u16::try_from(value).ok()).filter(|value| *value > 0);
    let list = info.get("label_info").and_then(Value::as_array);
    let listed = list.into_iter().flatten().filter_map(|entry| {
        let colour = entry.get("color").and_then(Value::as_str).map(str::to_owned);
        Some((value(entry.get("idx")?)?, entry.get("name")?.as_str()?.to_owned(), colour))
    });
    let names = info.get("label_names").or_else(|| info.get("params")?.get("label_names")).and_then(Value::as_object);
    let named = names.into_iter().flatten().filter_map(|(name, index)| Some((value(index)?, name.clone(), None)));
    let named = named.filter(|(value, name, _)| *name != unnamed((*value).into()));
    listed.chain(named).collect()
}

/// The object that a value is; one that is none becomes empty.
fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it has just been made one")
}

fn info(entry: Option<&Value>) -> Map<String, Value> {
    entry.and_then(|entry| entry.get("info")?.as_object()).cloned().unwrap_or_default()
}
