//! Medical images with their place in the patient.
//!
//! [`Image`] holds samples, [`LabelMap`] integer labels; both carry a [`Geometry`] in RAS+ world axes. [`read_image`]
//! and [`read_labels`] take any [`Format`], [`write_image`] and [`write_labels`] choose one by the file name. No header
//! is believed before it is checked against the file: a damaged file gives an [`Error`] with a hint, never a panic or
//! an unbounded allocation.

mod crop;
mod error;
mod format;
mod formats;
mod geometry;
mod image;
pub mod intensity;
mod io;
mod label_map;
pub mod memory;
mod orientation;
mod resample;
mod sample;
mod scaling;

/// The attributes and the stored frames of DICOM files, as other programs ask for them.
pub mod dicom {
    pub use crate::formats::dicom::{Attribute, FileHeader, Frames, Value, read_frames, read_header, tag_named};
}

pub use crop::{crop, crop_to_box, embed_slice, pad, slice, slice_labels, window, window_labels};
pub use error::{DecodeError, Error, SeriesError};
pub use fewmark_grid::Grid;
pub use format::Format;
pub use geometry::{Dimension, Geometry, GeometryError, GeometryMismatch};
pub use image::Image;
pub use io::{
    Compression, decode, encode, encode_png, expect_apart, expect_folder, expect_room_in, expect_writable, holds_dicom,
    is_hidden, is_series, read_image, read_labels, read_series, same_file, write_atomically, write_image, write_labels,
};
pub use label_map::{Label, LabelMap};
pub use orientation::Orientation;
pub use resample::{
    Interpolation, resample_labels_to, resample_labels_to_spacing, resample_to, resample_to_spacing, resample_within,
};
pub use sample::SampleType;
pub use scaling::Scaling;
