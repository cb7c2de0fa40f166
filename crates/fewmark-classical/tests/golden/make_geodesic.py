"""Writes geodesic.json: distances by scikit-fmm on random costs, a wide and a narrow range, with and without spacing.

Made with numpy 2.4.6, scikit-fmm 2025.6.23. Arrays are stored flat, x running fastest.
"""
import json
import pathlib

import numpy as np
import skfmm

rng = np.random.default_rng(7)


def case(size, spacing, decades, sources):
    shape = size[::-1]
    cost = (10.0 ** rng.uniform(-decades, decades, shape)).astype(np.float32)
    cost = np.array([np.float32(f"{c:.4g}") for c in cost.ravel()], np.float32).reshape(shape)
    phi = np.ones(shape)
    for x, y, z in sources:
        phi[z, y, x] = 0
    keep = [axis for axis in range(3) if shape[axis] > 1]
    dx = [spacing[::-1][axis] for axis in keep]
    squeeze = [n for n in shape if n > 1]
    distance = skfmm.travel_time(phi.reshape(squeeze), 1 / cost.astype(float).reshape(squeeze), dx=dx, order=1)
    return {
        "size": size,
        "spacing": spacing,
        "sources": sources,
        "cost": [float(f"{c:.4g}") for c in cost.ravel()],
        "distance": [float(f"{d:.14g}") for d in np.asarray(distance).ravel()],
    }


cases = [
    case([15, 12, 1], [1.0, 1.0, 1.0], 0.5, [[4, 5, 0], [5, 5, 0]]),
    case([15, 12, 1], [1.0, 1.0, 1.0], 3.0, [[4, 5, 0], [5, 5, 0]]),
    case([12, 9, 1], [0.7, 1.9, 1.0], 0.5, [[0, 0, 0]]),
    case([7, 6, 5], [1.0, 1.0, 1.0], 0.5, [[3, 3, 2]]),
    case([7, 6, 5], [0.8, 1.1, 3.0], 0.5, [[3, 3, 2], [6, 0, 4]]),
    case([7, 6, 5], [0.8, 1.1, 3.0], 2.0, [[0, 5, 1]]),
]
path = pathlib.Path(__file__).with_name("geodesic.json")
path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
