use super::*;
use crate::GeometryError;

/// A header of a volume of 2 x 1 x 1 bytes, without the fields that are replaced, then the samples 7 and 9.
fn file(changes: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        ("type", "uint8"),
        ("dimension", "3"),
        ("space", "left-posterior-superior"),
        ("sizes", "2 1 1"),
        ("space directions", "(1,0,0) (0,1,0) (0,0,1)"),
        ("encoding", "raw"),
    ];
    let kept = usual.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let lines: String = kept
        .chain(changes)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    [b"NRRD0004\n", lines.as_bytes(), b"\n\x07\x09"].concat()
}

fn read(bytes: &[u8]) -> Result<Image, DecodeError> {
    decode(bytes, &mut |name| {
        Err(DecodeError::DataFile { format: Format::Nrrd, name: name.into(), message: "missing".into() })
    })
}

fn field(changes: &[(&str, &str)]) -> String {
    match read(&file(changes)).unwrap_err() {
        DecodeError::Field { field, .. } => field,
        other => panic!("{other}"),
    }
}

fn is_unsupported(changes: &[(&str, &str)]) -> bool {
    matches!(read(&file(changes)), Err(DecodeError::Unsupported { hint, .. }) if !hint.is_empty())
}

#[test]
fn the_usual_file_is_read() {
    let image = read(&file(&[])).unwrap();
    assert_eq!((image.samples(), image.stored()), (&[7.0, 9.0][..], SampleType::U8));
    assert_eq!(image.geometry().affine()[0], [-1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn fields_that_are_missing_or_wrong_are_named() {
    for name in ["type", "dimension", "sizes", "encoding"] {
        assert_eq!(field(&[(name, "")]), name);
    }
    let wrong = [
        ("type", "uint7"),
        ("dimension", "0"),
        ("dimension", "99999999999999999999"),
        ("dimension", "4000000000"),
        ("sizes", "2 1"),
        ("sizes", "2 -1 1"),
        ("sizes", "2 1 99999999999999999999999"),
        ("encoding", "zip"),
        ("space", "upside-down"),
        ("space directions", "(1,0,0) (0,1,0) 0,0,1"),
        ("space directions", "(1,0,0) (0,1,0) (0,0,1"),
        ("space directions", "(1,0,0) (0,1,0)"),
        ("space directions", " "),
        ("spacings", "1 1"),
        ("space directions", "(1,0) (0,1) (0,0)"),
        ("space origin", "(1,2)"),
        ("space units", "\"ell\" \"ell\" \"ell\""),
        ("kinds", "domain domain"),
        ("line skip", "5"),
        ("byte skip", "-2"),
    ];
    for change in wrong {
        assert_eq!(field(&[change]), change.0, "{change:?}");
    }
    assert_eq!(field(&[("type", "int16")]), "endian");
    assert_eq!(field(&[("type", "int16"), ("endian", "middle")]), "endian");
}

#[test]
fn numbers_that_make_no_geometry_are_refused() {
    for (directions, origin) in [
        ("(nan,0,0) (0,1,0) (0,0,1)", "(0,0,0)"),
        ("(1,0,0) (1,0,0) (0,0,1)", "(0,0,0)"),
        ("(0,0,0) (0,1,0) (0,0,1)", "(0,0,0)"),
        ("(1,0,0) (0,1,0) (0,0,1)", "(0,inf,0)"),
    ] {
        let result = read(&file(&[("space directions", directions), ("space origin", origin)]));
        assert!(matches!(result, Err(DecodeError::Geometry { .. })), "{directions} {origin}");
    }
    let size = |result| matches!(result, Err(DecodeError::Geometry { source: GeometryError::Size(_), .. }));
    assert!(size(read(&file(&[("sizes", "2 0 1")]))));
    assert!(size(read(&file(&[("sizes", "18446744073709551615 18446744073709551615 2")]))));
}

#[test]
fn sizes_that_the_file_cannot_hold_are_refused_before_anything_is_allocated() {
    let huge = [("sizes", "2000 2000 2000"), ("type", "double"), ("endian", "little")];
    for encoding in ["raw", "gzip"] {
        let result = read(&file(&[&huge[..], &[("encoding", encoding)]].concat()));
        assert!(matches!(result, Err(DecodeError::Truncated { expected: 64_000_000_000, .. })), "{result:?}");
    }
    assert_eq!(field(&[&huge[..], &[("encoding", "ascii")]].concat()), "data");
}

#[test]
fn what_is_valid_but_not_read_says_what_to_do() {
    assert!(is_unsupported(&[("data file", "LIST")]));
    assert!(is_unsupported(&[("data file", "slice%03d.raw 1 2 1")]));
    assert!(is_unsupported(&[("encoding", "bzip2")]));
    assert!(is_unsupported(&[("type", "block")]));
    assert!(is_unsupported(&[("space", "RAST")]));
    let four = [("dimension", "4"), ("sizes", "2 1 1 1"), ("space directions", ""), ("space", "")];
    assert!(is_unsupported(&four));
    assert!(is_unsupported(&[&four[..], &[("kinds", "domain list domain domain")]].concat()));
    assert!(is_unsupported(&[&four[..], &[("kinds", "list domain domain list")]].concat()));
}

#[test]
fn a_header_that_is_none_is_refused() {
    for bytes in [&b""[..], b"NRRD", b"NRRD0009\n", b"NRRD00041\n", b"\x00\xff\x00"] {
        assert!(matches!(read(bytes), Err(DecodeError::Field { field, .. }) if field == "magic"));
    }
    let no_colon = read(b"NRRD0004\ntype uint8\n\n");
    assert!(matches!(no_colon, Err(DecodeError::Field { field, .. }) if field == "header line"));
    assert_eq!(field(&[("sizes", "2 1 1"), ("sizes", "2 1 1")]), "sizes");
}

#[test]
fn the_data_file_is_asked_for_by_its_name() {
    let header = file(&[("data file", "there.raw")]);
    let image = decode(&header, &mut |name| Ok(if name == "there.raw" { vec![1, 2] } else { vec![] })).unwrap();
    assert_eq!(image.samples(), [1.0, 2.0]);
    assert!(matches!(read(&header), Err(DecodeError::DataFile { name, .. }) if name == "there.raw"));
}

#[test]
fn samples_at_the_end_of_the_file_are_found_from_there() {
    let mut bytes = file(&[("byte skip", "-1")]);
    bytes.splice(bytes.len() - 2..bytes.len() - 2, *b"anything");
    assert_eq!(read(&bytes).unwrap().samples(), [7.0, 9.0]);
}

#[test]
fn a_kind_or_a_missing_spacing_tells_the_channels() {
    let vector = [("space", ""), ("space directions", ""), ("dimension", "3"), ("sizes", "2 1 1")];
    for more in [("kinds", "RGB-color domain domain"), ("kinds", "vector space space"), ("spacings", "nan 1 1")] {
        let image = read(&file(&[&vector[..], &[more]].concat())).unwrap();
        assert_eq!((image.channels(), image.geometry().dimension()), (2, Dimension::Two), "{more:?}");
    }
}

#[test]
fn microns_become_millimetres() {
    let image = read(&file(&[("space units", "\"um\" \"um\" \"um\""), ("space origin", "(0,0,5000)")])).unwrap();
    assert_eq!((image.geometry().spacing(), image.geometry().origin()[2]), ([0.001; 3], 5.0));
}

#[test]
fn a_slice_with_two_axes_lies_in_a_space_of_three() {
    let slice = [("dimension", "2"), ("sizes", "2 1"), ("space directions", "(0,2,0) (0,0,3)")];
    let image = read(&file(&slice)).unwrap();
    assert_eq!(image.geometry().dimension(), Dimension::Two);
    assert_eq!(image.geometry().voxel_to_world([1.0, 1.0, 0.0]), [0.0, -2.0, 3.0]);
}
