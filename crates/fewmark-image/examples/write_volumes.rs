//! Writes volumes in every format, for `tests/golden/check_volumes.py` to read with other programs.
//!
//! `cargo run -p fewmark-image --example write_volumes -- FOLDER` writes made-up volumes and `expected.json`;
//! `... -- COPY FROM TO` reads the file FROM and writes it as TO.

use std::path::Path;

use fewmark_image::{Dimension, Geometry, Image, SampleType, read_image, write_image};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["COPY", from, to] => Ok(write_image(to, &read_image(from)?)?),
        [folder] => write_all(Path::new(folder)),
        _ => Err("usage: write_volumes FOLDER | COPY FROM TO".into()),
    }
}

fn write_all(folder: &Path) -> Result<(), Failure> {
    let mut expected = serde_json::Map::new();
    for (name, image) in images()? {
        for ending in ["nii", "nii.gz", "nrrd", "mha"] {
            let file = format!("{name}.{ending}");
            write_image(folder.join(&file), &image)?;
            expected.insert(file, describe(&image));
        }
    }
    Ok(std::fs::write(folder.join("expected.json"), serde_json::to_string(&expected)?)?)
}

/// Volumes and flat images, oblique and mirrored, of one and of several channels, of every number type.
fn images() -> Result<Vec<(String, Image)>, Failure> {
    let ((sa, ca), (sb, cb)) = (0.3f64.sin_cos(), (-0.7f64).sin_cos());
    let oblique = [[ca, -sa * cb, sa * sb], [sa, ca * cb, -ca * sb], [0.0, sb, cb]];
    let mirrored = oblique.map(|[x, y, z]| [-x, y, z]);
    let turned = [[ca, -sa, 0.0], [sa, ca, 0.0], [0.0, 0.0, 1.0]];
    let origin = [-12.5, 33.25, 7.0];
    let volume = |direction| Geometry::from_parts(Dimension::Three, [3, 4, 5], [0.7, 0.8, 2.5], origin, direction);
    let flat = Geometry::from_parts(Dimension::Two, [4, 3, 1], [0.5, 0.25, 1.0], [5.0, 6.0, 0.0], turned)?;
    let mut images = vec![
        ("mirrored".into(), image(volume(mirrored)?, 1, SampleType::I16)?),
        ("vector".into(), image(volume(oblique)?, 3, SampleType::F32)?),
        ("flat".into(), image(flat.clone(), 1, SampleType::U8)?),
        ("flat_vector".into(), image(flat, 3, SampleType::U8)?),
    ];
    use SampleType::*;
    for kind in [U8, I8, U16, I16, U32, I32, U64, I64, F32, F64] {
        images.push((format!("type_{}", kind.name()), image(volume(oblique)?, 1, kind)?));
    }
    Ok(images)
}

/// Distinct samples that the type holds.
fn image(geometry: Geometry, channels: usize, kind: SampleType) -> Result<Image, Failure> {
    let samples = (0..geometry.len() * channels).map(|i| i as f32).collect();
    Ok(Image::new(samples, channels, geometry)?.with_stored(kind))
}

fn describe(image: &Image) -> serde_json::Value {
    let geometry = image.geometry();
    let voxels = [[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 4], [1, 2, 3]];
    let inside: Vec<[usize; 3]> =
        voxels.iter().map(|v| std::array::from_fn(|a| v[a].min(geometry.size()[a] - 1))).collect();
    serde_json::json!({
        "dimension": geometry.dimension().count(),
        "size": geometry.size(),
        "channels": image.channels(),
        "stored": image.exact_type().name(),
        "samples": image.samples(),
        "voxels": inside,
        "world": inside.iter().map(|v| geometry.voxel_to_world(v.map(|c| c as f64))).collect::<Vec<_>>(),
    })
}
