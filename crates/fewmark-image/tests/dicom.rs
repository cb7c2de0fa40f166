//! DICOM files and series against SimpleITK and pydicom (tests/golden/make_dicom.py), and hostile files.

mod support;

use std::io::Write as _;

use fewmark_image::{
    DecodeError, Dimension, Error, Format, Image, SampleType, SeriesError, read_image, read_series, write_image,
};
use support::{assert_samples, golden, load, numbers};

fn file(name: &str) -> std::path::PathBuf {
    golden("dicom").join(name)
}

fn series_error(name: &str) -> SeriesError {
    match read_image(file(name)) {
        Err(Error::Series { source, .. }) => source,
        other => panic!("expected a series error, found {other:?}"),
    }
}

#[test]
fn an_oblique_series_is_what_simpleitk_reads() {
    let expected = &load("dicom/expected.json")["oblique"];
    let image = read_image(file("oblique")).unwrap();
    assert_samples(&image, &expected["samples"], 1e-3);
    for pair in expected["world"].as_array().unwrap() {
        let voxel = numbers(&pair[0]);
        let lps = numbers(&pair[1]);
        let world = image.geometry().voxel_to_world([voxel[0], voxel[1], voxel[2]]);
        for (found, lps) in world.into_iter().zip([-lps[0], -lps[1], lps[2]]) {
            assert!((found - lps).abs() < 1e-5, "{world:?} is not {lps:?}");
        }
    }
    // Slopes of half a unit: the values do not fit into integers.
    assert_eq!(image.exact_type(), SampleType::F32);
}

#[test]
fn the_order_of_files_does_not_matter() {
    let mut files: Vec<_> = "abcdef".chars().map(|c| file(&format!("oblique/{c}.dcm"))).collect();
    let image = read_series(&files).unwrap();
    files.reverse();
    assert_eq!(read_series(&files).unwrap(), image);
    assert_eq!(read_image(file("oblique")).unwrap(), image);
}

#[test]
fn what_is_wrong_with_a_series_is_said() {
    let SeriesError::Uneven { usual, gaps } = series_error("missing") else { panic!("not uneven") };
    assert!((usual - 2.5).abs() < 1e-3 && gaps.starts_with("5.000 mm"), "{gaps}");
    let SeriesError::Mixed(series) = series_error("mixed") else { panic!("not mixed") };
    assert_eq!(series, ["\"thorax\" (3 files)", "\"scout\" (1 files)"]);
    assert!(matches!(series_error("../pictures"), SeriesError::Empty));
    let twice = [file("oblique/a.dcm"), file("oblique/b.dcm"), file("oblique/a.dcm")];
    let error = read_series(&twice).unwrap_err();
    assert!(matches!(error, Error::Series { source: SeriesError::Duplicate { .. }, .. }), "{error}");
    let sizes = [file("oblique/a.dcm"), file("jpeg_lossless.dcm")];
    let error = read_series(&sizes).unwrap_err();
    assert!(matches!(error, Error::Series { source: SeriesError::Inconsistent { field: "Rows", .. }, .. }), "{error}");
    let volume_and_slice = [file("multi_frame.dcm"), file("explicit.dcm")];
    let error = read_series(&volume_and_slice).unwrap_err();
    let Error::Series { source: SeriesError::SeveralFrames { file: several }, .. } = &error else { panic!("{error}") };
    assert_eq!(several, &file("multi_frame.dcm"));
    let unplaced = [file("explicit.dcm"), file("palette.dcm")];
    let error = read_series(&unplaced).unwrap_err();
    assert!(matches!(error, Error::Series { .. }) && error.hint().is_some(), "{error}");
}

#[test]
fn a_tilted_gantry_shears_the_geometry() {
    let image = read_image(file("tilted")).unwrap();
    let affine = image.geometry().affine();
    let column = |c: usize| [affine[0][c], affine[1][c], affine[2][c]];
    // Slices step straight up, while columns of pixels are tilted by 0.2 rad.
    assert!((column(2)[1]).abs() < 1e-5 && (column(2)[2] - 2.5).abs() < 1e-5, "{affine:?}");
    assert!((column(1)[1] + 0.7 * 0.2f64.cos()).abs() < 1e-6, "{affine:?}");
}

