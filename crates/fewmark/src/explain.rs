//! Pages that show what an MSNet does with an image.

mod pictures;

use std::path::Path;

use fewmark_image::Image;
use fewmark_learn::report::{Chart, Page, Png, Section};
use fewmark_learn::supervised::{Explained, Predictor, Visited};
use fewmark_learn::{Compute, model};
use fewmark_nets::{Energy, Pass};

use crate::{Error, VoxelMarks, overlay};
use pictures::{Frame, colour};

/// Channels of `u` that are drawn at every visit.
const DRAWN: usize = 3;
/// A visit whose leading channels have more than this share on average is saturated.
const SATURATED: f64 = 0.99;
/// Channels beside each other.
const COLUMNS: usize = 6;

/// What the MSNet of a model file does with an image, of a volume with its slice `z`, or else the middle one.
///
/// # Errors
/// [`Error::Learn`] when the file cannot be read, is no model, or that of another network, and as
/// [`Predictor::explain`].
pub fn explain(path: impl AsRef<Path>, image: &Image, z: Option<usize>, compute: Compute) -> Result<Explained, Error> {
    let model = model::read(path)?;
    if model.header.method != "supervised" {
        return Err(fewmark_learn::Error::NotExplained { network: model.header.method }.into());
    }
    Ok(Predictor::load(model, compute.device()?)?.explain(image, z)?)
}

/// The mean over the pixels shown of the largest weight of a visit: from `1 / channels`, undecided, to 1, decided.
pub fn confidence(visit: &Visited) -> f64 {
    let largest = strongest(&visit.v).into_iter().enumerate().map(|(i, c)| f64::from(visit.v.channel(c)[i]));
    largest.sum::<f64>() / visit.v.geometry().len() as f64
}

/// The page of an explanation.
///
/// # Errors
/// [`Error::Image`] when a picture cannot be made.
pub fn page(explained: &Explained, title: &str) -> Result<Page, Error> {
    let frame = Frame::of(explained.image.geometry());
    Ok(Page::new(title).sections([
        answer(explained, frame)?,
        reading(explained),
        visits(explained, frame)?,
        energies(explained),
        channels(explained, frame)?,
    ]))
}

fn answer(explained: &Explained, frame: Frame) -> Result<Section, Error> {
    let Explained { image, labels, probabilities, codes, .. } = explained;
    let contours = overlay::render(image, labels, &VoxelMarks::default())?;
    let mut pictures = Vec::new();
    for (class, &code) in codes.iter().enumerate() {
        let p = probabilities.channel(class);
        pictures.push((
            Png::of(&frame.shares(probabilities, [255; 3], |i| p[i])?)?,
            format!("probability of {}", name(code)),
        ));
    }
    let mirrored = if explained.mirrored {
        " This model predicts by the mean over mirrored copies of an image; this page shows the one as it is."
    } else {
        ""
    };
    Ok(Section::new("The answer")
        .text(&format!(
            "A line surrounds each label. The probabilities, from 0 (black) to 1 (white), sum to 1 in every pixel; \
             the label is the likeliest one.{mirrored} The rest of this page shows how the network gets there."
        ))
        .pictures([(Png::of(&contours)?, "what the network finds")])
        .pictures(pictures))
}

fn reading(explained: &Explained) -> Section {
    let channels = explained.config.channels;
    let grids = explained.config.grids;
    Section::new("What is shown")
        .text(&format!(
            "This network (MSNet) is an unrolled solver. The Mumford-Shah model describes an image by functions, one \
             for each kind of region, which are close to the image in their regions and smooth, and by regions with \
             short outlines. Closeness, smoothness and outlines are terms of an energy; the best description has the \
             lowest. The network works on such an energy with {channels} functions u, called features, and {channels} \
             weights v in the place of regions, with operators that it has learned instead of derivatives."
        ))
        .text(&format!(
            "u, the features: a convolution makes {channels} pictures f of the image, and each channel of u is a \
             simplified version of one of them. v, the weights: for every pixel and channel a share between 0 and 1, \
             which sum to 1 in a pixel{}. They say which features describe the pixel. Channels are not classes: kinds \
             of region that the network found useful, from which two last convolutions read the classes.",
            if explained.config.softmax_groups > 1 { " over each group of channels" } else { "" }
        ))
        .text(&format!(
            "There are {grids} grids, each half as fine as the one before. The network visits them from the finest to \
             the coarsest, where a few steps reach across the image, and back. In a visit it improves u for the given \
             v, and then v for that u. On the way down the coarser grids are told what the finer ones have still to \
             solve; on the way up these are corrected by what was found."
        ))
}

