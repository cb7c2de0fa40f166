#!/usr/bin/env python3
"""Writes checkpoints in the layouts of torchvision, and stages.json: what its networks make of an image with them.

Made with PyTorch 2.15 and torchvision 0.29.2. deeplabv3_resnet50.pth is a zip archive, resnet18.pth the stream that PyTorch wrote before version
1.6. Weights are from formulas. They lie over each other in a few small storages, so the files are small though the networks are not.
"""
import json
import pathlib

import torch
from torchvision.models import resnet18, resnet50
from torchvision.models.segmentation import deeplabv3_resnet50

FOLDER = pathlib.Path(__file__).parent
DILATED = [False, True, True]


def wave(count):
    i = torch.arange(count, dtype=torch.float64)
    return torch.sin(0.61 * i * i + 1.7 * i).float()


TAPS = wave(20_000)
SCALES = 0.75 + 0.25 * wave(4096)


def fill(network):
    """The state of a network with weights that are views of the storages above."""
    state, fan_in = {}, None
    for n, (name, old) in enumerate(network.state_dict().items()):
        if old.dim() == 4:
            fan_in = old[0].numel()
            state[name] = TAPS.as_strided(old.shape, (7, 5, 3, 1), n)
        elif old.dim() == 2:
            state[name] = TAPS.as_strided(old.shape, (7, 5), n)
        elif name.endswith("num_batches_tracked"):
            state[name] = old
        elif name.endswith("running_var"):
            # What the convolution before it makes of samples with variance 1; the taps have variance 1 / 2.
            state[name] = torch.tensor(fan_in / 2).expand(old.shape)
        else:
            state[name] = (SCALES if name.endswith("weight") else TAPS)[n : n + old.numel()]
    network.load_state_dict(state)
    return state


def image():
    i = torch.arange(3 * 40 * 36, dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(0.013 * i * i + 0.4 * i)).float().reshape(1, 3, 40, 36)


def stages(network):
    x = network.maxpool(network.relu(network.bn1(network.conv1(image()))))
    found = []
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = stage(x)
        flat = x.flatten()
        step = flat.numel() // 200
        found.append(
            {
                "shape": list(x.shape),
                "step": step,
                "norm": flat.double().norm().item(),
                "samples": [float(f"{v:.7g}") for v in flat[::step].tolist()],
            }
        )
    return found


with torch.no_grad():
    whole = deeplabv3_resnet50(weights=None, weights_backbone=None, aux_loss=True)
    state = fill(whole)
    torch.save(state, FOLDER / "deeplabv3_resnet50.pth")
    network = resnet50(weights=None, replace_stride_with_dilation=DILATED)
    backbone = {name.removeprefix("backbone."): x for name, x in state.items() if name.startswith("backbone.")}
    missing = network.load_state_dict(backbone, strict=False)
    assert missing.missing_keys == ["fc.weight", "fc.bias"] and not missing.unexpected_keys
    golden = stages(network.eval())
    torch.save(fill(resnet18(weights=None)), FOLDER / "resnet18.pth", _use_new_zipfile_serialization=False)
(FOLDER / "stages.json").write_text(json.dumps(golden) + "\n")
