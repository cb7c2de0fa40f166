//! Decoded images, examples of few-shot methods and solver states, within a bound: the least recently used leave.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fewmark::learn::fewshot::Support;
use fewmark::{Dimension, Image, Warm};

use crate::error::Problem;
use crate::facts::Facts;
use crate::stamp::Stamp;

/// Which image: that of a file as it was at some time, and which part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The file.
    file: PathBuf,
    /// A file that was replaced is another image.
    stamp: Stamp,
    /// Which part of it.
    part: Part,
}

/// A part of an image, or something that was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// One slice across z.
    Slice(usize),
    /// All of it, on a coarser grid.
    Coarse,
    /// What an encoder, if not the one inside the program then that of a file, makes of it and of a file of labels.
    Example { labels: (PathBuf, Stamp), encoder: Option<(PathBuf, Stamp)> },
}

impl Key {
    /// The image of a file, as it is now.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub(crate) fn of(path: &Path) -> Result<Self, Problem> {
        let stamp = Stamp::of(path).map_err(|e| Problem::io("read", path, e))?;
        Ok(Self { file: path.to_owned(), stamp, part: Part::Whole })
    }

    /// A part of the same image.
    pub(crate) fn part(&self, part: Part) -> Self {
        Self { part, ..self.clone() }
    }
}

/// An image in memory, and what was found out about it.
pub(crate) struct Decoded {
    pub(crate) image: Image,
    /// Range, window and histogram, once somebody asked.
    pub(crate) facts: std::sync::OnceLock<Facts>,
}

impl From<Image> for Decoded {
    fn from(image: Image) -> Self {
        Self { image, facts: std::sync::OnceLock::new() }
    }
}

/// What a labelled image shows to an encoder.
pub(crate) struct Example {
    pub(crate) support: Support,
    pub(crate) dimension: Dimension,
}

/// The store. Solver states are taken out while they are used, so that nothing waits for a lock while it computes.
pub(crate) struct Store {
    limit: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    shared: HashMap<Key, Slot<Shared>>,
    states: HashMap<Key, Vec<Slot<Warm>>>,
    bytes: u64,
    clock: u64,
}

/// What many may use at once.
#[derive(Clone)]
enum Shared {
    Image(Arc<Decoded>),
    Example(Arc<Example>),
}

struct Slot<T> {
    value: T,
    bytes: u64,
    used: u64,
}

impl Store {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, inner: Mutex::default() }
    }

    /// The image, if it is here.
    pub(crate) fn image(&self, key: &Key) -> Option<Arc<Decoded>> {
        match self.shared(key)? {
            Shared::Image(image) => Some(image),
            Shared::Example(_) => None,
        }
    }

    /// Keeps an image.
    pub(crate) fn keep_image(&self, key: Key, image: Arc<Decoded>) {
        let bytes = 4 * image.image.samples().len() as u64;
        self.keep(key, Shared::Image(image), bytes);
    }

    /// The example, if it is here.
    pub(crate) fn example(&self, key: &Key) -> Option<Arc<Example>> {
        match self.shared(key)? {
            Shared::Example(example) => Some(example),
            Shared::Image(_) => None,
        }
    }

    /// Keeps an example.
    pub(crate) fn keep_example(&self, key: Key, example: Arc<Example>) {
        let bytes = example.support.bytes();
        self.keep(key, Shared::Example(example), bytes);
    }

    fn shared(&self, key: &Key) -> Option<Shared> {
        let mut inner = self.lock();
        let now = inner.tick();
        let slot = inner.shared.get_mut(key)?;
        slot.used = now;
        Some(slot.value.clone())
    }

    fn keep(&self, key: Key, value: Shared, bytes: u64) {
        let mut inner = self.lock();
        let used = inner.tick();
        inner.bytes += bytes;
        if let Some(old) = inner.shared.insert(key, Slot { value, bytes, used }) {
            inner.bytes -= old.bytes;
        }
        inner.shrink(self.limit);
    }

    /// Takes out what a method kept of the image; an empty state when there is none.
    pub(crate) fn take_state(&self, key: &Key) -> Warm {
        let mut inner = self.lock();
        let taken = inner.states.get_mut(key).and_then(Vec::pop);
        inner.bytes -= taken.as_ref().map_or(0, |slot| slot.bytes);
        taken.map_or_else(Warm::default, |slot| slot.value)
    }

    /// Keeps what a method wants to keep of the image.
    pub(crate) fn keep_state(&self, key: Key, state: Warm) {
        if state.is_empty() {
            return;
        }
        let mut inner = self.lock();
        let (used, bytes) = (inner.tick(), state.bytes());
        inner.bytes += bytes;
        inner.states.entry(key).or_default().push(Slot { value: state, bytes, used });
        inner.shrink(self.limit);
    }

    /// Bytes kept.
    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Lets the least recently used go until the rest is within the limit.
    fn shrink(&mut self, limit: u64) {
        while self.bytes > limit {
            let shared = self.shared.iter().map(|(key, slot)| (slot.used, key)).min_by_key(|(used, _)| *used);
            let state = self
                .states
                .iter()
                .filter_map(|(key, slots)| Some((slots.first()?.used, key)))
                .min_by_key(|(used, _)| *used);
            let freed = match (shared, state) {
                (Some((shared, key)), state) if state.is_none_or(|(state, _)| shared < state) => {
                    let key = key.clone();
                    self.shared.remove(&key).map_or(0, |slot| slot.bytes)
                }
                (_, Some((_, key))) => {
                    let key = key.clone();
                    let slots = self.states.get_mut(&key);
                    let freed = slots.map_or(0, |slots| slots.remove(0).bytes);
                    self.states.retain(|_, slots| !slots.is_empty());
                    freed
                }
                _ => return,
            };
            self.bytes -= freed;
        }
        self.states.retain(|_, slots| !slots.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use fewmark::{Dimension, Geometry};

    use super::*;

    fn key(name: &str) -> Key {
        let stamp = Stamp::of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        Key { file: name.into(), stamp, part: Part::Whole }
    }

    fn image(voxels: usize) -> Arc<Decoded> {
        let geometry = Geometry::unit(Dimension::Two, [voxels, 1, 1]).unwrap();
        Arc::new(Image::new(vec![0.0; voxels], 1, geometry).unwrap().into())
    }

    #[test]
    fn the_least_recently_used_leaves() {
        let store = Store::new(4 * 250);
        store.keep_image(key("a"), image(100));
        store.keep_image(key("b"), image(100));
        assert!(store.image(&key("a")).is_some());
        store.keep_image(key("c"), image(100));
        assert!(store.image(&key("b")).is_none());
        assert!(store.image(&key("a")).is_some() && store.image(&key("c")).is_some());
        assert_eq!(store.bytes(), 800);
    }

    #[test]
    fn what_is_larger_than_the_bound_does_not_stay() {
        let store = Store::new(100);
        store.keep_image(key("a"), image(100));
        assert!(store.image(&key("a")).is_none());
        assert_eq!(store.bytes(), 0);
    }

    #[test]
    fn replacing_an_image_counts_it_once() {
        let store = Store::new(4000);
        store.keep_image(key("a"), image(100));
        store.keep_image(key("a"), image(200));
        assert_eq!(store.bytes(), 800);
    }
}
