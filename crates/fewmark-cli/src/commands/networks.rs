//! `fewmark networks`: the architectures that can be trained.

use fewmark::nets::Architecture;
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;
use crate::output::{print, print_json, table};

#[derive(Serialize)]
struct Network {
    name: &'static str,
    /// Axes of its images
    dimensions: usize,
    parameters: usize,
    summary: &'static str,
    source: &'static str,
}

pub(crate) fn run(common: &Common) -> Result<(), Failure> {
    let networks = Architecture::names().map(network).collect::<Result<Vec<_>, _>>()?;
    if common.json {
        return print_json(&networks);
    }
    let row =
        |n: &Network| vec![n.name.into(), format!("{}-D", n.dimensions), n.parameters.to_string(), n.summary.into()];
    print(table(&["network", "images", "parameters", ""], &networks.iter().map(row).collect::<Vec<_>>()))?;
    print("\nParameters: for colour images and three classes in 2-D, for grey volumes and four classes in 3-D.")
}

/// An architecture for the images and classes for which papers count its parameters.
fn network(name: &'static str) -> Result<Network, Failure> {
    let architecture = Architecture::find(name, 3, 3)?;
    let dimensions = architecture.rank() - 2;
    let architecture = if dimensions == 2 { architecture } else { architecture.with_channels(1, 4) };
    let parameters = architecture.parameters()?;
    Ok(Network { name, dimensions, parameters, summary: architecture.summary(), source: architecture.source() })
}
