//! The NRRD reader on arbitrary bytes; a data file that a header names holds the header's own bytes.
#![no_main]

use fewmark_image::{Format, decode};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = decode(Format::Nrrd, bytes, &mut |_| Ok(bytes.to_vec()));
});
