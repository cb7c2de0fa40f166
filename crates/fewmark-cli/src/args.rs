//! The command line: every command, argument and option.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

/// Segments medical images from a few clicks.
#[derive(Parser)]
#[command(name = "fewmark", version, propagate_version = true, infer_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args)]
pub(crate) struct Common {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no progress and no notes
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Number of threads [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = at_least_one)]
    pub(crate) threads: Option<NonZeroUsize>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Segment the clicked object of an image
    Segment(Segment),
    /// Serve a folder of images to a web page, 3D Slicer and other viewers
    Serve(Serve),
    /// Score segmentations against the truth
    Evaluate(Evaluate),
    /// Train a network on a few images
    Train(Train),
    /// Segment images with a trained network
    Predict(Predict),
    /// Segment scans by one that is labelled
    Fewshot(Fewshot),
    /// Keep what a labelled scan shows, for `predict`
    #[command(subcommand)]
    Support(Support),
    /// Take the encoder of a PyTorch checkpoint, for `fewshot` and `train fewshot`
    Import(Import),
    /// Show what an MSNet does with an image
    Explain(Explain),
    /// List the networks that can be trained on labelled images
    Networks,
    /// Cut scans into superpixels, such as `train fewshot` makes for itself
    Superpixels(Superpixels),
    /// List the trainings that are kept in a folder
    Runs(Runs),
    /// Show size, geometry, intensities and labels of files
    Info(Info),
    /// Convert an image to another format, grid or intensity range
    Convert(Convert),
    /// Simulate the clicks of a person who sees the truth
    Clicks(Clicks),
    /// Segment a chest phantom and show what came out
    Demo(Demo),
    /// List the methods, or the parameters of one
    Methods(Methods),
    /// Show what this machine offers the program
    Doctor,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Args)]
pub(crate) struct Segment {
    /// The image: a file, a folder with a DICOM series, or the series' files
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) image: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) clicks: ClickArgs,
    /// Method [default: tv]
    #[arg(short, long, value_parser = method_names(), hide_possible_values = false)]
    pub(crate) method: Option<String>,
    /// TOML file with the method and its parameters
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Set a parameter of the method; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = fewmark::registry::parse_setting)]
    pub(crate) settings: Vec<toml::Table>,
    /// A trained model, which knows its method and parameters
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["method", "config", "settings"])]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    /// Segment this slice of a volume only, counted from 0
    #[arg(long, value_name = "Z")]
    pub(crate) slice: Option<usize>,
    /// Where to write the mask: label 1, of a model the labels that it learned, in the geometry of the image
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Where to write a picture of the contour and the clicks
    #[arg(long, value_name = "PNG", value_hint = ValueHint::FilePath)]
    pub(crate) overlay: Option<PathBuf>,
    /// Where to write parameters, energies and times
    #[arg(long, value_name = "JSON", value_hint = ValueHint::FilePath)]
    pub(crate) trace: Option<PathBuf>,
    /// Where to write the relaxed solution, 0 to 1
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) probability: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The study folder: images at its root; labels, models and trainings are kept in it
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) studies: PathBuf,
    /// Port to listen on; 0 for any free one
    #[arg(short, long, default_value_t = 8000)]
    pub(crate) port: u16,
    /// Address to listen on; others than this computer's own need a token, which is made and printed unless given
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    pub(crate) host: IpAddr,
    /// What clients must bring to be answered
    #[arg(long, env = "FEWMARK_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A site whose pages may use the server, such as an OHIF viewer; may be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) allow_origin: Vec<String>,
    /// A folder with a built OHIF viewer, to be served under /ohif/
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) ohif: Option<PathBuf>,
    /// Largest upload in MiB
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    pub(crate) largest_upload: u64,
    /// Memory in MiB for images and solver states that are kept between clicks [default: a quarter of what is free, at most 2048]
    #[arg(long, value_name = "MIB")]
    pub(crate) warm: Option<u64>,
}

