//! Encoders whose weights another program has learned: checkpoints with torchvision's residual networks.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use fewmark_image::memory;
use fewmark_nets::{EncoderConfig, ResNetConfig};
use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};

use super::config::FewShotConfig;
use super::inference::InferenceConfig;
use super::predictor::Predictor;
use crate::tensor_file::Stored;
use crate::{Error, weights};

/// The first tensor of a torchvision network; what comes before its name comes before all others.
const FIRST: &str = "conv1.weight";

/// The last convolution of SSL-ALPNet's encoder, beside the `backbone` in its checkpoints.
const LAST: [&str; 2] = ["Resnet.out.weight", "localconv.weight"];

/// How many batches a layer has seen; nothing here needs it, and old checkpoints do not have it.
const COUNTER: &str = ".num_batches_tracked";

/// What became of a checkpoint.
#[derive(Debug)]
pub struct Pretrained {
    /// The encoder, with the settings of the paper.
    pub encoder: Predictor,
    /// How many tensors of the checkpoint it has.
    pub taken: usize,
    /// The tensors of the checkpoint that it has no use for, such as a classifier.
    pub ignored: Vec<String>,
    /// Its tensors that the checkpoint does not have; they are random.
    pub missing: Vec<String>,
}

/// The encoder in a checkpoint of PyTorch (`.pth`: a zip archive, or the older stream) or a `.safetensors` file, with the names of
/// torchvision's `resnet18` to `resnet101`, of its `deeplabv3_resnet*` and `fcn_resnet*`, or of SSL-ALPNet. `seed` is for tensors that such a
/// file may lack: the last convolution, which only SSL-ALPNet has.
///
/// # Errors
/// [`Error::Image`] when the file cannot be read or needs too much memory; [`Error::Data`] when it is no checkpoint, has no such network or only a
/// part of one.
pub fn pretrained(path: &Path, seed: u64, device: Device) -> Result<Pretrained, Error> {
    let failed = |source| fewmark_image::Error::Io { action: "read", path: path.to_owned(), source };
    // The file, its tensors as numbers, and the network.
    memory::plan(format!("reading {path:?}"), 3 * std::fs::metadata(path).map_err(failed)?.len())?;
    let mut found = tensors(path)?;
    let prefix = found.keys().filter_map(|name| name.strip_suffix(FIRST)).min_by_key(|prefix| prefix.len());
    let prefix = prefix.ok_or_else(|| unfit(path, format!("it has no tensor {FIRST:?}")))?.to_owned();
    let beside = prefix.strip_suffix("backbone.").unwrap_or(&prefix);
    let last = format!("{beside}{}", LAST[1]);
    let config = FewShotConfig {
        encoder: EncoderConfig::Resnet(ResNetConfig {
            depth: depth(&found, &prefix).map_err(|problem| unfit(path, problem))?,
            features: match found.get(&last) {
                Some(Stored::F32 { shape, .. }) => shape.first().copied().unwrap_or(0),
                _ => ResNetConfig::default().features,
            },
        }),
        // The square is twice as large as that of our own encoders already.
        inference: InferenceConfig { enlargement: 1.0, ..InferenceConfig::default() },
        ..FewShotConfig::paper()
    };
    let network = crate::init_seeded(&device, seed, |device| config.encoder.init(device))?;
    let mut tensors = weights::of(&network).0;
    let mut missing = Vec::new();
    for (name, tensor) in &mut tensors {
        let theirs = if name == LAST[0] { last.clone() } else { format!("{prefix}{}", name_in_torchvision(name)) };
        match found.remove(&theirs) {
            Some(stored) => *tensor = stored,
            None => missing.push(theirs),
        }
    }
    let taken = tensors.len() - missing.len();
    let lacking: Vec<&str> = missing.iter().filter(|name| **name != last).map(String::as_str).collect();
    if !lacking.is_empty() {
        let problem = format!("it lacks {} of {} tensors: {}", lacking.len(), tensors.len(), lacking.join(", "));
        return Err(unfit(path, problem));
    }
    let broken = |(name, tensor): (&String, &Stored)| match tensor {
        Stored::F32 { samples, .. } if samples.iter().any(|x| !x.is_finite()) => Some(name_in_torchvision(name)),
        _ => None,
    };
    if let Some(name) = tensors.iter().find_map(broken) {
        return Err(unfit(path, format!("the tensor {name:?} has numbers that are not finite")));
    }
    let network =
        weights::apply(network, tensors, &weights::Identities::new()).map_err(|problem| unfit(path, problem))?;
    let ignored = found.into_keys().filter(|name| !name.ends_with(COUNTER)).collect();
    Ok(Pretrained { encoder: Predictor::new(network, config, device), taken, ignored, missing })
}

