//! Whether an attribute is what a query asks for (PS3.4 section C.2.2.2).

use fewmark::image::dicom::{Attribute, Value};

/// Whether one of the attribute's values is meant. An absent attribute has none.
pub(super) fn matches(wanted: &str, attribute: Option<&Attribute>, fuzzy: bool) -> bool {
    if wanted.chars().all(|c| c == '*') {
        return true;
    }
    let Some(attribute) = attribute else { return false };
    let values: Vec<String> = match &attribute.value {
        Value::Texts(texts) => texts.clone(),
        Value::Integers(numbers) => numbers.iter().map(i128::to_string).collect(),
        _ => Vec::new(),
    };
    values.iter().any(|value| match &attribute.vr {
        b"UI" | b"CS" => list(wanted).any(|one| is_like(one, value)),
        b"DA" | b"TM" | b"DT" => is_within(wanted, value),
        b"IS" | b"US" | b"UL" => wanted.trim().parse::<i128>().ok() == value.trim().parse().ok(),
        b"PN" if fuzzy => is_named(wanted, value),
        b"PN" => is_like(wanted, value) || is_like(&wanted.replace(' ', "^"), value),
        _ => is_like(wanted, value),
    })
}

/// Several identifiers or codes, any of which will do.
fn list(wanted: &str) -> impl Iterator<Item = &str> {
    wanted.split([',', '\\']).filter(|one| !one.is_empty())
}

/// A day or time, or a range that may be open at one end.
fn is_within(wanted: &str, value: &str) -> bool {
    let value = digits(value);
    match wanted.split_once('-') {
        None => digits(wanted) == value,
        Some((from, to)) => {
            let (from, to) = (digits(from), digits(to));
            // The end of a range takes in all that begins as it does: `10` is the whole hour.
            value >= from && (to.is_empty() || value <= to || value.starts_with(&to))
        }
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Whether every word that is sought begins a part of the name.
fn is_named(wanted: &str, value: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let found = parts(value);
    is_like(wanted, value) || parts(wanted).iter().all(|part| found.iter().any(|word| word.starts_with(part)))
}

/// Whether a text is the wanted one, in which `*` stands for anything and `?` for one character; case does not matter.
fn is_like(wanted: &str, value: &str) -> bool {
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    let value: Vec<char> = value.to_lowercase().chars().collect();
    let (mut w, mut v) = (0, 0);
    // Where the last star stood, and what it has taken in so far.
    let mut star = None;
    while v < value.len() {
        match wanted.get(w) {
            Some('*') => {
                star = Some((w, v));
                w += 1;
            }
            Some(&c) if c == '?' || c == value[v] => (w, v) = (w + 1, v + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (w, v) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    wanted[w..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(vr: &[u8; 2], value: &str, wanted: &str, fuzzy: bool) -> bool {
        let value = Value::Texts(value.split('\\').map(str::to_owned).collect());
        matches(wanted, Some(&Attribute { tag: 0, vr: *vr, value }), fuzzy)
    }

    #[test]
    fn each_kind_is_compared_in_its_own_way() {
        for (vr, value, wanted, expected) in [
            (b"UI", "1.2.3", "1.2.3", true),
            (b"UI", "1.2.3", "1.2", false),
            (b"UI", "1.2.3", "1.2,1.2.3", true),
            (b"CS", "CT\\SEG", "MR\\SEG", true),
            (b"DA", "20200229", "20200101-20201231", true),
            (b"DA", "20200229", "20200301-", false),
            (b"DA", "20200229", "-20200229", true),
            (b"DA", "20200229", "20200229", true),
            (b"TM", "103000", "09-10", true),
            (b"TM", "113000", "09-10", false),
            (b"LO", "Chest CT", "*chest*", true),
            (b"LO", "Chest CT", "chest", false),
            (b"LO", "Chest CT", "c?est*", true),
            (b"IS", "007", "7", true),
            (b"IS", "7", "8", false),
            (b"PN", "Doe^Jane", "doe jane", true),
        ] {
            assert_eq!(found(vr, value, wanted, false), expected, "{wanted} in {value}");
        }
        assert!(found(b"PN", "Doe^Jane", "jan", true) && !found(b"PN", "Doe^Jane", "jan", false));
        assert!(!found(b"PN", "Doe^Jane", "ane", true));
        assert!(matches("", None, false) && matches("*", None, false) && !matches("x", None, false));
    }

    #[test]
    fn stars_take_in_what_they_have_to() {
        let many = "a".repeat(5000);
        assert!(is_like("*a*a*a*", &many) && !is_like("*a*a*b", &many));
        assert!(is_like("", "") && !is_like("", "a") && is_like("**", "") && is_like("a*b*c", "aXbYbZc"));
    }
}
