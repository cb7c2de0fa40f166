//! What DICOM files say, and their frames as they are stored (tests/golden/make_dicom.py).

mod support;

use std::io::{Read as _, Write as _};

use fewmark_image::dicom::{Attribute, Value, read_frames, read_header, tag_named};
use fewmark_image::{DecodeError, Error};
use support::{damage, golden};

fn file(name: &str) -> std::path::PathBuf {
    golden("dicom").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).expect("the golden file is there")
}

/// A file with bytes put before its identifier of the study.
fn with_inserted(inserted: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let mut bytes = bytes("explicit.dcm");
    let study = b"\x20\x00\x0d\x00UI";
    let at = bytes.windows(study.len()).position(|w| w == study).expect("the element is there");
    bytes.splice(at..at, inserted.iter().copied());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("x.dcm");
    std::fs::write(&path, bytes).expect("the file can be written");
    (folder, path)
}

#[test]
fn every_encoding_says_the_same() {
    let first = read_header(file("explicit.dcm")).unwrap();
    assert_eq!(first.text(0x0008_0060), Some("CT"));
    assert_eq!(first.get(0x0028_0010).unwrap().value, Value::Integers(vec![7]));
    assert!(first.get(0x7fe0_0010).is_none() && first.get(0x0002_0010).is_none());
    for (name, syntax) in [
        ("implicit", "1.2.840.10008.1.2"),
        ("big_endian", "1.2.840.10008.1.2.2"),
        ("deflated", "1.2.840.10008.1.2.1.99"),
    ] {
        let other = read_header(file(&format!("{name}.dcm"))).unwrap();
        assert_eq!((&other.attributes, other.syntax.as_str()), (&first.attributes, syntax), "{name}");
    }
    // Representations that an implicit file does not tell, words of the other byte order, and items.
    let explicit = read_header(file("described/explicit.dcm")).unwrap();
    assert_eq!(explicit.text(0x0010_0010), Some("Müller^Jörg"));
    let Value::Items(items) = &explicit.get(0x0008_2112).unwrap().value else { panic!("no items") };
    assert_eq!((items.len(), items[0].len(), items[1].len()), (2, 2, 0));
    for name in ["implicit", "big_endian"] {
        let other = read_header(file(&format!("described/{name}.dcm"))).unwrap();
        assert_eq!(other.attributes, explicit.attributes, "{name}");
    }
}

#[test]
fn attributes_are_known_by_keyword_and_by_digits() {
    assert_eq!(tag_named("PatientName"), Some(0x0010_0010));
    assert_eq!(tag_named("0020000D"), Some(0x0020_000d));
    assert_eq!((tag_named("patientname"), tag_named("00200"), tag_named("")), (None, None, None));
}

#[test]
fn a_long_value_is_passed_over_and_what_follows_is_read() {
    let long = vec![7; 300 << 10];
    let head = [&b"\x09\x00\x01\x10OB\0\0"[..], &(long.len() as u32).to_le_bytes(), &long].concat();
    let (_folder, path) = with_inserted(&head);
    let header = read_header(&path).unwrap();
    assert_eq!(header.attributes, read_header(file("explicit.dcm")).unwrap().attributes);
    let short = [&b"\x09\x00\x01\x10OB\0\0\x02\0\0\0"[..], b"\x01\x02"].concat();
    let (_folder, path) = with_inserted(&short);
    let expected = Attribute { tag: 0x0009_1001, vr: *b"OB", value: Value::Bytes(vec![1, 2]) };
    assert_eq!(read_header(&path).unwrap().get(0x0009_1001), Some(&expected));
}

#[test]
fn nesting_is_bounded() {
    let mut nested: Vec<u8> = Vec::new();
    for _ in 0..20_000 {
        let item = [&b"\xfe\xff\x00\xe0"[..], &(nested.len() as u32).to_le_bytes(), &nested].concat();
        nested = [&b"\x09\x00\x02\x10SQ\0\0"[..], &(item.len() as u32).to_le_bytes(), &item].concat();
        if nested.len() > 4000 {
            break;
        }
    }
    let (_folder, path) = with_inserted(&nested);
    let error = read_header(&path).unwrap_err();
    assert!(error.to_string().contains("nested"), "{error}");
}

