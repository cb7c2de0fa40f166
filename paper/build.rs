//! Tells the programs which commit they are built from: results name it, and the working tree may have gone on when they run.

use std::process::Command;

fn main() {
    // Everything that the programs are made of; a folder stands for all that is in it.
    for path in ["../.git/HEAD", "../.git/index", "../Cargo.lock", "../crates", "build.rs", "src"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let described =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]).output();
    let commit = described.ok().filter(|output| output.status.success());
    let commit = commit.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo::rustc-env=FEWMARK_COMMIT={commit}");
}
