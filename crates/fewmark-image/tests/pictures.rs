//! PNG, JPEG, BMP, TIFF and NumPy files against pillow, tifffile and numpy (tests/golden/make_pictures.py).

mod support;

use std::io::Write as _;

use fewmark_image::{
    DecodeError, Dimension, Error, Format, Geometry, Image, SampleType, decode, read_image, write_image,
};
use proptest::prelude::*;
use support::{assert_samples, golden, load, numbers};

#[test]
fn every_kind_is_what_python_reads() {
    for (name, entry) in load("pictures/expected.json").as_object().unwrap() {
        let image = read_image(golden("pictures").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let shape: Vec<usize> = numbers(&entry["shape"]).into_iter().map(|n| n as usize).collect();
        let channels = entry["channels"].as_u64().unwrap() as usize;
        assert_eq!(image.channels(), channels, "{name}");
        let spatial = if channels > 1 { &shape[1..] } else { &shape[..] };
        let size: Vec<usize> = spatial.iter().rev().copied().collect();
        assert_eq!(image.geometry().size()[..size.len()], size, "{name}");
        assert_eq!(image.geometry().dimension().count(), size.len(), "{name}");
        // Decoders of lossy JPEG may differ by rounding; samples of 8 bytes are rounded to f32.
        let tolerance = match name.as_str() {
            "grey.jpg" | "color.jpg" | "progressive.jpg" => 2.0,
            _ => 0.0,
        };
        assert_samples(&image, &entry["samples"], tolerance);
    }
}

#[test]
fn the_stored_type_is_kept() {
    for (name, kind) in [
        ("grey.png", SampleType::U8),
        ("grey16.png", SampleType::U16),
        ("i2.tif", SampleType::I16),
        ("f4.tif", SampleType::F32),
        ("big.npy", SampleType::I32),
        ("bool.npy", SampleType::U8),
    ] {
        assert_eq!(read_image(golden("pictures").join(name)).unwrap().exact_type(), kind, "{name}");
    }
}

fn image(dimension: Dimension, size: [usize; 3], channels: usize, kind: SampleType, seed: u32) -> Image {
    let geometry = Geometry::unit(dimension, size).expect("a size");
    let next = |i: usize| (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8;
    let samples = (0..geometry.len() * channels).map(|i| match kind {
        SampleType::U8 => (next(i) % 256) as f32,
        SampleType::U16 => (next(i) % 65536) as f32,
        SampleType::I16 => (next(i) % 65536) as f32 - 32768.0,
        _ => next(i) as f32 * 0.37 - 1000.0,
    });
    Image::new(samples.collect(), channels, geometry).expect("as many samples as voxels").with_stored(kind)
}

fn round_trip(image: &Image, name: &str) -> Image {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    write_image(&path, image).expect("the format holds the image");
    read_image(&path).expect("what was written can be read")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(
        size in [1usize..9, 1usize..9, 2usize..5],
        kind in prop::sample::select(vec![SampleType::U8, SampleType::U16, SampleType::I16, SampleType::F32]),
        color in any::<bool>(),
        flat in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let (dimension, size) = if flat { (Dimension::Two, [size[0], size[1], 1]) } else { (Dimension::Three, size) };
        let channels = if color { 3 } else { 1 };
        let original = image(dimension, size, channels, kind, seed);
        let tiff = round_trip(&original, "x.tif");
        prop_assert_eq!(tiff.geometry(), original.geometry());
        prop_assert_eq!(tiff.samples(), original.samples());
        let npy = round_trip(&original, "x.npy");
        prop_assert_eq!(npy.geometry().size(), original.geometry().size());
        prop_assert_eq!(npy.samples(), original.samples());
        prop_assert_eq!(npy.stored(), original.exact_type());
        if flat && matches!(kind, SampleType::U8 | SampleType::U16) {
            prop_assert_eq!(&round_trip(&original, "x.png"), &original);
        }
    }
}

#[test]
fn what_png_cannot_hold_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (dimension, size, channels, kind) in [
        (Dimension::Three, [3, 3, 2], 1, SampleType::U8),
        (Dimension::Two, [3, 3, 1], 1, SampleType::F32),
        (Dimension::Two, [3, 3, 1], 2, SampleType::U8),
    ] {
        let error = write_image(folder.path().join("x.png"), &image(dimension, size, channels, kind, 5)).unwrap_err();
        assert!(matches!(&error, Error::CannotStore { reason, .. } if reason.contains(".nii.gz")), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn decode_alone(format: Format, bytes: &[u8]) -> Result<Image, DecodeError> {
    decode(format, bytes, &mut |_| unreachable!("these formats have no data files"))
}

#[test]
fn hostile_arrays_are_refused() {
    for header in [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 1, 1, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 2), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }",
        "{'descr': '<f4', 'shape': (2, 2), }",
        "",
    ] {
        let error = decode_alone(Format::Npy, &npy(header, &[0; 16])).unwrap_err();
        assert!(error.hint().is_some(), "{header}");
    }
}

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

#[test]
fn a_lossless_jpeg_of_less_than_eight_bits_has_a_sample_for_each_pixel() {
    // Seven bits, 2 x 2 pixels, one code: a difference of 0. Its four bits are padded with ones.
    let file = [
        &b"\xff\xd8\xff\xc4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..],
        b"\xff\xc3\0\x0b\x07\0\x02\0\x02\x01\x01\x11\0",
        b"\xff\xda\0\x08\x01\x01\0\x01\0\0\x0f\xff\xd9",
    ];
    let image = decode_alone(Format::Jpeg, &file.concat()).unwrap();
    // The first sample is predicted as half of the range.
    assert_eq!(image.samples(), [64.0; 4]);
}

/// A chunk of a PNG file.
fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut checksum = flate2::Crc::new();
    checksum.update(kind);
    checksum.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &checksum.sum().to_be_bytes()].concat()
}

