//! Attributes in the JSON model of DICOM (PS3.18 annex F).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fewmark::image::dicom::{Attribute, Value as Content};
use serde_json::{Map, Value, json};

const CHARACTER_SET: u32 = 0x0008_0005;

/// The attributes by their tags.
pub(super) fn object<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> Value {
    Value::Object(attributes.into_iter().map(|attribute| (key(attribute.tag), entry(attribute))).collect())
}

/// A tag in eight digits.
pub(super) fn key(tag: u32) -> String {
    format!("{tag:08X}")
}

/// An attribute of texts that was made up here.
pub(super) fn texts(tag: u32, vr: [u8; 2], texts: impl IntoIterator<Item = String>) -> Attribute {
    Attribute { tag, vr, value: Content::Texts(texts.into_iter().collect()) }
}

fn entry(attribute: &Attribute) -> Value {
    let vr = String::from_utf8_lossy(&attribute.vr);
    let mut entry = Map::from_iter([("vr".to_owned(), json!(vr))]);
    if let Content::Bytes(bytes) = &attribute.value {
        if !bytes.is_empty() {
            entry.insert("InlineBinary".into(), STANDARD.encode(bytes).into());
        }
        return entry.into();
    }
    let values = values(attribute);
    if !values.is_empty() {
        entry.insert("Value".into(), values.into());
    }
    entry.into()
}

fn values(attribute: &Attribute) -> Vec<Value> {
    match &attribute.value {
        // JSON is written in UTF-8, whatever the file is in.
        Content::Texts(_) if attribute.tag == CHARACTER_SET => vec!["ISO_IR 192".into()],
        Content::Texts(texts) => texts.iter().map(|text| of_text(attribute.vr, text)).collect(),
        Content::Integers(numbers) => numbers.iter().map(|&number| integer(number)).collect(),
        Content::Numbers(numbers) => numbers.iter().map(|&number| decimal(number)).collect(),
        Content::Tags(tags) => tags.iter().map(|&tag| key(tag).into()).collect(),
        Content::Items(items) => items.iter().map(object).collect(),
        Content::Bytes(_) => Vec::new(),
    }
}

/// A text, or what it stands for: a number, or the forms of a name.
fn of_text(vr: [u8; 2], text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    match &vr {
        b"IS" => text.trim().parse().map_or_else(|_| text.into(), integer),
        b"DS" => text.trim().parse().map_or_else(|_| text.into(), decimal),
        b"PN" => {
            let forms = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(text.split('='));
            Value::Object(forms.filter(|(_, form)| !form.is_empty()).map(|(n, f)| (n.to_owned(), f.into())).collect())
        }
        _ => text.into(),
    }
}

fn integer(number: i128) -> Value {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => number.to_string().into(),
    }
}

fn decimal(number: f64) -> Value {
    // What JSON has no number for is written as text.
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_standard_has_them() {
        let attribute = |vr: &[u8; 2], value| Attribute { tag: 0x0010_0010, vr: *vr, value };
        let written = |vr, value| entry(&attribute(vr, value));
        let of = |text: &str| Content::Texts(text.split('\\').map(str::to_owned).collect());
        assert_eq!(
            written(b"PN", of("Yamada^Tarou=山田^太郎")),
            json!({ "vr": "PN", "Value": [{ "Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎" }] })
        );
        assert_eq!(written(b"DS", of("0.5\\-1e3\\x")), json!({ "vr": "DS", "Value": [0.5, -1000.0, "x"] }));
        assert_eq!(written(b"IS", of("12\\")), json!({ "vr": "IS", "Value": [12, null] }));
        assert_eq!(written(b"LO", Content::Texts(Vec::new())), json!({ "vr": "LO" }));
        assert_eq!(written(b"OB", Content::Bytes(vec![1, 2, 3])), json!({ "vr": "OB", "InlineBinary": "AQID" }));
        assert_eq!(written(b"AT", Content::Tags(vec![0x0028_0010])), json!({ "vr": "AT", "Value": ["00280010"] }));
        assert_eq!(written(b"FD", Content::Numbers(vec![f64::NAN])), json!({ "vr": "FD", "Value": ["NaN"] }));
        assert_eq!(
            written(b"UV", Content::Integers(vec![u64::MAX.into()])),
            json!({ "vr": "UV", "Value": [18_446_744_073_709_551_615_u64] })
        );
        let item = vec![Attribute { tag: CHARACTER_SET, vr: *b"CS", value: of("ISO_IR 100") }];
        assert_eq!(
            written(b"SQ", Content::Items(vec![item])),
            json!({ "vr": "SQ", "Value": [{ "00080005": { "vr": "CS", "Value": ["ISO_IR 192"] } }] })
        );
    }
}
