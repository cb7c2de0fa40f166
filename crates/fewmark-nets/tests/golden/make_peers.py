#!/usr/bin/env python3
"""Writes peers.json: shapes of the parameters, and logits, of the public PyTorch networks that ours follow.

    make_peers.py FOLDER

FOLDER has clones of these repositories, each under its own name:

    github.com/milesial/Pytorch-UNet               21d7850f2af30a9695bbeea75f3136aa538cfc4a
    github.com/bubbliiiing/deeplabv3-plus-pytorch  90dee2706938fa3a76e9bb8f5fcfbaf90517e08a
    github.com/LeeJunHyun/Image_Segmentation       5e9da9395c52b119d55dfc6532c34ac0e88f446e
    github.com/black0017/MedicalZooPytorch         8f40dab689841d7ff0e36aa5e583a1a1509fac3d

Made with PyTorch 2.15, in double precision and evaluation mode. Parameters, running statistics and images are from the formulas of
make_nets.py. What our networks hold in another order than theirs is listed here by their names in the order of ours. Of large logits
every n-th is written, and the sum of all.
"""
import contextlib
import importlib
import json
import math
import os
import pathlib
import sys
import types

import torch

torch.set_default_dtype(torch.float64)
CLONES = pathlib.Path(sys.argv[1])


def package(name, folder):
    """A package whose own file is not run: it would import what is not needed here."""
    module = types.ModuleType(name)
    module.__path__ = [str(CLONES / folder)]
    sys.modules[name] = module


for unused in ("torchsummary", "torchsummaryX"):
    sys.modules[unused] = types.ModuleType(unused)
    sys.modules[unused].summary = None
package("unet", "Pytorch-UNet/unet")
package("nets", "deeplabv3-plus-pytorch/nets")
package("r2", "Image_Segmentation")
package("lib", "MedicalZooPytorch/lib")
package("lib.medzoo", "MedicalZooPytorch/lib/medzoo")
unet, parts, deeplab, r2, med3d, dense, unet3d = map(
    importlib.import_module,
    [
        "unet.unet_model",
        "unet.unet_parts",
        "nets.deeplabv3_plus",
        "r2.network",
        "lib.medzoo.ResNet3DMedNet",
        "lib.medzoo.DenseVoxelNet",
        "lib.medzoo.Unet3D",
    ],
)


def weights(network, order):
    """Parameters and running statistics in the order of our network: `order` has the names of modules."""
    everything = {name: x for name, x in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    inside = lambda module: [name for name in everything if name.startswith(module + ".")]
    names = [name for module in order for name in inside(module)]
    assert sorted(names) == sorted(everything), set(names) ^ set(everything)
    return [(name, everything[name]) for name in names]


def fill(network, order):
    for p, (_, x) in enumerate(weights(network, order)):
        i = torch.arange(x.numel(), dtype=torch.float64)
        wave = torch.sin(0.61 * i * i + 1.7 * i + p).reshape(x.shape)
        x.copy_(0.75 + 0.25 * wave if x.dim() == 1 else wave * (2 * x.shape[0] / x.numel()) ** 0.5)
    return network.eval()


def image(*shape):
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(0.013 * i * i + 0.4 * i)).reshape(shape)


def rounded(values):
    return [float(f"{v:.8g}") for v in values]


