//! What the paper of MSNet prints, to stand beside ours.

/// Scores of a network in a table of the paper: means over the foreground classes of its test images.
pub struct Published {
    /// Data set of ours that stands for the paper's.
    pub data: &'static str,
    /// Training images.
    pub cases: usize,
    /// Architecture, as ours are called.
    pub network: &'static str,
    /// Accuracy, mIoU, Dice and average surface distance.
    pub scores: [f64; 4],
}

const fn of(data: &'static str, cases: usize, network: &'static str, scores: [f64; 4]) -> Published {
    Published { data, cases, network, scores }
}

/// Tables 1 (REFUGE, beside our Drishti-GS), 2 (white blood cells, the same images) and 3 (thigh muscles, beside our hippocampus).
pub const PUBLISHED: &[Published] = &[
    of("drishti", 20, "unet", [0.9028, 0.6236, 0.7416, 3.3287]),
    of("drishti", 20, "deeplabv3plus", [0.9165, 0.6319, 0.7492, 2.0687]),
    of("drishti", 20, "r2unet", [0.9320, 0.6105, 0.7192, 3.7283]),
    of("drishti", 20, "msnet-2d", [0.9495, 0.7118, 0.8147, 2.0031]),
    of("drishti", 50, "unet", [0.8701, 0.5488, 0.6665, 5.2768]),
    of("drishti", 50, "deeplabv3plus", [0.9269, 0.6499, 0.7649, 1.7757]),
    of("drishti", 50, "r2unet", [0.9205, 0.6551, 0.7698, 3.3055]),
    of("drishti", 50, "msnet-2d", [0.9486, 0.6855, 0.7904, 1.6800]),
    of("wbc", 10, "unet", [0.9147, 0.7199, 0.8056, 2.6567]),
    of("wbc", 10, "deeplabv3plus", [0.9492, 0.8118, 0.8856, 0.5882]),
    of("wbc", 10, "r2unet", [0.9291, 0.7735, 0.8497, 1.5551]),
    of("wbc", 10, "msnet-2d", [0.9509, 0.8188, 0.8850, 0.7974]),
    of("wbc", 30, "unet", [0.9190, 0.7109, 0.7911, 2.3211]),
    of("wbc", 30, "deeplabv3plus", [0.9772, 0.9007, 0.9451, 0.2570]),
    of("wbc", 30, "r2unet", [0.9714, 0.8895, 0.9369, 0.5379]),
    of("wbc", 30, "msnet-2d", [0.9801, 0.9144, 0.9537, 0.1861]),
    of("wbc", 60, "unet", [0.9395, 0.7734, 0.8444, 1.1533]),
    of("wbc", 60, "deeplabv3plus", [0.9829, 0.9232, 0.9589, 0.1666]),
    of("wbc", 60, "r2unet", [0.9838, 0.9289, 0.9622, 0.1469]),
    of("wbc", 60, "msnet-2d", [0.9819, 0.9215, 0.9579, 0.1708]),
    of("hippocampus", 2, "unet3d", [0.8847, 0.6211, 0.7595, 7.0516]),
    of("hippocampus", 2, "med3d", [0.8655, 0.5607, 0.7138, 2.5411]),
    of("hippocampus", 2, "densevoxnet", [0.8704, 0.5600, 0.7097, 4.1018]),
    of("hippocampus", 2, "msnet-3d", [0.9169, 0.6752, 0.7981, 2.6574]),
    of("hippocampus", 4, "unet3d", [0.9565, 0.7538, 0.8560, 1.7717]),
    of("hippocampus", 4, "med3d", [0.9524, 0.7286, 0.8377, 1.9219]),
    of("hippocampus", 4, "densevoxnet", [0.9762, 0.8156, 0.8959, 0.6151]),
    of("hippocampus", 4, "msnet-3d", [0.9862, 0.8519, 0.9185, 0.2899]),
];
