//! Every method by its name, and how one is built from a configuration.

use serde::de::DeserializeOwned;

use crate::{Error, Method};

/// A method that can be built.
pub struct Entry {
    /// Name of the method.
    pub name: &'static str,
    /// What it does, one sentence.
    pub summary: &'static str,
    /// Whether it segments volumes; others segment one slice of them at a time.
    pub volumes: bool,
    presets: Presets,
    build: fn(toml::Table) -> Result<Box<dyn Method>, Error>,
}

/// Full sets of parameters by name, the defaults first.
type Presets = &'static [(&'static str, fn() -> toml::Table)];

/// The key that chooses a preset.
const PRESET: &str = "preset";

/// All methods. A new one adds its line here.
pub static METHODS: &[Entry] = &[crate::selective::TV, crate::selective::ELASTICA, crate::dip::DIP];

/// The entry of a method.
///
/// # Errors
/// [`Error::UnknownMethod`] with the most similar name.
pub fn find(name: &str) -> Result<&'static Entry, Error> {
    METHODS.iter().find(|entry| entry.name == name).ok_or_else(|| Error::UnknownMethod {
        name: name.into(),
        nearest: nearest(name, METHODS.iter().map(|entry| entry.name)),
    })
}

impl Entry {
    /// An entry from the parts that a method's room supplies: whether it does volumes, its presets, and how it is built from a full set of parameters.
    pub(crate) const fn new(
        name: &'static str,
        summary: &'static str,
        volumes: bool,
        presets: Presets,
        build: fn(toml::Table) -> Result<Box<dyn Method>, Error>,
    ) -> Self {
        Self { name, summary, volumes, presets, build }
    }

    /// Every parameter with its default.
    pub fn defaults(&self) -> toml::Table {
        (self.presets[0].1)()
    }

    /// The names that the key `preset` can have.
    pub fn presets(&self) -> impl Iterator<Item = &'static str> {
        self.presets.iter().map(|(name, _)| *name)
    }

    /// The names that a parameter can have; none for a parameter that is no name.
    pub fn choices(&self, parameter: &str) -> Vec<String> {
        // The type of the parameter is asked: its complaint about a name that nothing has lists those that there are.
        let change = toml::Table::from_iter([(parameter.to_owned(), toml::Value::from("?"))]);
        match self.build(&[change]) {
            Err(Error::Config { message, .. }) => choices_in(&message),
            _ => Vec::new(),
        }
    }

    /// Builds the method from its defaults, or from the preset that `preset = "NAME"` names, changed by `changes` in turn.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`] with the most similar name, or [`Error::Config`] for a value of the wrong kind.
    pub fn build(&self, changes: &[toml::Table]) -> Result<Box<dyn Method>, Error> {
        let mut parameters = match changes.iter().rev().find_map(|table| table.get(PRESET)) {
            Some(value) => self.preset(value)?,
            None => self.defaults(),
        };
        for change in changes {
            let mut change = change.clone();
            change.remove(PRESET);
            merge(&mut parameters, &change, self.name)?;
        }
        (self.build)(parameters)
    }

    fn preset(&self, value: &toml::Value) -> Result<toml::Table, Error> {
        let found = self.presets.iter().find(|(name, _)| value.as_str() == Some(name));
        found.map(|(_, parameters)| parameters()).ok_or_else(|| {
            let names: Vec<_> = self.presets().collect();
            Error::Config {
                method: self.name,
                message: format!("preset = {value}: expected one of {}", names.join(", ")),
            }
        })
    }
}

/// Settings as the type that holds them.
///
/// # Errors
/// A sentence that names the setting.
pub(crate) fn typed<T: DeserializeOwned>(settings: &toml::Table) -> Result<T, String> {
    settings.clone().try_into().map_err(|error: toml::de::Error| {
        // Of a name that a setting cannot have, the parser tells the name only.
        let unknown = error.message().strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, "));
        let key = unknown.and_then(|(name, _)| key_of(settings, name));
        match (key, unknown) {
            (Some(key), Some((name, expected))) => format!("{key} = {name:?}: {expected}"),
            _ => error.message().to_owned(),
        }
    })
}

/// The key of a setting that is this name, `a.b` for `b` in the table `a`.
fn key_of(settings: &toml::Table, name: &str) -> Option<String> {
    settings.iter().find_map(|(key, value)| match value {
        toml::Value::String(value) if value == name => Some(key.clone()),
        toml::Value::Table(within) => key_of(within, name).map(|inner| format!("{key}.{inner}")),
        _ => None,
    })
}

/// Changes some of the settings of a method; tables within the table are changed in the same way.
///
/// # Errors
/// [`Error::UnknownParameter`] with the most similar name, or [`Error::Config`] for a value of the wrong kind.
pub(crate) fn merge(settings: &mut toml::Table, changes: &toml::Table, method: &'static str) -> Result<(), Error> {
    for (key, value) in changes {
        if let (Some(toml::Value::Table(settings)), toml::Value::Table(changes)) = (settings.get_mut(key), value) {
            merge(settings, changes, method)?;
            continue;
        }
        let Some(present) = settings.get_mut(key) else {
            let nearest = nearest(key, settings.keys().map(String::as_str));
            return Err(Error::UnknownParameter { method, key: key.clone(), nearest });
        };
        if let Some(kind) = other_kind(present, value) {
            return Err(Error::Config { method, message: format!("{key} = {value}: expected {kind}") });
        }
        *present = value.clone();
    }
    Ok(())
}

/// What values of the kind of `present` are called, when `value` is of another kind. Whole numbers are counts.
fn other_kind(present: &toml::Value, value: &toml::Value) -> Option<&'static str> {
    use toml::Value::{Array, Boolean, Float, Integer, String};
    match (present, value) {
        (Float(_), Float(_) | Integer(_)) | (Boolean(_), Boolean(_)) => None,
        (String(_), String(_)) | (Array(_), Array(_)) => None,
        (Integer(_), Integer(count)) if *count >= 0 => None,
        (Float(_), _) => Some("a number"),
        (Integer(_), _) => Some("a whole number of at least 0"),
        (Boolean(_), _) => Some("true or false"),
        (Array(_), _) => Some("a list such as [0, 1]"),
        (toml::Value::Table(_), _) => Some("settings of its own, such as training.iterations = 100"),
        _ => Some("a name"),
    }
}

/// The names that [`typed`] lists for one that a setting cannot have: "solver = "?": expected `a` or `b`".
pub(crate) fn choices_in(message: &str) -> Vec<String> {
    match message.split_once("expected") {
        Some((_, names)) => names.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

/// The most similar of several names, when one is similar enough to have been meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// One `key=value` as a table; the value is read as TOML, and as a string where it is none. A key `a.b` is `b` in the table `a`.
///
/// # Errors
/// A sentence when there is no `=`, or nothing before it.
pub fn parse_setting(text: &str) -> Result<toml::Table, String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?}: expected KEY=VALUE"))?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() {
        return Err(format!("{text:?}: expected a name before the ="));
    }
    let parsed =
        toml::from_str::<toml::Table>(&format!("value = {value}")).ok().and_then(|mut table| table.remove("value"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.into()));
    let within = |value: toml::Value, key: &str| toml::Table::from_iter([(key.trim().to_owned(), value)]);
    let (outer, key) = key.rsplit_once('.').map_or((None, key), |(outer, key)| (Some(outer), key));
    let tables = outer.into_iter().flat_map(|outer| outer.rsplit('.'));
    Ok(tables.fold(within(value, key), |inner, table| within(inner.into(), table)))
}
