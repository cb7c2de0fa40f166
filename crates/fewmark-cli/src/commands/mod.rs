//! One file per command.

pub(crate) mod clicks;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod fewshot;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod methods;
pub(crate) mod networks;
pub(crate) mod predict;
pub(crate) mod runs;
pub(crate) mod segment;
pub(crate) mod serve;
pub(crate) mod superpixels;
pub(crate) mod support;
pub(crate) mod train;
