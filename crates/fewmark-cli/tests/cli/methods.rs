//! `fewmark methods`, configurations, `demo`, `doctor` and `completions`.

use serde_json::Value;

use crate::files::chest;
use crate::lab::Lab;

/// A lab with a slice of a chest and clicks in its left lung.
fn clicked_chest() -> Lab {
    let lab = Lab::new();
    let phantom = chest(1);
    lab.write_image("chest.nii.gz", &phantom.image);
    lab.write_labels("truth.nii.gz", &phantom.truth);
    lab.ok(&["clicks", "truth.nii.gz", "-o", "marks.json", "--object", "lung.nii.gz"]);
    lab
}

/// The parameters that a run of `fewmark segment` used.
fn used(lab: &Lab, more: &[&str]) -> Value {
    let call = ["segment", "chest.nii.gz", "--marks", "marks.json", "-o", "mask.nii.gz", "--trace", "trace.json"];
    lab.ok(&[&call[..], more].concat());
    let trace: Value = serde_json::from_slice(&lab.read("trace.json")).expect("the trace is JSON");
    trace["parameters"].clone()
}

#[test]
fn what_methods_lists_is_what_a_config_takes() {
    let lab = clicked_chest();
    for method in ["tv", "elastica"] {
        let defaults = lab.json(&["methods", method, "--json"]);
        let mut config: toml::Table = serde_json::from_value(defaults.clone()).unwrap();
        config.insert("method".into(), method.into());
        lab.write("method.toml", toml::to_string(&config).unwrap());
        assert_eq!(used(&lab, &["--config", "method.toml"]), defaults, "{method}");
        assert_eq!(used(&lab, &["-m", method]), defaults, "{method}");
        assert!(lab.dice("mask.nii.gz", "lung.nii.gz") > 0.9, "{method}");
        assert!(lab.ok(&["methods", method]).contains("mu"), "{method}");
    }
}

#[test]
fn settings_go_before_the_config() {
    let lab = clicked_chest();
    lab.write("method.toml", "method = \"tv\"\nmu = 0.02\ntheta = 1\n");
    let parameters = used(&lab, &["--config", "method.toml", "--set", "mu=0.04"]);
    assert_eq!((parameters["mu"].as_f64(), parameters["theta"].as_f64()), (Some(0.04), Some(1.0)));
}

#[test]
fn a_preset_is_a_full_set_of_parameters() {
    let lab = clicked_chest();
    let parameters = used(&lab, &["--set", "preset=paper", "--set", "max_iterations=200"]);
    assert_eq!(parameters["fitting_band"], "otsu");
    assert_eq!(parameters["solver"], "admm");
    assert_eq!(parameters["max_iterations"], 200);
    lab.write("method.toml", "preset = \"paper\"\nmax_iterations = 200\n");
    assert_eq!(used(&lab, &["--config", "method.toml"]), parameters);
}

#[test]
fn all_methods_are_listed() {
    let lab = Lab::new();
    let list = lab.json(&["methods", "--json"]);
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["tv", "elastica", "dip"]);
    let printed = lab.ok(&["methods"]);
    assert!(names.iter().all(|name| printed.lines().any(|line| line.starts_with(name))), "{printed}");
}

#[test]
fn the_demonstration_segments_well_and_writes_what_it_says() {
    let lab = Lab::new();
    let rows = lab.json(&["demo", "-o", "demo", "--json"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert!(row["dice"].as_f64().unwrap() > 0.95, "{row}");
        for file in ["mask", "overlay"] {
            assert!(lab.path(&format!("demo/{}", row[file].as_str().unwrap())).is_file(), "{row}");
        }
    }
    for file in ["index.html", "slice.nii.gz", "slice_truth.nii.gz", "volume.nii.gz", "volume_truth.nii.gz"] {
        assert!(lab.path(&format!("demo/{file}")).is_file(), "{file}");
    }
    let page = lab.text("demo/index.html");
    assert!(rows.iter().all(|row| page.contains(row["overlay"].as_str().unwrap())));
}

#[test]
fn the_doctor_tells_of_the_machine() {
    let lab = Lab::new();
    let told = lab.json(&["doctor", "--json", "--threads", "2"]);
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["threads"], 2);
    assert!(told["cores"].as_u64().unwrap() >= 1);
    assert_eq!(told["devices"][0], "cpu");
    assert!(lab.ok(&["doctor"]).contains("threads used"));
}

#[test]
fn there_is_a_completion_script_for_each_shell() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(lab.ok(&["completions", shell]).contains("fewmark"), "{shell}");
    }
}

#[test]
fn help_and_version_are_results() {
    let lab = Lab::new();
    assert_eq!(lab.ok(&["--version"]), concat!("fewmark ", env!("CARGO_PKG_VERSION"), "\n"));
    for command in ["segment", "evaluate", "info", "convert", "clicks", "demo", "methods", "doctor", "completions"] {
        assert!(lab.ok(&["--help"]).contains(command));
        assert!(lab.ok(&[command, "--help"]).contains("Usage: fewmark"), "{command}");
    }
}
