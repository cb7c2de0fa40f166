//! The tables of trained networks: scores over splits beside the paper's, and what sets two networks apart on the same splits.

use crate::labelled::DataSet;
use crate::results::{Difference, Spread, markdown_table};
use crate::supervised::{LabelRow, Row};

/// Rows of equal training but for the split.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Line<'a> {
    cases: usize,
    network: &'a str,
    recipe: &'a str,
    iterations: u64,
}

impl<'a> Line<'a> {
    fn of(row: &'a Row) -> Self {
        Self { cases: row.cases, network: &row.network, recipe: &row.recipe, iterations: row.iterations }
    }

    fn rows(self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        rows.iter().filter(move |row| Line::of(row) == self)
    }

    /// The recipe with what the tables need not say: a network's size is part of its name.
    fn named(self) -> (String, String) {
        let (sizes, recipe): (Vec<&str>, Vec<&str>) =
            self.recipe.split(' ').partition(|change| change.starts_with("network.base_width="));
        let network = sizes.iter().fold(self.network.to_owned(), |name, size| {
            format!("{name} of base width {}", size.trim_start_matches("network.base_width="))
        });
        (network, recipe.join(" "))
    }

    /// The recipe without changes to the network, where it has some: what an ablation is compared with.
    fn unchanged(self) -> Option<String> {
        let (_, recipe) = self.named();
        let kept: Vec<&str> = recipe.split(' ').filter(|change| !change.starts_with("network.")).collect();
        let kept = kept.join(" ");
        (kept != recipe).then_some(kept)
    }
}

/// All tables of a data set, in Markdown.
pub fn tables(rows: &[Row], data: &DataSet) -> String {
    let mut lines: Vec<Line<'_>> = rows.iter().map(Line::of).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut text = scores(rows, &lines, data);
    text += "\nIn brackets is the standard deviation over splits. ASD is in voxels; an object of which nothing was found counts with the diagonal of the image. \
             Minutes are wall time on a machine that did other work beside, pauses included.\n";
    let pairs = differences(rows, &lines);
    if !pairs.is_empty() {
        let head = ["S", "recipe", "iterations", "network", "against", "splits", "mIoU", "Dice"];
        text += "\n## Paired differences\n\nMeans over the splits that both have, with 95 % confidence intervals; positive where the network of \
                 the fourth column is ahead. Splits draw from the same images, so that their differences are not quite independent.\n\n";
        text += &markdown_table(&head, &pairs);
    }
    text
}

/// Means and standard deviations over the splits, a line for each network, recipe and number of training cases.
fn scores(rows: &[Row], lines: &[Line<'_>], data: &DataSet) -> String {
    let cells = |&line: &Line<'_>| {
        let of: Vec<&Row> = line.rows(rows).collect();
        let spread = |score: fn(&LabelRow) -> f64| {
            Spread::of(&of.iter().map(|row| row.mean(score)).collect::<Vec<_>>()).to_string()
        };
        let seconds = of.iter().map(|row| row.seconds).sum::<f64>() / of.len() as f64;
        let (network, recipe) = line.named();
        let printed = data.paper.iter().find(|(cases, of, _)| (*cases, *of) == (line.cases, network.as_str()));
        let published = printed.map_or("-".into(), |(.., scores)| scores.map(|score| format!("{score:.4}")).join(", "));
        vec![
            line.cases.to_string(),
            network,
            recipe,
            of.len().to_string(),
            line.iterations.to_string(),
            spread(|l| l.accuracy),
            spread(|l| l.iou),
            spread(|l| l.dice),
            spread(|l| l.assd),
            published,
            format!("{:.1}", seconds / 60.0),
        ]
    };
    let head =
        ["S", "network", "recipe", "splits", "iterations", "Acc", "mIoU", "Dice", "ASD", "paper: the four", "minutes"];
    markdown_table(&head, &lines.iter().map(cells).collect::<Vec<_>>())
}

