#!/usr/bin/env python3
"""PyTorch's side of the comparison of convolutions and networks: NAME<TAB>median milliseconds, the names of `fewmark-bench`.

Eager mode, as a user would write it. MSNet follows the equations of its paper literally, without the algebra that spares our side
some convolutions. Pinned: torch 2.15.0.
Usage: torch_peers.py [--threads N] [--repeat N] [--only SUBSTRING]
"""
import argparse
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS = 16
GRIDS = 5
DIMENSIONS = {2: (nn.Conv2d, F.conv_transpose2d, "bilinear"), 3: (nn.Conv3d, F.conv_transpose3d, "trilinear")}


class Grid(nn.Module):
    """The operators of one pass over one grid: L, L*, k."""

    def __init__(self, dimension):
        super().__init__()
        conv, self.transposed, _ = DIMENSIONS[dimension]
        names = ("first", "second", "back_first", "back_second", "coupling")
        for name in names:
            setattr(self, name, conv(CHANNELS, CHANNELS, 3, padding=1, bias=False))

    def features(self, u):
        return self.second(torch.relu(self.first(u)))

    def apply_operator(self, u, v):
        x = torch.relu(self.transposed(v * self.features(u), self.back_first.weight, padding=1))
        return v * u + self.transposed(x, self.back_second.weight, padding=1)

    def step(self, rhs, f, u, v):
        u = u + (rhs - self.apply_operator(u, v))
        energy = 0.5 * (f - u) ** 2 + 0.5 * self.features(u) ** 2 + self.coupling(1 - 2 * v)
        return u, torch.softmax(-energy, dim=1)


class MSNet(nn.Module):
    def __init__(self, dimension, channels_in, classes):
        super().__init__()
        conv, _, self.mode = DIMENSIONS[dimension]
        layer = lambda i, o, stride=1: conv(i, o, 3, padding=1, stride=stride, bias=False)
        self.head, self.mid, self.out = layer(channels_in, CHANNELS), layer(CHANNELS, CHANNELS), layer(CHANNELS, classes)
        self.state, self.data = layer(CHANNELS, CHANNELS, 2), layer(CHANNELS, CHANNELS, 2)
        self.down = nn.ModuleList(Grid(dimension) for _ in range(GRIDS))
        self.up = nn.ModuleList(Grid(dimension) for _ in range(GRIDS - 1))

    def forward(self, image):
        f = self.head(image)
        u, v = f, torch.softmax(f, dim=1)
        rhs, visited = v * f, []
        for h, grid in enumerate(self.down):
            u_start, v_start = u, v
            u, v = grid.step(rhs, f, u, v)
            visited.append((rhs, f, u_start, u))
            if h + 1 < GRIDS:
                residual = rhs - grid.apply_operator(u, v_start)
                u, v, f = self.state(u), torch.softmax(self.state(v), dim=1), self.data(f)
                rhs = self.data(residual) + self.down[h + 1].apply_operator(u, v)
        for h in reversed(range(GRIDS - 1)):
            rhs, f, _, fine = visited[h]
            resize = lambda x: F.interpolate(x, size=fine.shape[2:], mode=self.mode, align_corners=False)
            u, v = fine + resize(u - visited[h + 1][2]), resize(v)
            u, v = self.up[h].step(rhs, f, u, v)
        return self.out(torch.relu(self.mid(v)))


def twice(i, o):
    layers = []
    for inputs in (i, o):
        layers += [nn.Conv2d(inputs, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self, channels_in=3, classes=3, width=64):
        super().__init__()
        widths = [width << level for level in range(5)]
        self.encoder = nn.ModuleList(twice(i, o) for i, o in zip([channels_in] + widths, widths))
        pairs = list(zip(widths[1:], widths))[::-1]
        self.upsampling = nn.ModuleList(nn.ConvTranspose2d(below, here, 2, 2) for below, here in pairs)
        self.decoder = nn.ModuleList(twice(below, here) for below, here in pairs)
        self.out = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for up, block in zip(self.upsampling, self.decoder):
            x = block(torch.cat([skips.pop(), up(x)], dim=1))
        return self.out(x)


class VMNet(nn.Module):
    def __init__(self, channels_in=2, width=16):
        super().__init__()
        widths = [width << level for level in range(5)]
        twice = lambda i, o: nn.Sequential(normalised(i, o, 3, nn.ReLU()), normalised(o, o, 3, nn.ReLU()))
        self.encoder = nn.ModuleList(twice(i, o) for i, o in zip([channels_in] + widths, widths))
        pairs = list(zip(widths[1:], widths))[::-1]
        self.upsampling = nn.ModuleList(nn.ConvTranspose2d(below, here, 2, 2) for below, here in pairs)
        self.decoder = nn.ModuleList(twice(below, here) for below, here in pairs)
        self.out = nn.Conv2d(width, 1, 1)

    forward = UNet.forward


def normalised(i, o, kernel, activation, stride=1, mode="zeros"):
    conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, padding_mode=mode)
    return nn.Sequential(conv, nn.InstanceNorm2d(o, eps=1e-3, affine=True), activation)


