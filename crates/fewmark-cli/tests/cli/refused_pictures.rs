//! Damaged and hostile pictures: PNG, JPEG, BMP and TIFF.

use crate::files::{golden, png_of_size};
use crate::lab::{Lab, Refusals};

#[test]
fn pictures() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let file = |name: &str| std::fs::read(golden("pictures").join(name)).unwrap();
    let mut case = |what: &str, name: &str, bytes: &[u8]| {
        lab.write(name, bytes);
        refused.case(what, &["info", name]);
    };
    let png = file("grey.png");
    let mut wrong = png.clone();
    wrong[30] ^= 0xff;
    case("a header with a wrong checksum", "picture.png", &wrong);
    let mut wrong = png.clone();
    let data = png.windows(4).position(|w| w == b"IDAT").unwrap();
    wrong[data + 10] ^= 0xff;
    case("samples with a wrong checksum", "picture.png", &wrong);
    case("a picture cut in half", "picture.png", &png[..png.len() / 2]);
    case("a signature and nothing else", "picture.png", &png[..8]);
    case("65535 pixels squared from few bytes", "picture.png", &png_of_size(&png, 65_535, 65_535));
    case("2 billion pixels squared", "picture.png", &png_of_size(&png, 0x7fff_ffff, 0x7fff_ffff));
    case("no pixels", "picture.png", &png_of_size(&png, 0, 5));
    case("a JPEG cut short", "picture.jpg", &file("grey.jpg")[..200]);
    case("a BMP cut short", "picture.bmp", &file("rgb.bmp")[..40]);
    case("a TIFF of rubbish", "picture.tif", b"II*\0\x08\0\0\0rubbish that is no directory of tags");
    case("a TIFF whose directory lies behind the end", "picture.tif", b"II*\0\xff\xff\xff\x7f");
    let tiff = file("stack.tif");
    case("a TIFF cut in half", "picture.tif", &tiff[..tiff.len() / 2]);
    refused.compare("pictures");
}
