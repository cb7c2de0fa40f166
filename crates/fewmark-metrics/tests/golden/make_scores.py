#!/usr/bin/env python3
"""Writes scores.json and surfels.json: scores of small pairs of masks by the field's packages.

Made with numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0, MedPy 0.5.2 and surface-distance 0.1. The last two call
names that SciPy and NumPy have dropped since; the lines below give them back.
Arrays are [z, y, x] ([y, x] in 2-D), x fastest, as is the field in Fewmark. Infinite is "inf", undefined null.
"""
import json
import math
import pathlib

import numpy as np
from scipy import ndimage

for name in ("filters", "morphology"):
    setattr(ndimage, name, ndimage)
np.Inf = np.inf

import surface_distance
from medpy.metric import binary
from skimage.metrics import hausdorff_distance
from surface_distance import lookup_tables

TOLERANCE = 1.3
rng = np.random.default_rng(7)


def number(value):
    if value is None or math.isnan(value):
        return None
    return "inf" if math.isinf(value) else float(f"{value:.9g}")


def runs(mask):
    """Lengths of runs of equal voxels, the first one of voxels that are not set."""
    flat = mask.ravel()
    cuts = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *cuts, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def surface_scores(p, t, spacing):
    """By MedPy; hd95 from its directed lists, as MONAI has it."""
    if not p.any() or not t.any():
        value = None if p.any() == t.any() else math.inf
        return dict.fromkeys(("assd", "hd", "hd95", "hd95_pooled", "asd_to_truth", "asd_to_prediction"), number(value))
    lists = [binary.__surface_distances(a, b, spacing, 1) for a, b in ((p, t), (t, p))]
    if len(set(spacing)) == 1:
        surfaces = [m & ~ndimage.binary_erosion(m) for m in (p, t)]
        assert math.isclose(hausdorff_distance(*surfaces) * spacing[0], binary.hd(p, t, spacing), abs_tol=1e-9)
    return {
        "assd": number(binary.assd(p, t, spacing)),
        "hd": number(binary.hd(p, t, spacing)),
        "hd95": number(max(np.percentile(d, 95) for d in lists)),
        "hd95_pooled": number(binary.hd95(p, t, spacing)),
        "asd_to_truth": number(binary.asd(p, t, spacing)),
        "asd_to_prediction": number(binary.asd(t, p, spacing)),
    }


def surfel_scores(p, t, spacing):
    """By surface-distance; its averages are NaN or infinite by other rules than ours when a mask is empty."""
    distances = surface_distance.compute_surface_distances(t, p, spacing)
    scores = {"surface_dice": number(surface_distance.compute_surface_dice_at_tolerance(distances, TOLERANCE))}
    if p.any() and t.any():
        of_truth, of_prediction = surface_distance.compute_average_surface_distance(distances)
        scores |= {"average_to_truth": number(of_prediction), "average_to_prediction": number(of_truth)}
    return scores


def case(name, p, t, spacing):
    shape = p.shape
    overlap = {"dice": binary.dc(p, t), "iou": binary.jc(p, t)} if p.any() or t.any() else {"dice": None, "iou": None}
    if p.any() and t.any():
        overlap |= {"precision": binary.precision(p, t), "recall": binary.recall(p, t)}
    return {
        "name": name,
        "size": list(shape[::-1]) + [1] * (3 - len(shape)),
        "spacing": list(spacing[::-1]) + [1.0] * (3 - len(shape)),
        "prediction": runs(p),
        "truth": runs(t),
        "overlap": {k: None if v is None else number(v) for k, v in overlap.items()},
        "surface": surface_scores(p, t, spacing),
        "surfels": surfel_scores(p, t, spacing),
    }


def box(shape, *ranges):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*r) for r in ranges)] = True
    return mask


def ellipsoid(shape, center, radii):
    grid = np.indices(shape)
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, center, radii)) <= 1


def blobs(shape, threshold):
    return ndimage.gaussian_filter(rng.standard_normal(shape), 1.2) > threshold


flat, deep = (14, 17), (9, 12, 11)
empty = np.zeros(deep, bool)
ball = ellipsoid(deep, (4, 5, 5), (3, 4, 3.5))
cases = [
    case("identical", ball, ball, (1.0, 1.0, 1.0)),
    case("disjoint", box(deep, (1, 3), (1, 4), (1, 3)), box(deep, (6, 8), (7, 11), (6, 10)), (1.0, 1.0, 1.0)),
    case("prediction empty", empty, ball, (1.0, 1.0, 1.0)),
    case("truth empty", ball, empty, (1.0, 1.0, 1.0)),
    case("both empty", empty, empty, (1.0, 1.0, 1.0)),
    case("one voxel each", box(deep, (2, 3), (3, 4), (4, 5)), box(deep, (5, 6), (7, 8), (9, 10)), (2.0, 1.0, 0.5)),
    case("anisotropic", ellipsoid(deep, (4, 6, 5), (2.4, 4, 3)), ball, (3.0, 0.8, 0.7)),
    case("touching the border", box(deep, (0, 5), (4, 12), (0, 11)), box(deep, (0, 9), (6, 12), (3, 8)), (1.5, 1.0, 1.0)),
    case("one slice thick", box(deep, (3, 4), (2, 9), (2, 8)), box(deep, (3, 4), (4, 10), (3, 8)), (2.0, 1.0, 1.0)),
    case("several components", blobs(deep, 0.2), blobs(deep, 0.25), (1.2, 0.9, 1.0)),
    case("2-D", ellipsoid(flat, (6, 7), (4, 6)), ellipsoid(flat, (7.5, 8), (5, 4)), (1.0, 1.0)),
    case("2-D anisotropic", blobs(flat, 0.1), blobs(flat, 0.15), (0.6, 1.7)),
]


def by_our_bits(table, kernel):
    """A table of surface elements in Fewmark's order: bit b stands for the voxel (x, y, z) = (b & 1, b >> 1 & 1, b >> 2)."""
    weights = np.asarray(kernel).ravel()
    codes = [sum(int(w) for b, w in enumerate(weights) if pattern >> b & 1) for pattern in range(len(table))]
    return [number(float(table[code])) for code in codes]


spacing = (3.0, 0.8, 0.7)
surfels = {
    "spacing": spacing[::-1],
    "areas": by_our_bits(
        lookup_tables.create_table_neighbour_code_to_surface_area(spacing), lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL
    ),
    "lengths": by_our_bits(
        lookup_tables.create_table_neighbour_code_to_contour_length(spacing[1:]),
        lookup_tables.ENCODE_NEIGHBOURHOOD_2D_KERNEL,
    ),
}

here = pathlib.Path(__file__).parent
(here / "scores.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
(here / "surfels.json").write_text(json.dumps(surfels) + "\n")