fn unfit(path: &Path, problem: String) -> Error {
    let hint =
        "give a checkpoint of torchvision's resnet18, 34, 50 or 101, alone or as the backbone of its deeplabv3 or fcn";
    Error::Data { path: path.to_owned(), problem, hint }
}

/// The numbers in a file by their names; those that are whole are left out.
fn tensors(path: &Path) -> Result<BTreeMap<String, Stored>, Error> {
    let broken = |problem: String| Error::Data {
        path: path.to_owned(),
        problem,
        hint: "give a checkpoint that `torch.save` wrote of a state dict, or a .safetensors file",
    };
    let stored = |shape: &[usize], samples: Vec<f32>| Stored::F32 { shape: shape.to_vec(), samples };
    let mut all = BTreeMap::new();
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        let failed = |source| fewmark_image::Error::Io { action: "read", path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(failed)?;
        for (name, view) in SafeTensors::deserialize(&bytes).map_err(|e| broken(e.to_string()))?.iter() {
            let kind = match view.dtype() {
                Dtype::F32 => Number::Single,
                Dtype::F64 => Number::Double,
                Dtype::F16 | Dtype::BF16 => Number::Half,
                _ => continue,
            };
            all.insert(name.to_owned(), stored(view.shape(), kind.read(view.data()).map_err(&broken)?));
        }
    } else {
        for (name, tensor) in PytorchReader::new(path).map_err(|e| broken(e.to_string()))?.tensors() {
            let kind = match tensor.dtype() {
                DType::F32 => Number::Single,
                DType::F64 => Number::Double,
                DType::F16 | DType::BF16 => Number::Half,
                _ => continue,
            };
            let bytes = tensor.read().map_err(|e| broken(format!("{name}: {e}")))?;
            all.insert(name.clone(), stored(tensor.shape(), kind.read(&bytes).map_err(&broken)?));
        }
    }
    Ok(all)
}

/// A type of numbers that are not whole.
enum Number {
    Single,
    Double,
    Half,
}

impl Number {
    /// The numbers in little-endian bytes.
    fn read(self, bytes: &[u8]) -> Result<Vec<f32>, String> {
        match self {
            Self::Single => Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
            Self::Double => Ok(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect()),
            Self::Half => Err("its numbers are halves; save it with `.float()`".into()),
        }
    }
}

/// The depth of the network whose names begin with `prefix`, by its third stage.
fn depth(tensors: &BTreeMap<String, Stored>, prefix: &str) -> Result<usize, String> {
    let blocks =
        (0..).take_while(|block| tensors.contains_key(&format!("{prefix}layer3.{block}.conv1.weight"))).count();
    let deep = tensors.contains_key(&format!("{prefix}layer1.0.conv3.weight"));
    match (blocks, deep) {
        (2, false) => Ok(18),
        (6, false) => Ok(34),
        (6, true) => Ok(50),
        (23, true) => Ok(101),
        _ => Err(format!("its network is none of torchvision's: stage 3 has {blocks} blocks")),
    }
}

