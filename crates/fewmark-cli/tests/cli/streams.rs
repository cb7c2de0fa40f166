//! Standard output that ends early or is full.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::files::chest;
use crate::lab::Lab;

/// Runs the program with its standard output sent somewhere.
fn run(lab: &Lab, arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fewmark"));
    command.current_dir(lab.path("")).args(arguments).stdout(stdout).stderr(Stdio::piped());
    command.spawn().and_then(std::process::Child::wait_with_output).expect("the program runs")
}

/// Calls that print a result.
const PRINTING: [&[&str]; 8] = [
    &["methods"],
    &["methods", "tv", "--json"],
    &["doctor"],
    &["completions", "bash"],
    &["info", "chest.nii.gz"],
    &["clicks", "truth.nii.gz"],
    &["evaluate", "truth.nii.gz", "truth.nii.gz"],
    &["segment", "chest.nii.gz", "-c", "45,30", "-o", "mask.nii.gz"],
];

fn lab() -> Lab {
    let lab = Lab::new();
    let phantom = chest(1);
    lab.write_image("chest.nii.gz", &phantom.image);
    lab.write_labels("truth.nii.gz", &phantom.truth);
    lab
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let lab = lab();
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = run(&lab, arguments, writer);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let lab = lab();
    for arguments in PRINTING {
        let output = run(&lab, arguments, File::options().write(true).open("/dev/full").unwrap());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(
            stderr.starts_with("error: cannot print the result: No space left on device"),
            "{arguments:?}: {stderr}"
        );
    }
}

/// What could be written is whole, even when what comes after it fails.
#[test]
fn a_full_disk_after_the_mask_leaves_a_whole_mask() {
    let lab = lab();
    let failed = lab.run(&["segment", "chest.nii.gz", "-c", "45,30", "-o", "mask.nii.gz", "--trace", "/dev/full"]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.stderr.starts_with("error: cannot write \"/dev/full\": No space left on device"),
        "{}",
        failed.stderr
    );
    assert_eq!(lab.labels("mask.nii.gz").present(), [1]);
}
