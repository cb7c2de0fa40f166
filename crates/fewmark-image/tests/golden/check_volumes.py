"""Reads the volumes that the example write_volumes wrote with other programs, and compares what they find.

Run with: cargo run -p fewmark-image --example write_volumes -- FOLDER && python check_volumes.py FOLDER
Versions: Python 3.11.7, numpy 2.4.6, nibabel 5.4.2, SimpleITK 2.5.7, pynrrd 1.1.3
"""

import json
import sys
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import SimpleITK as sitk

TYPES = {"u8": "uint8", "i8": "int8", "u16": "uint16", "i16": "int16", "u32": "uint32", "i32": "int32",
         "u64": "uint64", "i64": "int64", "f32": "float32", "f64": "float64"}


def by_sitk(path):
    """Samples [channel, z, y, x], stored type, dimension, and voxel to RAS world."""
    image = sitk.ReadImage(str(path))
    n = image.GetDimension()
    samples = sitk.GetArrayFromImage(image)
    vector = image.GetNumberOfComponentsPerPixel() > 1
    samples = np.moveaxis(samples, -1, 0) if vector else samples[None]
    samples = samples.reshape(samples.shape[0], *([1] if n == 2 else []), *samples.shape[1:])

    def world(voxel):
        point = list(image.TransformContinuousIndexToPhysicalPoint([float(c) for c in voxel[:n]])) + [0.0] * (3 - n)
        return [-point[0], -point[1], point[2]]

    return samples, n, world


def by_nibabel(path):
    image = nib.load(path)
    samples = np.asanyarray(image.dataobj)
    n = samples.ndim
    if samples.ndim == 5:
        n = 2 if samples.shape[2] == 1 else 3
        samples = samples[:, :, :, 0, :]
    elif n == 2:
        samples = samples[:, :, None, None]
    else:
        samples = samples[..., None]
    qform, code = image.get_qform(coded=True)
    assert code == 1 and np.allclose(qform, image.affine, atol=1e-4), f"{path}: qform and sform disagree"
    return samples.transpose(3, 2, 1, 0), n, lambda voxel: (image.affine @ [*voxel, 1])[:3]


def by_pynrrd(path):
    """Samples only."""
    samples, header = nrrd.read(str(path), index_order="C")
    vector = header["kinds"][0] == "vector"
    samples = np.moveaxis(samples, -1, 0) if vector else samples[None]
    n = samples.ndim - 1
    return samples.reshape(samples.shape[0], *([1] if n == 2 else []), *samples.shape[1:]), n, None


def check(path, want, reader):
    samples, n, world = reader(path)
    assert n == want["dimension"], f"dimension {n}"
    assert samples.dtype == TYPES[want["stored"]], f"type {samples.dtype}"
    assert list(samples.shape) == [want["channels"], *want["size"][::-1]], f"shape {samples.shape}"
    assert np.array_equal(samples.ravel(), np.array(want["samples"])), "samples"
    if world is None:
        return 0.0
    worst = max(np.abs(np.array(world(v)) - w).max() for v, w in zip(want["voxels"], want["world"]))
    assert worst < 1e-5, f"world differs by {worst} mm"
    return worst


def main(folder):
    expected = json.loads((folder / "expected.json").read_text())
    checks, worst = 0, 0.0
    for name, want in expected.items():
        readers = [by_sitk] + ([by_nibabel] if ".nii" in name else []) + ([by_pynrrd] if ".nrrd" in name else [])
        for reader in readers:
            try:
                worst = max(worst, check(folder / name, want, reader))
            except Exception as error:
                sys.exit(f"{name}, {reader.__name__}: {error}")
            checks += 1
    print(f"{len(expected)} files, {checks} readings agree; worst world difference {worst:.2e} mm")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
