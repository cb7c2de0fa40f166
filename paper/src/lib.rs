//! What the experiments share: where the images are, the selective models' data sets, and result files that say where every
//! figure comes from.

pub mod cases;
pub mod fewshot;
pub mod fewshot_table;
pub mod labelled;
pub mod learned;
pub mod pictures;
pub mod results;
pub mod selective;
pub mod supervised;
pub mod supervised_table;
pub mod usage;
