//! Damaged and hostile volumes: NIfTI, MetaImage, NRRD and NumPy.

use crate::files::{field, gzip, nifti_1, nifti_1_header, nifti_2, put, put_f32, put_i16, ramp};
use crate::lab::{Lab, Refusals};

#[test]
fn headers_of_nifti() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        nifti_1(&lab, "scan.nii", change);
        refused.case(what, &["info", "scan.nii"]);
    };
    case("377 bytes that ask for 18 GB", &|b| {
        put_i16(b, field::DIM, &[3, 2048, 2048, 1100]);
        b.truncate(377);
    });
    case("no axis", &|b| put_i16(b, field::DIM, &[0]));
    case("200 axes", &|b| put_i16(b, field::DIM, &[200]));
    case("one axis", &|b| put_i16(b, field::DIM, &[1]));
    case("an axis of length 0", &|b| put_i16(b, field::DIM, &[3, 4, 0, 2]));
    case("an axis of negative length", &|b| put_i16(b, field::DIM, &[3, 4, -3, 2]));
    case("five dimensions", &|b| put_i16(b, field::DIM, &[5, 2, 2, 1, 3, 2]));
    case("six dimensions", &|b| put_i16(b, field::DIM, &[6, 2, 2, 1, 1, 1, 6]));
    case("samples that are complex numbers", &|b| put_i16(b, field::DATATYPE, &[32]));
    case("samples of no known type", &|b| put_i16(b, field::DATATYPE, &[77]));
    case("samples at NaN", &|b| put_f32(b, field::VOX_OFFSET, &[f32::NAN]));
    case("samples within the header", &|b| put_f32(b, field::VOX_OFFSET, &[-352.0]));
    case("samples behind the end", &|b| put_f32(b, field::VOX_OFFSET, &[1e9]));
    case("a wrong magic", &|b| put(b, field::MAGIC, &[*b"n?1\0"]));
    case("the header of a pair", &|b| put(b, field::MAGIC, &[*b"ni1\0"]));
    case("an affine of NaN", &|b| put_f32(b, field::SROW_X, &[f32::NAN]));
    case("an affine of zeros", &|b| {
        put_i16(b, field::QFORM_CODE, &[0]);
        put_f32(b, field::SROW_X, &[0.0; 12]);
    });
    case("an infinite spacing", &|b| {
        put_i16(b, field::QFORM_CODE, &[0, 0]);
        put_f32(b, field::PIXDIM, &[1.0, f32::INFINITY]);
    });
    case("half a header", &|b| b.truncate(200));
    case("half the samples", &|b| b.truncate(400));
    refused.compare("headers_of_nifti");
}

#[test]
fn headers_of_nifti_2() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, dim: [i64; 8]| {
        lab.write("scan.nii", nifti_2(dim));
        refused.case(what, &["info", "scan.nii"]);
    };
    case("200 axes", [200, 1, 1, 1, 1, 1, 1, 1]);
    case("a negative number of axes", [-3, 1, 1, 1, 1, 1, 1, 1]);
    case("sizes whose product overflows", [3, i64::MAX, i64::MAX, i64::MAX, 1, 1, 1, 1]);
    case("more voxels than any image has", [3, 1 << 20, 1 << 20, 2, 1, 1, 1, 1]);
    case("no samples", [3, 4, 4, 4, 1, 1, 1, 1]);
    refused.compare("headers_of_nifti_2");
}

#[test]
fn gzip_streams() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, bytes: Vec<u8>| {
        lab.write("scan.nii.gz", bytes);
        refused.case(what, &["info", "scan.nii.gz"]);
    };
    let header = nifti_1_header([3, 4, 4, 4, 1, 1, 1, 1]);
    let whole = gzip(&[&header[..], &[7; 256]].concat());
    case("a bomb: 64 MB behind 256 bytes of samples", gzip(&[&header[..], &vec![0; 64 << 20]].concat()));
    case("a stream that ends early and says that it is whole", gzip(&[&header[..], &[7; 100]].concat()));
    case("few bytes that claim 60 GB", gzip(&nifti_1_header([3, 32_000, 32_000, 15, 1, 1, 1, 1])));
    case("a stream cut in half", whole[..whole.len() / 2].to_vec());
    case("a stream without its checksum", whole[..whole.len() - 8].to_vec());
    let mut wrong = whole.clone();
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    case("a wrong checksum", wrong);
    case("gzip of something else", gzip(b"a letter to a friend"));
    case("the magic of gzip and nothing else", vec![0x1f, 0x8b]);
    refused.compare("gzip_streams");
}

