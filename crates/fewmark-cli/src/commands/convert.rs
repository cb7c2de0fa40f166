//! `fewmark convert`: another format, grid or intensity range.

use fewmark::image::intensity::Window;
use fewmark::image::{
    Format, Interpolation, SampleType, expect_apart, expect_writable, read_image, resample_labels_to,
    resample_labels_to_spacing, resample_to, resample_to_spacing, slice, write_image, write_labels,
};
use fewmark::{Image, LabelMap};

use crate::args::{Common, Convert, Point};
use crate::failure::Failure;
use crate::output::{self, note};

pub(crate) fn run(arguments: &Convert, common: &Common) -> Result<(), Failure> {
    let window = arguments.window.as_deref().map(window).transpose()?;
    expect_writable(&arguments.output)?;
    expect_apart([&arguments.output], arguments.image.iter().chain(&arguments.like))?;
    let mut image = output::read_image(&arguments.image)?;
    if let Some(z) = arguments.slice {
        image = slice(&image, 2, z)?;
    }
    let geometry = if arguments.labels {
        let labels = resample_labels(labels(&image, arguments)?, arguments)?;
        write_labels(&arguments.output, &labels)?;
        labels.geometry().clone()
    } else {
        let mut image = resample(image, arguments)?;
        if let Some(window) = window {
            window.apply(image.samples_mut());
            if Format::of_name(&arguments.output) == Some(Format::Png) {
                image = in_grey_levels(image);
            }
        }
        write_image(&arguments.output, &image)?;
        image.geometry().clone()
    };
    note(common, format!("{}: {geometry}", arguments.output.display()));
    Ok(())
}

/// Samples from 0 to 1 as the 256 levels of a picture, which holds whole numbers only.
fn in_grey_levels(mut image: Image) -> Image {
    image.samples_mut().iter_mut().for_each(|sample| *sample = (*sample * 255.0).round());
    image.with_stored(SampleType::U8)
}

fn resample(image: Image, arguments: &Convert) -> Result<Image, Failure> {
    Ok(match (&arguments.spacing, &arguments.like) {
        (Some(spacing), _) => {
            let spacing = full_spacing(spacing, image.geometry().spacing())?;
            resample_to_spacing(&image, spacing, Interpolation::Linear)?
        }
        (None, Some(like)) => {
            let outside = image.samples().iter().copied().filter(|s| s.is_finite()).fold(f32::INFINITY, f32::min);
            resample_to(&image, read_image(like)?.geometry(), Interpolation::Linear, outside)?
        }
        (None, None) => image,
    })
}

fn labels(image: &Image, arguments: &Convert) -> Result<LabelMap, Failure> {
    Ok(LabelMap::from_image(image).map_err(|error| error.in_file(&arguments.image[0]))?)
}

fn resample_labels(labels: LabelMap, arguments: &Convert) -> Result<LabelMap, Failure> {
    Ok(match (&arguments.spacing, &arguments.like) {
        (Some(spacing), _) => {
            let spacing = full_spacing(spacing, labels.geometry().spacing())?;
            resample_labels_to_spacing(&labels, spacing)?
        }
        (None, Some(like)) => resample_labels_to(&labels, read_image(like)?.geometry(), 0)?,
        (None, None) => labels,
    })
}

/// The spacing along all three axes: that along z stays as it is when two numbers are given.
fn full_spacing(Point(given): &Point, present: [f64; 3]) -> Result<[f64; 3], Failure> {
    if given.iter().any(|s| *s <= 0.0) {
        return Err(Failure::call(format!("--spacing {given:?}: expected positive numbers of mm")));
    }
    Ok(std::array::from_fn(|axis| given.get(axis).copied().unwrap_or(present[axis])))
}

fn window(text: &str) -> Result<Window, Failure> {
    if let Some((_, window)) = Window::PRESETS.iter().find(|(name, _)| *name == text) {
        return Ok(*window);
    }
    let range =
        text.split_once(',').and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
    match range {
        Some((low, high)) if low < high => Ok(Window { low, high }),
        _ => {
            let names: Vec<_> = Window::PRESETS.iter().map(|(name, _)| *name).collect();
            Err(Failure::call(format!("--window {text:?}: expected LOW,HIGH or one of {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_named_or_given() {
        assert_eq!(window("lung").unwrap(), Window::LUNG);
        assert_eq!(window("-100, 200").unwrap(), Window { low: -100.0, high: 200.0 });
        for wrong in ["lungs", "5", "3,1", "a,b"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}