#[test]
fn pictures_of_enormous_size_are_refused_before_anything_is_reserved() {
    // 60000 x 60000 pixels of four samples of 16 bits.
    let header = png_chunk(b"IHDR", &[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 16, 6, 0, 0, 0]);
    let png = [PNG_SIGNATURE, &header, &png_chunk(b"IDAT", &[])].concat();
    let mut bmp = std::fs::read(golden("pictures/rgb.bmp")).unwrap();
    bmp[18..26].copy_from_slice(&[0x60, 0xea, 0, 0, 0x60, 0xea, 0, 0]);
    // ImageWidth, ImageLength and RowsPerStrip: entries of 12 bytes, the value last.
    let mut tiff = std::fs::read(golden("pictures/u1.tif")).unwrap();
    let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize + 2;
    for entry in tiff[directory..].as_chunks_mut::<12>().0 {
        if [256, 257, 278].contains(&u16::from_le_bytes([entry[0], entry[1]])) {
            entry[8..].copy_from_slice(&60_000u32.to_le_bytes());
        }
    }
    // Height and width in the header of the frame.
    let mut jpeg = std::fs::read(golden("pictures/grey.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[2, 0, 2, 0]);
    let files = [(Format::Png, png), (Format::Bmp, bmp), (Format::Tiff, tiff), (Format::Jpeg, jpeg)];
    for (format, bytes) in files {
        let error = decode_alone(format, &bytes).unwrap_err();
        assert!(error.to_string().contains("cannot come from"), "{error}");
    }
}

#[test]
fn a_cut_jpeg_is_an_error_and_not_a_picture_with_a_grey_end() {
    let bytes = std::fs::read(golden("pictures/grey.jpg")).unwrap();
    for cut in 0..bytes.len() - 2 {
        assert!(decode_alone(Format::Jpeg, &bytes[..cut]).is_err(), "cut to {cut} of {} bytes", bytes.len());
    }
}

#[test]
fn a_palette_of_a_broken_number_of_colours_is_refused() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    // One row: its filter, and the index of a colour.
    encoder.write_all(&[0, 0]).unwrap();
    let one_pixel = encoder.finish().unwrap();
    for (palette, is_read) in [(3, true), (4, false), (5, false), (6, true), (767, false)] {
        let file = [
            PNG_SIGNATURE.to_vec(),
            png_chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0]),
            png_chunk(b"PLTE", &vec![7; palette]),
            png_chunk(b"IDAT", &one_pixel),
            png_chunk(b"IEND", &[]),
        ];
        assert_eq!(decode_alone(Format::Png, &file.concat()).is_ok(), is_read, "{palette} bytes");
    }
}

#[test]
fn tiff_pages_of_unlike_kinds_make_no_stack() {
    use tiff::encoder::{TiffEncoder, colortype::Gray16, colortype::GrayI16};
    let mut file = std::io::Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    encoder.write_image::<Gray16>(2, 1, &[0, 40_000]).unwrap();
    encoder.write_image::<GrayI16>(2, 1, &[0, -40]).unwrap();
    let error = decode_alone(Format::Tiff, &file.into_inner()).unwrap_err();
    assert!(error.to_string().contains("(u16), found page 2") && error.to_string().ends_with("(i16)"), "{error}");
}

#[test]
fn damaged_files_give_errors_or_images_but_never_panic() {
    for entry in std::fs::read_dir(golden("pictures")).unwrap() {
        let path = entry.unwrap().path();
        if let Some(format) = Format::of_name(&path) {
            support::damage(&std::fs::read(&path).unwrap(), |bytes| drop(decode_alone(format, bytes)));
        }
    }
}
