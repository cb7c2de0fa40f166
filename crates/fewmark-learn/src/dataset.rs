//! Data sets: files of cases that belong together, from folders or from a list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fewmark_image::{Error as FileError, Format, is_hidden, is_series, same_file};
use serde::{Deserialize, Serialize};

use crate::Error;

const PARTNERS: &str = "the files of a case have the same name up to their endings, or stand in one line of a list";
const COLUMNS: &str =
    "write a line `image,marks` or `image,labels`, then a line a case; or, in TOML, a table [[case]] with both a case";
const KINDS: &str = "images are files such as case.nii.gz, clicks are files such as case.json";

/// The files of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFiles {
    /// Name of the case: that of its image without the ending.
    pub name: String,
    /// Its image.
    pub image: PathBuf,
    /// What belongs to the image, where something does: its clicks or its labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<PathBuf>,
}

/// What belongs to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Companion {
    /// A JSON file with clicks.
    Marks,
    /// A label map.
    Labels,
}

impl Companion {
    /// The column of a list.
    fn column(self) -> &'static str {
        match self {
            Self::Marks => "marks",
            Self::Labels => "labels",
        }
    }

    /// The name of the case that a file belongs to; `None` for a file of another kind.
    fn case_name(self, path: &Path) -> Option<String> {
        match self {
            Self::Marks if path.extension()?.eq_ignore_ascii_case("json") => Some(path.file_stem()?.to_str()?.into()),
            Self::Marks => None,
            Self::Labels => image_name(path),
        }
    }
}

/// Pairs the images and the companions of `images` and `with`, each a list of files and folders, by their names without endings.
///
/// # Errors
/// [`Error::Data`] when a file has no partner or two have the same name, [`Error::Image`] when a folder cannot be listed.
pub fn pair(images: &[PathBuf], with: &[PathBuf], companion: Companion) -> Result<Vec<CaseFiles>, Error> {
    let images = files(images, image_case)?;
    let mut companions = files(with, |path| companion.case_name(path))?;
    let what = companion.column();
    // One image and one companion belong together, whatever they are called.
    if let ([(name, image)], [with]) =
        (&images.iter().collect::<Vec<_>>()[..], &companions.values().collect::<Vec<_>>()[..])
    {
        return told_apart(vec![CaseFiles {
            name: (*name).clone(),
            image: (*image).clone(),
            with: Some((*with).clone()),
        }]);
    }
    let mut cases = Vec::new();
    for (name, image) in images {
        match companions.remove(&name) {
            Some(with) => cases.push(CaseFiles { name, image, with: Some(with) }),
            None => {
                return Err(Error::Data {
                    path: image,
                    problem: format!("there are no {what} called {name:?} for it"),
                    hint: PARTNERS,
                });
            }
        }
    }
    match companions.into_values().next() {
        Some(path) => Err(Error::Data { path, problem: "there is no image of that name".into(), hint: PARTNERS }),
        None => told_apart(cases),
    }
}

/// Refuses a file that would be an image and what belongs to it at once.
fn told_apart(cases: Vec<CaseFiles>) -> Result<Vec<CaseFiles>, Error> {
    let twice = |case: &&CaseFiles| case.with.as_ref().is_some_and(|with| same_file(with, &case.image));
    match cases.iter().find(twice) {
        Some(CaseFiles { image, .. }) => Err(Error::Data {
            path: image.clone(),
            problem: "it is given as an image and as what belongs to it".into(),
            hint: "keep images and labels in folders of their own, or name the files of each case in a list",
        }),
        None => Ok(cases),
    }
}

/// Images to which nothing belongs, from a list of files and folders.
///
/// # Errors
/// As [`files`].
pub fn alone(images: &[PathBuf]) -> Result<Vec<CaseFiles>, Error> {
    let case = |(name, image)| CaseFiles { name, image, with: None };
    Ok(files(images, image_case)?.into_iter().map(case).collect())
}

/// The cases of a list, a CSV or a TOML file with `image` and `marks` or `labels` of each case. Paths are relative to the list.
///
/// ```csv
/// image,labels
/// scans/a.nii.gz,labels/a.nii.gz
/// ```
///
/// ```toml
/// [[case]]
/// image = "scans/a.nii.gz"
/// labels = "labels/a.nii.gz"
/// ```
///
/// # Errors
/// [`Error::Data`] for a list without those, or with a line that cannot be read.
pub fn list(path: &Path, companion: Companion) -> Result<Vec<CaseFiles>, Error> {
    let is_toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let lines = if is_toml { toml_lines(path, companion)? } else { csv_lines(path, companion)? };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut cases: Vec<CaseFiles> = Vec::new();
    for (number, [image, with]) in lines.into_iter().enumerate() {
        if image.is_empty() || with.is_empty() {
            return Err(wrong_list(path, format!("case {} has an empty name of a file", number + 1)));
        }
        let file = folder.join(&image);
        let plain = || Some(file.file_name()?.to_str()?.to_owned());
        let name = image_case(&file).or_else(plain).unwrap_or_else(|| image.clone());
        if cases.iter().any(|case| case.name == name) {
            return Err(wrong_list(path, format!("two cases are called {name:?}")));
        }
        cases.push(CaseFiles { name, image: file, with: Some(folder.join(with)) });
    }
    told_apart(cases)
}

