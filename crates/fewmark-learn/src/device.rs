//! Where a network computes.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
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
            Self::Gpu => Err(Error::Device("GPU", "this program was built for the CPU only".into())),
        }
    }
}

/// Makes something with random numbers that only depend on the seed.
///
/// The generator of a device belongs to the whole program; nobody else draws from it through this function meanwhile.
pub fn init_seeded<T>(device: &Device, seed: u64, init: impl FnOnce(&Device) -> T) -> T {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    init(device)
}
