#!/usr/bin/env python3
"""Writes nets.json: logits of small MSNets and a U-Net in double precision, with parameters and images from formulas.

Made with PyTorch 2.15. Every operation is the plain formula of the network's documentation, evaluated as it is written there.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


class Parameters:
    """Parameters in the order in which the modules hold them: the i-th value of the p-th is a sine of p and i."""

    def __init__(self):
        self.p = 0

    def wave(self, count):
        i = torch.arange(count, dtype=torch.float64)
        self.p += 1
        return torch.sin(0.61 * i * i + 1.7 * i + (self.p - 1))

    def weight(self, *shape):
        n = torch.Size(shape).numel()
        return (self.wave(n) * (2 * shape[0] / n) ** 0.5).reshape(shape)

    def vector(self, n):
        return 0.75 + 0.25 * self.wave(n)


def image(*shape):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(0.013 * i * i + 0.4 * i)).reshape(shape)


def msnet(x, classes, grids=5, groups=1, dt=1.0, eps=1.0, per_grid=False, restrict_v="conv-softmax", channels=16):
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


def case(logits):
    return {"shape": list(logits.shape), "logits": [float(f"{v:.8g}") for v in logits.flatten().tolist()]}


cases = {
    "msnet 2-D": case(msnet(image(1, 3, 16, 16), 3)),
    "msnet 2-D, other options": case(
        msnet(image(2, 1, 9, 13), 2, grids=3, groups=4, dt=0.5, eps=2, per_grid=True, restrict_v="avg", channels=8)
    ),
    "msnet 2-D, one grid": case(msnet(image(1, 1, 5, 7), 2, grids=1)),
    "msnet 3-D": case(msnet(image(1, 1, 5, 8, 6), 4)),
    "msnet 3-D, other options": case(msnet(image(1, 1, 4, 5, 3), 2, grids=3, per_grid=True, restrict_v="conv")),
    "unet": case(unet(image(1, 3, 16, 21), 3, 2)),
}
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in cases.items())
(pathlib.Path(__file__).parent / "nets.json").write_text(f"{{\n{lines}\n}}\n")
