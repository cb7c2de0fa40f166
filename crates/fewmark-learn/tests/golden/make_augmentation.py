#!/usr/bin/env python3
"""A slice varied by OpenCV and SciPy as the paper's code does it: writes augmentation.json beside this script.

Pinned: numpy 2.4.6, scipy 1.17.1, opencv-python-headless 5.0.0.93.
"""
import json
import pathlib

import cv2
import numpy as np
from scipy import ndimage

SIDE = 24
ANGLE, MOVED, SHEAR, ZOOM = 4.0, (3.2, -1.7), -3.0, 1.15
ALPHA, SIGMA = 10.0, 5.0


def affine():
    """Rotation about the centre, translation, shear about the corner and zoom about the centre, in this order on points."""
    centre = SIDE / 2
    about = lambda m: np.array([[1, 0, centre], [0, 1, centre], [0, 0, 1]]) @ m @ np.array([[1, 0, -centre], [0, 1, -centre], [0, 0, 1]])
    angle, shear = np.deg2rad(ANGLE), np.deg2rad(SHEAR)
    rotation = about(np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]))
    translation = np.array([[1, 0, MOVED[0]], [0, 1, MOVED[1]], [0, 0, 1]])
    sheared = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    zoom = np.vstack([cv2.getRotationMatrix2D((centre, centre), 0, ZOOM), [0, 0, 1]])
    return (zoom @ sheared @ translation @ rotation)[:2]


def main():
    random = np.random.default_rng(7)
    image = ndimage.gaussian_filter(random.standard_normal((SIDE, SIDE)), 1.5).astype(np.float32)
    image /= np.abs(image).max()
    warped = cv2.warpAffine(image, affine(), (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    noise = random.uniform(-1, 1, (2, SIDE, SIDE)).astype(np.float32)
    kernel = (int(4 * SIGMA) | 1,) * 2
    smooth = [cv2.GaussianBlur(field, kernel, SIGMA, borderType=cv2.BORDER_REFLECT_101) for field in noise]
    rows, columns = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    places = [rows + ALPHA * smooth[1], columns + ALPHA * smooth[0]]
    elastic = ndimage.map_coordinates(image, places, order=1, mode="reflect")
    plain = lambda x: [round(float(v), 6) for v in np.asarray(x).ravel()]
    fields = {"image": image, "warped": warped, "noise": noise, "smooth": smooth, "elastic": elastic}
    values = {"side": SIDE, "angle": ANGLE, "moved": MOVED, "shear": SHEAR, "zoom": ZOOM, "alpha": ALPHA, "sigma": SIGMA}
    values.update({name: plain(x) for name, x in fields.items()})
    path = pathlib.Path(__file__).with_name("augmentation.json")
    path.write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
