//! Network architectures, one file each: what a network computes and how many parameters it has, not how it is trained.
//!
//! Tensors are `[batch, channels, y, x]` in 2-D and `[batch, channels, z, y, x]` in 3-D. A network returns logits; the softmax
//! over the classes belongs to the loss or to the reader. A configuration is plain data with every default in it; `init` makes
//! the network on a device, whose autodiff setting decides whether it can be trained. [`Architecture`] has those that segment into
//! classes by name.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use fewmark_nets::{MsNet, MsNetConfig};
//!
//! # fn main() -> Result<(), fewmark_nets::ConfigError> {
//! let device = Device::flex();
//! let network: MsNet<4> = MsNetConfig::new(3, 3).init(&device)?;
//! let image = Tensor::random([1, 3, 20, 17], Distribution::Uniform(0.0, 1.0), &device);
//! assert_eq!(network.forward(image).dims(), [1, 3, 20, 17]);
//! # Ok(())
//! # }
//! ```

mod catalogue;
mod deeplabv3plus;
mod dense_vox_net;
mod dip_net;
mod encoder;
mod error;
mod layers;
mod med3d;
mod msnet;
mod prototypes;
mod r2unet;
mod resnet;
mod se_net;
mod slim_resnet;
mod unet;
mod unet3d;
mod vm_net;

pub use catalogue::{Architecture, Network2d, Network3d, Segmenter};
pub use deeplabv3plus::{DeepLabV3Plus, DeepLabV3PlusConfig};
pub use dense_vox_net::{DenseVoxNet, DenseVoxNetConfig};
pub use dip_net::{DipNet, DipNetConfig, Upsampling};
pub use encoder::{Encoder, EncoderConfig};
pub use error::ConfigError;
pub use layers::Norm;
pub use med3d::{Med3d, Med3dConfig};
pub use msnet::{Energy, Explanation, MsNet, MsNetConfig, Pass, RestrictV, Sharing, Visit, Weights};
pub use prototypes::{FeatureMask, PrototypeHead, Prototypes};
pub use r2unet::{R2UNet, R2UNetConfig};
pub use resnet::{ResNet, ResNetConfig};
pub use se_net::{SeNet, SeNetConfig};
pub use slim_resnet::{SlimResNet, SlimResNetConfig};
pub use unet::{UNet, UNetConfig};
pub use unet3d::{UNet3d, UNet3dConfig};
pub use vm_net::{VmNet, VmNetConfig};