fn wrong_list(path: &Path, problem: String) -> Error {
    Error::Data { path: path.to_owned(), problem, hint: COLUMNS }
}

/// The image and its companion of each line of a CSV file.
fn csv_lines(path: &Path, companion: Companion) -> Result<Vec<[String; 2]>, Error> {
    let wrong = |problem: String| wrong_list(path, problem);
    let file = std::fs::File::open(path).map_err(|e| io("read", path, e))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let column = |name: &str| {
        let at = header.iter().position(|column| column == name);
        at.ok_or_else(|| wrong(format!("it has no column {name:?}; its first line must name the columns")))
    };
    let columns = [column("image")?, column(companion.column())?];
    let line = |record: Result<csv::StringRecord, csv::Error>| {
        record.map(|record| columns.map(|at| record[at].to_owned())).map_err(|e| wrong(e.to_string()))
    };
    reader.records().map(line).collect()
}

/// The image and its companion of each case of a TOML file.
fn toml_lines(path: &Path, companion: Companion) -> Result<Vec<[String; 2]>, Error> {
    #[derive(Deserialize)]
    struct List {
        case: Vec<BTreeMap<String, String>>,
    }
    let wrong = |problem: String| wrong_list(path, problem);
    let text = std::fs::read_to_string(path).map_err(|e| io("read", path, e))?;
    let list: List = toml::from_str(&text).map_err(|e| wrong(e.message().to_owned()))?;
    let line = |(number, case): (usize, BTreeMap<String, String>)| {
        let file =
            |key: &str| case.get(key).cloned().ok_or_else(|| wrong(format!("case {} has no {key:?}", number + 1)));
        Ok([file("image")?, file(companion.column())?])
    };
    list.case.into_iter().enumerate().map(line).collect()
}

