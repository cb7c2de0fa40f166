"""Writes what SimpleITK's Resample and numpy's percentile give, for tests/resample.rs and tests/intensity.rs.

numpy 2.4.6, SimpleITK 2.5.7
"""

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).parent
rng = np.random.default_rng(11)


def rotation(a, b):
    ca, sa, cb, sb = np.cos(a), np.sin(a), np.cos(b), np.sin(b)
    return np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, cb, -sb], [0, sb, cb]])


def image(size, spacing, origin, direction, array=None):
    array = np.zeros(size[::-1], np.float32) if array is None else array
    result = sitk.GetImageFromArray(array)
    result.SetSpacing(spacing)
    result.SetOrigin(origin)
    result.SetDirection(np.asarray(direction).ravel())
    return result


def geometry(size, spacing, origin, direction):
    return {"size": size, "spacing": spacing, "origin": origin, "direction": np.asarray(direction).tolist()}


source_grid = ([7, 6, 5], [0.8, 1.1, 2.5], [-3.0, 4.0, 10.0], rotation(0.2, -0.1))
source = rng.normal(0, 100, (5, 6, 7)).astype(np.float32)
targets = {
    "identity": source_grid,
    # No voxel lies half way between two: there the nearest is a matter of rounding.
    "anisotropic": ([11, 4, 9], [0.53, 1.7, 1.3], source_grid[2], source_grid[3]),
    "oblique": ([9, 8, 7], [0.7, 0.9, 1.9], [-4.0, 4.5, 9.0], rotation(-0.15, 0.3)),
    "permuted": ([5, 7, 6], [2.5, 0.8, 1.1], source_grid[2], source_grid[3][:, [2, 0, 1]]),
}
expected = {"source": geometry(*source_grid) | {"samples": source.astype(float).ravel().tolist()}, "targets": {}}
for name, grid in targets.items():
    entry = geometry(*grid)
    for method, interpolator in (("linear", sitk.sitkLinear), ("nearest", sitk.sitkNearestNeighbor)):
        resampled = sitk.Resample(image(*source_grid, source), image(*grid), sitk.Transform(), interpolator, -77.0)
        entry[method] = sitk.GetArrayFromImage(resampled).astype(float).ravel().tolist()
    expected["targets"][name] = entry
(HERE / "resample.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")

samples = rng.normal(30, 200, 37).astype(np.float32).astype(float)
ranks = [0, 0.5, 12.3, 25, 50, 99.5, 100]
percentiles = np.percentile(samples, ranks, method="linear").tolist()
entry = {"samples": samples.tolist(), "percentiles": list(zip(ranks, percentiles))}
entry |= {"mean": samples.mean(), "std": samples.std()}
(HERE / "intensity.json").write_text(json.dumps(entry, separators=(",", ":")) + "\n")
