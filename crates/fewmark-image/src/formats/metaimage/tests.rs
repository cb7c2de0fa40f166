use super::*;

/// A header of a volume of 2 x 1 x 1 bytes, without the fields that are replaced, then the samples 7 and 9.
fn file(changes: &[(&str, &str)]) -> Vec<u8> {
    let usual = [("ObjectType", "Image"), ("NDims", "3"), ("DimSize", "2 1 1"), ("ElementType", "MET_UCHAR")];
    let kept = usual.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let data = [("ElementDataFile", "LOCAL")];
    let lines: String = kept
        .chain(changes)
        .chain(if changes.iter().any(|(name, _)| *name == "ElementDataFile") { &[] } else { &data[..] })
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect();
    [lines.as_bytes(), b"\x07\x09"].concat()
}

fn read(bytes: &[u8]) -> Result<Image, DecodeError> {
    decode(bytes, &mut |name| {
        Err(DecodeError::DataFile { format: Format::MetaImage, name: name.into(), message: "missing".into() })
    })
}

fn field(changes: &[(&str, &str)]) -> String {
    match read(&file(changes)).unwrap_err() {
        DecodeError::Field { field, .. } => field,
        other => panic!("{other}"),
    }
}

#[test]
fn the_usual_file_is_read() {
    let image = read(&file(&[])).unwrap();
    assert_eq!((image.samples(), image.stored()), (&[7.0, 9.0][..], SampleType::U8));
    assert_eq!(image.geometry().affine()[1], [0.0, -1.0, 0.0, 0.0]);
}

#[test]
fn a_header_of_93_bytes_that_asks_for_gigabytes_is_cut_short() {
    let bytes =
        b"NDims = 3\nDimSize = 2000 2000 2250\nCompressedData = 0\nElementType=MET_DOUBLE\nElementDataFile=LOCAL";
    let error = read(bytes).unwrap_err();
    assert!(matches!(error, DecodeError::Truncated { expected: 72_000_000_000, found: 0, .. }), "{error}");
    let packed = read(&file(&[("DimSize", "2000 2000 2000"), ("CompressedData", "True")])).unwrap_err();
    assert!(matches!(packed, DecodeError::Truncated { expected: 8_000_000_000, .. }), "{packed}");
}

#[test]
fn fields_that_are_missing_or_wrong_are_named() {
    for name in ["NDims", "DimSize", "ElementType"] {
        assert_eq!(field(&[(name, "")]), name);
    }
    let no_data = read(b"NDims = 2\nDimSize = 1 1\nElementType = MET_UCHAR\n");
    assert!(matches!(no_data, Err(DecodeError::Field { field, .. }) if field == "ElementDataFile"));
    let wrong = [
        ("NDims", "three"),
        ("DimSize", "2 1"),
        ("DimSize", "2 1 -1"),
        ("DimSize", "2 1 99999999999999999999999"),
        ("ElementType", "MET_OTHER"),
        ("ElementType", "MET_STRING"),
        ("ElementNumberOfChannels", "0"),
        ("ElementSpacing", "1 1"),
        ("Offset", "1 2 x"),
        ("TransformMatrix", "1 0 0 0 1 0 0 0"),
        ("CompressedData", "perhaps"),
        ("HeaderSize", "-2"),
    ];
    for change in wrong {
        assert_eq!(field(&[change]), change.0, "{change:?}");
    }
    assert_eq!(field(&[("ElementNumberOfChannels", "18446744073709551615")]), "size");
    assert_eq!(field(&[("HeaderSize", "-1"), ("CompressedData", "True")]), "HeaderSize");
    assert_eq!(field(&[("Offset", "1 2 3"), ("Offset", "1 2 4")]), "Offset");
}

#[test]
fn numbers_that_make_no_geometry_are_refused() {
    for change in [
        ("DimSize", "2 0 1"),
        ("DimSize", "18446744073709551615 18446744073709551615 2"),
        ("ElementSpacing", "1 -1 1"),
        ("ElementSpacing", "1 nan 1"),
        ("Offset", "0 0 inf"),
        ("TransformMatrix", "1 0 0 0 nan 0 0 0 1"),
        ("TransformMatrix", "1 0 0 1 0 0 0 0 1"),
        ("TransformMatrix", "2 0 0 0 2 0 0 0 2"),
    ] {
        let result = read(&file(&[change]));
        assert!(matches!(result, Err(DecodeError::Geometry { .. })), "{change:?}: {result:?}");
    }
}

#[test]
fn what_is_valid_but_not_read_says_what_to_do() {
    for change in [
        ("NDims", "4"),
        ("BinaryData", "False"),
        ("ElementDataFile", "LIST"),
        ("ElementDataFile", "slice%03d.raw 1 2 1"),
    ] {
        let result = read(&file(&[change]));
        assert!(matches!(result, Err(DecodeError::Unsupported { hint, .. }) if !hint.is_empty()), "{change:?}");
    }
}

#[test]
fn data_that_inflates_to_fewer_bytes_is_cut_short() {
    let mut bytes = file(&[("DimSize", "3 1 1"), ("CompressedData", "True")]);
    bytes.truncate(bytes.len() - 2);
    bytes.extend(crate::formats::stream::zlib(&[7, 9]).unwrap());
    let error = read(&bytes).unwrap_err();
    assert!(matches!(error, DecodeError::Truncated { expected: 3, found: 2, .. }), "{error}");
}

#[test]
fn the_data_file_is_asked_for_by_its_name_and_its_header_passed_over() {
    let header = file(&[("HeaderSize", "3"), ("ElementDataFile", "there.raw")]);
    let image = decode(&header, &mut |name| Ok(if name == "there.raw" { b"abc\x01\x02".to_vec() } else { vec![] }));
    assert_eq!(image.unwrap().samples(), [1.0, 2.0]);
    assert!(matches!(read(&header), Err(DecodeError::DataFile { name, .. }) if name == "there.raw"));
}

#[test]
fn lines_that_are_no_fields_are_refused() {
    for bytes in [&b"NDims 3\n"[..], b"\x00\xff\x00\n", b"NDims"] {
        assert!(matches!(read(bytes), Err(DecodeError::Field { field, .. }) if field == "header line"));
    }
    assert!(matches!(read(b""), Err(DecodeError::Field { field, .. }) if field == "NDims"));
}
