//! Where a network computes.

use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A kind of device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compute {
    /// The processor.
    #[default]
    Cpu,
    /// A graphics card, in a program built with the feature `vulkan`.
    Gpu,
}

impl Compute {
    /// The device, without autodiff.
    ///
    /// # Errors
    /// [`Error::Device`] where there is none.
    pub fn device(self) -> Result<Device, Error> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Gpu => gpu(),
        }
    }
}

#[cfg(feature = "vulkan")]
fn gpu() -> Result<Device, Error> {
    let found = Device::enumerate(burn::tensor::DeviceType::Vulkan).into_iter().next();
    found.ok_or_else(|| Error::Device("GPU", "no Vulkan driver on this machine offers one".into()))
}

#[cfg(not(feature = "vulkan"))]
fn gpu() -> Result<Device, Error> {
    Err(Error::Device("GPU", "this program was built for the CPU only".into()))
}

/// Makes a network whose weights only depend on the seed.
///
/// The generator of a device belongs to the whole program; nobody else draws from it through this function meanwhile.
///
/// # Errors
/// Those of `init`.
pub fn init_seeded<M: Module, E>(
    device: &Device,
    seed: u64,
    init: impl FnOnce(&Device) -> Result<M, E>,
) -> Result<M, E> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    let network = init(device)?;
    network.visit(&mut Drawn);
    Ok(network)
}

/// Draws every weight: Burn leaves that for when a weight is first used.
struct Drawn;

impl ModuleVisitor for Drawn {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }
}