#[test]
fn a_single_slice_keeps_its_place() {
    let image = read_image(file("explicit.dcm")).unwrap();
    assert_eq!(image.geometry().dimension(), Dimension::Three);
    assert_eq!(image.geometry().size(), [8, 7, 1]);
    let spacing = image.geometry().spacing();
    let expected = [0.9, 0.7, 2.5];
    assert!(spacing.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{spacing:?}");
    assert_eq!(image.exact_type(), SampleType::I16);
}

#[test]
fn every_encoding_gives_the_same_samples() {
    let expected = load("dicom/expected.json");
    for name in [
        "explicit",
        "implicit",
        "big_endian",
        "deflated",
        "rgb",
        "rgb_planar",
        "rle_explicit",
        "rle_rgb",
        "jpeg2000_explicit",
        "jpeg2000_rgb",
        "jpeg_lossless",
        "palette",
    ] {
        let image = read_image(file(&format!("{name}.dcm"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        let size = numbers(&expected[name]["size"]);
        assert_eq!(image.geometry().size(), [size[0] as usize, size[1] as usize, 1], "{name}");
        assert_samples(&image, &expected[name]["samples"], 0.0);
    }
    // Decoders of lossy JPEG may differ by rounding.
    let image = read_image(file("jpeg.dcm")).unwrap();
    assert_samples(&image, &expected["jpeg"]["samples"], 2.0);
    assert_eq!(image.geometry().dimension(), Dimension::Two);
    // Compared with the colours before compression. Only the file's header tells which of the two holds RGB.
    for name in ["jpeg_ycbcr", "jpeg_rgb"] {
        assert_samples(&read_image(file(&format!("{name}.dcm"))).unwrap(), &expected[name]["samples"], 6.0);
    }
}

#[test]
fn frames_are_sorted_and_rescaled_one_by_one() {
    let expected = load("dicom/expected.json");
    let image = read_image(file("multi_frame.dcm")).unwrap();
    assert_samples(&image, &expected["multi_frame"]["samples"], 0.0);
    assert!((image.geometry().spacing()[2] - 2.5).abs() < 1e-5);
}

#[test]
fn what_is_not_read_says_so() {
    for (name, what) in [("jpeg_ls.dcm", "JPEG-LS"), ("cine.dcm", "cine loop")] {
        let error = read_image(file(name)).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.hint().is_some());
    }
    let image = read_image(file("explicit.dcm")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(write_image(folder.path().join("x.dcm"), &image), Err(Error::CannotStore { .. })));
}

fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    fewmark_image::decode(Format::Dicom, bytes, &mut |_| unreachable!("DICOM has no data files"))
}

/// The file with the value of an element replaced; it is found by its explicit little-endian header.
fn with_element(name: &str, header: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = std::fs::read(file(name)).expect("the golden file is there");
    let at = bytes.windows(header.len()).position(|w| w == header).expect("the element is there") + header.len();
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes
}

#[test]
fn impossible_headers_are_refused() {
    let us = |element: u16| [&[0x28, 0x00], &element.to_le_bytes()[..], b"US\x02\x00"].concat();
    for (element, value) in
        [(0x0010, 0u16), (0x0010, 65535), (0x0011, 65535), (0x0100, 12), (0x0100, 1), (0x0101, 17), (0x0102, 3)]
    {
        let error = decode(&with_element("explicit.dcm", &us(element), &value.to_le_bytes())).unwrap_err();
        assert!(!error.to_string().is_empty() && error.hint().is_some(), "{element:x}");
    }
    let frames = [0x28, 0, 0x08, 0, b'I', b'S', 2, 0];
    for value in [b"0 ", b"-1", b"99", b"x "] {
        assert!(decode(&with_element("multi_frame.dcm", &frames, value)).is_err());
    }
    // As many frames as a number can say, of a run-length encoded picture of the largest size.
    let large = with_element("rle_explicit.dcm", &us(0x0010), &u16::MAX.to_le_bytes());
    assert!(decode(&large).is_err());
}

#[test]
fn lengths_are_not_believed() {
    for vr in [b"OB", b"UN", b"UT", b"SQ", b"OW"] {
        let mut hostile = std::fs::read(file("explicit.dcm")).unwrap();
        let data = hostile.windows(4).position(|w| w == [0x08, 0, 0x16, 0]).unwrap();
        hostile.truncate(data);
        hostile.extend([0x09, 0, 0x10, 0x10]);
        hostile.extend(vr);
        hostile.extend([0, 0]);
        hostile.extend(0x7fff_fff0u32.to_le_bytes());
        assert!(matches!(decode(&hostile), Err(DecodeError::Truncated { .. })));
    }
}

#[test]
fn nesting_is_bounded() {
    let mut bytes = std::fs::read(file("explicit.dcm")).unwrap();
    let data = bytes.windows(4).position(|w| w == [0x08, 0, 0x16, 0]).unwrap();
    bytes.truncate(data);
    for _ in 0..100_000 {
        bytes.extend([0x40, 0, 0x75, 0x02]);
        bytes.extend(b"SQ\0\0\xff\xff\xff\xff");
        bytes.extend([0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff]);
    }
    assert!(decode(&bytes).unwrap_err().to_string().contains("nested"));
}

#[test]
fn encapsulated_pixels_without_fragments_are_refused() {
    let mut bytes = std::fs::read(file("rle_explicit.dcm")).unwrap();
    let pixels = bytes.windows(4).position(|w| w == [0xe0, 0x7f, 0x10, 0]).unwrap();
    bytes.truncate(pixels + 12);
    bytes.extend([0xfe, 0xff, 0, 0xe0, 0, 0, 0, 0, 0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
    assert!(decode(&bytes).unwrap_err().to_string().contains("fragments"));
}

#[test]
fn a_jpeg_2000_stream_that_ends_after_its_header_is_refused() {
    let mut bytes = std::fs::read(file("jpeg2000_explicit.dcm")).unwrap();
    let tile = bytes.windows(4).position(|w| w == [0xff, 0x90, 0x00, 0x0a]).unwrap();
    bytes[tile + 1] = 0xd9;
    assert!(decode(&bytes).is_err());
}

#[test]
fn jpeg_2000_samples_of_many_bits_are_refused() {
    let mut bytes = std::fs::read(file("jpeg2000_explicit.dcm")).unwrap();
    let size = bytes.windows(4).position(|w| w == [0xff, 0x4f, 0xff, 0x51]).unwrap();
    bytes[size + 42] = 31;
    assert!(decode(&bytes).unwrap_err().to_string().contains("more than 16 bits"));
}

#[test]
fn a_deflate_bomb_is_refused() {
    let source = std::fs::read(file("deflated.dcm")).unwrap();
    // The length of the file meta information is its first element.
    let meta = 144 + u32::from_le_bytes(source[140..144].try_into().unwrap()) as usize;
    let mut encoder = flate2::write::DeflateEncoder::new(source[..meta].to_vec(), flate2::Compression::fast());
    // An element of a private group, as long as its header says.
    encoder.write_all(&[0x09, 0, 0x10, 0x10, b'O', b'B', 0, 0, 0, 0, 0, 0x05]).unwrap();
    encoder.write_all(&vec![0; 0x0500_0000]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    assert!(decode(&bomb).unwrap_err().to_string().contains("expands beyond"));
}

#[test]
fn a_picture_with_a_place_but_no_spacing_is_read_as_a_flat_one() {
    let mut bytes = std::fs::read(file("explicit.dcm")).unwrap();
    let spacing = bytes.windows(6).position(|w| w == [0x28, 0, 0x30, 0, b'D', b'S']).unwrap();
    bytes[spacing + 2] = 0x32;
    let image = decode(&bytes).unwrap();
    assert_eq!((image.geometry().dimension(), image.geometry().spacing()), (Dimension::Two, [1.0; 3]));
}

#[test]
fn more_frames_than_a_number_holds_are_refused() {
    // Twelve digits: more than the header may say; ten: the product with the largest frame exceeds 64 bits.
    let source = std::fs::read(file("cine.dcm")).unwrap();
    let header = [0x28, 0, 0x08, 0, b'I', b'S', 2, 0];
    let at = source.windows(header.len()).position(|w| w == header).unwrap();
    for frames in ["999999999999", "4294967295"] {
        let mut bytes = source[..at + 6].to_vec();
        bytes.extend((frames.len() as u16).to_le_bytes());
        bytes.extend(frames.as_bytes());
        bytes.extend(&source[at + 10..]);
        for element in [0x10, 0x11] {
            let header = [0x28, 0, element, 0, b'U', b'S', 2, 0];
            let size = bytes.windows(header.len()).position(|w| w == header).unwrap() + header.len();
            bytes[size..size + 2].fill(0xff);
        }
        assert!(decode(&bytes).is_err());
    }
}

#[test]
fn reports_beside_a_series_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    for slice in ["a.dcm", "b.dcm", "c.dcm", "d.dcm", "e.dcm", "f.dcm"] {
        std::fs::copy(file("oblique").join(slice), folder.path().join(slice)).unwrap();
    }
    let mut report = std::fs::read(file("oblique/a.dcm")).unwrap();
    let pixels = report.windows(4).position(|w| w == [0xe0, 0x7f, 0x10, 0]).unwrap();
    report.truncate(pixels);
    std::fs::write(folder.path().join("report.dcm"), &report).unwrap();
    std::fs::write(folder.path().join("DICOMDIR"), &report).unwrap();
    assert!(decode(&report).unwrap_err().to_string().contains("a report"));
    assert_eq!(read_image(folder.path()).unwrap(), read_image(file("oblique")).unwrap());
}

#[test]
fn damaged_files_give_errors_or_images_but_never_panic() {
    for entry in std::fs::read_dir(golden("dicom")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "dcm") {
            support::damage(&std::fs::read(&path).unwrap(), |bytes| drop(decode(bytes)));
        }
    }
}
