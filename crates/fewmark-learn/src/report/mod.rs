//! Pages that show what was learned: one HTML file with everything in it, which opens from disk and asks no other host for anything.
//!
//! A [`Page`] is made of [`Section`]s, and a section of texts, settings, tables, [`Chart`]s and pictures. [`training`] makes the
//! sections of a training from what its run folder holds; [`write()`] puts them, and what a caller adds, beside the run.
//!
//! ```no_run
//! use fewmark_learn::report::{self, Png, Section};
//!
//! # fn scored(run: &mut fewmark_learn::Run) -> Result<(), fewmark_learn::Error> {
//! let scores = Section::new("Test set")
//!     .table(&["case", "Dice"], [["liver_01", "0.951"], ["liver_02", "0.874"]])
//!     .pictures([(Png::read("liver_02.png")?, "liver_02, the worst case")]);
//! report::write(run, "Liver from three clicks", [scores])?;
//! # Ok(())
//! # }
//! ```
//!
//! The same sections give the same bytes: nothing in a page depends on when or where it was made.

mod axis;
mod chart;
mod page;
mod series;
mod training;

use std::path::PathBuf;

pub use chart::Chart;
pub use page::{Page, Png, Section};
pub use training::{settings_of, training};

use crate::{Error, Run};

/// Writes the page of a run, `RUN/report.html`: its training, then the sections given. Returns the file.
///
/// # Errors
/// [`Error::Image`] when something cannot be read or written, [`Error::File`] for a picture of the run that is no PNG file.
pub fn write(run: &mut Run, title: &str, sections: impl IntoIterator<Item = Section>) -> Result<PathBuf, Error> {
    let learned = training(&run.events()?, &run.pictures()?)?;
    let path = run.path().join("report.html");
    Page::new(title).sections(learned).sections(sections).write(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests;
