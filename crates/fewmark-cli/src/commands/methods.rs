//! `fewmark methods`: what is in the registry, and the parameters of a method.

use fewmark::parameters::help;
use fewmark::registry::{self, METHODS};
use serde_json::json;

use crate::args::{Common, Methods};
use crate::failure::Failure;
use crate::output::{print, print_json, table};

pub(crate) fn run(arguments: &Methods, common: &Common) -> Result<(), Failure> {
    match &arguments.name {
        None if common.json => {
            let list =
                METHODS.iter().map(|m| json!({ "name": m.name, "summary": m.summary, "parameters": m.defaults() }));
            print_json(&list.collect::<Vec<_>>())
        }
        None => {
            let rows: Vec<_> = METHODS.iter().map(|m| vec![m.name.to_owned(), m.summary.to_owned()]).collect();
            for row in rows {
                print(format!("{:<10} {}", row[0], row[1]))?;
            }
            Ok(())
        }
        Some(name) => {
            let entry = registry::find(name)?;
            let defaults = entry.defaults();
            if common.json {
                return print_json(&defaults);
            }
            print(format!("{}: {}\n", entry.name, entry.summary))?;
            let rows: Vec<_> = defaults.iter().map(|(key, value)| vec![key.clone(), value.to_string()]).collect();
            let meanings = defaults.keys().map(|key| help(key).map_or("", |help| help.sentence));
            // Sentences begin below each other, which cells of a table do not.
            let lines = table(&["parameter", "default"], &rows);
            let lines = lines.lines().zip(["meaning", "-------"].into_iter().chain(meanings));
            let lines: Vec<String> = lines.map(|(line, meaning)| format!("{line}  {meaning}")).collect();
            print(lines.join("\n"))?;
            print("\nChange one with --set KEY=VALUE, or several in a TOML file with --config FILE.")
        }
    }
}