/// u and v at each visit, in the order of the visits.
fn visits(explained: &Explained, frame: Frame) -> Result<Section, Error> {
    let drawn = varied(&last(explained).u);
    let columns: Vec<String> = std::iter::once("u, mean of all channels".to_owned())
        .chain(drawn.iter().map(|channel| format!("u, channel {}", channel + 1)))
        .chain(["v, leading channel".to_owned(), "v, its share".to_owned()])
        .collect();
    let mut rows = Vec::new();
    for (i, visit) in explained.visits.iter().enumerate() {
        let Visited { u, v, .. } = visit;
        let mut pictures = vec![frame.stretched(u, &mean(u))?];
        for &channel in &drawn {
            pictures.push(frame.stretched(u, u.channel(channel))?);
        }
        let largest = strongest(v);
        pictures.push(frame.channels(v, &largest)?);
        pictures.push(frame.shares(v, [255; 3], |i| v.channel(largest[i])[i])?);
        let pictures = pictures.iter().map(|picture| Ok(Some(Png::of(picture)?)));
        rows.push((format!("{}: {}", i + 1, passed(visit)), pictures.collect::<Result<_, Error>>()?));
    }
    Ok(Section::new("Visit by visit")
        .text(&format!(
            "Read from top to bottom. Squares are the pixels of the grid. Each picture of u goes from its own \
             smallest value (black) to its own largest (white), so shapes can be compared and brightness cannot; shown \
             are the {DRAWN} channels that vary most at the end. Colours stand for channels, the same everywhere on \
             this page. The share shows how sure the network is: white where one channel has it all, dark where many \
             channels share the pixel. Frames along the border come from the zeros that convolutions see outside the \
             image."
        ))
        .text(&saturation(explained))
        .grid(&columns, rows))
}

/// How many visits leave v where nothing changes it any more.
fn saturation(explained: &Explained) -> String {
    let all = explained.visits.len();
    let saturated = explained.visits.iter().filter(|visit| confidence(visit) > SATURATED).count();
    if saturated == 0 {
        return format!("In none of the {all} visits is v saturated, so each of them can still be trained.");
    }
    format!(
        "In {saturated} of the {all} visits v is saturated: one channel has all of nearly every pixel, so that v \
         hardly reacts to u, and training hardly changes what comes before it. Where the answer is bad too, train \
         again with a smaller training.learning_rate or a larger network.eps."
    )
}

fn energies(explained: &Explained) -> Section {
    let numbered = || explained.visits.iter().enumerate().map(|(i, visit)| (i as f64 + 1.0, visit));
    let line = |of: &dyn Fn(&Visited) -> f64| numbered().map(|(x, visit)| [x, of(visit)]).collect::<Vec<_>>();
    let totals = Chart::new("Energy of each visit", "visit", "energy per pixel")
        .line("as it begins", line(&|visit| visit.entered.total()))
        .line("after the update of u", line(&|visit| visit.after_u.total()))
        .line("after the update of v", line(&|visit| visit.after_v.total()));
    let terms = TERMS
        .iter()
        .fold(Chart::new("Its terms at the end of each visit", "visit", "energy per pixel"), |chart, (name, term)| {
            chart.line(*name, line(&|visit| term(&visit.after_v)))
        });
    let head: Vec<&str> = ["visit", "grid", "pixels", "as it begins", "after u", "after v"]
        .into_iter()
        .chain(TERMS.iter().map(|(name, _)| *name))
        .chain(["leading share"])
        .collect();
    let rows = explained.visits.iter().enumerate().map(|(i, visit)| {
        let size: Vec<String> = visit.size.iter().map(ToString::to_string).collect();
        let size = if visit.size[2] == 1 { size[..2].join(" x ") } else { size.join(" x ") };
        [(i + 1).to_string(), passed(visit), size]
            .into_iter()
            .chain([visit.entered, visit.after_u, visit.after_v].map(|energy| figure(energy.total())))
            .chain(TERMS.iter().map(|(_, term)| figure(term(&visit.after_v))))
            .chain([figure(confidence(visit))])
            .collect::<Vec<_>>()
    });
    Section::new("The energy")
        .text(
            "What a visit works on, per pixel of its grid. Data: how far the features are from f, where their share \
             is large. Smoothness: how rough the learned operator finds them there. Entropy: lowest where channels \
             share a pixel evenly, 0 where one has it all. Coupling: the learned price of the neighbourhood, in the \
             place of the length of the outlines. Source: what other grids ask of this one.",
        )
        .text(
            "The update of v finds the lowest energy that any v has for that u: the line after it never lies above \
             the one before. The update of u follows learned operators that need not be the slope of this energy, so \
             the energy may rise there: such a step was learned for the answer and not for the energy. Energies of \
             different visits are of different problems: compare the three lines at one visit rather than one line \
             across visits.",
        )
        .charts([totals, terms])
        .table(&head, rows)
}

