//! Result files: each figure with the command, commit, data and split that it comes from.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Where a result comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// The command that was run.
    pub command: String,
    /// The commit that the program was built from, "-dirty" when files differed from it.
    pub commit: String,
    /// Processor cores of the machine.
    pub cores: usize,
}

impl Provenance {
    /// The provenance of the running program, named by its binary.
    pub fn of(binary: &str) -> Self {
        let arguments: String = std::env::args().skip(1).map(|a| format!(" {a}")).collect();
        Self {
            command: format!("cargo run --release -p fewmark-paper --bin {binary}{arguments}"),
            commit: env!("FEWMARK_COMMIT").into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Mean and population standard deviation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub sd: f64,
    /// Number of values.
    pub n: usize,
}

impl Spread {
    /// Of some values; not a number when there are none.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        Self { mean, sd: variance.sqrt(), n }
    }
}

/// The mean of paired differences with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Mean.
    pub mean: f64,
    /// Half the width of the interval of Student's t; not a number for fewer than two pairs.
    pub half_width: f64,
    /// Number of pairs.
    pub n: usize,
}

impl Difference {
    /// Of some differences; the mean is not a number when there are none.
    pub fn of(differences: &[f64]) -> Self {
        /// The 97.5 % quantile of Student's t for 1, 2, .. degrees of freedom.
        const QUANTILES: [f64; 30] = [
            12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
            2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
        ];
        let Spread { mean, sd, n } = Spread::of(differences);
        let quantile = match n {
            0 | 1 => f64::NAN,
            // Beyond the table it hardly moves, and what is given is on the safe side.
            _ => QUANTILES[(n - 2).min(QUANTILES.len() - 1)],
        };
        Self { mean, half_width: quantile * sd / (n.saturating_sub(1) as f64).sqrt(), n }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mean, half_width, .. } = self;
        if half_width.is_nan() {
            return write!(f, "{mean:+.4}");
        }
        write!(f, "{mean:+.4} ({:+.4} to {:+.4})", mean - half_width, mean + half_width)
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // One value has no deviation.
        if self.n == 1 {
            return write!(f, "{:.4}", self.mean);
        }
        write!(f, "{:.4} ({:.4})", self.mean, self.sd)
    }
}

/// The rows of a file with one in JSON a line; none where there is no file.
///
/// # Errors
/// A file that cannot be read, or a line that is no such row.
pub fn read_rows<R: DeserializeOwned>(path: &Path) -> Result<Vec<R>, Box<dyn std::error::Error>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}

/// Appends a row to such a file.
///
/// # Errors
/// A file that cannot be written.
pub fn append_row(path: &Path, row: &impl Serialize) -> Result<(), Box<dyn std::error::Error>> {
    let mut file = std::fs::File::options().create(true).append(true).open(path)?;
    file.write_all((serde_json::to_string(row)? + "\n").as_bytes())?;
    Ok(())
}

/// Writes `NAME.md` and `NAME.json` into the folder of results.
///
/// # Errors
/// Files that cannot be written.
pub fn write(name: &str, markdown: &str, json: &impl Serialize) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.md"));
    fewmark::image::write_atomically(&path, markdown.as_bytes())?;
    let text = serde_json::to_string_pretty(json)? + "\n";
    fewmark::image::write_atomically(folder.join(format!("{name}.json")), text.as_bytes())?;
    Ok(path)
}

/// A Markdown table.
pub fn markdown_table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let rule = line(vec!["---"; header.len()]);
    let body: String = rows.iter().map(|row| line(row.iter().map(String::as_str).collect())).collect();
    line(header.to_vec()) + &rule + &body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_paired_differences_is_student_s() {
        // SciPy 1.17.1: t.interval(0.95, 3, 0.02, sem([0.01, 0.02, 0.03, 0.02])) = 0.0070077, 0.0329923
        let difference = Difference::of(&[0.01, 0.02, 0.03, 0.02]);
        assert!((difference.mean - 0.02).abs() < 1e-12);
        assert!((difference.half_width - 0.0129923).abs() < 1e-5, "{difference:?}");
        assert_eq!(difference.to_string(), "+0.0200 (+0.0070 to +0.0330)");
        assert_eq!(Difference::of(&[-0.5]).to_string(), "-0.5000");
    }
}