/// What torchvision calls a tensor of our encoder.
fn name_in_torchvision(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let kind = |layer: &[&str], conv: &str, norm: &str| match layer {
        ["conv", rest] => format!("{conv}.{rest}"),
        ["norm", _, "gamma"] => format!("{norm}.weight"),
        ["norm", _, "beta"] => format!("{norm}.bias"),
        ["norm", _, statistic] => format!("{norm}.{statistic}"),
        other => other.join("."),
    };
    match parts[..] {
        [_, "stem", ref layer @ ..] => kind(layer, "conv1", "bn1"),
        [_, "stages", stage, "blocks", block, _, part, ref layer @ ..] => {
            let stage = stage.parse::<usize>().map_or(0, |stage| stage + 1);
            let (conv, norm) = match part {
                "first" | "narrow" => ("conv1", "bn1"),
                "second" | "middle" => ("conv2", "bn2"),
                "wide" => ("conv3", "bn3"),
                _ => ("downsample.0", "downsample.1"),
            };
            format!("layer{stage}.{block}.{}", kind(layer, conv, norm))
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use burn::tensor::{Tensor, TensorData};
    use fewmark_nets::Encoder;
    use safetensors::tensor::TensorView;

    use super::*;

    #[test]
    fn every_tensor_has_a_name_in_torchvision() {
        for (depth, count) in [(18, 100), (34, 180), (50, 265), (101, 520)] {
            let config = EncoderConfig::Resnet(ResNetConfig { depth, ..ResNetConfig::default() });
            let network = config.init(&Device::flex()).unwrap();
            let names: Vec<String> = weights::of(&network).0.keys().map(|name| name_in_torchvision(name)).collect();
            let of_backbone =
                |name: &&String| name.starts_with("conv1.") || name.starts_with("bn1.") || name.starts_with("layer");
            assert_eq!(names.iter().filter(of_backbone).count(), count, "depth {depth}: {names:?}");
            assert_eq!(names.iter().filter(|name| !of_backbone(name)).collect::<Vec<_>>(), [LAST[0]]);
            let mut unique = names.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), names.len());
        }
    }

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
    }

    /// What `make_checkpoints.py` says of a stage.
    #[derive(serde::Deserialize)]
    struct Stage {
        shape: Vec<usize>,
        step: usize,
        norm: f64,
        samples: Vec<f32>,
    }

    #[test]
    fn stages_are_those_of_torchvision() {
        let found = pretrained(&golden("deeplabv3_resnet50.pth"), 0, Device::flex()).unwrap();
        assert_eq!((found.taken, &found.missing[..]), (265, &["localconv.weight".to_owned()][..]));
        assert!(found.ignored.iter().all(|name| name.contains("classifier.")), "{:?}", found.ignored);
        assert_eq!(found.ignored.len(), 44);
        let Encoder::Resnet(network) = found.encoder.network() else { panic!("another encoder") };
        let wave = |i: f64| (0.5 + 0.5 * (0.013 * i * i + 0.4 * i).sin()) as f32;
        let image: Vec<f32> = (0..3 * 40 * 36).map(|i| wave(f64::from(i))).collect();
        let stages = network.stages(Tensor::from_data(TensorData::new(image, [1, 3, 40, 36]), &Device::flex()));
        let expected: Vec<Stage> = serde_json::from_slice(&std::fs::read(golden("stages.json")).unwrap()).unwrap();
        assert_eq!(stages.len(), expected.len());
        for (number, (found, expected)) in stages.into_iter().zip(expected).enumerate() {
            assert_eq!(found.dims()[..], expected.shape[..]);
            let samples: Vec<f32> = found.into_data().try_to_vec().unwrap();
            let norm = samples.iter().map(|s| f64::from(s * s)).sum::<f64>().sqrt();
            assert!((norm / expected.norm - 1.0).abs() < 1e-4, "stage {number}: {norm}, not {}", expected.norm);
            for (found, expected) in samples.iter().step_by(expected.step).zip(expected.samples) {
                assert!(
                    (found - expected).abs() <= 1e-4 * expected.abs().max(1.0),
                    "stage {number}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn the_older_stream_is_read_too() {
        let found = pretrained(&golden("resnet18.pth"), 0, Device::flex()).unwrap();
        assert_eq!((found.taken, &found.ignored[..]), (100, &["fc.bias".to_owned(), "fc.weight".to_owned()][..]));
        let EncoderConfig::Resnet(config) = &found.encoder.config().encoder else { panic!("another encoder") };
        assert_eq!((config.depth, config.features), (18, 256));
    }

    /// A file with tensors of one sample each.
    fn with_tensors(folder: &Path, names: &[String]) -> PathBuf {
        let path = folder.join("some.safetensors");
        let one = 1.0_f32.to_le_bytes();
        let view = |name: &String| (name.clone(), TensorView::new(Dtype::F32, vec![1], &one).unwrap());
        std::fs::write(&path, safetensors::serialize(names.iter().map(view), None).unwrap()).unwrap();
        path
    }

    #[test]
    fn what_is_no_whole_network_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| match pretrained(path, 0, Device::flex()).unwrap_err() {
            Error::Data { problem, .. } => problem,
            other => panic!("{other}"),
        };
        let blocks = |count: usize| {
            let of_stage = |stage| (0..count).map(move |block| format!("backbone.layer{stage}.{block}.conv1.weight"));
            (1..4).flat_map(of_stage).chain(["backbone.conv1.weight".to_owned()]).collect::<Vec<_>>()
        };
        let found = refused(&with_tensors(folder.path(), &["classifier.weight".to_owned()]));
        assert!(found.contains("no tensor"), "{found}");
        let found = refused(&with_tensors(folder.path(), &blocks(5)));
        assert!(found.contains("5 blocks"), "{found}");
        let found = refused(&with_tensors(folder.path(), &blocks(2)));
        assert!(found.contains("lacks 93 of 101") && found.contains("backbone.layer4.1.bn2.weight"), "{found}");
        // A file that was cut off, and one that is something else.
        let whole = std::fs::read(golden("resnet18.pth")).unwrap();
        for bytes in [&whole[..whole.len() / 2], &whole[..3], b"no checkpoint", b""] {
            let path = folder.path().join("cut.pth");
            std::fs::write(&path, bytes).unwrap();
            assert!(!refused(&path).is_empty());
        }
    }
}
