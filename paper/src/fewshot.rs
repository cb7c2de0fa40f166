//! The protocol of "Self-supervision with Superpixels: Training Few-shot Medical Image Segmentation without Annotation" (SSL-ALPNet): folds,
//! settings, and the test with three labelled slices.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use fewmark::Error;
use fewmark::image::{LabelMap, read_image, read_labels};
use fewmark::learn::fewshot::{Encoded, Predictor, Scan, Support, TrainedSeNet};
use fewmark::metrics::{Confusion, Metric, ScoreOptions, score_case};
use fewmark_grid::{Components, Connectivity};
use serde::{Deserialize, Serialize};

/// Query scans of a fold.
const QUERIES: usize = 4;

/// Parts of an organ along z, each of which has a support slice.
const PARTS: usize = 3;

/// A data set and its classes.
pub struct DataSet {
    /// Name on the command line and in result files.
    pub key: &'static str,
    /// What it is and where it comes from.
    pub source: &'static str,
    /// The code and name of each class.
    pub classes: &'static [(u16, &'static str)],
    /// Classes that are left out together when the others are learned.
    pub groups: &'static [&'static [u16]],
    /// Classes of the two models of setting 2; none where there is no setting 2.
    pub halves: &'static [&'static [u16]],
    /// Mean Dice x 100 of the paper by method and setting.
    pub paper: &'static [(&'static str, u8, f64)],
    /// What distances are counted in.
    pub unit: &'static str,
    load: fn(&Path) -> Result<Vec<Scan>, Error>,
}

/// Abdominal MRI, the paper's own scans.
pub const ABD_MRI: DataSet = DataSet {
    key: "abd-mri",
    source: "chaos-t2 (CHAOS, CC BY-NC-SA 4.0): 20 T2-SPIR scans of the abdomen, 256x256 pixels of 1.25 mm, slices 7.7 mm apart",
    classes: &[(1, "liver"), (2, "right kidney"), (3, "left kidney"), (4, "spleen")],
    groups: &[&[2, 3], &[1], &[4]],
    halves: &[&[2, 3], &[1, 4]],
    paper: &[
        ("ssl-alpnet", 1, 78.84),
        ("ssl-panet", 1, 63.17),
        ("alpnet", 1, 51.28),
        ("panet", 1, 38.53),
        ("se-net", 1, 42.51),
        // Printed with setting 2, but nothing is trained, so it is of both.
        ("init", 1, 23.93),
        ("ssl-alpnet", 2, 73.02),
        ("ssl-panet", 2, 54.85),
        ("alpnet", 2, 50.43),
        ("panet", 2, 46.33),
        ("se-net", 2, 50.66),
    ],
    unit: "mm",
    load: |data| numbered(&data.join("chaos-t2")),
};

/// Cardiac MRI, for the paper's MS-CMRSeg.
pub const CARD_MRI: DataSet = DataSet {
    key: "card-mri",
    source: "acdc (ACDC, CC BY-NC-SA 4.0): end-diastole of 20 patients, for the paper's 35 scans of MS-CMRSeg; without spacing, so taken as it is",
    classes: &[(3, "LV"), (2, "MYO"), (1, "RV")],
    groups: &[&[1], &[2], &[3]],
    halves: &[],
    paper: &[
        ("ssl-alpnet", 1, 76.90),
        ("ssl-panet", 1, 62.25),
        ("alpnet", 1, 60.34),
        ("panet", 1, 42.96),
        ("se-net", 1, 32.03),
    ],
    unit: "voxels, as their scans have no spacing",
    load: |data| cardiac(&data.join("acdc")),
};

/// All data sets.
pub const DATA_SETS: [DataSet; 2] = [ABD_MRI, CARD_MRI];

/// Which slices a training may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// All.
    One,
    /// None that holds a class that is tested, as in the paper's code.
    TwoAny,
    /// None that holds all the classes that are tested, as in later code.
    TwoAll,
}

