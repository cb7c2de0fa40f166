"""Writes fitting.json: Otsu thresholds by scikit-image; gradients by NumPy and smoothing by SciPy.

Made with numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0. Arrays are stored flat, x running fastest.
"""
import json
import pathlib

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu

rng = np.random.default_rng(11)


def short(values, digits=9):
    return [float(f"{v:.{digits}g}") for v in np.asarray(values, float).ravel()]


def mixture():
    count = int(rng.integers(2, 5))
    parts = [rng.normal(rng.uniform(0, 1), rng.uniform(0.01, 0.15), int(rng.integers(20, 80))) for _ in range(count)]
    return np.array(short(np.concatenate(parts), 4), np.float32)


samples = [mixture() for _ in range(10)]
samples.append(np.array([0.0, 0.25, 0.25, 1.0], np.float32))
samples.append(np.array([0.1, 0.2, 0.2, 0.3, 0.9, 0.9], np.float32))
samples.append(np.concatenate([np.zeros(50), np.linspace(0.5, 1, 30)]).astype(np.float32))
otsu = [{"samples": short(s, 6), "thresholds": short(threshold_multiotsu(s, classes=3, nbins=256))} for s in samples]

image = np.array(short(rng.random((6, 7, 9)), 4), np.float32).reshape(6, 7, 9)
spacing = [0.5, 1.5, 2.5]
smooth = [
    {"sigma": sigma, "values": short(ndimage.gaussian_filter(image.astype(float), sigma))} for sigma in (0.6, 1.0, 2.3)
]
fields = {
    "size": [9, 7, 6],
    "spacing": spacing,
    "image": short(image, 4),
    "gradient": short(sum(g * g for g in np.gradient(image.astype(float)))),
    "gradient_spacing": short(sum(g * g for g in np.gradient(image.astype(float), *spacing[::-1]))),
    "smooth": smooth,
}
path = pathlib.Path(__file__).with_name("fitting.json")
path.write_text(json.dumps({"otsu": otsu, "fields": fields}, separators=(",", ":")) + "\n")
