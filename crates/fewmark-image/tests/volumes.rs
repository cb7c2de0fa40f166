//! Volumes that other programs wrote, and what those programs read in them: see `golden/make_volumes.py`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use fewmark_image::{
    Compression, Dimension, Error, Format, Geometry, Image, SampleType, decode, encode, read_image, write_image,
};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/volumes")
}

/// The files and what is expected of each.
fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    let Value::Object(files) = serde_json::from_str(&text).unwrap() else { panic!("expected.json holds no object") };
    assert!(files.len() > 30);
    files
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn triple(value: &Value) -> [f64; 3] {
    numbers(value).try_into().unwrap()
}

fn far(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).any(|(a, b)| (a - b).abs() >= 1e-5)
}

#[test]
fn files_of_other_programs_are_read_as_those_read_them() {
    for (name, want) in expected() {
        let image = read_image(folder().join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let geometry = image.geometry();
        assert_eq!(geometry.dimension().count() as u64, want["dimension"], "{name}");
        assert_eq!(geometry.size().map(|s| s as f64).to_vec(), numbers(&want["size"]), "{name}");
        assert_eq!(image.channels() as u64, want["channels"], "{name}");
        assert_eq!(image.stored().name(), want["stored"], "{name}");
        let samples: Vec<f32> = numbers(&want["samples"]).into_iter().map(|s| s as f32).collect();
        assert_eq!(image.samples(), samples, "{name}");
        for (voxel, world) in want["voxels"].as_array().unwrap().iter().zip(want["world"].as_array().unwrap()) {
            let found = geometry.voxel_to_world(triple(voxel));
            assert!(!far(&found, &triple(world)), "{name}: {voxel} lies at {found:?}, expected {world}");
        }
        for (row, want_row) in geometry.affine().iter().zip(want["affine"].as_array().unwrap()) {
            assert!(!far(row, &numbers(want_row)), "{name}: {row:?}, expected {want_row}");
            assert!(want["exact"] == false || row.to_vec() == numbers(want_row), "{name}: {row:?} is not {want_row}");
        }
    }
}

#[test]
fn samples_without_compression_are_the_end_of_the_file() {
    let geometry = Geometry::unit(Dimension::Three, [4, 3, 2]).unwrap();
    for (kind, bytes) in [(SampleType::U8, 1), (SampleType::I16, 2)] {
        let samples: Vec<f32> = (0..24u8).map(f32::from).collect();
        let image = Image::new(samples, 1, geometry.clone()).unwrap().with_stored(kind);
        let raw: Vec<u8> = (0..24u8).flat_map(|sample| [sample, 0].into_iter().take(bytes)).collect();
        for (name, format, told) in
            [("a.nrrd", Format::Nrrd, "encoding: raw"), ("a.mha", Format::MetaImage, "CompressedData = False")]
        {
            let plain = encode(name, &image, Compression::None).unwrap();
            assert!(plain.ends_with(&raw) && String::from_utf8_lossy(&plain).contains(told), "{name}");
            assert!(!encode(name, &image, Compression::Usual).unwrap().ends_with(&raw), "{name}");
            assert_eq!(decode(format, &plain, &mut |_| unreachable!("the data is in the file")).unwrap(), image);
        }
        // The name of a NIfTI file tells.
        let [usual, none] = [Compression::Usual, Compression::None].map(|c| encode("a.nii.gz", &image, c).unwrap());
        assert_eq!(usual, none);
    }
}

#[test]
fn every_image_comes_back_from_every_format() {
    let scratch = tempfile::tempdir().unwrap();
    for (name, _) in expected() {
        let image = read_image(folder().join(&name)).unwrap();
        for ending in ["nii", "nii.gz", "nrrd", "mha"] {
            let path = scratch.path().join(format!("{name}.{ending}"));
            write_image(&path, &image).unwrap();
            let back = read_image(&path).unwrap();
            assert_eq!(back.samples(), image.samples(), "{name} as {ending}");
            assert_eq!(back.channels(), image.channels(), "{name} as {ending}");
            assert_eq!(back.stored(), image.exact_type(), "{name} as {ending}");
            // flat.nii lies at z = 7 mm, which NRRD and MetaImage can only say of a volume.
            if name != "flat.nii" || ending.starts_with("nii") {
                assert_eq!(back.geometry().dimension(), image.geometry().dimension(), "{name} as {ending}");
            }
            back.geometry().expect_same_space(image.geometry()).unwrap_or_else(|e| panic!("{name} as {ending}: {e}"));
        }
    }
}

/// The orientation fields of a NIfTI-1 file: pixdim, xyzt_units, the codes, quaternion, offsets and sform rows.
fn orientation_bytes(path: &Path) -> Vec<u8> {
    let file = std::fs::read(path).unwrap();
    let mut header = Vec::new();
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::GzDecoder::new(&file[..]).take(348).read_to_end(&mut header).unwrap();
    } else {
        header.extend(&file[..348]);
    }
    [&header[76..108], &header[123..124], &header[252..328]].concat()
}

