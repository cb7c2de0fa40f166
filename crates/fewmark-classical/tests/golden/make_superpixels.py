"""Writes superpixels.json: Felzenszwalb's partitions by scikit-image of small smooth random images, one of them with
flat areas, one of three channels.

Made with numpy 2.4, scipy 1.17.1, scikit-image 0.26.0. Images, [channels, y, x], and labels are stored flat.
"""
import json
import pathlib

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.segmentation import felzenszwalb

rng = np.random.default_rng(11)


def case(size, blur, scale, sigma, min_size, steps=None, channels=1):
    image = np.stack([gaussian_filter(rng.normal(size=size[::-1]), blur) for _ in range(channels)])
    image = np.round((image - image.min()) / np.ptp(image) * 4095)
    if steps:
        image = np.floor(image / 4096 * steps) * (4095 // steps)
    labels = felzenszwalb(image, scale=scale, sigma=sigma, min_size=min_size, channel_axis=0)
    return {
        "size": [*size, 1],
        "scale": scale,
        "sigma": sigma,
        "min_size": min_size,
        "image": image.astype(int).ravel().tolist(),
        "labels": labels.ravel().tolist(),
    }


cases = [
    case([48, 40], 2, 1, 1, 100),
    case([41, 33], 1, 1, 0.8, 30),
    case([40, 36], 3, 1000, 0.5, 20),
    case([37, 45], 1.5, 30000, 1, 10),
    case([40, 40], 3, 1, 0, 25, steps=5),
    case([30, 25], 1, 1, 1, 400),
    case([31, 28], 2, 500, 0.7, 25, channels=3),
]
path = pathlib.Path(__file__).with_name("superpixels.json")
path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
print([len(set(case["labels"])) for case in cases], path.stat().st_size)