/// Where the system tells how much memory is free.
#[cfg(target_os = "linux")]
#[test]
fn more_than_the_memory_that_is_free() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    // Files with holes: they have a length, but no contents that would have to be stored.
    let lengthen = |name: &str, length: u64| {
        let file = std::fs::File::options().append(true).create(true).open(lab.path(name)).unwrap();
        file.set_len(length).unwrap();
    };
    lengthen("large.nii", 1 << 40);
    refused.case("a file larger than the memory", &["info", "large.nii"]);

    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = meminfo.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10;
    let slices = (total >> 32) as i64 + 1;
    lab.write("packed.nii.gz", gzip(&nifti_2([3, 1 << 15, 1 << 15, slices, 1, 1, 1, 1])));
    lengthen("packed.nii.gz", slices as u64 * (1 << 32) / 1000);
    refused.case("a compressed image larger than the memory", &["info", "packed.nii.gz"]);

    lab.write_image("image.nii.gz", &ramp([4, 4, 2]));
    let fine = ["convert", "image.nii.gz", "-o", "fine.nii.gz", "--spacing", "0.0005,0.0005,0.001"];
    refused.case("a spacing that asks for more than the memory", &fine);
    refused.compare("more_than_the_memory_that_is_free");
}

#[test]
fn metaimages() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, text: &str| {
        lab.write("scan.mha", text);
        refused.case(what, &["info", "scan.mha"]);
    };
    let huge = "NDims = 3\nDimSize = 60000 60000 9999\nElementType = MET_DOUBLE\nElementDataFile = LOCAL\n";
    case("a short header that asks for hundreds of TB", huge);
    case("no size", "NDims = 3\nElementType = MET_SHORT\nElementDataFile = LOCAL\n");
    case("no number of dimensions", "ObjectType = Image\nElementType = MET_SHORT\nElementDataFile = LOCAL\n");
    let image = |fields: &str| format!("NDims = 2\nDimSize = 2 1\nElementType = MET_UCHAR\n{fields}\n");
    case("a negative spacing", &image("ElementSpacing = 1 -1\nElementDataFile = LOCAL\nab"));
    case("a spacing of NaN", &image("ElementSpacing = nan 1\nElementDataFile = LOCAL\nab"));
    case("a spacing that is no number", &image("ElementSpacing = one 1\nElementDataFile = LOCAL\nab"));
    case("axes that do not span the plane", &image("TransformMatrix = 1 0 1 0\nElementDataFile = LOCAL\nab"));
    case("a data file that is not there", &image("ElementDataFile = scan.raw"));
    case("a data file outside the folder", &image("ElementDataFile = ../../etc/passwd"));
    case("an unknown type", "NDims = 2\nDimSize = 2 1\nElementType = MET_STRING\nElementDataFile = LOCAL\nab");
    case("a line that is no field", "NDims = 2\nthis is prose\n");
    refused.compare("metaimages");
}

#[test]
fn nrrds_and_arrays() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, name: &str, bytes: &[u8]| {
        lab.write(name, bytes);
        refused.case(what, &["info", name]);
    };
    let nrrd =
        |fields: &str| format!("NRRD0004\ntype: uint8\ndimension: 2\nencoding: raw\n{fields}\n\nab").into_bytes();
    case("a size that overflows", "scan.nrrd", &nrrd("sizes: 99999999999999999999 1"));
    case("a size for an axis too few", "scan.nrrd", &nrrd("sizes: 2"));
    case("an axis of length 0", "scan.nrrd", &nrrd("sizes: 2 0"));
    case("a spacing of 0", "scan.nrrd", &nrrd("sizes: 2 1\nspacings: 1 0"));
    case("samples missing", "scan.nrrd", &nrrd("sizes: 2 2"));
    let directions = "sizes: 2 1\nspace: left-posterior-superior\nspace directions: (1,0,0) (2,0,0)";
    case("parallel axes", "scan.nrrd", &nrrd(directions));
    let npy =
        |header: &str| [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    case(
        "an array of Python objects",
        "scan.npy",
        &npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }\n"),
    );
    case("an array of one axis", "scan.npy", &npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }\n"));
    let overflow = "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296), }\n";
    case("an array whose size overflows", "scan.npy", &npy(overflow));
    case("an array without samples", "scan.npy", &npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n"));
    refused.compare("nrrds_and_arrays");
}

#[test]
fn files_that_are_no_images() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    lab.write("notes.txt", "a letter to a friend");
    lab.write("noise", [0x5a; 1000]);
    lab.write("letter.nii", "a letter to a friend");
    lab.write("letter.nii.gz", "a letter to a friend");
    for name in ["empty", "empty.nii", "empty.nii.gz", "empty.nrrd", "empty.mha", "empty.dcm", "empty.png", "empty.npy"]
    {
        lab.write(name, "");
        refused.case(&format!("{name}: not a byte"), &["info", name]);
    }
    refused.case("an ending that no format has", &["info", "notes.txt"]);
    refused.case("no ending, and bytes of no format", &["info", "noise"]);
    refused.case("text with the ending of a format", &["info", "letter.nii"]);
    refused.case("text with the ending of a compressed format", &["info", "letter.nii.gz"]);
    refused.case("no file of that name", &["info", "absent.nii.gz"]);
    refused.case("a file within a file", &["info", "notes.txt/scan.nii"]);
    refused.case("no file of that name, to be segmented", &["segment", "absent.png", "-c", "1,1", "-o", "mask.png"]);
    refused.compare("files_that_are_no_images");
}
