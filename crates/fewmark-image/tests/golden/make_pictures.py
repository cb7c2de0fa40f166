"""Writes the pictures and arrays of tests/pictures.rs, and what pillow, tifffile and numpy read from them.

numpy 2.4.6, pillow 13.0.0, tifffile 2026.3.3, imagecodecs 2026.3.6
"""

import json
import shutil
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

HERE = Path(__file__).parent / "pictures"
shutil.rmtree(HERE, ignore_errors=True)
HERE.mkdir()
rng = np.random.default_rng(3)
expected = {}


def note(name, samples, channels=1):
    """`samples` is [channel,] [z,] y, x."""
    values = samples.astype(float).ravel().tolist()
    expected[name] = {"shape": list(samples.shape), "channels": channels, "samples": values}


def pillow(name, pixels, keep, **options):
    Image.fromarray(pixels).save(HERE / name, **options)
    read = np.array(Image.open(HERE / name)).astype(float)
    read = read[..., None] if read.ndim == 2 else read
    planes = np.moveaxis(read[..., :keep], -1, 0)
    note(name, planes if keep == 3 else planes[0], keep)


def bytes_(*shape):
    return rng.integers(0, 256, shape).astype(np.uint8)


def pictures():
    pillow("grey.png", bytes_(5, 6), 1)
    pillow("grey16.png", rng.integers(0, 65536, (5, 6)).astype(np.uint16), 1)
    pillow("grey_alpha.png", bytes_(5, 6, 2), 1)
    pillow("rgb.png", bytes_(5, 6, 3), 3)
    pillow("rgba.png", bytes_(5, 6, 4), 3)
    pillow("rgb.bmp", bytes_(5, 6, 3), 3)
    smooth = np.add.outer(np.arange(16) * 5, np.arange(16) * 9).astype(np.uint8)
    pillow("grey.jpg", smooth, 1, quality=95)
    hues = np.dstack([smooth, 255 - smooth, smooth // 2 + 60])
    pillow("color.jpg", hues, 3, quality=95, subsampling=0)
    pillow("progressive.jpg", hues, 3, quality=95, subsampling="4:2:0", progressive=True)
    image = Image.fromarray(bytes_(5, 6, 3)).quantize(8)
    image.save(HERE / "palette.png")
    note("palette.png", np.moveaxis(np.array(image.convert("RGB")), -1, 0), 3)
    grey = image.copy()
    grey.putpalette([v for v in (0, 10, 20, 30, 40, 50, 60, 70) for _ in range(3)])
    grey.save(HERE / "grey_palette.png")
    note("grey_palette.png", np.moveaxis(np.array(grey.convert("RGB")), -1, 0), 3)


def tiffs():
    for kind in ("u1", "u2", "i2", "u4", "i4", "f4", "f8"):
        page = (rng.normal(0, 50, (5, 6)) + 100).clip(0).astype(kind)
        tifffile.imwrite(HERE / f"{kind}.tif", page)
        note(f"{kind}.tif", page.astype(np.float32))
    stack = rng.integers(-900, 900, (3, 5, 6)).astype(">i2")
    options = {"byteorder": ">", "compression": "zlib", "predictor": 2, "photometric": "minisblack"}
    tifffile.imwrite(HERE / "stack.tif", stack, **options)
    note("stack.tif", stack)
    color = bytes_(3, 5, 6, 3)
    tifffile.imwrite(HERE / "rgb_stack.tif", color, photometric="rgb", compression="lzw")
    note("rgb_stack.tif", np.moveaxis(color, -1, 0), 3)
    tiles = rng.integers(0, 60000, (40, 33)).astype(np.uint16)
    tifffile.imwrite(HERE / "tiles.tif", tiles, tile=(16, 16))
    note("tiles.tif", tiles)


def arrays():
    def save(name, array, version=None, channels=1):
        with open(HERE / name, "wb") as file:
            np.lib.format.write_array(file, array, version=version)
        note(name, np.asarray(array), channels)

    save("flat.npy", rng.normal(size=(5, 6)).astype("<f4"), (1, 0))
    save("big.npy", rng.integers(-9, 9, (2, 5, 6)).astype(">i4"), (2, 0))
    save("fortran.npy", np.asfortranarray(rng.integers(0, 9999, (3, 5, 6)).astype("<u2")), (3, 0))
    save("channels.npy", np.asfortranarray(rng.normal(size=(2, 3, 5, 6)).astype(np.float32)), None, 2)
    save("bool.npy", rng.random((5, 6)) > 0.5)
    save("double.npy", np.arange(30.0).reshape(5, 6))


pictures()
tiffs()
arrays()
(HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