/// MSNet against every other network that was trained by the same recipe, each recipe of MSNet against the preset `paper`, and MSNet with another
/// part against itself.
fn differences(rows: &[Row], lines: &[Line<'_>]) -> Vec<Vec<String>> {
    let mut cells = Vec::new();
    for &own in lines.iter().filter(|line| line.network.starts_with("msnet")) {
        let (_, recipe) = own.named();
        for &other in lines.iter().filter(|line| line.cases == own.cases && **line != own) {
            let (name, other_recipe) = other.named();
            let same_recipe =
                other.network != own.network && (&other_recipe, other.iterations) == (&recipe, own.iterations);
            let itself = other.network == own.network;
            let unchanged = own.unchanged();
            let whole = itself && unchanged.as_ref() == Some(&other_recipe) && other.iterations == own.iterations;
            let paper =
                itself && unchanged.is_none() && other.recipe.starts_with("paper") && !own.recipe.starts_with("paper");
            if !(same_recipe || paper || whole) {
                continue;
            }
            let pairs: Vec<(&Row, &Row)> = own
                .rows(rows)
                .filter_map(|row| Some((row, other.rows(rows).find(|other| other.split == row.split)?)))
                .collect();
            let difference = |score: fn(&LabelRow) -> f64| {
                let differences: Vec<f64> = pairs.iter().map(|(a, b)| a.mean(score) - b.mean(score)).collect();
                Difference::of(&differences).to_string()
            };
            if !pairs.is_empty() {
                let against = if itself { format!("{name}, {other_recipe}, {}", other.iterations) } else { name };
                cells.push(vec![
                    own.cases.to_string(),
                    recipe.clone(),
                    own.iterations.to_string(),
                    own.network.to_owned(),
                    against,
                    pairs.len().to_string(),
                    difference(|l| l.iou),
                    difference(|l| l.dice),
                ]);
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled::WBC;

    fn row(network: &str, recipe: &str, split: u64, iou: f64) -> Row {
        let label =
            LabelRow { label: 1, accuracy: 0.9, iou, dice: 2.0 * iou / (1.0 + iou), assd: 1.0, recall: 0.9, missed: 0 };
        Row {
            data: "wbc".into(),
            network: network.into(),
            recipe: recipe.into(),
            cases: 10,
            split,
            iterations: 600,
            seconds: 60.0,
            parameters: 1,
            labels: vec![label],
            commit: "c".into(),
        }
    }

    #[test]
    fn networks_are_compared_on_the_splits_that_both_have() {
        let rows = [
            row("msnet-2d", "recommended", 0, 0.80),
            row("msnet-2d", "recommended", 1, 0.90),
            row("msnet-2d", "paper", 1, 0.85),
            row("msnet-2d", "recommended network.grids=1", 1, 0.70),
            row("unet", "recommended network.base_width=16", 0, 0.78),
            row("unet", "recommended network.base_width=16", 2, 0.50),
        ];
        let text = tables(&rows, &WBC);
        let has = |cells: &str| assert!(text.contains(cells), "{cells} is missing:\n{text}");
        has("| 10 | msnet-2d | recommended | 2 | 600 | 0.9000 (0.0000) | 0.8500 (0.0500) |");
        has("| 0.9509, 0.8188, 0.8850, 0.7974 |");
        has("| 10 | unet of base width 16 | recommended | 2 |");
        has("| 10 | recommended | 600 | msnet-2d | unet of base width 16 | 1 | +0.0200 |");
        has("| 10 | recommended | 600 | msnet-2d | msnet-2d, paper, 600 | 1 | +0.0500 |");
        has("| 10 | recommended network.grids=1 | 600 | msnet-2d | msnet-2d, recommended, 600 | 1 | -0.2000 |");
        assert_eq!(
            text.matches("network.grids=1").count(),
            2,
            "an ablation is compared with the whole network alone:\n{text}"
        );
    }
}