/// How a network is used.
#[derive(Args)]
pub(crate) struct NetworkArgs {
    /// Where the network computes
    #[arg(long, value_enum, default_value_t = DeviceArg::Cpu)]
    pub(crate) device: DeviceArg,
    /// Refine the answer of a network that was trained from clicks by total variation
    #[arg(long, requires = "model")]
    pub(crate) refine: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceArg {
    /// The processor
    #[default]
    Cpu,
    /// The graphics card
    Gpu,
}

impl From<DeviceArg> for fewmark::learn::Compute {
    fn from(device: DeviceArg) -> Self {
        match device {
            DeviceArg::Cpu => Self::Cpu,
            DeviceArg::Gpu => Self::Gpu,
        }
    }
}

#[derive(Args)]
pub(crate) struct Train {
    /// What is trained: dip (a few images with clicks, no labels), fewshot (scans, labels or not), msnet, or another network of
    /// `fewmark networks` (labelled images)
    #[arg(value_name = "NETWORK", required_unless_present = "resume", value_parser = trainings(), hide_possible_values = true)]
    pub(crate) what: Option<String>,
    /// Images, or folders of them
    #[arg(long, num_args = 1.., value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) images: Vec<PathBuf>,
    /// Label maps of the images, or folders of them
    #[arg(long, num_args = 1.., value_name = "PATH", value_hint = ValueHint::AnyPath, requires = "images", conflicts_with = "marks")]
    pub(crate) labels: Vec<PathBuf>,
    /// JSON files with the clicks of the images, or folders of them, for dip
    #[arg(long, num_args = 1.., value_name = "PATH", value_hint = ValueHint::AnyPath, requires = "images")]
    pub(crate) marks: Vec<PathBuf>,
    /// CSV or TOML file with image and labels (for dip: marks) of each case, instead of --images and --labels
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["images", "labels", "marks"])]
    pub(crate) list: Option<PathBuf>,
    /// TOML file with settings
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Set a setting; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = fewmark::registry::parse_setting)]
    pub(crate) settings: Vec<toml::Table>,
    /// Where the network computes [default: cpu; with --resume where it did before]
    #[arg(long, value_enum)]
    pub(crate) device: Option<DeviceArg>,
    /// The run folder: settings, log, checkpoints, model, report
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath, required_unless_present_any = ["resume", "show_settings"])]
    pub(crate) output: Option<PathBuf>,
    /// Go on with the training of a run folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, conflicts_with_all = ["images", "labels", "marks", "list", "config", "settings", "output"])]
    pub(crate) resume: Option<PathBuf>,
    /// Print every setting, as TOML, as --config, --set and the kind of --images make it, and train nothing
    #[arg(long, conflicts_with = "resume")]
    pub(crate) show_settings: bool,
}

#[derive(Args)]
pub(crate) struct Predict {
    /// The model file, or the run folder that it is in
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) model: PathBuf,
    /// Images, or folders of them
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) images: Vec<PathBuf>,
    /// JSON files with the clicks of the images, or folders of them, for models that need them
    #[arg(long, num_args = 1.., value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) marks: Vec<PathBuf>,
    /// Folder for the masks, in the geometry of each image
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,
    /// Also write pictures of the contours and the clicks
    #[arg(long)]
    pub(crate) overlays: bool,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

/// Labelled scans and the encoder that compares others with them.
#[derive(Args)]
pub(crate) struct SupportArgs {
    /// A model of `fewmark train fewshot` [default: the one inside the program]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) model: Option<PathBuf>,
    /// The labelled scan; may be repeated
    #[arg(long = "support", required = true, value_name = "SCAN", value_hint = ValueHint::AnyPath)]
    pub(crate) supports: Vec<PathBuf>,
    /// Its labels, as many files as scans
    #[arg(long = "support-label", required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) labels: Vec<PathBuf>,
    /// Look for these labels only
    #[arg(long = "labels", value_name = "LABEL,..", value_delimiter = ',')]
    pub(crate) codes: Vec<u16>,
    /// Scans without labels, or folders of them: labels are carried to them first, and from them to others. Where patients differ much this finds
    /// what one labelled scan alone misses; a query takes as many times longer as there are scans
    #[arg(long, num_args = 1.., value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) unlabelled: Vec<PathBuf>,
    /// Set how scans are compared, `inference.KEY=VALUE` of `fewmark train fewshot --show-settings`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = fewmark::registry::parse_setting)]
    pub(crate) settings: Vec<toml::Table>,
    /// Where the network computes
    #[arg(long, value_enum, default_value_t = DeviceArg::Cpu)]
    pub(crate) device: DeviceArg,
}