impl Setting {
    /// Of its name on the command line.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "1" => Self::One,
            "2-any" => Self::TwoAny,
            "2-all" => Self::TwoAll,
            _ => return None,
        })
    }

    /// The paper's number.
    pub fn number(self) -> u8 {
        if self == Self::One { 1 } else { 2 }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One => "1",
            Self::TwoAny => "2, any",
            Self::TwoAll => "2, all",
        })
    }
}

/// The scans of one fold.
pub struct Fold {
    /// Without labels that may be learned from.
    pub taught: Vec<Scan>,
    /// The one labelled scan.
    pub support: Scan,
    /// The scans that are segmented.
    pub queries: Vec<Scan>,
}

/// One model of a setting: what it is tested on.
pub struct Part {
    /// Classes that are tested.
    pub tested: Vec<u16>,
    /// Scans to learn from.
    pub scans: Vec<Scan>,
}

impl DataSet {
    /// All scans with their labels, in the order of their numbers.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn load(&self, data: &Path) -> Result<Vec<Scan>, Error> {
        (self.load)(data)
    }

    /// A fold: four scans to segment and the next as the support; neither is learned from. With `development` the same of the scans that
    /// the fold leaves to learn from, so that settings can be chosen without its test scans.
    pub fn fold(&self, scans: &[Scan], number: usize, development: bool) -> Fold {
        let mut round: Vec<&Scan> = (0..scans.len()).map(|i| &scans[(number * QUERIES + i) % scans.len()]).collect();
        if development {
            round.drain(..=QUERIES);
        }
        let owned = |scans: &[&Scan]| scans.iter().map(|&scan| scan.clone()).collect();
        Fold {
            queries: owned(&round[..QUERIES]),
            support: round[QUERIES].clone(),
            taught: owned(&round[QUERIES + 1..]),
        }
    }

    /// The models of a setting and what each may learn from. `annotated` keeps the labels of the classes that are not tested.
    pub fn parts(&self, fold: &Fold, setting: Setting, annotated: bool) -> Vec<Part> {
        let all = [self.classes.iter().map(|&(code, _)| code).collect::<Vec<_>>()];
        let groups: Vec<Vec<u16>> = match (setting, annotated) {
            (Setting::One, false) => all.to_vec(),
            (Setting::One, true) => self.groups.iter().map(|group| group.to_vec()).collect(),
            _ => self.halves.iter().map(|half| half.to_vec()).collect(),
        };
        groups
            .into_iter()
            .map(|tested| Part {
                scans: fold.taught.iter().map(|s| visible(s, &tested, setting, annotated)).collect(),
                tested,
            })
            .collect()
    }
}

/// What of a scan may be learned from when some classes are tested.
fn visible(scan: &Scan, tested: &[u16], setting: Setting, annotated: bool) -> Scan {
    let labels = scan.labels.as_ref().expect("scans of the protocol are labelled");
    let [width, height, _] = labels.geometry().size();
    let slices = labels.labels().chunks_exact(width * height);
    let allowed = |slice: &[u16]| {
        let mut held = tested.iter().map(|class| slice.contains(class));
        match setting {
            Setting::One => true,
            Setting::TwoAny => !held.any(|held| held),
            Setting::TwoAll => !held.all(|held| held),
        }
    };
    let known = annotated.then(|| {
        let kept = labels.labels().iter().map(|&l| if tested.contains(&l) { 0 } else { l }).collect();
        LabelMap::new(kept, labels.geometry().clone()).expect("as many labels as before")
    });
    Scan { allowed: Some(slices.map(allowed).collect()), labels: known, ..scan.clone() }
}

/// Scores of one class, a number a query scan, x 100.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// The class.
    pub label: u16,
    /// Dice by the paper's protocol.
    pub dice: Vec<f64>,
    /// That of the largest component of what was found.
    pub largest: Vec<f64>,
    /// Dice of whole scans that are segmented by the whole labelled scan, nothing being known of the query.
    pub whole: Vec<f64>,
    /// The 95th percentile of the distances between the surfaces of that, in the data set's unit; the diagonal of the scan where nothing is found.
    pub hd95: Vec<f64>,
}