#[test]
fn native_frames_are_the_bytes_of_the_file() {
    let explicit = read_frames(file("explicit.dcm"), &[1]).unwrap();
    let whole = bytes("explicit.dcm");
    assert_eq!(
        (explicit.syntax.as_str(), &explicit.frames[0][..]),
        ("1.2.840.10008.1.2.1", &whole[whole.len() - 112..])
    );
    for name in ["implicit", "big_endian", "deflated"] {
        assert_eq!(read_frames(file(&format!("{name}.dcm")), &[1]).unwrap(), explicit, "{name}");
    }
    let whole = bytes("multi_frame.dcm");
    let stored = &whole[whole.len() - 4 * 112..];
    let frames = read_frames(file("multi_frame.dcm"), &[3, 1, 3]).unwrap().frames;
    assert_eq!(frames, [&stored[224..336], &stored[..112], &stored[224..336]]);
    for outside in [0, 5] {
        let error = read_frames(file("multi_frame.dcm"), &[1, outside]).unwrap_err();
        assert!(matches!(error, Error::OutsideImage { size: [8, 7, 4], .. }), "{error}");
    }
}

#[test]
fn frames_of_a_file_that_deflates_well_are_found() {
    let whole = bytes("deflated.dcm");
    // The length of group 2 stands behind the mark.
    let body = 144 + u32::from_le_bytes(whole[140..144].try_into().unwrap()) as usize;
    let mut inflated = Vec::new();
    flate2::read::DeflateDecoder::new(&whole[body..]).read_to_end(&mut inflated).unwrap();
    inflated.extend([&b"\xfc\xff\xfc\xffOB\0\0"[..], &100_000u32.to_le_bytes(), &[0; 100_000]].concat());
    let mut packed = flate2::write::DeflateEncoder::new(whole[..body].to_vec(), flate2::Compression::default());
    packed.write_all(&inflated).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.dcm");
    std::fs::write(&path, packed.finish().unwrap()).unwrap();
    assert_eq!(read_frames(&path, &[1]).unwrap(), read_frames(file("explicit.dcm"), &[1]).unwrap());
}

#[test]
fn compressed_frames_keep_their_syntax() {
    let lossless = read_frames(file("jpeg_lossless.dcm"), &[1]).unwrap();
    assert_eq!(lossless.syntax, "1.2.840.10008.1.2.4.70");
    assert!(lossless.frames[0].starts_with(&[0xff, 0xd8]));
    let packed = read_frames(file("rle_explicit.dcm"), &[1]).unwrap();
    assert_eq!((packed.syntax.as_str(), packed.frames[0][0]), ("1.2.840.10008.1.2.5", 2));
}

#[test]
fn a_file_that_is_cut_short_still_says_what_it_says() {
    let whole = bytes("explicit.dcm");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.dcm");
    std::fs::write(&path, &whole[..whole.len() - 50]).unwrap();
    assert_eq!(read_header(&path).unwrap(), read_header(file("explicit.dcm")).unwrap());
    let error = read_frames(&path, &[1]).unwrap_err();
    let Error::Decode { source: DecodeError::Truncated { expected: 112, found: 62, .. }, .. } = error else {
        panic!("{error}")
    };
    std::fs::write(&path, b"nothing of the kind").unwrap();
    assert!(matches!(read_header(&path), Err(Error::Decode { .. })));
    assert!(matches!(read_header(folder.path().join("y.dcm")), Err(Error::Io { .. })));
}

#[test]
fn damaged_files_are_refused_or_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.dcm");
    for name in ["described/implicit.dcm", "rle_explicit.dcm"] {
        damage(&bytes(name), |bytes| {
            std::fs::write(&path, bytes).unwrap();
            let _ = read_header(&path);
            let _ = read_frames(&path, &[1]);
        });
    }
}
