//! The JPEG reader on arbitrary bytes.
#![no_main]

use fewmark_image::{Format, decode};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = decode(Format::Jpeg, bytes, &mut |_| unreachable!("the format has no data files"));
});
