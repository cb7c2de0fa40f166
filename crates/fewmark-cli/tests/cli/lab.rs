//! A folder for each test, and the program run in it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Child;
use std::time::Duration;

use assert_cmd::Command;
use fewmark::{Image, LabelMap};
use serde_json::Value;
use tempfile::TempDir;

/// A call that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// What the program takes to be its working folder: files go by their bare names, in calls and in messages.
pub(crate) struct Lab(TempDir);

/// How a call ended.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder can be made"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it lies in the lab")).expect("a folder can be made");
        std::fs::write(path, bytes).expect("a file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("the file is there")
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("the file is text")
    }

    pub(crate) fn write_image(&self, name: &str, image: &Image) {
        fewmark::image::write_image(self.path(name), image).expect("the image can be written");
    }

    pub(crate) fn write_labels(&self, name: &str, labels: &LabelMap) {
        fewmark::image::write_labels(self.path(name), labels).expect("the labels can be written");
    }

    pub(crate) fn image(&self, name: &str) -> Image {
        fewmark::image::read_image(self.path(name)).expect("the image can be read")
    }

    pub(crate) fn labels(&self, name: &str) -> LabelMap {
        fewmark::image::read_labels(self.path(name)).expect("the label map can be read")
    }

    /// Copies a file or folder into the lab.
    pub(crate) fn bring(&self, from: &Path, name: &str) {
        if from.is_dir() {
            for entry in std::fs::read_dir(from).expect("the folder can be listed") {
                let entry = entry.expect("the folder can be listed");
                self.bring(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()));
            }
        } else {
            self.write(name, std::fs::read(from).expect("the file can be read"));
        }
    }

    /// Dice of two masks of the lab.
    pub(crate) fn dice(&self, one: &str, other: &str) -> f64 {
        let (one, other) = (self.labels(one), self.labels(other));
        assert_eq!(one.geometry().size(), other.geometry().size());
        let count = |map: &LabelMap| map.labels().iter().filter(|&&l| l != 0).count();
        let both = one.labels().iter().zip(other.labels()).filter(|(a, b)| **a != 0 && **b != 0).count();
        2.0 * both as f64 / (count(&one) + count(&other)) as f64
    }

    /// Everything that lies in the lab.
    pub(crate) fn contents(&self) -> BTreeSet<PathBuf> {
        fn collect(folder: &Path, into: &mut BTreeSet<PathBuf>) {
            for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
                let path = entry.expect("the folder can be listed").path();
                if path.is_dir() {
                    collect(&path, into);
                }
                into.insert(path);
            }
        }
        let mut found = BTreeSet::new();
        collect(self.0.path(), &mut found);
        found
    }

    /// The program, about to be run in the lab.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fewmark"));
        command.current_dir(self.0.path()).args(arguments).timeout(LONGEST);
        command
    }

    /// The program, running in the lab.
    #[cfg(unix)]
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        use std::process::{Command, Stdio};
        let mut command = Command::new(env!("CARGO_BIN_EXE_fewmark"));
        let command = command.args(arguments).current_dir(self.path("")).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program starts")
    }

    /// Waits until a file is there.
    #[cfg(unix)]
    pub(crate) fn wait_for(&self, name: &str) {
        let begun = std::time::Instant::now();
        while !self.path(name).exists() {
            assert!(begun.elapsed() < LONGEST, "{name} does not appear");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs the program: it never panics, and never leaves a part of a file.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Outcome {
        let output = self.command(arguments).output().expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(!stderr.contains("panicked"), "{stderr}");
        let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {stderr}"));
        let part = self.contents().into_iter().find(|path| path.extension() == Some(OsStr::new("part")));
        assert_eq!(part, None, "a part of a file was left");
        Outcome { code, stdout, stderr }
    }

    /// Runs a call that must succeed, and gives what it prints.
    pub(crate) fn ok<S: AsRef<OsStr>>(&self, arguments: &[S]) -> String {
        let Outcome { code, stdout, stderr } = self.run(arguments);
        assert_eq!(code, 0, "{stderr}");
        stdout
    }

    /// Runs a call that must succeed and print JSON.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Value {
        serde_json::from_str(&self.ok(arguments)).expect("the program prints JSON")
    }
}

/// Calls that must be refused, and what each of them is told.
pub(crate) struct Refusals<'a> {
    lab: &'a Lab,
    transcript: String,
}

impl<'a> Refusals<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        Self { lab, transcript: String::new() }
    }

    /// A call that ends with exit code 1 or 2, prints no result, and leaves the folder as it was.
    pub(crate) fn case<S: AsRef<OsStr>>(&mut self, what: &str, arguments: &[S]) {
        let before = self.lab.contents();
        let Outcome { code, stdout, stderr } = self.lab.run(arguments);
        let call: Vec<_> = arguments.iter().map(|a| a.as_ref().to_string_lossy()).collect();
        let call = call.join(" ");
        assert!(matches!(code, 1 | 2), "{what}: exit code {code} of `fewmark {call}`\n{stdout}{stderr}");
        assert_eq!(stdout, "", "{what}: a refused call prints no result");
        assert!(stderr.starts_with("error: "), "{what}: {stderr}");
        assert_eq!(before, self.lab.contents(), "{what}: a refused call leaves no file");
        write!(self.transcript, "# {what}\n$ fewmark {call}\n{stderr}exit {code}\n\n").expect("text can be written");
    }

    /// Compares everything that was said with what is on record.
    pub(crate) fn compare(self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.add_filter(r"\d+ MiB of memory, \d+ MiB are free", "[N] MiB of memory, [N] MiB are free");
        settings.add_filter(r" \(os error \d+\)", "");
        settings.bind(|| insta::assert_snapshot!(name, self.transcript.trim_end()));
    }
}

/// Ends a program by Ctrl-C, and tells its exit code.
#[cfg(unix)]
pub(crate) fn interrupted(child: &mut Child) -> Option<i32> {
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    child.wait().expect("it ends").code()
}