impl ClassRow {
    /// Adds what was found by the paper's protocol.
    fn push_strict(&mut self, found: &[bool], labels: &LabelMap) {
        let truth = labels.mask(self.label);
        let largest = Components::of(found, &labels.geometry().grid(), Connectivity::Corner).largest();
        let dice = |found: &[bool]| 100.0 * Confusion::between(found, &truth).dice().unwrap_or(1.0);
        self.dice.push(dice(found));
        self.largest.push(dice(&largest));
    }
}

/// Tests an SE-Net on the queries of a fold by the paper's protocol; it has no other way to choose a slice of the support.
///
/// # Errors
/// What keeps a scan from being segmented.
pub fn tested_se_net(network: &TrainedSeNet, fold: &Fold, tested: &[u16]) -> Result<Vec<ClassRow>, Error> {
    let support = (&fold.support.image, labels(&fold.support));
    let of_class = |&label: &u16| {
        let mut row = ClassRow { label, ..ClassRow::default() };
        let shown = part_slices(slices_of(support.1, label));
        for query in &fold.queries {
            let places = places(&shown, labels(query), label);
            let nearest =
                |at: f64| shown.into_iter().min_by(|&a, &b| (a as f64 - at).abs().total_cmp(&(b as f64 - at).abs()));
            let by: Vec<Option<usize>> = places.into_iter().map(|at| at.and_then(nearest)).collect();
            row.push_strict(&network.find(&query.image, support, label, &by)?, labels(query));
        }
        Ok(row)
    };
    tested.iter().map(of_class).collect()
}

/// Tests a model on the queries of a fold, in two ways.
///
/// By the paper's protocol: three labelled slices of the support scan, each for a third of the slices that hold the class in the query; the
/// other slices are not segmented. (So the true extent along z is given to the method.) And as a user would: all slices of the labelled
/// scan, nothing known of the query. So many of the scans that are learned from have the labels carried to them first, without anything known of them
/// either.
///
/// # Errors
/// What keeps a scan from being encoded.
pub fn tested(predictor: &Predictor, fold: &Fold, tested: &[u16], unlabelled: usize) -> Result<Vec<ClassRow>, Error> {
    let encode = |scan: &Scan| predictor.encode(&scan.image, &mut |_| ControlFlow::Continue(()));
    let encode_all = |scans: &[Scan]| scans.iter().map(encode).collect::<Result<Vec<_>, _>>();
    let support = encode(&fold.support)?;
    let between = encode_all(&fold.taught[..unlabelled.min(fold.taught.len())])?;
    let queries = encode_all(&fold.queries)?;
    let mut rows: BTreeMap<u16, ClassRow> =
        tested.iter().map(|&label| (label, ClassRow { label, ..ClassRow::default() })).collect();

    let whole = reaching(predictor, Support::new(predictor, &support, labels(&fold.support))?, &between)?;
    let options = ScoreOptions { labels: Some(tested.to_vec()), ..ScoreOptions::default() };
    for (query, encoded) in fold.queries.iter().zip(&queries) {
        let found = predictor.segment(encoded, &whole, &mut |_| ControlFlow::Continue(()))?;
        let scores = score_case(&found.labels, labels(query), &options).map_err(fewmark::image::Error::from)?;
        for (row, scored) in rows.values_mut().zip(&scores.labels) {
            let score = |metric| scored.scores.get(&metric).and_then(|score| score.finite());
            row.whole.push(100.0 * score(Metric::Dice).unwrap_or(0.0));
            row.hd95.push(score(Metric::Hd95).unwrap_or(scores.diagonal_mm));
        }
    }
    drop(whole);

    for (&label, row) in &mut rows {
        let shown = three_slices(labels(&fold.support), label)?;
        let supports = reaching(predictor, Support::new(predictor, &support, &shown)?, &between)?;
        let held =
            |support: &Support| if support.is_carried() { support.showing(label) } else { slices_of(&shown, label) };
        let parts: Vec<[usize; PARTS]> = supports.iter().map(|support| part_slices(held(support))).collect();
        for (query, encoded) in fold.queries.iter().zip(&queries) {
            let placed = parts.iter().map(|slices| places(slices, labels(query), label));
            let shown: Vec<_> = supports.iter().zip(placed).collect();
            row.push_strict(&predictor.find(encoded, label, &shown)?.mask, labels(query));
        }
    }
    Ok(rows.into_values().collect())
}

