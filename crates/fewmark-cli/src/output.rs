//! Results on standard output, notes on standard error, files written whole.

use std::io::Write as _;
use std::path::Path;

use fewmark::image::{Error, expect_room_in, write_atomically};
use fewmark::{Image, LabelMap};
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;

/// Prints a line of the result.
pub(crate) fn print(text: impl std::fmt::Display) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Prints a result as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(json(value)?)
}

/// Writes a value as a JSON file.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    Ok(write_atomically(path, (json(value)? + "\n").as_bytes())?)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|e| Failure::work(format!("cannot write JSON: {e}")))
}

/// Prints a note for the person at the terminal.
#[allow(clippy::print_stderr, reason = "the one place that prints notes")]
pub(crate) fn note(common: &Common, text: impl std::fmt::Display) {
    if !common.quiet {
        eprintln!("{text}");
    }
}

/// Reads an image from one file or folder, or from the files of a DICOM series.
pub(crate) fn read_image(paths: &[std::path::PathBuf]) -> Result<Image, Failure> {
    Ok(match paths {
        [path] => fewmark::image::read_image(path)?,
        paths => fewmark::image::read_series(paths)?,
    })
}

/// Labels that a map has at the most; one with more is a picture.
const MOST_LABELS: usize = 255;

/// Refuses a map that is none.
pub(crate) fn expect_label_map(map: &LabelMap, path: &Path) -> Result<(), Failure> {
    let count = map.present().len();
    if count <= MOST_LABELS {
        return Ok(());
    }
    Err(Failure::work(format!("{path:?} has {count} different labels, expected {MOST_LABELS} at the most"))
        .hint("give the label map, not the image; or name labels with --labels"))
}

/// Refuses a folder that could not be made or written into, before the work for what goes into it.
pub(crate) fn expect_output_folder(path: &Path) -> Result<(), Failure> {
    let made = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if made.is_dir() {
        return Ok(expect_room_in(made)?);
    }
    let source = std::io::ErrorKind::NotADirectory.into();
    Err(Error::Io { action: "write", path: made.to_owned(), source }.into())
}

/// Makes a folder for results, unless it is there.
pub(crate) fn make_output_folder(path: &Path) -> Result<(), Failure> {
    Ok(std::fs::create_dir_all(path).map_err(|source| Error::Io { action: "create", path: path.to_owned(), source })?)
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(path).map_err(|source| Error::Io { action: "read", path: path.to_owned(), source })?)
}

/// A table with aligned columns: the first one to the left, the others to the right.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(i, (cell, &width))| if i == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rule = widths.iter().map(|&w| "-".repeat(w)).collect::<Vec<_>>().join("  ");
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(header.to_vec()), rule].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["liver".into(), "0.9".into()], vec!["x".into(), "10.25".into()]];
        assert_eq!(super::table(&["case", "Dice"], &rows), "case    Dice\n-----  -----\nliver    0.9\nx      10.25");
    }
}