class Scale(nn.Module):
    def __init__(self, i, widths, skip=4):
        super().__init__()
        layer = lambda i, o, kernel, stride=1: normalised(i, o, kernel, nn.LeakyReLU(0.2), stride, "reflect")
        o, below = widths[0], widths[min(1, len(widths) - 1)]
        self.skip = layer(i, skip, 1)
        coarser = [Scale(o, widths[1:])] if widths[1:] else []
        up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.deep = nn.Sequential(layer(i, o, 3, 2), layer(o, o, 3), *coarser, up)
        norm = nn.InstanceNorm2d(skip + below, eps=1e-3, affine=True)
        self.merge = nn.Sequential(norm, layer(skip + below, o, 3), layer(o, o, 1))

    def forward(self, x):
        return self.merge(torch.cat([self.skip(x), self.deep(x)], dim=1))


def dip_net(*widths):
    return nn.Sequential(Scale(32, widths), nn.Conv2d(widths[0], 1, 1))


class Residual(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, 1, dilation, dilation, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))

    def forward(self, x):
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(x + self.norms[1](self.second(y)))


def slim_resnet(width=32):
    layer = lambda i, o, stride: (nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
    coarse = (Residual(4 * width, dilation) for dilation in (1, 2, 4, 1))
    halves = (*layer(1, width, 1), *layer(width, 2 * width, 2), Residual(2 * width, 1), *layer(2 * width, 4 * width, 2))
    return nn.Sequential(*halves, *coarse, nn.Conv2d(4 * width, 4 * width, 1, bias=False))


def local_prototype_scores(support, share, query, window=4):
    """ALPNet's scores of background and object, [2, y, x]; features [channels, y, x], share of the object [y, x]."""
    scores = []
    for part, kept in ((1 - share, False), (share, True)):
        whole = ((support * part).sum((1, 2)) / (part.sum() + 1e-5))[None]
        held = F.avg_pool2d(part[None], window).flatten()
        local = F.avg_pool2d(support, window).flatten(1)[:, held > 0.95].T
        prototypes = torch.cat([local, whole]) if kept else (local if len(local) else whole)
        if kept and held.max() < 0.95:
            prototypes = whole
        similarity = 20 * (F.normalize(prototypes, dim=1, eps=1e-4) @ F.normalize(query.flatten(1), dim=0, eps=1e-4))
        scores.append((similarity.softmax(0) * similarity).sum(0).view_as(share))
    return torch.stack(scores)


def varied(image, mask):
    """An affine map, an elastic deformation and a power of the intensities, as few-shot episodes have them."""
    side = image.shape[-1]
    even = lambda most: (2 * torch.rand(()) - 1) * most
    angle, shear, zoom = even(0.087), even(0.087), 1 / torch.empty(()).uniform_(0.9, 1.2)
    moved = [even(10 / side), even(10 / side)]
    rows = [[angle.cos() * zoom, -(angle + shear).sin() * zoom, moved[0]], [angle.sin() * zoom, (angle + shear).cos() * zoom, moved[1]]]
    grid = F.affine_grid(torch.stack([torch.stack(row) for row in rows])[None], (1, 1, side, side), align_corners=False)
    bell = torch.exp(-0.5 * (torch.arange(-10.0, 11.0) / 5) ** 2)
    bell = bell / bell.sum()
    noise = F.pad(2 * torch.rand(2, 1, side, side) - 1, (10, 10, 10, 10), mode="reflect")
    smooth = F.conv2d(F.conv2d(noise, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1)).view(1, 2, side, side)
    both = F.grid_sample(torch.stack([image, mask])[None], grid + smooth.movedim(1, -1) * 20 / side, align_corners=False)[0]
    image, mask = both[0], (both[1] > 0.5).float()
    low, span = image.min(), image.max() - image.min() + 1e-5
    return span * ((image - low + 1e-5) / span) ** torch.empty(()).uniform_(0.5, 1.5) + low, mask


def episodes_case(count=20, side=128):
    axis = torch.arange(side)
    inside = ((axis % 32 >= 4) & (axis % 32 < 28)).float()
    regions = (1 + axis[None] // 32 + 4 * (axis[:, None] // 32)) * inside[None] * inside[:, None]
    image = torch.where(regions > 0, 28 + 12 * regions, 0)
    image = (image - image.mean()) / image.std()
    weights = torch.tensor([0.05, 1.0])
    enlarged = lambda scores: F.interpolate(scores[None], size=(side, side), mode="bilinear", align_corners=False)

    def run():
        network = slim_resnet()
        adam = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-5)
        for _ in range(count):
            mask = (regions == torch.randint(1, 17, ())).float()
            (first, of_first), (second, of_second) = varied(image, mask), varied(image, mask)
            adam.zero_grad()
            support, query = network(torch.stack([first, second])[:, None])
            share = F.interpolate(of_first[None, None], size=support.shape[1:], mode="bilinear", align_corners=False)[0, 0]
            scores = local_prototype_scores(support, share, query)
            back = local_prototype_scores(query, scores.argmax(0).float(), support)
            loss = F.cross_entropy(enlarged(scores), of_second[None].long(), weights)
            (loss + F.cross_entropy(enlarged(back), of_first[None].long())).backward()
            adam.step()

    return lambda train: run


def dice_loss(logits, truth):
    p = logits.softmax(1) if logits.shape[1] > 1 else logits.sigmoid()
    axes = [axis for axis in range(p.dim()) if axis != 1]
    return 1 - ((2 * (p * truth).sum(axes) + 1e-5) / (p.sum(axes) + truth.sum(axes) + 1e-5)).mean()


def conv_case(make, shape):
    def prepare(train):
        conv, x = make(), torch.randn(*shape).requires_grad_(train)

        def forward():
            with torch.no_grad():
                conv(x)

        def both():
            conv.zero_grad(set_to_none=True)
            x.grad = None
            conv(x).sum().backward()

        return both if train else forward

    return prepare


def network_case(make, shape, classes):
    def prepare(train):
        network, x = make(), torch.randn(*shape)
        kinds = max(classes, 2)
        labels = torch.randint(kinds, (shape[0], *shape[2:]))
        truth = F.one_hot(labels, kinds).movedim(-1, 1).float()[:, -classes:]
        adam = torch.optim.Adam(network.parameters(), lr=1e-3)

        def infer():
            network.eval()
            with torch.no_grad():
                network(x)

        def step():
            network.train()
            adam.zero_grad()
            dice_loss(network(x), truth).backward()
            adam.step()

        return step if train else infer

    return prepare


def cases():
    square = lambda i, o, n, b: (f"conv2d/{i}x{o}/{n}/b{b}", lambda: nn.Conv2d(i, o, 3, padding=1), (b, i, n, n))
    sizes = [(16, 16, 128, 4), (32, 32, 128, 1), (64, 64, 128, 1), (128, 128, 64, 1), (256, 256, 32, 1), (512, 512, 16, 1)]
    convs = [square(*size) for size in sizes]
    convs.append(("conv2d/16x16/128/b4/stride2", lambda: nn.Conv2d(16, 16, 3, padding=1, stride=2), (4, 16, 128, 128)))
    convs.append(("conv2d/256x256/32/b1/dilation2", lambda: nn.Conv2d(256, 256, 3, padding=2, dilation=2), (1, 256, 32, 32)))
    convs.append(("conv2d/1024x256/32/b1/1x1", lambda: nn.Conv2d(1024, 256, 1), (1, 1024, 32, 32)))
    convs.append(("conv3d/16x16/16x128x128/b1", lambda: nn.Conv3d(16, 16, 3, padding=1), (1, 16, 16, 128, 128)))
    for name, make, shape in convs:
        yield name, ("forward", "forward+backward"), conv_case(make, shape)
    yield "msnet2d/128/b4", ("infer", "train-step"), network_case(lambda: MSNet(2, 3, 3), (4, 3, 128, 128), 3)
    yield "msnet2d/120/b1", ("infer",), network_case(lambda: MSNet(2, 3, 3), (1, 3, 120, 120), 3)
    yield "msnet3d/16x128x128/b1", ("infer", "train-step"), network_case(lambda: MSNet(3, 1, 4), (1, 1, 16, 128, 128), 4)
    yield "unet/128/b1", ("infer", "train-step"), network_case(UNet, (1, 3, 128, 128), 3)
    yield "vmnet16/256/b1", ("infer",), network_case(VMNet, (1, 2, 256, 256), 1)
    yield "vmnet16/256/b2", (None, "train-step"), network_case(VMNet, (2, 2, 256, 256), 1)
    dip = ("infer", "train-step")
    yield "dipnet/256/b1", dip, network_case(lambda: dip_net(*[128] * 5), (1, 32, 256, 256), 1)
    yield "dipnet-light/256/b1", dip, network_case(lambda: dip_net(16, 32, 64, 128, 128), (1, 32, 256, 256), 1)
    yield "fewshot-encoder/128/b4", ("infer",), network_case(slim_resnet, (4, 1, 128, 128), 128)
    yield "fewshot-episodes/128", ("x20",), episodes_case()


def median_ms(work, repeat):
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    for name, kinds, prepare in cases():
        for train, kind in enumerate(kinds):
            if kind and arguments.only in f"{name}/{kind}":
                print(f"{name}/{kind}\t{median_ms(prepare(bool(train)), arguments.repeat):.3f}", flush=True)


if __name__ == "__main__":
    main()
