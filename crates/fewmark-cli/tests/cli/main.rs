//! The program `fewmark` from outside: what it is given, what it prints, what it leaves behind.

mod convert;
mod evaluate;
mod explain;
mod fewshot;
mod files;
mod lab;
mod methods;
mod odd_images;
mod real_images;
mod refused_calls;
mod refused_dicom;
mod refused_labels;
mod refused_outputs;
mod refused_pictures;
mod refused_volumes;
mod segment;
mod serve;
mod streams;
mod superpixels;
mod train;
mod train_labelled;
