//! The labelled data sets of MSNet's tables, and how they are split.

use std::path::Path;

use fewmark::image::{Interpolation, read_image, read_labels, resample_labels_to, resample_to, window, window_labels};
use fewmark::learn::random_of;
use fewmark::learn::supervised::Case;
use fewmark::{Error, Geometry};
use rand::RngExt as _;

/// A data set and the protocol of the paper's table.
pub struct DataSet {
    /// Name on the command line and in result files.
    pub key: &'static str,
    /// What it is and where it comes from.
    pub source: &'static str,
    /// Numbers of training cases.
    pub sizes: &'static [usize],
    /// Range that becomes `[0, 1]`; empty for quantiles.
    pub window: &'static [f64],
    /// Number of test cases.
    pub tested: usize,
    /// What the paper prints: training cases, network, and accuracy, mIoU, Dice and average surface distance.
    pub paper: &'static [(usize, &'static str, [f64; 4])],
    load: fn(&Path) -> Result<Vec<Case>, Error>,
    /// Whether a case, by its place and name, may be tested. The others are for development: recipes are chosen on them.
    testable: fn(usize, &str) -> bool,
    /// Whether the official split is kept: the training cases are those that may not be tested.
    official: bool,
}

/// White blood cells, the paper's own data.
pub const WBC: DataSet = DataSet {
    key: "wbc",
    source: "wbc1 (Zheng et al. 2018, Dataset 1, GPL-3.0): 300 colour images, the central 112x112; 76 are smaller along an axis and are \
             taken as they are (patches are padded, tests are not)",
    sizes: &[10, 30, 60],
    window: &[0.0, 255.0],
    tested: 20,
    paper: &[
        (10, "unet", [0.9147, 0.7199, 0.8056, 2.6567]),
        (10, "deeplabv3plus", [0.9492, 0.8118, 0.8856, 0.5882]),
        (10, "r2unet", [0.9291, 0.7735, 0.8497, 1.5551]),
        (10, "msnet-2d", [0.9509, 0.8188, 0.8850, 0.7974]),
        (30, "unet", [0.9190, 0.7109, 0.7911, 2.3211]),
        (30, "deeplabv3plus", [0.9772, 0.9007, 0.9451, 0.2570]),
        (30, "r2unet", [0.9714, 0.8895, 0.9369, 0.5379]),
        (30, "msnet-2d", [0.9801, 0.9144, 0.9537, 0.1861]),
        (60, "unet", [0.9395, 0.7734, 0.8444, 1.1533]),
        (60, "deeplabv3plus", [0.9829, 0.9232, 0.9589, 0.1666]),
        (60, "r2unet", [0.9838, 0.9289, 0.9622, 0.1469]),
        (60, "msnet-2d", [0.9819, 0.9215, 0.9579, 0.1708]),
    ],
    load: wbc,
    testable: |place, _| place % 3 != 0,
    official: false,
};

/// Optic disc and cup, for the paper's REFUGE.
pub const DRISHTI: DataSet = DataSet {
    key: "drishti",
    source: "drishti-gs (Drishti-GS1): 101 fundus photographs cropped around the disc, resized to 128x128; 51 of the official test set \
             are tested",
    sizes: &[10, 20, 50],
    window: &[0.0, 255.0],
    tested: 51,
    paper: &[
        (20, "unet", [0.9028, 0.6236, 0.7416, 3.3287]),
        (20, "deeplabv3plus", [0.9165, 0.6319, 0.7492, 2.0687]),
        (20, "r2unet", [0.9320, 0.6105, 0.7192, 3.7283]),
        (20, "msnet-2d", [0.9495, 0.7118, 0.8147, 2.0031]),
        (50, "unet", [0.8701, 0.5488, 0.6665, 5.2768]),
        (50, "deeplabv3plus", [0.9269, 0.6499, 0.7649, 1.7757]),
        (50, "r2unet", [0.9205, 0.6551, 0.7698, 3.3055]),
        (50, "msnet-2d", [0.9486, 0.6855, 0.7904, 1.6800]),
    ],
    load: drishti,
    testable: |_, name| name.starts_with("test"),
    official: true,
};

