//! Header fields that are written as text, as NRRD and MetaImage do.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::bad_field;
use crate::{DecodeError, Format};

/// Named fields of a text header.
pub(crate) struct Fields {
    format: Format,
    values: BTreeMap<String, String>,
}

impl Fields {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, values: BTreeMap::new() }
    }

    /// Adds a field.
    ///
    /// # Errors
    /// [`DecodeError::Field`] when it is there already: which of the two counts is not for a reader to guess.
    pub(crate) fn insert(&mut self, name: &str, value: &str) -> Result<(), DecodeError> {
        match self.values.insert(name.to_owned(), value.to_owned()) {
            None => Ok(()),
            Some(first) => Err(bad_field(self.format, name, "one value", format!("two, {first:?} and {value:?}"))),
        }
    }

    /// The value of the first of these fields that is there: formats have several names for one thing.
    pub(crate) fn any(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.values.get(*name)).map(String::as_str)
    }

    /// The value of a field that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<&str, DecodeError> {
        self.any(&[name]).ok_or_else(|| self.bad(name, "a value", "none"))
    }

    /// The numbers of the first of these fields that is there, parted by white space.
    pub(crate) fn numbers<T: FromStr>(&self, names: &[&str]) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(name) = names.iter().find(|name| self.values.contains_key(**name)) else { return Ok(None) };
        self.parse(name, self.need(name)?.split_whitespace()).map(Some)
    }

    /// As many numbers as expected, or the default where no such field is there.
    pub(crate) fn exactly<T: FromStr>(
        &self,
        names: &[&str],
        count: usize,
        default: impl FnOnce() -> Vec<T>,
    ) -> Result<Vec<T>, DecodeError> {
        match self.numbers(names)? {
            None => Ok(default()),
            Some(numbers) if numbers.len() == count => Ok(numbers),
            Some(numbers) => Err(self.bad(names[0], format!("{count} numbers"), numbers.len())),
        }
    }

    /// Numbers from their texts; an error names the field.
    pub(crate) fn parse<'a, T: FromStr>(
        &self,
        name: &str,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<T>, DecodeError> {
        texts.map(|t| t.parse().map_err(|_| self.bad(name, "numbers", format!("{t:?}")))).collect()
    }

    /// An error for the value of a field.
    pub(crate) fn bad(&self, name: &str, expected: impl Into<String>, found: impl std::fmt::Display) -> DecodeError {
        bad_field(self.format, name, expected, found)
    }
}

/// Numbers parted by `separator`, each in the fewest digits that give it back to the bit, and no -0.
pub(crate) fn join(numbers: impl IntoIterator<Item = f64>, separator: &str) -> String {
    numbers.into_iter().map(|n| format!("{:?}", n + 0.0)).collect::<Vec<_>>().join(separator)
}

/// Splits the first line off, without its line end; `None` when no line end follows.
pub(crate) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&b| b == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_numbers_come_back_to_the_bit_and_zero_has_no_sign() {
        let numbers = [0.1, -0.0, 1.0 / 3.0, -6.123e-17, 1e300, 5.0];
        let text = join(numbers, " ");
        assert!(!text.split(' ').any(|t| t == "-0" || t == "-0.0"), "{text}");
        let back: Vec<f64> = text.split(' ').map(|t| t.parse().unwrap()).collect();
        assert_eq!(back, numbers);
    }

    #[test]
    fn a_field_that_comes_twice_is_an_error() {
        let mut fields = Fields::new(Format::Nrrd);
        fields.insert("sizes", "1 2").unwrap();
        assert!(fields.insert("sizes", "1 3").unwrap_err().to_string().contains("sizes"));
    }
}
