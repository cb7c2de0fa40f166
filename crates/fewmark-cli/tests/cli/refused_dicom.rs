//! Damaged DICOM files, and files that do not make one volume.

use crate::files::{golden, replaced};
use crate::lab::{Lab, Refusals};

/// Rows (0028,0010) of `explicit.dcm`: explicit little endian, unsigned short, 7.
const ROWS: &[u8] = b"\x28\x00\x10\x00US\x02\x00\x07\x00";
/// BitsAllocated (0028,0100) of `explicit.dcm`: 16.
const BITS_ALLOCATED: &[u8] = b"\x28\x00\x00\x01US\x02\x00\x10\x00";
/// SamplesPerPixel (0028,0002) of `explicit.dcm`: 1.
const SAMPLES_PER_PIXEL: &[u8] = b"\x28\x00\x02\x00US\x02\x00\x01\x00";

#[test]
fn single_files() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let file = |name: &str| std::fs::read(golden("dicom").join(name)).unwrap();
    let grey = file("explicit.dcm");
    let mut case = |what: &str, bytes: &[u8]| {
        lab.write("slice.dcm", bytes);
        refused.case(what, &["info", "slice.dcm"]);
    };
    case(
        "Rows of four bytes, and 4 billion of them",
        &replaced(&grey, ROWS, b"\x28\x00\x10\x00UL\x04\x00\xff\xff\xff\xff"),
    );
    case("no Rows", &replaced(&grey, ROWS, b""));
    case("Rows of no byte", &replaced(&grey, ROWS, b"\x28\x00\x10\x00US\x00\x00"));
    case("0 Rows", &replaced(&grey, ROWS, b"\x28\x00\x10\x00US\x02\x00\x00\x00"));
    case("more Rows than pixels", &replaced(&grey, ROWS, b"\x28\x00\x10\x00US\x02\x00\xff\xff"));
    case("12 bits allocated", &replaced(&grey, BITS_ALLOCATED, b"\x28\x00\x00\x01US\x02\x00\x0c\x00"));
    case("1 bit allocated", &replaced(&grey, BITS_ALLOCATED, b"\x28\x00\x00\x01US\x02\x00\x01\x00"));
    case("3 grey samples per pixel", &replaced(&grey, SAMPLES_PER_PIXEL, b"\x28\x00\x02\x00US\x02\x00\x03\x00"));
    case("an unknown kind of colour", &replaced(&grey, b"MONOCHROME2 ", b"INFRARED    "));
    case("a spacing of 0", &replaced(&grey, b"0.7\\0.9 ", b"0.0\\0.9 "));
    case("a spacing that is no number", &replaced(&grey, b"0.7\\0.9 ", b"a.7\\0.9 "));
    case("a file cut within its pixels", &grey[..grey.len() - 20]);
    case("a file cut within its header", &grey[..400]);
    case("the preamble and nothing else", &grey[..132]);
    case("a palette that is missing", &replaced(&file("palette.dcm"), b"\x28\x00\x01\x12", b"\x28\x00\x09\x12"));
    case("JPEG-LS", &file("jpeg_ls.dcm"));
    let jpeg = file("jpeg.dcm");
    let start_of_frame = b"\xff\xc0\x00\x0b\x08\x00\x10";
    case("a JPEG of another size", &replaced(&jpeg, start_of_frame, b"\xff\xc0\x00\x0b\x08\x00\x20"));
    case("a cine loop", &file("cine.dcm"));
    refused.compare("single_dicom_files");
}

#[test]
fn series() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    for folder in ["missing", "mixed"] {
        lab.bring(&golden("dicom").join(folder), folder);
        refused.case(&format!("slices {folder}"), &["info", folder]);
    }
    std::fs::create_dir(lab.path("empty")).unwrap();
    refused.case("an empty folder", &["info", "empty"]);
    refused.case("an empty folder, to be segmented", &["segment", "empty", "-c", "1,1,1", "-o", "mask.nii.gz"]);
    lab.write("notes/notes.txt", "a letter to a friend");
    refused.case("a folder without DICOM", &["info", "notes"]);
    lab.bring(&golden("dicom/oblique"), "twice");
    lab.bring(&golden("dicom/oblique/a.dcm"), "twice/copy.dcm");
    refused.case("a slice twice", &["info", "twice"]);
    lab.bring(&golden("dicom/oblique/a.dcm"), "a.dcm");
    lab.bring(&golden("dicom/jpeg_lossless.dcm"), "large.dcm");
    lab.bring(&golden("dicom/rgb.dcm"), "colour.dcm");
    let convert = |files: &[&'static str]| [&["convert"], files, &["-o", "volume.nii.gz"]].concat();
    refused.case("slices of different sizes", &convert(&["a.dcm", "large.dcm"]));
    refused.case("grey and colour", &convert(&["a.dcm", "colour.dcm"]));
    lab.write("notes.txt", "a letter to a friend");
    refused.case("a file that is no DICOM among those of a series", &convert(&["a.dcm", "notes.txt"]));
    refused.case("a slice that is not there", &convert(&["a.dcm", "b.dcm"]));
    refused.compare("dicom_series");
}
