#!/usr/bin/env python3
"""Writes masks.json: small random masks with their distances, components and filled holes by SciPy.

Made with numpy 2.4.6 and scipy 1.17.1. Arrays are [z, y, x] ([y, x] in 2-D), x fastest, as is the field in Fewmark.
"""
import json
import pathlib

import numpy as np
from scipy import ndimage

rng = np.random.default_rng(20250101)


def bits(mask):
    return "".join("1" if m else "0" for m in mask.ravel())


def case(shape, spacing, density):
    mask = rng.random(shape) < density
    counts = [
        int(ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, min(connectivity, mask.ndim)))[1])
        for connectivity in (1, 2, 3)
    ]
    filled = [
        bits(ndimage.binary_fill_holes(mask, ndimage.generate_binary_structure(mask.ndim, connectivity)))
        for connectivity in (1, mask.ndim)
    ]
    # SciPy measures the distance to the nearest zero.
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return {
        "size": list(shape[::-1]) + [1] * (3 - len(shape)),
        "spacing": list(spacing[::-1]) + [1.0] * (3 - len(shape)),
        "mask": bits(mask),
        "distance": [float(f"{d:.9g}") for d in distance.ravel()],
        "components": dict(zip(("face", "edge", "corner"), counts)),
        "filled": dict(zip(("face", "corner"), filled)),
        "surface": bits(mask & ~ndimage.binary_erosion(mask)),
    }


cases = [
    case((9, 8), (1.0, 1.0), 0.1),
    case((7, 11), (2.5, 0.4), 0.6),
    case((4, 6, 5), (3.0, 0.7, 0.7), 0.04),
    case((6, 6, 7), (1.0, 1.2, 0.9), 0.75),
]
text = "[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n"
pathlib.Path(__file__).with_name("masks.json").write_text(text)
