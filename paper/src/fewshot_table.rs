//! The tables of few-shot segmentation: scores over folds beside the paper's, apart by how scans are segmented.

use serde::{Deserialize, Serialize};

use crate::fewshot::{ClassRow, DataSet, Setting};
use crate::results::{Spread, markdown_table};

/// What a model of one fold scores.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The data set's key.
    pub data: String,
    /// The method's name on the command line.
    pub method: String,
    /// Changes to the recommended settings
    pub recipe: String,
    /// Which slices were learned from.
    pub setting: Setting,
    /// Number of the fold.
    pub fold: usize,
    /// Seed of the training.
    pub seed: u64,
    /// Steps of the training.
    pub iterations: u64,
    /// Wall time of the training.
    pub seconds: f64,
    /// Scores of each class.
    pub classes: Vec<ClassRow>,
    /// The commit that the program was built from.
    pub commit: String,
}

impl Row {
    /// Whether two rows are of the same training and test.
    pub fn is_of(&self, other: &Self) -> bool {
        self.fold == other.fold && Line::of(self) == Line::of(other)
    }

    /// The mean over classes of the means over scans.
    pub fn mean(&self, scores: fn(&ClassRow) -> &[f64]) -> f64 {
        self.classes.iter().map(|class| Spread::of(scores(class)).mean).sum::<f64>() / self.classes.len() as f64
    }
}

/// Rows that are equal but for the fold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Line<'a> {
    setting: Setting,
    method: &'a str,
    recipe: &'a str,
    iterations: u64,
    seed: u64,
}

impl<'a> Line<'a> {
    fn of(row: &'a Row) -> Self {
        let Row { method, recipe, setting, iterations, seed, .. } = row;
        Self { setting: *setting, method, recipe, iterations: *iterations, seed: *seed }
    }

    fn kind(self) -> Kind {
        let changes = |what: &[&str]| self.recipe.split(' ').any(|change| what.iter().any(|w| change.starts_with(w)));
        if changes(&["augmentation.", "episodes.", "start="]) && changes(&[PUBLISHED]) {
            Kind::Ablation
        } else if changes(&[PUBLISHED]) || self.method == SE_NET {
            Kind::Published
        } else if changes(&["inference.", "episodes.", "("]) {
            Kind::Without
        } else {
            Kind::Ours
        }
    }

    /// The recipe without what the heading of its table says.
    fn changes(self) -> &'a str {
        self.recipe.strip_prefix(PUBLISHED).unwrap_or(self.recipe).trim_start()
    }
}

/// The method that has a network and a training of its own.
pub const SE_NET: &str = "se-net";

/// The word with which recipes begin that segment as the paper does.
pub const PUBLISHED: &str = "published";

/// The tables, in their order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ours,
    Published,
    Ablation,
    Without,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Ours, Self::Published, Self::Ablation, Self::Without];

    /// The heading and what is said under it.
    fn told(self) -> [&'static str; 2] {
        match self {
            Self::Ours => [
                "As Fewmark segments",
                "Beyond the paper: slices are seen larger than in training; an object's place in the labelled slices is a prior, turned, enlarged \
                 and moved to where slices look alike around it and bent to them; its brightness beside what lies around it counts; features of thin objects count \
                 less; in whole scans it may lie some slices from where the alignment has it; its outline is drawn on pixels; and brightness is told again \
                 from what was found in the scan itself (track transductive in this, nothing else is adapted to a scan). Rows with `unlabelled` \
                 first carry the labels to so many of the scans that are learned from, which then are votes beside the labelled scan; nothing is \
                 known of these scans, and none is tested. `default` is the encoder inside the program; with it nothing is trained, so its scores \
                 are those of setting 2 as well.",
            ],
            Self::Published => [
                "As the paper segments",
                "By features alone and the nearest labelled slice. The paper's encoders start from weights trained on COCO and take 100,000 steps; \
                 ours start from those inside the program, which have seen made-up anatomies only, or, as `init`, from random ones. All see slices of \
                 128x128, half the sides of the paper's. PANet's loss is that of the others, in which the background counts 0.05 and labels \
                 are always found back. SE-Net has a network and a training of its own, its authors', of which it takes fewer steps; it does not segment whole scans.",
            ],
            Self::Ablation => [
                "Variations and superpixels",
                "The ablations of the paper's Tables 4 and 5, in far shorter trainings and from other weights than the paper's, segmented as the \
                 paper does. Sizes of superpixels are in pixels of the encoder's 128x128 (the paper's 100, 400 and 1600 of 256x256 are 25, 100 and \
                 400); of those of at least 25 nothing is learned below 40 unless `episodes.least_pixels` says so.",
            ],
            Self::Without => [
                "With less than all of it",
                "Rows on the way, which say what parts of our way to segment bring: those whose `inference.*` is 0 are switched off. Rows whose \
                 changes say so in brackets were made by a program that compared surroundings by the similarity of their features, that aligned whole scans along z by the \
                 distances of their slices alone, or that weighed votes otherwise.",
            ],
        }
    }
}