/// The channels at the end, and what they mean for the classes.
fn channels(explained: &Explained, frame: Frame) -> Result<Section, Error> {
    let Visited { u, v, .. } = last(explained);
    let of_class: Vec<Vec<usize>> = explained
        .codes
        .iter()
        .map(|&code| (0..v.geometry().len()).filter(|&i| explained.labels.labels()[i] == code).collect())
        .collect();
    let names: Vec<String> = explained.codes.iter().map(|&code| format!("in {}", name(code))).collect();
    let head: Vec<&str> = std::iter::once("channel").chain(names.iter().map(String::as_str)).collect();
    let share = |channel: usize, pixels: &Vec<usize>| {
        let sum: f64 = pixels.iter().map(|&i| f64::from(v.channel(channel)[i])).sum();
        if pixels.is_empty() { "-".to_owned() } else { format!("{:.3}", sum / pixels.len() as f64) }
    };
    let rows = (0..v.channels()).map(|channel| {
        let shares = of_class.iter().map(|pixels| share(channel, pixels));
        std::iter::once((channel + 1).to_string()).chain(shares).collect::<Vec<_>>()
    });
    let mut section = Section::new("Channel by channel").text(
        "Features and weights at the end of the last visit, the shares in the colour of their channel, from 0 (black) \
         to 1. The table has the mean share of each channel in the pixels of each label that was found: a channel with \
         a large number in one column speaks for that label, one with like numbers in all says little by itself.",
    );
    for from in (0..v.channels()).step_by(COLUMNS) {
        let channels = from..(from + COLUMNS).min(v.channels());
        let columns: Vec<String> = channels.clone().map(|channel| format!("channel {}", channel + 1)).collect();
        let (mut features, mut weights) = (Vec::new(), Vec::new());
        for channel in channels {
            let v_samples = v.channel(channel);
            features.push(Some(Png::of(&frame.stretched(u, u.channel(channel))?)?));
            weights.push(Some(Png::of(&frame.shares(v, colour(channel), |i| v_samples[i])?)?));
        }
        section = section.grid(&columns, [("u".to_owned(), features), ("v".to_owned(), weights)]);
    }
    Ok(section.table(&head, rows))
}

type Term = (&'static str, fn(&Energy) -> f64);

const TERMS: [Term; 5] = [
    ("data", |energy| energy.data),
    ("smoothness", |energy| energy.smoothness),
    ("entropy", |energy| energy.entropy),
    ("coupling", |energy| energy.coupling),
    ("source", |energy| energy.source),
];

fn last(explained: &Explained) -> &Visited {
    explained.visits.last().expect("a network has a grid")
}

fn name(code: u16) -> String {
    if code == 0 { "the background".into() } else { format!("label {code}") }
}

fn passed(visit: &Visited) -> String {
    let way = if visit.pass == Pass::Down { "down" } else { "up" };
    format!("grid {}, {way}", visit.grid)
}

/// An energy, or a share, in few digits.
pub fn figure(value: f64) -> String {
    if value.abs() >= 1e5 {
        return format!("{value:.2e}");
    }
    // Nothing is rounded to -0.
    format!("{:.3}", (value * 1e3).round() / 1e3 + 0.0)
}

/// The mean over the channels, for each voxel.
fn mean(field: &Image) -> Vec<f32> {
    let channels = 0..field.channels();
    let at = |i: usize| channels.clone().map(|c| field.channel(c)[i]).sum::<f32>() / channels.len() as f32;
    (0..field.geometry().len()).map(at).collect()
}

/// The channel with the largest sample, for each voxel.
fn strongest(field: &Image) -> Vec<usize> {
    let largest = |i: usize| {
        let at = |channel: usize| field.channel(channel)[i];
        (1..field.channels()).fold(0, |best, channel| if at(channel) > at(best) { channel } else { best })
    };
    (0..field.geometry().len()).map(largest).collect()
}

/// The channels whose samples vary most, in their order.
fn varied(field: &Image) -> Vec<usize> {
    let deviation = |&channel: &usize| {
        let found = fewmark_image::intensity::mean_and_deviation(field.channel(channel));
        found.map_or(0.0, |[_, deviation]| deviation)
    };
    let mut channels: Vec<usize> = (0..field.channels()).collect();
    channels.sort_by(|a, b| deviation(b).total_cmp(&deviation(a)));
    channels.truncate(DRAWN);
    channels.sort_unstable();
    channels
}
