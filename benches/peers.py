#!/usr/bin/env python3
"""The reference packages' side of the speed comparison: prints NAME<TAB>median milliseconds, the names of `fewmark-bench`.

Pinned: numpy 2.4, scipy 1.17.1, scikit-image 0.26.0, scikit-fmm 2025.6.23, pillow, medpy 0.5.2, nibabel 5.4.2.
Usage: peers.py --image IMAGE.png [--repeat N] [--only SUBSTRING]
"""
import argparse
import statistics
import time
import warnings

import numpy as np
from PIL import Image

warnings.filterwarnings("ignore")
SIZES_2D = (256, 512, 1024, 2048)


def median_ms(work, repeat):
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def grey(path, n):
    return np.asarray(Image.open(path).convert("L").resize((n, n))).astype(float) / 255


def cases(path):
    import skfmm
    from scipy import ndimage
    from skimage import segmentation

    for n in SIZES_2D:
        f = grey(path, n)
        gy, gx = np.gradient(f)
        speed = 1.0 / (1e-3 + 1000 * (gx**2 + gy**2))
        phi = np.ones_like(f)
        phi[n // 3 : n // 3 + 8, n // 3 : n // 3 + 8] = 0
        yield f"geodesic/{n}", lambda phi=phi, speed=speed: skfmm.travel_time(phi, speed, order=1)
        mask = f > f.mean()
        yield f"distance/{n}", lambda mask=mask: ndimage.distance_transform_edt(mask)
        if n <= 512:
            yield f"convex/{n}", lambda f=f: segmentation.chan_vese(f, mu=0.25, max_num_iter=200, tol=0)
    n = 256
    z, y, x = np.meshgrid(*[np.arange(n, dtype=np.float32)] * 3, indexing="ij")
    f = np.sin(x * 0.11) * np.cos(y * 0.07) + np.sin(y * 0.13 + z * 0.05) + np.cos(z * 0.09 - x * 0.03)
    f = (f.astype(float) + 3) / 6
    speed = 1.0 / (1e-3 + 1000 * sum(g**2 for g in np.gradient(f)))
    phi = np.ones_like(f)
    phi[n // 3 : n // 3 + 8, n // 3 : n // 3 + 8, n // 3 : n // 3 + 8] = 0
    yield "geodesic/256^3", lambda: skfmm.travel_time(phi, speed, order=1)
    mask = f > f.mean()
    yield "distance/256^3", lambda: ndimage.distance_transform_edt(mask)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", required=True)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    for name, work in cases(arguments.image):
        if arguments.only in name:
            print(f"{name}\t{median_ms(work, arguments.repeat):.3f}", flush=True)


if __name__ == "__main__":
    main()
