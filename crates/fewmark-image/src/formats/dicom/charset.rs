//! Texts beyond ASCII (PS3.5 section 6.1, PS3.3 section C.12.1.1.2).

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use super::dataset::{DataSet, Tag};

const SPECIFIC_CHARACTER_SET: Tag = 0x0008_0005;
const ESCAPE: u8 = 0x1b;

/// How the texts of a data set are written at first; escape sequences within them may change that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charset(&'static Encoding);

impl Default for Charset {
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl Charset {
    /// That of a data set, or of the one around it where it names none.
    pub(super) fn of(set: &DataSet, outer: &Self) -> Self {
        let Some(names) = set.text(SPECIFIC_CHARACTER_SET) else { return *outer };
        let first = names.split('\\').next().unwrap_or("").trim();
        encoding(first).map_or(*outer, Self)
    }

    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        if !bytes.contains(&ESCAPE) {
            return self.0.decode_without_bom_handling(bytes).0;
        }
        let mut text = String::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let begin = usize::from(rest[0] == ESCAPE);
            let end = rest[begin..].iter().position(|&b| b == ESCAPE).map_or(rest.len(), |at| begin + at);
            let (part, after) = rest.split_at(end);
            let (encoding, part) = escaped(part).unwrap_or((self.0, part));
            text += &encoding.decode_without_bom_handling(part).0;
            rest = after;
        }
        text.into()
    }
}

/// The encoding that a part is in by the escape sequence that it begins with, and what of it is text.
fn escaped(part: &[u8]) -> Option<(&'static Encoding, &[u8])> {
    const KNOWN: [(&[u8], &str, usize); 17] = [
        // The decoder knows these sequences itself.
        (b"$B", "iso-2022-jp", 0),
        (b"(J", "iso-2022-jp", 0),
        (b"(B", "utf-8", 3),
        (b")I", "shift_jis", 3),
        (b"$)C", "euc-kr", 4),
        (b"$)A", "gbk", 4),
        (b"-A", "iso-8859-1", 3),
        (b"-B", "iso-8859-2", 3),
        (b"-C", "iso-8859-3", 3),
        (b"-D", "iso-8859-4", 3),
        (b"-L", "iso-8859-5", 3),
        (b"-G", "iso-8859-6", 3),
        (b"-F", "iso-8859-7", 3),
        (b"-H", "iso-8859-8", 3),
        (b"-M", "iso-8859-9", 3),
        (b"-b", "iso-8859-15", 3),
        (b"-T", "tis-620", 3),
    ];
    let sequence = part.strip_prefix(&[ESCAPE])?;
    let (_, label, skipped) = KNOWN.iter().find(|(known, ..)| sequence.starts_with(known))?;
    Some((Encoding::for_label(label.as_bytes())?, &part[*skipped..]))
}

/// The encoding that a defined term stands for.
fn encoding(term: &str) -> Option<&'static Encoding> {
    let label = match term.trim_start_matches("ISO 2022 IR ").trim_start_matches("ISO_IR ") {
        "100" => "iso-8859-1",
        "101" => "iso-8859-2",
        "109" => "iso-8859-3",
        "110" => "iso-8859-4",
        "144" => "iso-8859-5",
        "127" => "iso-8859-6",
        "126" => "iso-8859-7",
        "138" => "iso-8859-8",
        "148" => "iso-8859-9",
        "203" => "iso-8859-15",
        "166" => "tis-620",
        "13" => "shift_jis",
        "GBK" | "58" => "gbk",
        "149" => "euc-kr",
        "GB18030" => "gb18030",
        "192" => "utf-8",
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // PS3.5 annexes H and I.
        let katakana = Charset(encoding("ISO_IR 13").unwrap());
        let bytes =
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J";
        assert_eq!(katakana.decode(bytes), "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう");
        let korean = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf";
        assert_eq!(Charset::default().decode(korean), "Hong^Gildong=洪^吉洞=홍^길동");
        let latin = Charset(encoding("ISO_IR 100").unwrap());
        assert_eq!(latin.decode(b"M\xfcller"), "Müller");
        assert_eq!(latin.decode(b"\x1b-F\xc4\x1b(B x \x1b?"), "Δ x \u{1b}?");
        assert_eq!((encoding("ISO 2022 IR 149"), encoding("ISO_IR 6").is_none()), (Some(encoding_rs::EUC_KR), true));
    }
}
