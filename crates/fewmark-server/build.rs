//! Builds the web page and embeds it.
//!
//! `web/` is copied into the output folder and built there, so that the sources stay as they are. Where Node.js or the package registry
//! is missing the program still builds, without the page.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders of `web/` that are made, not written.
const MADE: [&str; 3] = ["node_modules", "dist", ".vite"];
/// Folders of `web/` that are no part of the page.
const TESTS: [&str; 2] = ["e2e", "test"];

fn main() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=FEWMARK_NO_PAGE");
    if web.join("package.json").exists() {
        // Its parts one by one: what is made beside them must not count as a change.
        for entry in fs::read_dir(&web).into_iter().flatten().flatten() {
            if !MADE.iter().chain(&TESTS).any(|name| entry.file_name() == *name) {
                println!("cargo:rerun-if-changed={}", entry.path().display());
            }
        }
    } else {
        // What is not there counts as changed in every build, so that it is found once it is there.
        println!("cargo:rerun-if-changed={}", web.join("package.json").display());
    }
    let page = match build(&web, &out.join("web")) {
        Ok(page) => page,
        Err(why) => {
            println!("cargo:warning=the web page is not part of this build: {why}");
            None
        }
    };
    embed(page.as_deref(), &out.join("page.rs"));
}

/// Builds the page; `None` where there are no sources or it is not wanted.
fn build(web: &Path, work: &Path) -> Result<Option<PathBuf>, String> {
    if !web.join("package.json").exists() || std::env::var_os("FEWMARK_NO_PAGE").is_some() {
        return Ok(None);
    }
    if !runs("node") || !runs("npm") {
        return Err("Node.js and npm are not installed".into());
    }
    let mut sources = Vec::new();
    list(web, Path::new(""), &mut sources);
    // Packages stay from build to build; sources that were removed do not.
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        if entry.file_name() != "node_modules" {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
    for source in &sources {
        let to = work.join(source);
        let folder = to.parent().unwrap_or(work);
        fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        fs::copy(web.join(source), &to).map_err(|e| format!("{}: {e}", source.display()))?;
    }
    let lock = fs::read(work.join("package-lock.json")).unwrap_or_default();
    let installed = work.join("node_modules/.installed");
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        npm(work, &["ci", "--no-audit", "--no-fund", "--prefer-offline"])?;
        fs::write(&installed, &lock).map_err(|e| e.to_string())?;
    }
    npm(work, &["run", "build"])?;
    let dist = work.join("dist");
    if dist.join("index.html").exists() { Ok(Some(dist)) } else { Err("npm run build made no dist/index.html".into()) }
}

fn runs(program: &str) -> bool {
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let done = Command::new("npm").args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    match done {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            let last: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).rev().take(3).collect();
            Err(format!(
                "npm {} failed: {}",
                arguments.join(" "),
                last.into_iter().rev().collect::<Vec<_>>().join(" | ")
            ))
        }
        Err(e) => Err(format!("npm {}: {e}", arguments.join(" "))),
    }
}

/// The files below a folder, sorted, without what is made.
fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(root.join(folder)).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = folder.join(entry.file_name());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let made = MADE.iter().any(|made| entry.file_name() == *made);
        if is_folder && !made {
            list(root, &path, files);
        } else if !is_folder {
            files.push(path);
        }
    }
}

/// A table of the page's files: names with `/`, and contents.
fn embed(page: Option<&Path>, table: &Path) {
    let mut files = Vec::new();
    if let Some(page) = page {
        list(page, Path::new(""), &mut files);
    }
    let mut text = "static FILES: &[(&str, &[u8])] = &[\n".to_owned();
    for file in &files {
        let name = file.to_string_lossy().replace('\\', "/");
        let path = page.unwrap_or(Path::new("")).join(file);
        let _ = writeln!(text, "    ({name:?}, include_bytes!({:?})),", path.display().to_string());
    }
    text.push_str("];\n");
    fs::write(table, text).expect("the output folder can be written to");
}