#[derive(Args)]
pub(crate) struct Fewshot {
    #[command(flatten)]
    pub(crate) support: SupportArgs,
    /// Scans to segment, or folders of them
    #[arg(long, required = true, num_args = 1.., value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) query: Vec<PathBuf>,
    /// Folder for the label maps and a report with pictures
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum Support {
    /// Write a model that looks for what labelled scans show
    Build(SupportBuild),
}

#[derive(Args)]
pub(crate) struct SupportBuild {
    #[command(flatten)]
    pub(crate) support: SupportArgs,
    /// The model file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct Import {
    /// A .pth or .safetensors file with a residual network of torchvision, alone or inside a deeplabv3, fcn or SSL-ALPNet
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) checkpoint: PathBuf,
    /// The model file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct Superpixels {
    /// Scans, or folders of them
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) images: Vec<PathBuf>,
    /// Folder for the label maps; those that are there already, newer than their scan, are kept
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,
    /// Fewest voxels of a superpixel (Felzenszwalb and Huttenlocher)
    #[arg(long, value_name = "VOXELS", default_value_t = 400, conflicts_with = "slic")]
    pub(crate) min_size: usize,
    /// About so many superpixels of equal size a slice, or a volume with --in-3d, by local clustering (SLIC) instead
    #[arg(long, value_name = "SUPERPIXELS")]
    pub(crate) slic: Option<usize>,
    /// How much place counts against intensity, in grey levels (SLIC)
    #[arg(long, value_name = "LEVELS", default_value_t = 10.0, requires = "slic")]
    pub(crate) compactness: f64,
    /// Standard deviation in voxels of the smoothing before
    #[arg(long, value_name = "VOXELS", default_value_t = 1.0)]
    pub(crate) sigma: f64,
    /// How readily regions merge (Felzenszwalb and Huttenlocher's k)
    #[arg(long, value_name = "K", default_value_t = 1.0, conflicts_with = "slic")]
    pub(crate) scale: f64,
    /// Keep superpixels within the largest part of a slice that is brighter than this
    #[arg(long, value_name = "INTENSITY", allow_hyphen_values = true)]
    pub(crate) foreground: Option<f32>,
    /// Let superpixels reach through the slices of a volume
    #[arg(long)]
    pub(crate) in_3d: bool,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// The model file, of an MSNet, or the run folder that it is in
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) model: PathBuf,
    /// The image: a file, a folder with a DICOM series, or the series' files
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) image: Vec<PathBuf>,
    /// Show this slice of a volume, counted from 0 [default: the middle one]
    #[arg(long, value_name = "Z")]
    pub(crate) slice: Option<usize>,
    /// Where the network computes
    #[arg(long, value_enum, default_value_t = DeviceArg::Cpu)]
    pub(crate) device: DeviceArg,
    /// The page, one HTML file with everything in it
    #[arg(short, long, value_name = "HTML", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct Runs {
    /// A run folder, or a folder that holds run folders
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

#[derive(Args)]
pub(crate) struct ClickArgs {
    /// A click inside the object: voxel indices x,y or x,y,z counted from 0; may be repeated
    #[arg(short = 'c', long = "click", value_name = "X,Y[,Z]", value_parser = point, allow_hyphen_values = true)]
    pub(crate) foreground: Vec<Point>,
    /// A click on what must not belong to the object; may be repeated
    #[arg(short, long = "background", value_name = "X,Y[,Z]", value_parser = point, allow_hyphen_values = true)]
    pub(crate) background: Vec<Point>,
    /// JSON file with clicks, as `fewmark clicks` writes it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["foreground", "background", "world"])]
    pub(crate) marks: Option<PathBuf>,
    /// Clicks are world coordinates in mm (RAS+)
    #[arg(long)]
    pub(crate) world: bool,
}