/// Hippocampus, for the paper's thigh muscles.
pub const HIPPOCAMPUS: DataSet = DataSet {
    key: "hippocampus",
    source: "hippocampus (Medical Segmentation Decathlon task 4, CC BY-SA 4.0): 100 MR volumes of about 35x51x35",
    sizes: &[2, 4, 10],
    window: &[],
    tested: 40,
    paper: &[
        (2, "unet3d", [0.8847, 0.6211, 0.7595, 7.0516]),
        (2, "med3d", [0.8655, 0.5607, 0.7138, 2.5411]),
        (2, "densevoxnet", [0.8704, 0.5600, 0.7097, 4.1018]),
        (2, "msnet-3d", [0.9169, 0.6752, 0.7981, 2.6574]),
        (4, "unet3d", [0.9565, 0.7538, 0.8560, 1.7717]),
        (4, "med3d", [0.9524, 0.7286, 0.8377, 1.9219]),
        (4, "densevoxnet", [0.9762, 0.8156, 0.8959, 0.6151]),
        (4, "msnet-3d", [0.9862, 0.8519, 0.9185, 0.2899]),
    ],
    load: hippocampus,
    testable: |place, _| place % 3 != 0,
    official: false,
};

/// All data sets.
pub const DATA_SETS: [DataSet; 3] = [WBC, DRISHTI, HIPPOCAMPUS];

/// The cases of one training and one test.
pub struct Split {
    /// To learn from.
    pub taught: Vec<Case>,
    /// To be scored.
    pub tested: Vec<Case>,
}

impl DataSet {
    /// All cases, in the order of their names.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn load(&self, data: &Path) -> Result<Vec<Case>, Error> {
        (self.load)(data)
    }

    /// A random split: test cases are drawn first, then as many training cases as asked for from the rest, so that the splits of one seed
    /// are tested on the same cases and larger training sets hold the smaller ones. With `development` both are drawn from the cases for
    /// development, half of them to be tested at most.
    pub fn split(&self, cases: &[Case], size: usize, seed: u64, development: bool) -> Split {
        let (mut pool, others): (Vec<usize>, Vec<usize>) =
            (0..cases.len()).partition(|&place| (self.testable)(place, &cases[place].name) != development);
        let mut random = random_of(seed, 0);
        let mut draw = |from: &mut Vec<usize>, count: usize| -> Vec<Case> {
            let count = count.min(from.len());
            (0..count).map(|_| cases[from.swap_remove(random.random_range(0..from.len()))].clone()).collect()
        };
        let most = if development { pool.len() / 2 } else { pool.len() };
        let tested = draw(&mut pool, self.tested.min(most));
        let mut rest = if self.official && !development { others } else { pool };
        Split { taught: draw(&mut rest, size), tested }
    }
}

fn wbc(data: &Path) -> Result<Vec<Case>, Error> {
    let folder = data.join("wbc1");
    (1..=300)
        .map(|number| {
            let name = format!("{number:03}");
            let image = read_image(folder.join(format!("{name}.bmp")))?;
            let labels = read_labels(folder.join(format!("{name}.png")))?;
            let size = image.geometry().size();
            let kept: [usize; 3] = std::array::from_fn(|a| size[a].min(112));
            let start: [i64; 3] = std::array::from_fn(|a| ((size[a] - kept[a]) / 2) as i64);
            let image = window(&image, start, kept, 0.0)?;
            let labels = window_labels(&labels, start, kept, 0)?;
            Ok(Case { name, image, labels })
        })
        .collect()
}

fn drishti(data: &Path) -> Result<Vec<Case>, Error> {
    let mut cases = Vec::new();
    for part in ["test", "train"] {
        for case in folder(&data.join("drishti-gs").join(part))? {
            let small: Geometry = case.image.geometry().resized([128, 128, 1]).map_err(fewmark::image::Error::from)?;
            cases.push(Case {
                name: format!("{part}/{}", case.name),
                image: resample_to(&case.image, &small, Interpolation::Linear, 0.0)?,
                labels: resample_labels_to(&case.labels, &small, 0)?,
            });
        }
    }
    Ok(cases)
}

fn hippocampus(data: &Path) -> Result<Vec<Case>, Error> {
    folder(&data.join("hippocampus"))
}

/// The cases of a folder with `images` and `labels`.
fn folder(folder: &Path) -> Result<Vec<Case>, Error> {
    let files = fewmark::learn::dataset::pair(
        &[folder.join("images")],
        &[folder.join("labels")],
        fewmark::learn::dataset::Companion::Labels,
    )?;
    files
        .into_iter()
        .map(|files| {
            let labels = files.with.expect("a pair has labels");
            Ok(Case { name: files.name, image: read_image(files.image)?, labels: read_labels(labels)? })
        })
        .collect()
}