/// A support, and the scans between it and others as supports of what it finds in them.
fn reaching(predictor: &Predictor, support: Support, between: &[Encoded]) -> Result<Vec<Support>, Error> {
    let mut supports = vec![support];
    for scan in between {
        supports.extend(predictor.carried(scan, &supports[..1], &mut |_| ControlFlow::Continue(()))?);
    }
    Ok(supports)
}

fn labels(scan: &Scan) -> &LabelMap {
    scan.labels.as_ref().expect("scans of the protocol are labelled")
}

/// The slices that hold a label.
fn slices_of(labels: &LabelMap, label: u16) -> Vec<usize> {
    let [width, height, _] = labels.geometry().size();
    let slices = labels.labels().chunks_exact(width * height);
    slices.enumerate().filter(|(_, slice)| slice.contains(&label)).map(|(z, _)| z).collect()
}

/// The slices at one, three and five sixths of those that hold an organ; of three slices these.
fn part_slices(held: Vec<usize>) -> [usize; PARTS] {
    std::array::from_fn(|part| held[held.len() * (2 * part + 1) / (2 * PARTS)])
}

/// Where in a support, of whose parts these are the slices, each slice of a query lies that is in the extent of an organ, which is known.
fn places(slices: &[usize; PARTS], truth: &LabelMap, label: u16) -> Vec<Option<f64>> {
    let held = slices_of(truth, label);
    let depth = truth.geometry().size()[2];
    let (Some(&first), Some(&last)) = (held.first(), held.last()) else { return vec![None; depth] };
    (0..depth).map(|z| (first..=last).contains(&z).then(|| place(slices, z, first, last))).collect()
}

/// Of an organ only the slices of its parts, and nothing else.
fn three_slices(labels: &LabelMap, label: u16) -> Result<LabelMap, Error> {
    let slices = part_slices(slices_of(labels, label));
    let [width, height, _] = labels.geometry().size();
    let shown = |(i, &l): (usize, &u16)| if l == label && slices.contains(&(i / (width * height))) { l } else { 0 };
    let shown = labels.labels().iter().enumerate().map(shown).collect();
    Ok(LabelMap::new(shown, labels.geometry().clone())?)
}

/// Where in the support a slice of the extent `[first, last]` lies: its sixths lie as the labelled slices do. So each of these is the nearest
/// one to its third.
fn place(slices: &[usize; PARTS], z: usize, first: usize, last: usize) -> f64 {
    // The least step forward: a slice between two thirds belongs to the later one.
    let share = if first == last { 0.0 } else { (z - first) as f64 / (last - first) as f64 + 1e-9 };
    let at = (PARTS as f64 * share - 0.5).clamp(0.0, (PARTS - 1) as f64);
    let part = (at as usize).min(PARTS - 2);
    let [from, to] = [slices[part] as f64, slices[part + 1] as f64];
    from + (at - part as f64) * (to - from)
}

/// `image_N.nii.gz` and `label_N.nii.gz`, by their numbers.
fn numbered(folder: &Path) -> Result<Vec<Scan>, Error> {
    let mut scans: Vec<(u32, Scan)> = Vec::new();
    for name in names(folder)? {
        let Some(number) = name.strip_prefix("image_").and_then(|n| n.strip_suffix(".nii.gz")) else { continue };
        let labels = folder.join(format!("label_{number}.nii.gz"));
        let number: u32 = number.parse().unwrap_or(u32::MAX);
        scans.push((number, scan(&folder.join(&name), &labels, name)?));
    }
    scans.sort_by_key(|&(number, _)| number);
    Ok(scans.into_iter().map(|(_, scan)| scan).collect())
}

