//! `fewmark explain`: what an MSNet does with an image, grid by grid, as a page.

use std::path::PathBuf;

use fewmark::explain::{confidence, explain, figure, page};
use fewmark::image::{expect_apart, expect_folder};
use fewmark::learn::model::file_of;
use fewmark::learn::supervised::Visited;
use fewmark::nets::{Energy, Pass};
use serde::Serialize;

use crate::args::{Common, Explain};
use crate::failure::Failure;
use crate::output::{print, print_json, read_image, table};

#[derive(Serialize)]
struct Report<'a> {
    page: &'a PathBuf,
    slice: usize,
    visits: Vec<Row>,
}

/// A visit of a grid.
#[derive(Serialize)]
struct Row {
    grid: usize,
    pass: Pass,
    size: [usize; 3],
    entered: Energy,
    after_u: Energy,
    after_v: Energy,
    leading_share: f64,
}

impl From<&Visited> for Row {
    fn from(visit: &Visited) -> Self {
        let &Visited { grid, pass, size, entered, after_u, after_v, .. } = visit;
        Self { grid, pass, size, entered, after_u, after_v, leading_share: confidence(visit) }
    }
}

pub(crate) fn run(arguments: &Explain, common: &Common) -> Result<(), Failure> {
    expect_folder(&arguments.output)?;
    expect_apart([&arguments.output], arguments.image.iter().chain([&file_of(&arguments.model)]))?;
    let image = read_image(&arguments.image)?;
    let explained = explain(&arguments.model, &image, arguments.slice, arguments.device.into())?;
    let name = arguments.image[0].file_name().unwrap_or(arguments.image[0].as_os_str()).to_string_lossy();
    let volume = image.geometry().size()[2] > 1;
    let of_slice = if volume { format!(", slice {}", explained.slice) } else { String::new() };
    page(&explained, &format!("What MSNet does with {name}{of_slice}"))?.write(&arguments.output)?;

    let visits: Vec<Row> = explained.visits.iter().map(Row::from).collect();
    if common.json {
        return print_json(&Report { page: &arguments.output, slice: explained.slice, visits });
    }
    let cells = |row: &Row| {
        let energies = [row.entered, row.after_u, row.after_v].map(|energy| figure(energy.total()));
        let way = if row.pass == Pass::Down { "down" } else { "up" };
        [format!("grid {}, {way}", row.grid)]
            .into_iter()
            .chain(energies)
            .chain([figure(row.leading_share)])
            .collect::<Vec<_>>()
    };
    let head = ["visit", "energy", "after u", "after v", "leading share"];
    print(table(&head, &visits.iter().map(cells).collect::<Vec<_>>()))?;
    print(format!("\npictures of u, v and the energy: {}", arguments.output.display()))
}