/// The images of some files and folders, by their names without endings.
///
/// # Errors
/// As [`files`], and [`Error::Data`] when there is none.
pub fn images(paths: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>, Error> {
    let found = files(paths, image_case)?;
    match paths.first() {
        Some(path) if found.is_empty() => {
            Err(Error::Data { path: path.clone(), problem: "there is no image in it".into(), hint: KINDS })
        }
        _ => Ok(found),
    }
}

/// The files of some files and folders, by the name that `case_name` gives them; in a folder, files without one and hidden ones are passed over. A
/// folder to which it gives a name counts as a file.
///
/// # Errors
/// [`Error::Data`] for two files of one name, or a file without one.
pub fn files(
    paths: &[PathBuf],
    case_name: impl Fn(&Path) -> Option<String>,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut found = BTreeMap::new();
    let mut add = |name: String, path: PathBuf| match found.insert(name.clone(), path.clone()) {
        Some(other) => Err(Error::Data {
            path,
            problem: format!("{other:?} is of the same name, {name:?}"),
            hint: "keep one of them",
        }),
        None => Ok(()),
    };
    for path in paths {
        let is_folder = std::fs::metadata(path).map_err(|e| io("read", path, e))?.is_dir();
        match case_name(path) {
            Some(name) => {
                add(name, path.clone())?;
                continue;
            }
            None if is_folder => {}
            None => {
                let problem = "it is a file of another kind".into();
                return Err(Error::Data { path: path.clone(), problem, hint: KINDS });
            }
        }
        let entries = std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut entries: Vec<PathBuf> = entries.map_err(|e| io("list", path, e))?.iter().map(|e| e.path()).collect();
        entries.sort();
        // Such as `._scan.nii.gz`, which is no scan.
        entries.retain(|file| !is_hidden(file));
        for file in entries {
            if let Some(name) = case_name(&file) {
                add(name, file)?;
            }
        }
    }
    Ok(found)
}

/// The name of an image: of a file without its ending, or of a folder that holds a DICOM series; `None` for what is neither.
fn image_case(path: &Path) -> Option<String> {
    if is_series(path) {
        return Some(path.canonicalize().ok()?.file_name()?.to_str()?.to_owned());
    }
    image_name(path)
}

/// The name of an image file without the ending of its format; `None` when it has no known one.
pub fn image_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let lower = name.to_ascii_lowercase();
    let format = Format::of_name(path)?;
    let ending = format.extensions().iter().find(|e| lower.ends_with(&format!(".{e}")))?;
    Some(name[..name.len() - ending.len() - 1].to_owned())
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    FileError::Io { action, path: path.to_owned(), source }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        folder
    }

    fn paired(folder: &tempfile::TempDir, companion: Companion) -> Result<Vec<String>, Error> {
        let inside = |name: &str| [folder.path().join(name)];
        let cases = pair(&inside("images"), &inside("with"), companion)?;
        Ok(cases.into_iter().map(|case| case.name).collect())
    }

    #[test]
    fn files_are_paired_by_name_whatever_their_endings() {
        let f = folder(&[
            "images/b.nii.gz",
            "images/a.png",
            "images/notes.txt",
            "images/._b.nii.gz",
            "with/a.json",
            "with/b.json",
        ]);
        assert_eq!(paired(&f, Companion::Marks).unwrap(), ["a", "b"]);
        let f = folder(&["images/b.nii.gz", "images/a.png", "with/a.nrrd", "with/b.png"]);
        assert_eq!(paired(&f, Companion::Labels).unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_case_is_named_without_the_ending_of_its_format() {
        let name = |path: &str| image_name(Path::new(path));
        assert_eq!(name("a/scan.1.nii.gz").as_deref(), Some("scan.1"));
        assert_eq!(name("B.PNG").as_deref(), Some("B"));
        assert_eq!(name("notes.txt"), None);
    }

    #[test]
    fn a_file_without_a_partner_is_named() {
        for (names, left) in [
            (vec!["images/a.png", "images/b.png", "with/a.json"], "b.png"),
            (vec!["images/a.png", "images/b.png", "with/a.json", "with/b.json", "with/c.json"], "c.json"),
            (vec!["images/a.png", "images/a.bmp", "with/a.json"], "a."),
        ] {
            let error = paired(&folder(&names), Companion::Marks).unwrap_err();
            let Error::Data { path, .. } = &error else { panic!("{error}") };
            assert!(path.to_str().unwrap().contains(left), "{error}");
        }
    }

    #[test]
    fn a_file_is_not_both_an_image_and_its_labels() {
        let f = folder(&["scans/a.png", "scans/b.png"]);
        let scans = [f.path().join("scans")];
        let file = f.path().join("cases.csv");
        std::fs::write(&file, "image,labels\nscans/a.png,scans/../scans/a.png\n").unwrap();
        for found in [pair(&scans, &scans, Companion::Labels), list(&file, Companion::Labels)] {
            let error = found.unwrap_err().to_string();
            assert!(error.contains("a.png") && error.contains("as an image and"), "{error}");
        }
        std::fs::write(&file, "image,labels\nscans/a.png,\n").unwrap();
        assert!(list(&file, Companion::Labels).unwrap_err().to_string().contains("case 1"));
        std::fs::create_dir(f.path().join("none")).unwrap();
        assert!(images(&[f.path().join("none")]).unwrap_err().to_string().contains("no image"));
    }

    #[test]
    fn a_list_names_files_beside_it() {
        let f = folder(&[]);
        let file = f.path().join("cases.csv");
        std::fs::write(&file, "marks, image, note\nm/1.json, i/1.png, x\n\"m/2, b.json\", i/2.nii.gz, y\n").unwrap();
        let cases = list(&file, Companion::Marks).unwrap();
        assert_eq!(cases.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(cases[1].with, Some(f.path().join("m/2, b.json")));
        assert!(matches!(list(&file, Companion::Labels), Err(Error::Data { .. })));
        std::fs::write(&file, "image,marks\n1.png,1.json\nsub/1.nii,2.json\n").unwrap();
        assert!(list(&file, Companion::Marks).unwrap_err().to_string().contains("\"1\""));

        let file = f.path().join("cases.toml");
        let case = "[[case]]\nimage = \"i/1.png\"\nlabels = \"l/1.png\"\nnote = \"x\"\n";
        std::fs::write(&file, case).unwrap();
        let cases = list(&file, Companion::Labels).unwrap();
        assert_eq!((cases[0].name.as_str(), cases[0].with.clone()), ("1", Some(f.path().join("l/1.png"))));
        assert!(list(&file, Companion::Marks).unwrap_err().to_string().contains("case 1 has no \"marks\""));
        std::fs::write(&file, case.repeat(2)).unwrap();
        assert!(list(&file, Companion::Labels).unwrap_err().to_string().contains("\"1\""));
    }
}