/// All tables of a data set, in Markdown: means over the folds, a line for each method, recipe, setting and seed.
pub fn tables(rows: &[Row], data: &DataSet) -> String {
    let mut lines: Vec<Line<'_>> = rows.iter().map(Line::of).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut text = format!(
        "# Few-shot segmentation: {}\n\n{}\n\n\
         Dice x 100. Classes, mean (with its standard deviation over the folds) and largest component are by the paper's protocol: three \
         labelled slices, and only slices that hold the class (track: strict). Whole scans are segmented by all slices of the labelled scan, with \
         nothing known of the query (track: one labelled scan); their HD95 is in {}, and an object of which nothing is \
         found counts with the scan's diagonal. Minutes are wall time on a machine that did other work beside.\n",
        data.key, data.source, data.unit
    );
    for kind in Kind::ALL {
        let of_kind: Vec<_> = lines.iter().filter(|line| line.kind() == kind).map(|&l| cells(l, rows, data)).collect();
        if !of_kind.is_empty() {
            let [heading, said] = kind.told();
            text += &format!("\n## {heading}\n\n{said}\n\n{}", markdown_table(&head(data), &of_kind));
        }
    }
    text
}

fn head(data: &DataSet) -> Vec<&'static str> {
    let classes = data.classes.iter().map(|&(_, name)| name);
    ["setting", "method", "changes", "seed", "folds"]
        .into_iter()
        .chain(classes)
        .chain(["mean", "largest component", "whole scans", "their HD95", "paper", "iterations x minutes a fold"])
        .collect()
}

fn cells(line: Line<'_>, rows: &[Row], data: &DataSet) -> Vec<String> {
    let of: Vec<&Row> = rows.iter().filter(|row| Line::of(row) == line).collect();
    let over_folds = |score: &dyn Fn(&Row) -> f64| Spread::of(&of.iter().map(|row| score(row)).collect::<Vec<_>>());
    let class = |code: u16| {
        let of_row = |row: &Row| row.classes.iter().find(|c| c.label == code).map(|c| Spread::of(&c.dice).mean);
        over_folds(&|row| of_row(row).unwrap_or(f64::NAN)).mean
    };
    // The paper's scores are of its whole methods.
    let is_whole = matches!(line.kind(), Kind::Ours | Kind::Published);
    let is_of = |&&(method, setting, _): &&(&str, u8, f64)| (method, setting) == (line.method, line.setting.number());
    let of_paper = data.paper.iter().find(is_of).filter(|_| is_whole);
    let mut cells = vec![
        line.setting.to_string(),
        line.method.to_owned(),
        line.changes().to_owned(),
        line.seed.to_string(),
        of.len().to_string(),
    ];
    cells.extend(data.classes.iter().map(|&(code, _)| format!("{:.2}", class(code))));
    let Spread { mean, sd, n } = over_folds(&|row| row.mean(|c| &c.dice));
    cells.push(if n > 1 { format!("{mean:.2} ({sd:.1})") } else { format!("{mean:.2}") });
    cells.push(format!("{:.2}", over_folds(&|row| row.mean(|c| &c.largest)).mean));
    // What a method does not do has no scores.
    let known = |score: f64, digits: usize| if score.is_nan() { "-".to_owned() } else { format!("{score:.digits$}") };
    cells.push(known(over_folds(&|row| row.mean(|c| &c.whole)).mean, 2));
    cells.push(known(over_folds(&|row| row.mean(|c| &c.hd95)).mean, 1));
    cells.push(of_paper.map_or("-".into(), |(.., score)| format!("{score:.2}")));
    cells.push(format!("{} x {:.1}", line.iterations, over_folds(&|row| row.seconds).mean / 60.0));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fewshot::CARD_MRI;

    fn row(method: &str, recipe: &str, fold: usize, dice: f64) -> Row {
        let class = |label| ClassRow {
            label,
            dice: vec![dice - 10.0, dice + 10.0],
            largest: vec![dice],
            whole: Vec::new(),
            hd95: Vec::new(),
        };
        Row {
            data: "card-mri".into(),
            method: method.into(),
            recipe: recipe.into(),
            setting: Setting::One,
            fold,
            seed: 0,
            iterations: 300,
            seconds: 60.0,
            classes: [1, 2, 3].map(class).to_vec(),
            commit: "c".into(),
        }
    }

    #[test]
    fn folds_are_joined_and_each_row_is_in_the_table_of_how_it_segments() {
        let rows = [
            row("ssl-alpnet", "training.iterations=300", 0, 70.0),
            row("ssl-alpnet", "training.iterations=300", 1, 80.0),
            row("ssl-alpnet", "published training.iterations=300", 0, 50.0),
            row("ssl-alpnet", "published start=random augmentation.elastic=0", 0, 40.0),
            row("ssl-alpnet", "training.iterations=300 inference.shift=0", 0, 60.0),
            row("default", "unlabelled=10 (votes weighed without each other)", 0, 65.0),
            row(SE_NET, "", 0, 30.0),
        ];
        let text = tables(&rows, &CARD_MRI);
        let parts: Vec<&str> = text.split("\n## ").collect();
        let has =
            |part: usize, cells: &str| assert!(parts[part].contains(cells), "{cells} is missing:\n{}", parts[part]);
        assert_eq!(parts.len(), 5);
        has(0, "HD95 is in voxels");
        has(
            1,
            "| 1 | ssl-alpnet | training.iterations=300 | 0 | 2 | 75.00 | 75.00 | 75.00 | 75.00 (5.0) | 75.00 | - | - | 76.90 | 300 x 1.0 |",
        );
        has(2, "| 1 | ssl-alpnet | training.iterations=300 | 0 | 1 | 50.00 |");
        has(2, "| 1 | se-net |  | 0 | 1 | 30.00 |");
        has(3, "| start=random augmentation.elastic=0 |");
        has(4, "inference.shift=0");
        has(4, "unlabelled=10 (votes");
        assert!(rows[0].is_of(&rows[0]) && !rows[0].is_of(&rows[1]) && !rows[0].is_of(&rows[2]));
    }
}
