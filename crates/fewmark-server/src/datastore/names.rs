//! Names that may become files.

use std::path::Path;

use fewmark::image::Format;

use crate::error::Problem;

/// The longest name of an image, in bytes: labels and temporary files add to it.
const LONGEST: usize = 200;

/// The known ending of an image's name, `nii.gz`.
pub(crate) fn ending(name: &str) -> Option<&'static str> {
    let format = Format::of_name(Path::new(name))?;
    let lower = name.to_ascii_lowercase();
    format
        .extensions()
        .iter()
        .find(|ending| lower.strip_suffix(**ending).is_some_and(|stem| stem.ends_with('.')))
        .copied()
}

/// The known ending with its dot, `.nii.gz`; nothing for the name of a folder.
pub(super) fn dotted(name: &str) -> String {
    ending(name).map_or_else(String::new, |ending| format!(".{ending}"))
}

/// The name without its known ending.
pub(crate) fn stem(name: &str) -> &str {
    match ending(name) {
        // The dot before the ending is one byte.
        Some(ending) => &name[..name.len() - ending.len() - 1],
        None => name,
    }
}

/// Whether a name can be that of an image: one component, not hidden, with an ending that is known.
pub(crate) fn check_image_name(name: &str) -> Result<(), Problem> {
    let wrong = |what: &str| Err(Problem::wrong(format!("{name:?} cannot be the name of an image: {what}")));
    if name.len() > LONGEST {
        return wrong("it is too long");
    }
    if name.starts_with('.')
        || name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|'])
        || name.contains(char::is_control)
    {
        return wrong("expected a plain file name");
    }
    match ending(name) {
        Some(_) if stem(name).trim().is_empty() => wrong("there is nothing before the ending"),
        Some(_) => Ok(()),
        None => Err(Problem::wrong(format!("{name:?}: the ending tells no known format"))
            .hint("endings that are known: .nii.gz .nii .nrrd .mha .dcm .png .jpg .bmp .tif .npy")),
    }
}

/// Whether a tag can be one.
pub(crate) fn is_tag(tag: &str) -> bool {
    (1..=64).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Refuses what cannot be a tag.
pub(crate) fn check_tag(tag: &str) -> Result<(), Problem> {
    if is_tag(tag) {
        return Ok(());
    }
    Err(Problem::wrong(format!("{tag:?} cannot be a tag: expected letters, digits, - and _, at most 64 of them")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_endings_are_cut_off_and_no_others() {
        for (name, expected) in [
            ("a.nii.gz", "a"),
            ("a.b.NII.GZ", "a.b"),
            ("a.nii", "a"),
            ("x.y.png", "x.y"),
            ("notes.txt", "notes.txt"),
            ("nii.gz", "nii.gz"),
        ] {
            assert_eq!(stem(name), expected);
        }
    }

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for name in
            ["../a.png", "a/b.png", "..\\a.png", ".a.png", "a.txt", "a", "", ".png", " .png", "a\0.png", "c:a.png"]
        {
            assert!(check_image_name(name).is_err(), "{name:?}");
        }
        assert!(check_image_name(&("a".repeat(300) + ".png")).is_err());
        assert!(check_image_name("Scan 3 (ü).nii.gz").is_ok());
        for tag in ["", "..", "a/b", "a.b", "ü"] {
            assert!(!is_tag(tag), "{tag:?}");
        }
    }
}
