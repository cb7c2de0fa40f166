//! Tells the programs which commit they are built from: results name it, and the working tree may have gone on when they run.

use std::process::Command;

fn main() {
    // Everything that the programs are made of; a folder stands for all that is in it.
    for path in ["../.git/HEAD", "../.git/index", "../Cargo.lock", "../crates", "build.rs", "src"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let git = |arguments: &[&str]| Command::new("git").args(arguments).output().ok();
    let described =
        git(&["describe", "--always", "--abbrev=12", "--exclude=*"]).filter(|output| output.status.success());
    let commit = described.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    // Results are written while others are still being made; they decide nothing.
    let clean = git(&["diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)paper/results"]);
    let dirty = if clean.is_some_and(|output| output.status.success()) { "" } else { "-dirty" };
    println!("cargo::rustc-env=FEWMARK_COMMIT={commit}{dirty}");
}
