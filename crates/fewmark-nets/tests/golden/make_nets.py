#!/usr/bin/env python3
"""Writes nets.json: logits of small networks in double precision, with parameters and images from formulas.

Made with PyTorch 2.15. Every operation is the plain formula of the network's documentation, evaluated as it is written there. For
networks that are trained on a few images there are also the gradients of a weighted sum of the logits: of each parameter the
gradient's length, and its product with the formula of weights.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


class Parameters:
    """Parameters in the order in which the modules hold them: the i-th value of the p-th is a sine of p and i."""

    def __init__(self):
        self.p = 0
        self.trained = []

    def wave(self, count):
        i = torch.arange(count, dtype=torch.float64)
        self.p += 1
        return torch.sin(0.61 * i * i + 1.7 * i + (self.p - 1))

    def weight(self, *shape):
        n = torch.Size(shape).numel()
        return (self.wave(n) * (2 * shape[0] / n) ** 0.5).reshape(shape)

    def vector(self, n):
        return 0.75 + 0.25 * self.wave(n)

    def learn(self, x):
        self.trained.append(x.requires_grad_())
        return x


def image(*shape):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(0.013 * i * i + 0.4 * i)).reshape(shape)


def msnet(
    x, classes, grids=5, groups=1, dt=1.0, eps=1.0, per_grid=False, restrict_v="conv-softmax", channels=16, standardise=False
):
    dim = x.dim() - 2
    conv_nd, transposed_nd, average = (
        (F.conv2d, F.conv_transpose2d, F.avg_pool2d) if dim == 2 else (F.conv3d, F.conv_transpose3d, F.avg_pool3d)
    )
    mode = "bilinear" if dim == 2 else "trilinear"
    make = Parameters()
    kernel = lambda i, o: make.weight(o, i, *[3] * dim)
    features = lambda: kernel(channels, channels)
    extractor = lambda: {
        "L": [features(), features()],
        "L*": [features(), features()],
        "k": features(),
        "L of v": [features(), features()] if per_grid else None,
    }
    conv = lambda x, w, stride=1: conv_nd(x, w, padding=1, stride=stride)
    transposed = lambda x, w: transposed_nd(x, w, padding=1)
    softmax = lambda x: torch.cat([torch.softmax(part, 1) for part in torch.chunk(x, groups, 1)], 1)
    interpolate = lambda x, size: F.interpolate(x, size=size, mode=mode, align_corners=False)

    head = kernel(x.shape[1], channels)
    down = [extractor() for _ in range(grids)]
    up = down if per_grid else [extractor() for _ in range(grids - 1)]
    restriction = lambda: (features(), features() if per_grid else None, features())
    if per_grid or grids == 1:
        restrictions = [restriction() for _ in range(grids - 1)]
    else:
        restrictions = [restriction()] * (grids - 1)
    mid, out = features(), kernel(channels, classes)

    def L(m, u, which="L"):
        return conv(F.relu(conv(u, m[which][0])), m[which][1])

    def A(m, u, v):
        return v * u + transposed(F.relu(transposed(v * L(m, u), m["L*"][0])), m["L*"][1])

    def S(m, f, u, v):
        w = L(m, u, "L of v" if per_grid else "L")
        return softmax((-(f - u) ** 2 / 2 - w**2 / 2 - conv(1 - 2 * v, m["k"])) / eps)

    f = [conv(x, head)]
    u0, v0 = [f[0]], [softmax(f[0])]
    rhs, u, v = [v0[0] * f[0]], [], []
    for h in range(grids):
        u.append(u0[h] + dt * (rhs[h] - A(down[h], u0[h], v0[h])))
        v.append(S(down[h], f[h], u[h], v0[h]))
        if h + 1 < grids:
            state, weights, data = restrictions[h]
            residual = rhs[h] - A(down[h], u[h], v0[h])
            f.append(conv(f[h], data, 2))
            u0.append(conv(u[h], state, 2))
            restricted = conv(v[h], state if weights is None else weights, 2)
            if restrict_v == "conv-softmax":
                restricted = softmax(restricted)
            elif restrict_v == "avg":
                restricted = average(v[h], 2, ceil_mode=True)
            v0.append(restricted)
            rhs.append(conv(residual, data, 2) + A(down[h + 1], u0[h + 1], v0[h + 1]))
    for h in range(grids - 2, -1, -1):
        size = u[h].shape[2:]
        start = u[h] + interpolate(u[h + 1] - u0[h + 1], size)
        if standardise:
            axes = tuple(range(2, start.dim()))
            mean, variance = start.mean(axes, keepdim=True), start.var(axes, correction=0, keepdim=True)
            start = (start - mean) / torch.sqrt(variance + 1e-5)
        weights = interpolate(v[h + 1], size)
        u[h] = start + dt * (rhs[h] - A(up[h], start, weights))
        v[h] = S(up[h], f[h], u[h], weights)
    return conv(F.relu(conv(v[0], mid)), out)


def unet(x, classes, base):
    make = Parameters()

    def double(i, o):
        block = []
        for inputs in (i, o):
            block.append((make.weight(o, inputs, 3, 3), [make.vector(o) for _ in range(4)]))
        return block

    def run(block, x):
        for weight, (gamma, beta, mean, variance) in block:
            x = F.relu(F.batch_norm(F.conv2d(x, weight, padding=1), mean, variance, gamma, beta, eps=1e-5))
        return x

    widths = [base << level for level in range(5)]
    encoder = [double(x.shape[1] if level == 0 else widths[level - 1], widths[level]) for level in range(5)]
    ups = [(make.weight(widths[i + 1], widths[i], 2, 2), make.vector(widths[i])) for i in (3, 2, 1, 0)]
    decoder = [double(widths[i + 1], widths[i]) for i in (3, 2, 1, 0)]
    out = (make.weight(classes, base, 1, 1), make.vector(classes))

    skips = []
    for level, block in enumerate(encoder):
        x = run(block, F.max_pool2d(x, 2) if level else x)
        skips.append(x)
    for (weight, bias), block, skip in zip(ups, decoder, skips[3::-1]):
        x = F.conv_transpose2d(x, weight, bias, stride=2)
        dy, dx = (skip.shape[axis] - x.shape[axis] for axis in (2, 3))
        x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        x = run(block, torch.cat([skip, x], 1))
    return F.conv2d(x, *out)


class Layers:
    """Convolutions with bias, their normalisation and the activation; `norm` is instance, batch or running."""

    def __init__(self, make, norm):
        self.make, self.norm = make, norm

    def weight(self, *shape):
        return self.make.learn(self.make.weight(*shape))

    def vector(self, n):
        return self.make.learn(self.make.vector(n))

    def normalise(self, n):
        gamma, beta = self.vector(n), self.vector(n)
        running = [self.make.vector(n) for _ in range(2)] if self.norm != "instance" else None

        def run(x):
            if self.norm == "running":
                mean, variance = (v.reshape(1, -1, 1, 1) for v in running)
            else:
                axes = (2, 3) if self.norm == "instance" else (0, 2, 3)
                mean, variance = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
            x = (x - mean) / torch.sqrt(variance + 1e-3)
            return x * gamma.reshape(1, -1, 1, 1) + beta.reshape(1, -1, 1, 1)

        return run

    def conv(self, i, o, kernel, act, stride=1, mode="constant"):
        weight, bias, normalise = self.weight(o, i, kernel, kernel), self.vector(o), self.normalise(o)
        return lambda x: act(normalise(F.conv2d(F.pad(x, [kernel // 2] * 4, mode=mode), weight, bias, stride=stride)))


def vm_net(x, base, norm):
    make = Parameters()
    layers = Layers(make, norm)

    def double(i, o):
        first, second = layers.conv(i, o, 3, F.relu), layers.conv(o, o, 3, F.relu)
        return lambda x: second(first(x))

    widths = [base << level for level in range(5)]
    encoder = [double(x.shape[1] if level == 0 else widths[level - 1], widths[level]) for level in range(5)]
    ups = [(layers.weight(widths[i + 1], widths[i], 2, 2), layers.vector(widths[i])) for i in (3, 2, 1, 0)]
    decoder = [double(widths[i + 1], widths[i]) for i in (3, 2, 1, 0)]
    out = (layers.weight(1, base, 1, 1), layers.vector(1))

    height, width = x.shape[2:]
    before = [(-size % 16) // 2 for size in (height, width)]
    behind = [(-size % 16 + 1) // 2 for size in (height, width)]
    x = torch.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0), *zip(before, behind)], mode="reflect"))
    skips = []
    for level, block in enumerate(encoder):
        x = block(F.max_pool2d(x, 2) if level else x)
        skips.append(x)
    for (weight, bias), block, skip in zip(ups, decoder, skips[3::-1]):
        x = block(torch.cat([skip, F.conv_transpose2d(x, weight, bias, stride=2)], 1))
    logits = F.conv2d(x, *out)
    return logits[:, :, before[0] : before[0] + height, before[1] : before[1] + width], make


def dip_net(x, down, up, skip, norm, mode):
    make = Parameters()
    layers = Layers(make, norm)
    act = lambda x: F.leaky_relu(x, 0.2)
    conv = lambda i, o, kernel, stride=1: layers.conv(i, o, kernel, act, stride, "reflect" if kernel > 1 else "constant")
    scales = []
    for i, (inputs, width) in enumerate(zip([x.shape[1], *down], down)):
        joined = skip + (up[i + 1] if i + 1 < len(up) else width)
        side, halve, deepen = conv(inputs, skip, 1), conv(inputs, width, 3, 2), conv(width, width, 3)
        scales.append((side, halve, deepen, layers.normalise(joined), conv(joined, up[i], 3), conv(up[i], up[i], 1)))
    out = (layers.weight(1, up[0], 1, 1), layers.vector(1))

    def run(i, x):
        side, halve, deepen, normalise, merge, mix = scales[i]
        deep = deepen(halve(x))
        if i + 1 < len(scales):
            deep = run(i + 1, deep)
        deep = F.interpolate(deep, scale_factor=2, mode=mode)
        dy, dx = ((large - small) // 2 for large, small in zip(deep.shape[2:], x.shape[2:]))
        deep = deep[:, :, dy : dy + x.shape[2], dx : dx + x.shape[3]]
        return mix(merge(normalise(torch.cat([side(x), deep], 1))))

    return F.conv2d(run(0, x), *out), make


def rounded(values):
    return [float(f"{v:.8g}") for v in values]


def case(logits):
    return {"shape": list(logits.shape), "logits": rounded(logits.flatten().tolist())}


def trained_case(logits, make):
    def wave(p, like):
        i = torch.arange(like.numel(), dtype=torch.float64)
        return torch.sin(0.61 * i * i + 1.7 * i + p).reshape(like.shape)

    (logits * wave(7, logits)).sum().backward()
    measured = lambda p, g: rounded([g.norm().item(), (g * wave(p, g)).sum().item()])
    return case(logits.detach()) | {"gradients": [measured(p, x.grad) for p, x in enumerate(make.trained)]}


cases = {
    "msnet 2-D": case(msnet(image(1, 3, 16, 16), 3)),
    "msnet 2-D, other options": case(
        msnet(image(2, 1, 9, 13), 2, grids=3, groups=4, dt=0.5, eps=2, per_grid=True, restrict_v="avg", channels=8)
    ),
    "msnet 2-D, one grid": case(msnet(image(1, 1, 5, 7), 2, grids=1)),
    "msnet 3-D": case(msnet(image(1, 1, 5, 8, 6), 4)),
    "msnet 3-D, other options": case(msnet(image(1, 1, 4, 5, 3), 2, grids=3, per_grid=True, restrict_v="conv")),
    "msnet 3-D, standardised": case(msnet(image(2, 1, 5, 8, 6), 4, eps=4, standardise=True)),
    "unet": case(unet(image(1, 3, 16, 21), 3, 2)),
    "vm net": trained_case(*vm_net(image(1, 2, 19, 20), 2, "instance")),
    "vm net, batch": trained_case(*vm_net(image(2, 2, 9, 17), 2, "batch")),
    "vm net, running statistics": case(vm_net(image(1, 2, 5, 7), 2, "running")[0].detach()),
    "dip net": trained_case(*dip_net(image(1, 3, 13, 18), [3, 4, 5], [5, 4, 3], 2, "instance", "bilinear")),
    "dip net, batch": trained_case(*dip_net(image(2, 3, 9, 11), [3, 4], [4, 3], 2, "batch", "nearest")),
    "dip net, running statistics": case(dip_net(image(1, 3, 9, 11), [3, 4], [4, 3], 2, "running", "nearest")[0].detach()),
}
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in cases.items())
(pathlib.Path(__file__).parent / "nets.json").write_text(f"{{\n{lines}\n}}\n")
