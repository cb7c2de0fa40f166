//! Pages of synthetic runs.

use std::collections::BTreeMap;

use fewmark_image::{Dimension, Geometry, Image, SampleType};

use super::*;
use crate::{Event, Picture, Step, Validation};

fn step(iteration: u64, rate: f64) -> Event {
    let data = 2.0 / iteration as f32;
    let terms = BTreeMap::from([("data".to_owned(), data), ("contour".to_owned(), 0.5)]);
    Event::Step(Step { iteration, of: 400, rate, loss: data + 0.5, terms, seconds: 0.25 * iteration as f64 })
}

fn validation(iteration: u64) -> Event {
    let score = iteration as f64 / 1000.0;
    let scores = BTreeMap::from([("Dice".to_owned(), score), ("ASSD mm".to_owned(), 3.0 - score)]);
    Event::Validation { iteration, validation: Validation { score, scores } }
}

fn run_in(folder: &tempfile::TempDir) -> Run {
    Run::create(folder.path().join("run"), &toml::Table::new()).unwrap()
}

fn picture(name: &str) -> Picture {
    let image =
        Image::new(vec![0.0, 80.0, 160.0, 240.0], 1, Geometry::unit(Dimension::Two, [2, 2, 1]).unwrap()).unwrap();
    Picture { name: name.into(), image: image.with_stored(SampleType::U8) }
}

#[test]
fn a_page_shows_what_the_run_has_and_what_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run_in(&folder);
    for iteration in 1..=300 {
        run.log(&step(iteration, 1e-3 * 0.99_f64.powf(iteration as f64))).unwrap();
        if iteration.is_multiple_of(100) {
            run.log(&validation(iteration)).unwrap();
        }
    }
    run.keep_pictures(100, vec![picture("u & v")]).unwrap();
    run.keep_pictures(200, vec![picture("u & v"), picture("mask")]).unwrap();
    let added = || Section::new("Test set").table(&["case", "Dice"], [["liver_01", "0.951"]]);
    let path = write(&mut run, "Liver <3 clicks>", [added()]).unwrap();
    let page = std::fs::read_to_string(&path).unwrap();

    assert!(path.ends_with("run/report.html"));
    assert!(page.contains("<h1>Liver &lt;3 clicks&gt;</h1>"));
    let positions =
        ["Training", "Snapshots", "Test set"].map(|heading| page.find(&format!("<h2>{heading}</h2>")).unwrap());
    assert!(positions.is_sorted());
    for text in ["300 of 400", "1 min 15 s", "0.5067", "0.3000 after iteration 300", "loss, mean of 7", "liver_01"] {
        assert!(page.contains(text), "{text}");
    }
    for chart in ["loss", "contour", "data", "learning rate", "validation: score", "validation: ASSD mm"] {
        assert!(page.contains(&format!("<figcaption>{chart}</figcaption><svg")), "{chart}");
    }
    assert_eq!(page.matches("<svg").count(), 7);
    // The mask was kept once of twice.
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 3);
    assert_eq!(page.matches("src=").count(), 3);
    assert!(page.contains("<th>iteration 100</th><th>iteration 200</th>"));
    assert!(page.contains("<tr><th>mask</th><td></td><td><img") && page.contains("<th>u &amp; v</th>"));
    for outside in ["http", "url(", "href", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    write(&mut run, "Liver <3 clicks>", [added()]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page);
}

#[test]
fn a_constant_learning_rate_and_a_single_term_have_no_chart() {
    let mut events: Vec<Event> = (1..=10).map(|iteration| step(iteration, 1e-3)).collect();
    for event in &mut events {
        let Event::Step(step) = event else { unreachable!() };
        step.terms.remove("contour");
    }
    let page = Page::new("run").sections(training(&events, &[]).unwrap()).html();
    assert_eq!(page.matches("<svg").count(), 1);
    assert!(page.contains("<th>learning rate</th><td>0.001000</td>"));
    assert!(!page.contains("Snapshots"));
}

#[test]
fn a_run_without_steps_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&mut run_in(&folder), "Nothing yet", []).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("No step was taken.") && !page.contains("<svg"));
}