/// The first of the two frames of each patient, end-diastole.
fn cardiac(folder: &Path) -> Result<Vec<Scan>, Error> {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for name in names(folder)? {
        if let Some((patient, _)) = name.split_once("_frame").filter(|_| name.ends_with("_image.nii.gz")) {
            first.entry(patient.to_owned()).or_insert(name);
        }
    }
    first
        .into_values()
        .map(|name| scan(&folder.join(&name), &folder.join(name.replace("_image", "_label")), name))
        .collect()
}

fn scan(image: &Path, labels: &Path, name: String) -> Result<Scan, Error> {
    Ok(Scan { name, image: read_image(image)?, labels: Some(read_labels(labels)?), allowed: None })
}

/// The names of the files of a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |source| fewmark::image::Error::Io { action: "list", path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        names.extend(entry.map_err(unreadable)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_belong_to_thirds_of_the_extent() {
        let slices = [4, 9, 13];
        let nearest = |z, first, last| {
            let at = place(&slices, z, first, last);
            (0..PARTS).min_by(|&a, &b| (slices[a] as f64 - at).abs().total_cmp(&(slices[b] as f64 - at).abs()))
        };
        assert_eq!([10, 19, 20, 29, 30, 40].map(|z| nearest(z, 10, 40)), [0, 0, 1, 1, 2, 2].map(Some));
        for (first, last) in (0..30).flat_map(|first| (first..30).map(move |last| (first, last))) {
            for z in first..=last {
                let third = if first == last { 0 } else { (PARTS * (z - first) / (last - first)).min(PARTS - 1) };
                assert_eq!(nearest(z, first, last), Some(third), "{z} of {first}..={last}");
            }
        }
        assert!((place(&slices, 5, 0, 10) - 9.0).abs() < 1e-6);
    }

    #[test]
    fn folds_part_the_scans_and_nothing_tested_is_learned_from() {
        let geometry = fewmark::Geometry::unit(fewmark::Dimension::Three, [2, 1, 3]).expect("a size that can be");
        let scan = |i: usize| Scan {
            name: i.to_string(),
            image: fewmark::Image::new(vec![i as f32; 6], 1, geometry.clone()).expect("six samples"),
            labels: Some(LabelMap::new(vec![0, 1, 2, 3, 4, 0], geometry.clone()).expect("six labels")),
            allowed: None,
        };
        let scans: Vec<Scan> = (0..20).map(scan).collect();
        let mut tested = Vec::new();
        for number in 0..5 {
            for development in [false, true] {
                let fold = ABD_MRI.fold(&scans, number, development);
                let names = |scans: &[Scan]| scans.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
                let (taught, queries) = (names(&fold.taught), names(&fold.queries));
                assert_eq!((taught.len(), queries.len()), (if development { 10 } else { 15 }, 4));
                assert!(!taught.contains(&fold.support.name) && !queries.contains(&fold.support.name));
                assert!(queries.iter().all(|query| !taught.contains(query)));
                if !development {
                    tested.extend(queries);
                }
                // Slices hold {1}, {2, 3} and {4}.
                for (setting, kidneys, others) in [
                    (Setting::TwoAny, [true, false, true], [false, true, false]),
                    (Setting::TwoAll, [true, false, true], [true, true, true]),
                ] {
                    let parts = ABD_MRI.parts(&fold, setting, false);
                    assert_eq!([&parts[0].tested[..], &parts[1].tested[..]], [[2, 3], [1, 4]]);
                    let allowed = |part: &Part| part.scans[0].allowed.clone().expect("a choice");
                    assert_eq!([allowed(&parts[0]), allowed(&parts[1])], [kidneys, others].map(|a| a.to_vec()));
                }
                let known = ABD_MRI.parts(&fold, Setting::One, true);
                assert_eq!(known[0].scans[0].labels.as_ref().map(LabelMap::present), Some(vec![1, 4]));
            }
        }
        tested.sort();
        tested.dedup();
        assert_eq!(tested.len(), 20);
    }
}
