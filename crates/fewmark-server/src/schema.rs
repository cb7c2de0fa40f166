//! Settings as a page can ask for them: their kinds, defaults, bounds and choices.

use fewmark::parameters::{Help, help};
use fewmark::registry::Entry;
use serde_json::{Map, Value, json};

use crate::error::Problem;

/// The settings of a method.
pub(crate) fn of_method(entry: &Entry) -> Vec<Value> {
    let choices = |key: &str| entry.choices(key);
    let mut settings = of_table("", &entry.defaults(), help, &choices);
    let presets: Vec<&str> = entry.presets().collect();
    if presets.len() > 1 {
        let preset = json!({
            "key": "preset",
            "help": "the set of defaults that the other settings change",
            "default": presets[0],
            "kind": "choice",
            "choices": presets,
        });
        settings.insert(0, preset);
    }
    settings
}

/// The settings of a table, those of tables within it by names with dots.
pub(crate) fn of_table(
    prefix: &str,
    table: &toml::Table,
    help: fn(&str) -> Option<Help>,
    choices: &dyn Fn(&str) -> Vec<String>,
) -> Vec<Value> {
    let mut settings = Vec::new();
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let told = help(&key);
        let mut setting = json!({ "key": key, "help": told.map_or("", |help| help.sentence), "default": value });
        let kind = match value {
            toml::Value::Table(inner) => {
                settings.extend(of_table(&key, inner, help, choices));
                continue;
            }
            toml::Value::Float(_) => "number",
            toml::Value::Integer(_) => "integer",
            toml::Value::Boolean(_) => "boolean",
            toml::Value::String(_) => match choices(&key) {
                choices if choices.is_empty() => "text",
                choices => {
                    setting["choices"] = json!(choices);
                    "choice"
                }
            },
            // A list is written as it is in TOML.
            toml::Value::Array(_) | toml::Value::Datetime(_) => {
                setting["default"] = value.to_string().into();
                "text"
            }
        };
        setting["kind"] = kind.into();
        if let Some((low, high)) = told.map(|help| help.range).filter(|_| matches!(kind, "number" | "integer")) {
            if let Some(low) = low {
                setting["min"] = low.into();
            }
            if let Some(high) = high {
                setting["max"] = high.into();
            }
        } else if kind == "integer" {
            setting["min"] = 0.into();
        }
        settings.push(setting);
    }
    settings
}

/// Tables within tables that a key may name: with more a request could overflow the stack.
const DEEPEST: usize = 8;

/// Settings from JSON; keys with dots are settings within tables, and lists may come as text.
///
/// # Errors
/// 422 for a value that no setting can have.
pub(crate) fn to_settings(settings: Map<String, Value>) -> Result<toml::Table, Problem> {
    let mut table = toml::Table::new();
    for (key, value) in settings {
        let wrong = || {
            Problem::wrong(format!("settings: {key} = {value}: expected a number, a name, true or false, or a list"))
        };
        let value = to_toml(&value).ok_or_else(wrong)?;
        if key.split('.').count() > DEEPEST {
            return Err(Problem::wrong("settings: a key with more dots than any setting has"));
        }
        let mut place = &mut table;
        let (folders, name) = key.rsplit_once('.').map_or(("", key.as_str()), |(folders, name)| (folders, name));
        for folder in folders.split('.').filter(|folder| !folder.is_empty()) {
            let inner = place.entry(folder).or_insert_with(|| toml::Table::new().into());
            place = inner
                .as_table_mut()
                .ok_or_else(|| Problem::wrong(format!("settings: {folder} is a value and holds others")))?;
        }
        place.insert(name.to_owned(), value);
    }
    Ok(table)
}

fn to_toml(value: &Value) -> Option<toml::Value> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(whole.into()),
            None => number.as_f64().filter(|number| number.is_finite()).map(Into::into),
        },
        Value::String(text) if text.trim_start().starts_with('[') => {
            toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value")
        }
        Value::String(text) => Some(text.clone().into()),
        Value::Array(list) => list.iter().map(to_toml).collect::<Option<Vec<_>>>().map(Into::into),
        Value::Object(object) => {
            let table: Option<toml::Table> =
                object.iter().map(|(key, value)| Some((key.clone(), to_toml(value)?))).collect();
            table.map(Into::into)
        }
        Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_page_are_settings_of_the_method() {
        let json = json!({ "mu": 1, "theta": 0.5, "keep": "all", "window": "[0, 1.5]", "training.iterations": 5 });
        let table = to_settings(json.as_object().unwrap().clone()).unwrap();
        assert_eq!(table["mu"].as_integer(), Some(1));
        assert_eq!(table["window"].as_array().unwrap().len(), 2);
        assert_eq!(table["training"]["iterations"].as_integer(), Some(5));
        assert!(to_settings(Map::from_iter([("mu".to_owned(), Value::Null)])).is_err());
    }

    #[test]
    fn every_setting_of_every_method_has_a_kind_and_a_sentence() {
        for entry in fewmark::registry::METHODS {
            for setting in of_method(entry) {
                assert!(!setting["help"].as_str().unwrap().is_empty(), "{}: {setting}", entry.name);
                assert!(setting["kind"].is_string(), "{setting}");
                // A name that can only be one of a few says which.
                assert!(
                    !setting["default"].is_string() || setting["kind"] != "text" || setting["key"] == "window",
                    "{setting}"
                );
            }
        }
    }

    #[test]
    fn choices_can_all_be_chosen() {
        for entry in fewmark::registry::METHODS {
            for (key, value) in entry.defaults() {
                for choice in entry.choices(&key) {
                    let change = toml::Table::from_iter([(key.clone(), toml::Value::from(choice.clone()))]);
                    assert!(value.is_str() && entry.build(&[change]).is_ok(), "{}: {key} = {choice}", entry.name);
                }
            }
        }
    }
}