#[derive(Args)]
pub(crate) struct Evaluate {
    /// A segmentation, or a folder of them
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) predictions: PathBuf,
    /// The truth, or a folder with files of the same names
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) truths: PathBuf,
    /// Labels to score [default: all that occur in the truth or the segmentation]
    #[arg(long, value_delimiter = ',', value_name = "LABELS", value_parser = label)]
    pub(crate) labels: Option<Vec<u16>>,
    /// Where to write a row for each case and label
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) csv: Option<PathBuf>,
    /// Tolerance of the surface Dice in mm
    #[arg(long, value_name = "MM", default_value_t = 2.0)]
    pub(crate) tolerance: f64,
    /// Leave out the surface distances, which take longer
    #[arg(long)]
    pub(crate) overlap_only: bool,
    /// How an infinite distance (one of the two is empty) enters the mean
    #[arg(long, value_name = "skip|image-diagonal|MM", default_value = "skip")]
    pub(crate) empty_distance: String,
    /// Score masks of different geometry as long as their sizes agree
    #[arg(long)]
    pub(crate) ignore_geometry: bool,
}

#[derive(Args)]
pub(crate) struct Info {
    /// Files, or folders with a DICOM series
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Convert {
    /// The image: a file, a folder with a DICOM series, or the series' files
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) image: Vec<PathBuf>,
    /// Where to write it; the name tells the format
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Resample to this spacing in mm
    #[arg(long, value_name = "X,Y[,Z]", value_parser = point, conflicts_with = "like")]
    pub(crate) spacing: Option<Point>,
    /// Resample to the grid of another image
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) like: Option<PathBuf>,
    /// The image is a label map: resample to the nearest label, and keep whole numbers
    #[arg(long, conflicts_with = "window")]
    pub(crate) labels: bool,
    /// Map an intensity range to 0..1: LOW,HIGH or a CT preset (lung, liver, brain, bone, soft-tissue)
    #[arg(long, value_name = "LOW,HIGH|PRESET", allow_hyphen_values = true)]
    pub(crate) window: Option<String>,
    /// Take this slice of a volume only, counted from 0
    #[arg(long, value_name = "Z")]
    pub(crate) slice: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Clicks {
    /// The true label map
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) truth: PathBuf,
    /// Label of the object
    #[arg(long, default_value_t = 1, value_parser = label)]
    pub(crate) label: u16,
    /// Which connected component of the label is the object
    #[arg(long, value_enum, default_value_t = Component::Largest)]
    pub(crate) component: Component,
    /// Number of clicks in the middle slice; a volume gets two more [default: 4 to 6, drawn by the seed]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) count: Option<NonZeroUsize>,
    /// Seed of the random choices
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where to write the clicks [default: print them]
    #[arg(short, long, value_name = "JSON", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Where to write the mask of the clicked object
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) object: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Component {
    /// The largest one
    Largest,
    /// All of them together
    All,
}

#[derive(Args)]
pub(crate) struct Demo {
    /// Folder for masks, pictures and the page that shows them
    #[arg(short, long, value_name = "FOLDER", default_value = "fewmark-demo", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,
    /// Seed of the phantom and of the clicks
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Args)]
pub(crate) struct Methods {
    /// Show the parameters of this method
    #[arg(value_parser = method_names())]
    pub(crate) name: Option<String>,
}

/// Coordinates of a click, or a spacing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point(pub(crate) Vec<f64>);

fn point(text: &str) -> Result<Point, String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse::<f64>()).collect();
    match numbers {
        Ok(numbers) if matches!(numbers.len(), 2 | 3) && numbers.iter().all(|n| n.is_finite()) => Ok(Point(numbers)),
        _ => Err("expected two or three numbers, X,Y or X,Y,Z".into()),
    }
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number of at least 1".into())
}

fn label(text: &str) -> Result<u16, String> {
    text.trim().parse().map_err(|_| "expected a whole number from 0 to 65535".into())
}

fn trainings() -> PossibleValuesParser {
    PossibleValuesParser::new(fewmark::training::names().map(PossibleValue::new))
}

fn method_names() -> PossibleValuesParser {
    let value = |entry: &fewmark::registry::Entry| PossibleValue::new(entry.name).help(entry.summary);
    PossibleValuesParser::new(fewmark::registry::METHODS.iter().map(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn points_have_two_or_three_finite_numbers() {
        assert_eq!(point("1, -2.5,3"), Ok(Point(vec![1.0, -2.5, 3.0])));
        for wrong in ["", "1", "1,2,3,4", "1,x", "1,NaN", "1,,2"] {
            assert!(point(wrong).is_err(), "{wrong:?}");
        }
    }
}
