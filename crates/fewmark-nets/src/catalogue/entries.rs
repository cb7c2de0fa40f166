//! What is known about an architecture without making its network.

use super::Architecture;
use crate::{DeepLabV3PlusConfig, DenseVoxNetConfig, Med3dConfig, MsNetConfig, R2UNetConfig, UNet3dConfig, UNetConfig};

/// A line of the catalogue.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) rank: usize,
    pub(super) smallest_size: usize,
    /// Samples of features that a training step of the usual width keeps for each voxel: measured, and 5 % more
    pub(super) kept_per_voxel: usize,
    /// Samples that it holds at most at once for each voxel of an image that it segments, measured likewise
    pub(super) held_per_voxel: usize,
    pub(super) summary: &'static str,
    pub(super) source: &'static str,
    /// From channels of the image and classes
    pub(super) config: fn(usize, usize) -> Architecture,
}

/// All architectures. A new one adds its line here.
pub(super) static CATALOGUE: [&Entry; 8] =
    [&MSNET_2D, &UNET, &DEEPLABV3PLUS, &R2UNET, &MSNET_3D, &UNET3D, &MED3D, &DENSEVOXNET];

const MSNET_SOURCE: &str = "Meng, Guo, Liu and Yang, Interpretable small training set image segmentation network originated from \
                            multi-grid variational model (2023)";

pub(super) static MSNET_2D: Entry = Entry {
    name: "msnet-2d",
    rank: 4,
    smallest_size: 1,
    kept_per_voxel: 660,
    held_per_voxel: 220,
    summary: "A multigrid solver with learnt operators that segments images while it solves.",
    source: MSNET_SOURCE,
    config: |in_channels, classes| Architecture::MsNet2d(MsNetConfig::recommended(in_channels, classes)),
};

pub(super) static MSNET_3D: Entry = Entry {
    name: "msnet-3d",
    rank: 5,
    smallest_size: 1,
    kept_per_voxel: 610,
    held_per_voxel: 165,
    summary: "A multigrid solver with learnt operators that segments volumes while it solves.",
    source: MSNET_SOURCE,
    config: |in_channels, classes| Architecture::MsNet3d(MsNetConfig::recommended(in_channels, classes)),
};

pub(super) static UNET: Entry = Entry {
    name: "unet",
    rank: 4,
    smallest_size: 16,
    kept_per_voxel: 1720,
    held_per_voxel: 400,
    summary: "The U-Net of five levels with batch norm.",
    source: "Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation (MICCAI 2015); layers of \
             milesial/Pytorch-UNet",
    config: |in_channels, classes| Architecture::UNet(UNetConfig::new(in_channels, classes)),
};

pub(super) static DEEPLABV3PLUS: Entry = Entry {
    name: "deeplabv3plus",
    rank: 4,
    smallest_size: 1,
    kept_per_voxel: 830,
    held_per_voxel: 350,
    summary: "DeepLabV3+ with a pyramid of dilated convolutions on MobileNetV2, nothing pretrained.",
    source: "Chen, Zhu, Papandreou, Schroff and Adam, Encoder-decoder with atrous separable convolution for semantic image \
             segmentation (ECCV 2018); layers of bubbliiiing/deeplabv3-plus-pytorch",
    config: |in_channels, classes| Architecture::DeepLabV3Plus(DeepLabV3PlusConfig::new(in_channels, classes)),
};

pub(super) static R2UNET: Entry = Entry {
    name: "r2unet",
    rank: 4,
    smallest_size: 1,
    kept_per_voxel: 5620,
    held_per_voxel: 640,
    summary: "A U-Net of recurrent residual convolutions.",
    source: "Alom, Hasan, Yakopcic, Taha and Asari, Recurrent residual convolutional neural network based on U-Net (R2U-Net) for \
             medical image segmentation (2018); layers of LeeJunHyun/Image_Segmentation",
    config: |in_channels, classes| Architecture::R2UNet(R2UNetConfig::new(in_channels, classes)),
};

pub(super) static UNET3D: Entry = Entry {
    name: "unet3d",
    rank: 5,
    smallest_size: 1,
    kept_per_voxel: 180,
    held_per_voxel: 60,
    summary: "A narrow 3-D U-Net with residual levels and logits from three of them.",
    source: "Çiçek, Abdulkadir, Lienkamp, Brox and Ronneberger, 3D U-Net: learning dense volumetric segmentation from sparse \
             annotation (MICCAI 2016); layers of black0017/MedicalZooPytorch",
    config: |in_channels, classes| Architecture::UNet3d(UNet3dConfig::new(in_channels, classes)),
};

pub(super) static MED3D: Entry = Entry {
    name: "med3d",
    rank: 5,
    smallest_size: 1,
    kept_per_voxel: 1370,
    held_per_voxel: 560,
    summary: "A residual network of depth 10 with dilated stages and a decoder of transposed convolutions.",
    source: "Chen, Ma and Zheng, Med3D: transfer learning for 3D medical image analysis (2019); layers of \
             black0017/MedicalZooPytorch",
    config: |in_channels, classes| Architecture::Med3d(Med3dConfig::new(in_channels, classes)),
};

pub(super) static DENSEVOXNET: Entry = Entry {
    name: "densevoxnet",
    rank: 5,
    smallest_size: 1,
    kept_per_voxel: 830,
    held_per_voxel: 245,
    summary: "Two densely connected blocks with an auxiliary output between them.",
    source: "Yu and others, Automatic 3D cardiovascular MR segmentation with densely-connected volumetric ConvNets (MICCAI 2017); \
             layers of black0017/MedicalZooPytorch",
    config: |in_channels, classes| Architecture::DenseVoxNet(DenseVoxNetConfig::new(in_channels, classes)),
};