def case(logits):
    flat = logits.flatten()
    step = max(1, flat.numel() // 600)
    return {"shape": list(logits.shape), "step": step, "sum": flat.sum().item(), "logits": rounded(flat[::step].tolist())}


def shapes(network, order):
    trained = {name for name, _ in network.named_parameters()}
    return [[name, list(x.shape)] for name, x in weights(network, order) if name in trained]


UNET = (
    ["inc", "down1", "down2", "down3", "down4"]
    + [f"up{i}.up" for i in range(1, 5)]
    + [f"up{i}.conv" for i in range(1, 5)]
    + ["outc"]
)


def narrow_unet(width):
    """The U-Net, whose widths are written out in its class, with blocks of other widths."""
    net = unet.UNet(3, 3)
    net.inc = parts.DoubleConv(3, width)
    for i in range(4):
        setattr(net, f"down{i + 1}", parts.Down(width << i, width << i + 1))
        setattr(net, f"up{4 - i}", parts.Up(width << i + 1, width << i, bilinear=False))
    net.outc = parts.OutConv(width, 3)
    return net


DEEPLAB = ["backbone", "aspp", "shortcut_conv", "cat_conv", "cls_conv"]


def blocks(name):
    return [f"{name}.Conv_1x1", f"{name}.RCNN.0", f"{name}.RCNN.1"]


R2UNET = (
    [part for i in range(1, 6) for part in blocks(f"RRCNN{i}")]
    + [f"Up{i}" for i in (5, 4, 3, 2)]
    + [part for i in (5, 4, 3, 2) for part in blocks(f"Up_RRCNN{i}")]
    + ["Conv_1x1"]
)


def narrow_r2unet(width, steps):
    net = r2.R2U_Net(3, 3, steps)
    net.RRCNN1 = r2.RRCNN_block(3, width, steps)
    for i in range(4):
        setattr(net, f"RRCNN{i + 2}", r2.RRCNN_block(width << i, width << i + 1, steps))
        setattr(net, f"Up{i + 2}", r2.up_conv(width << i + 1, width << i))
        setattr(net, f"Up_RRCNN{i + 2}", r2.RRCNN_block(width << i + 1, width << i, steps))
    net.Conv_1x1 = torch.nn.Conv2d(width, 3, 1)
    return net


MED3D = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "segm"]
DENSE = ["conv_init", "dense_1", "trans", "dense_2", "up_block", "transpose", "conv_final"]
UNET3D = (
    ["conv3d_c1_1", "conv3d_c1_2", "lrelu_conv_c1"]
    + [name for i in range(2, 6) for name in (f"conv3d_c{i}", f"norm_lrelu_conv_c{i}")]
    + ["norm_lrelu_upscale_conv_norm_lrelu_l0", "conv3d_l0", "conv_norm_lrelu_l1"]
    + [
        name
        for i, logits in ((1, "ds2_1x1_conv3d"), (2, "ds3_1x1_conv3d"), (3, "conv3d_l4"))
        for name in (f"conv3d_l{i}", f"norm_lrelu_upscale_conv_norm_lrelu_l{i}", f"conv_norm_lrelu_l{i + 1}", logits)
    ]
)

with torch.no_grad(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    full = {
        "unet": shapes(unet.UNet(3, 3), UNET),
        "deeplabv3plus": shapes(deeplab.DeepLab(3, pretrained=False), DEEPLAB),
        "r2unet": shapes(r2.R2U_Net(3, 3), R2UNET),
        "med3d": shapes(med3d.generate_resnet3d(1, 4, 10), MED3D),
        "densevoxnet": shapes(dense.DenseVoxelNet(1, 4), DENSE),
        "unet3d": shapes(unet3d.UNet3D(1, 4, 4), UNET3D),
    }
    deep = fill(deeplab.DeepLab(3, pretrained=False), DEEPLAB)
    solid = fill(med3d.generate_resnet3d(1, 4, 10), MED3D)
    main, auxiliary = fill(dense.DenseVoxelNet(1, 4), DENSE)(image(2, 1, 8, 12, 4))
    cases = {
        "unet": case(fill(narrow_unet(2), UNET)(image(1, 3, 16, 21))),
        "deeplabv3plus": case(deep(image(2, 3, 64, 48))),
        "deeplabv3plus, odd": case(deep(image(1, 3, 37, 53))),
        # Bright enough for activations beyond 6.
        "deeplabv3plus, bright": case(deep(40 * image(1, 3, 32, 32))),
        "r2unet": case(fill(narrow_r2unet(3, 2), R2UNET)(image(1, 3, 32, 48))),
        "r2unet, three steps": case(fill(narrow_r2unet(2, 3), R2UNET)(image(2, 3, 16, 16))),
        "med3d": case(solid(image(1, 1, 16, 24, 8))),
        # The sizes that it makes of others are multiples of 8.
        "med3d, odd": case(solid(image(1, 1, 5, 18, 9))[:, :, :5, :18, :9]),
        "densevoxnet": case(main),
        "densevoxnet, auxiliary": case(auxiliary),
        "unet3d": case(fill(unet3d.UNet3D(1, 4, 4), UNET3D)(image(1, 1, 32, 16, 32))),
        "unet3d, two channels": case(fill(unet3d.UNet3D(2, 3, 2), UNET3D)(image(2, 2, 32, 48, 32))),
    }

dump = lambda table: ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in table.items())
text = f'{{"parameters": {{\n{dump(full)}\n}},\n"logits": {{\n{dump(cases)}\n}}}}\n'
(pathlib.Path(__file__).parent / "peers.json").write_text(text)
