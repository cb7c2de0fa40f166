use super::*;
use crate::{Geometry, GeometryError};

/// A volume of 2 x 2 x 2 bytes as a plain NIfTI-1 file.
fn volume() -> Vec<u8> {
    let geometry = Geometry::unit(Dimension::Three, [2; 3]).unwrap();
    encode(&Image::from_parts((0..8u8).map(f32::from).collect(), 1, geometry, SampleType::U8), false).unwrap()
}

/// The volume with bytes of its header replaced.
fn with(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = volume();
    for (at, new) in changes {
        bytes[*at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

/// The volume with other values in `dim`, from `dim[0]` on.
fn with_dim(dim: &[i16]) -> Vec<u8> {
    let bytes: Vec<u8> = dim.iter().flat_map(|d| d.to_le_bytes()).collect();
    with(&[(40, &bytes)])
}

/// A NIfTI-2 header with the given `dim[0]` and sizes of 1.
fn nifti_2(count: i64) -> Vec<u8> {
    let mut bytes = vec![0; 544];
    bytes[..4].copy_from_slice(&540u32.to_le_bytes());
    bytes[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
    bytes[12..14].copy_from_slice(&2i16.to_le_bytes());
    bytes[16..24].copy_from_slice(&count.to_le_bytes());
    for at in (24..80).step_by(8) {
        bytes[at] = 1;
    }
    bytes[168..176].copy_from_slice(&544i64.to_le_bytes());
    for at in (104..168).step_by(8) {
        bytes[at..at + 8].copy_from_slice(&1f64.to_le_bytes());
    }
    bytes.push(42);
    bytes
}

fn error(bytes: &[u8]) -> DecodeError {
    decode(bytes).unwrap_err()
}

/// The name of the field that the error is about.
fn field(bytes: &[u8]) -> String {
    match error(bytes) {
        DecodeError::Field { field, .. } => field,
        other => panic!("{other}"),
    }
}

#[test]
fn a_short_file_that_asks_for_18_gigabytes_is_cut_short() {
    let mut bytes = with(&[(40, &[3, 0, 0xd0, 0x07, 0xd0, 0x07, 0xca, 0x08]), (70, &16i16.to_le_bytes())]);
    bytes.resize(377, 0);
    let error = error(&bytes);
    assert!(matches!(error, DecodeError::Truncated { expected: 36_000_000_000, found: 25, .. }), "{error}");
    let packed = crate::formats::stream::gzip([&bytes, &[]]).unwrap();
    assert!(matches!(decode(&packed), Err(DecodeError::Truncated { .. })));
}

#[test]
fn a_wrong_number_of_axes_is_named() {
    for count in [-1, 0, 8, 200, i16::MIN] {
        assert_eq!(field(&with_dim(&[count])), "dim[0]");
    }
    assert!(matches!(error(&with_dim(&[1])), DecodeError::Unsupported { .. }));
    for count in [-1, 0, 200, i64::MIN, i64::MAX] {
        assert_eq!(field(&nifti_2(count)), "dim[0]");
    }
    assert_eq!(decode(&nifti_2(3)).unwrap().samples(), [42.0]);
}

#[test]
fn a_size_that_is_not_positive_or_overflows_is_named() {
    assert_eq!(field(&with_dim(&[3, 2, 0, 2])), "dim[2]");
    assert_eq!(field(&with_dim(&[3, 2, 2, -5])), "dim[3]");
    // The geometry refuses more than 2^40 voxels before a product could overflow.
    let mut bytes = nifti_2(3);
    for at in [24, 32, 40] {
        bytes[at..at + 8].copy_from_slice(&i64::MAX.to_le_bytes());
    }
    let error = error(&bytes);
    assert!(matches!(error, DecodeError::Geometry { source: GeometryError::Size(_), .. }), "{error}");
    assert_eq!(field(&with_dim(&[4, 32767, 32767, 1000, 32767])), "size");
}

#[test]
fn a_position_of_the_samples_outside_the_file_is_named() {
    for offset in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -352.0, 0.0, 348.0, 352.5, 361.0, 1e30] {
        assert_eq!(field(&with(&[(108, &offset.to_le_bytes())])), "vox_offset", "{offset}");
    }
    let packed = crate::formats::stream::gzip([&with(&[(108, &100_000f32.to_le_bytes())]), &[]]).unwrap();
    assert_eq!(field(&packed), "vox_offset");
}

#[test]
fn an_unusable_spacing_is_named() {
    for spacing in [f32::NAN, f32::INFINITY, -1.0] {
        assert_eq!(field(&with(&[(84, &spacing.to_le_bytes())])), "pixdim[2]");
    }
    // Zero matters only where the spacing is what places the voxels.
    assert!(decode(&with(&[(84, &[0; 4])])).is_ok());
    let error = error(&with(&[(84, &[0; 4]), (254, &[0, 0])]));
    assert!(matches!(error, DecodeError::Geometry { source: GeometryError::Spacing(_), .. }), "{error}");
}

#[test]
fn an_affine_that_is_not_finite_or_singular_is_refused() {
    let nan = f32::NAN.to_le_bytes();
    assert_eq!(field(&with(&[(284, &nan)])), "srow_x");
    assert_eq!(field(&with(&[(324, &nan)])), "srow_z");
    assert_eq!(field(&with(&[(254, &[0, 0]), (268, &nan)])), "qoffset");
    assert_eq!(field(&with(&[(254, &[0, 0]), (260, &nan)])), "quatern_b, quatern_c, quatern_d");
    assert_eq!(field(&with(&[(254, &[0, 0]), (260, &1.1f32.to_le_bytes())])), "quatern_b, quatern_c, quatern_d");
    assert!(matches!(error(&with(&[(280, &[0; 48])])), DecodeError::Geometry { .. }));
}

#[test]
fn a_slope_of_zero_or_none_means_unscaled_and_an_intercept_is_finite() {
    for slope in [0.0, f32::NAN, f32::INFINITY] {
        let unscaled = with(&[(112, &slope.to_le_bytes()), (116, &5f32.to_le_bytes())]);
        assert_eq!(decode(&unscaled).unwrap().samples()[7], 7.0);
    }
    assert_eq!(field(&with(&[(116, &f32::INFINITY.to_le_bytes())])), "scl_inter");
}

#[test]
fn a_small_file_that_asks_for_18_gigabytes_is_refused_before_they_are_allocated() {
    let plain = with_dim(&[3, 3000, 3000, 2000]);
    let packed = crate::formats::stream::gzip([&plain, &[]]).unwrap();
    for file in [plain, packed] {
        let error = decode(&file).unwrap_err();
        assert!(matches!(error, DecodeError::Truncated { expected: 18_000_000_000.., .. }), "{error}");
    }
}

#[test]
fn what_is_not_nifti_or_not_a_single_file_is_told_apart() {
    assert_eq!(field(&with(&[(344, b"oops")])), "magic");
    assert_eq!(field(&with(&[(0, &[5, 0, 0, 0])])), "sizeof_hdr");
    let pair = error(&with(&[(344, b"ni1\0")]));
    assert!(pair.hint().unwrap().contains(".nii.gz"), "{pair}");
    assert!(matches!(error(&volume()[..100]), DecodeError::Truncated { part: "header", .. }));
}

#[test]
fn what_is_valid_but_not_read_says_what_to_do() {
    let unsupported = |bytes: &[u8]| matches!(error(bytes), DecodeError::Unsupported { hint, .. } if !hint.is_empty());
    assert!(unsupported(&with_dim(&[5, 2, 1, 1, 2, 2])));
    assert!(unsupported(&with_dim(&[6, 2, 2, 1, 1, 1, 2])));
    assert!(unsupported(&with(&[(70, &1792i16.to_le_bytes())])));
    assert!(unsupported(&with(&[(40, &[4, 0, 1, 0, 1, 0, 1, 0, 2, 0]), (70, &128i16.to_le_bytes())])));
    assert_eq!(field(&with(&[(70, &77i16.to_le_bytes())])), "datatype");
    assert_eq!(field(&with(&[(123, &[5])])), "xyzt_units");
}

#[test]
fn trailing_axes_of_length_one_are_no_axes() {
    let image = decode(&with_dim(&[7, 2, 2, 2, 1, 1, 1, 1])).unwrap();
    assert_eq!((image.channels(), image.geometry().dimension()), (1, Dimension::Three));
    let image = decode(&with_dim(&[4, 2, 2, 1, 2])).unwrap();
    assert_eq!((image.channels(), image.channel(1)), (2, &[4.0, 5.0, 6.0, 7.0][..]));
}

#[test]
fn microns_and_metres_become_millimetres() {
    for (unit, spacing) in [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)] {
        assert_eq!(decode(&with(&[(123, &[unit])])).unwrap().geometry().spacing(), [spacing; 3]);
    }
}

#[test]
fn the_written_qform_says_what_the_sform_says() {
    // Turns of many angles, among them half turns, where one quaternion component vanishes; plain and mirrored.
    let angles = [0.0, 0.4, std::f64::consts::FRAC_PI_2, 2.5, std::f64::consts::PI];
    for (a, b, mirror) in angles.iter().flat_map(|&a| angles.map(|b| (a, b, 1.0))).chain([(0.4, 2.5, -1.0)]) {
        let ((sa, ca), (sb, cb)) = (a.sin_cos(), b.sin_cos());
        let direction = [[ca, -sa * cb, sa * sb * mirror], [sa, ca * cb, -ca * sb * mirror], [0.0, sb, cb * mirror]];
        let geometry = Geometry::from_parts(Dimension::Three, [2; 3], [0.7, 1.0, 3.0], [5.0, 6.0, 7.0], direction);
        let image = Image::new(vec![0.0; 8], 1, geometry.unwrap()).unwrap();
        let mut bytes = encode(&image, false).unwrap();
        bytes[254..256].fill(0);
        let by_qform = decode(&bytes).unwrap();
        assert_eq!(by_qform.geometry().nifti().map(|n| n.qform_code), Some(1));
        by_qform.geometry().expect_same_space(image.geometry()).unwrap_or_else(|e| panic!("{a} {b}: {e}"));
    }
}

#[test]
fn a_sheared_grid_is_written_without_a_qform() {
    let affine = [[1.0, 0.2, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    let geometry = Geometry::from_affine(Dimension::Three, [2; 3], affine).unwrap();
    let bytes = encode(&Image::new(vec![0.0; 8], 1, geometry).unwrap(), true).unwrap();
    let back = decode(&bytes).unwrap();
    assert_eq!(back.geometry().nifti().map(|n| (n.qform_code, n.sform_code)), Some((0, 1)));
    assert_eq!(back.geometry().affine()[0][1], f64::from(0.2f32));
}

#[test]
fn an_axis_too_long_for_the_format_is_refused() {
    let geometry = Geometry::unit(Dimension::Two, [40_000, 1, 1]).unwrap();
    let image = Image::from_parts(vec![0.0; 40_000], 1, geometry, SampleType::U8);
    assert!(encode(&image, false).unwrap_err().contains("40000"));
}

#[test]
fn fractions_are_stored_as_floats_and_whole_numbers_as_they_came() {
    let geometry = Geometry::unit(Dimension::Two, [2, 1, 1]).unwrap();
    let stored = |samples| {
        let image = Image::from_parts(samples, 1, geometry.clone(), SampleType::I16);
        decode(&encode(&image, false).unwrap()).unwrap().stored()
    };
    assert_eq!(stored(vec![-5.0, 700.0]), SampleType::I16);
    assert_eq!(stored(vec![-5.0, 0.5]), SampleType::F32);
}