#[test]
fn a_nifti_mask_repeats_the_orientation_of_its_scan_to_the_bit() {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["disagreeing.nii.gz", "qform_mirrored.nii.gz", "no_form.nii.gz", "metres.nii", "series.nii.gz"] {
        let scan = read_image(folder().join(name)).unwrap();
        let voxels = scan.geometry().len();
        let mask = Image::new(vec![1.0; voxels], 1, scan.geometry().clone()).unwrap().with_stored(SampleType::U8);
        let path = scratch.path().join("mask.nii");
        write_image(&path, &mask).unwrap();
        assert_eq!(orientation_bytes(&path), orientation_bytes(&folder().join(name)), "{name}");
    }
}

#[test]
fn real_scans_come_back_to_the_bit() {
    let data = std::env::var_os("FEWMARK_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let scratch = tempfile::tempdir().unwrap();
    for name in ["chaos-t2/image_1.nii.gz", "totalseg-example/example_ct.nii.gz", "totalseg-example/example_seg.nii.gz"]
    {
        let path = data.join(name);
        if !path.exists() {
            println!("SKIPPED: {name} is not there; set FEWMARK_DATA to the folder of real images");
            continue;
        }
        let scan = read_image(&path).unwrap();
        let copy = scratch.path().join("copy.nii.gz");
        write_image(&copy, &scan).unwrap();
        assert_eq!(read_image(&copy).unwrap(), scan, "{name}");
        assert_eq!(orientation_bytes(&copy), orientation_bytes(&path), "{name}");
    }
}

#[test]
fn the_same_image_gives_the_same_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    let image = read_image(folder().join("itk_vector.mha")).unwrap();
    for ending in ["nii.gz", "nrrd", "mha"] {
        let bytes = |n: u8| {
            let path = scratch.path().join(format!("{n}.{ending}"));
            write_image(&path, &image).unwrap();
            std::fs::read(path).unwrap()
        };
        assert_eq!(bytes(1), bytes(2), "{ending}");
    }
}

#[test]
fn written_text_headers_have_no_negative_zero() {
    let scratch = tempfile::tempdir().unwrap();
    let direction = [[-1.0, -0.0, 0.0], [0.0, -1.0, -0.0], [-0.0, 0.0, 1.0]];
    let geometry = Geometry::from_parts(Dimension::Three, [2, 1, 1], [1.0; 3], [-0.0, 0.0, -0.0], direction).unwrap();
    let image = Image::new(vec![0.0; 2], 1, geometry).unwrap();
    for ending in ["nrrd", "mha"] {
        let path = scratch.path().join(format!("zero.{ending}"));
        write_image(&path, &image).unwrap();
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        assert!(!text.contains("-0.0"), "{text}");
    }
}

/// Small files of each kind of header and encoding, to be damaged.
const TO_DAMAGE: [&str; 11] = [
    "big_endian.nii",
    "type_u8.nii.gz",
    "nifti_2_big_endian.nii",
    "itk_flat.nii.gz",
    "color.nii.gz",
    "itk_oblique.nrrd",
    "las_ascii.nrrd",
    "skips.nhdr",
    "itk_flat_vector.mha",
    "itk_plain.mha",
    "big_endian.mhd",
];

/// Decodes damaged bytes as the format of the intact file.
fn decode_damaged(name: &str, bytes: &[u8]) -> Result<Image, Error> {
    let path = folder().join(name);
    let format = Format::of_name(&path).unwrap();
    let mut data_file = |data: &str| {
        let message = format!("{data:?} is not there");
        let intact = ["skips.raw", "big_endian.raw"].into_iter().find(|&known| known == data);
        let missing = || fewmark_image::DecodeError::DataFile { format, name: data.to_owned(), message };
        intact.map(|known| std::fs::read(folder().join(known)).unwrap()).ok_or_else(missing)
    };
    decode(format, bytes, &mut data_file).map_err(|source| Error::Decode { path, source })
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    for name in TO_DAMAGE {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        let detached = name.ends_with("hdr") || name.ends_with("mhd");
        for cut in 0..bytes.len() {
            let result = decode_damaged(name, &bytes[..cut]);
            // A text header or text samples may lose their last line end or digits unnoticed.
            let unnoticed = (detached && cut + 12 > bytes.len()) || (name == "las_ascii.nrrd" && cut + 6 > bytes.len());
            assert!(result.is_err() || unnoticed, "{name} cut to {cut} bytes was read");
        }
    }
}

#[test]
fn a_damaged_byte_never_panics_and_every_error_says_what_is_wrong() {
    for name in TO_DAMAGE {
        let intact = std::fs::read(folder().join(name)).unwrap();
        for at in 0..intact.len() {
            for value in [0, 0xff, 0x7f, intact[at] ^ 1, intact[at] ^ 0x80, intact[at].wrapping_add(1), b'9', b'-'] {
                let mut bytes = intact.clone();
                bytes[at] = value;
                if let Err(error) = decode_damaged(name, &bytes) {
                    assert!(error.to_string().len() > 20 && error.hint().is_some(), "{name} at {at}: {error}");
                }
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn several_damaged_bytes_never_panic(
        file in 0..TO_DAMAGE.len(),
        damage in proptest::collection::vec((0.0..1.0f64, proptest::prelude::any::<u8>()), 1..20),
        keep in 0.0..1.0f64,
    ) {
        let name = TO_DAMAGE[file];
        let mut bytes = std::fs::read(folder().join(name)).unwrap();
        for (at, value) in damage {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = value;
        }
        bytes.truncate((keep.sqrt() * bytes.len() as f64) as usize + 1);
        drop(decode_damaged(name, &bytes));
    }
}
