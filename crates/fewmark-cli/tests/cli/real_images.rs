//! A real scan: CHAOS, abdominal MR.

use std::path::PathBuf;

use crate::files::{field, gunzip};
use crate::lab::Lab;

/// The folder of real images, where there is one.
fn data() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("FEWMARK_DATA").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
fn the_liver_of_a_real_scan_is_segmented_in_its_own_geometry() {
    let Some(folder) = data().map(|d| d.join("chaos-t2")).filter(|d| d.join("image_1.nii.gz").is_file()) else {
        println!("SKIPPED: no real images; set FEWMARK_DATA to the folder that holds chaos-t2");
        return;
    };
    let lab = Lab::new();
    lab.bring(&folder.join("image_1.nii.gz"), "scan.nii.gz");
    lab.bring(&folder.join("label_1.nii.gz"), "truth.nii.gz");
    lab.ok(&["clicks", "truth.nii.gz", "--label", "1", "-o", "marks.json", "--object", "liver.nii.gz"]);
    lab.ok(&["segment", "scan.nii.gz", "--marks", "marks.json", "-o", "mask.nii.gz"]);
    let header = |name: &str| gunzip(&lab.read(name))[..field::SAMPLES].to_vec();
    let (scan, mask) = (header("scan.nii.gz"), header("mask.nii.gz"));
    assert_eq!(mask[field::PIXDIM..field::VOX_OFFSET], scan[field::PIXDIM..field::VOX_OFFSET]);
    assert_eq!(mask[field::QFORM_CODE..field::INTENT_NAME], scan[field::QFORM_CODE..field::INTENT_NAME]);
    let dice = lab.dice("mask.nii.gz", "liver.nii.gz");
    println!("Dice of the liver: {dice:.4}");
    assert!(dice > 0.6, "{dice}");
}
