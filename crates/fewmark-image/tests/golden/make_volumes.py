"""Writes the volumes of tests/golden/volumes and, in expected.json, what reference readers make of them.

Run with: python make_volumes.py
Versions: Python 3.11.7, numpy 2.4.6, nibabel 5.4.2, SimpleITK 2.5.7, pynrrd 1.1.3

Samples are listed with x running fastest, channel after channel. World positions are RAS+ in mm. NIfTI files that
nibabel wrote are judged by nibabel (the unit of metres.nii excepted, which it ignores), files that SimpleITK wrote by
SimpleITK (LPS turned into RAS), sample values by the arrays that were written.
"""

import gzip
import json
import math
import struct
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import SimpleITK as sitk

FOLDER = Path(__file__).parent / "volumes"
EXPECTED = {}
PROBES = [(0, 0, 0), (2, 0, 0), (0, 3, 0), (0, 0, 4), (1, 2, 3)]


def array(dtype, shape=(3, 4, 5)):
    """Distinct values, indexed [x, y, z], that reach far into the range of an integer type."""
    values = np.arange(np.prod(shape)).reshape(shape, order="F")
    if np.dtype(dtype).kind == "f":
        return (values * 0.37 - 5.1).astype(dtype)
    info = np.iinfo(dtype)
    return (values * 4 + (info.max // 3 if info.bits < 32 else 1000)).clip(info.min, info.max).astype(dtype)


def rotation(a, b, c):
    """Three turns about z, y and x in radians."""
    ca, sa, cb, sb, cc, sc = math.cos(a), math.sin(a), math.cos(b), math.sin(b), math.cos(c), math.sin(c)
    z = np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
    y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    x = np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    return z @ y @ x


OBLIQUE = rotation(0.3, -0.2, 0.5)
SPACING = np.array([0.7, 0.8, 2.5])
ORIGIN = np.array([-12.5, 33.25, 7.0])


def affine(direction=OBLIQUE, spacing=SPACING, origin=ORIGIN):
    out = np.eye(4)
    out[:3, :3] = direction * spacing
    out[:3, 3] = origin
    return out


def expect(name, samples, world_affine, stored, dimension=3, exact=False):
    """`samples` is [x, y(, z)(, channel)]; `exact` asks for the affine to the bit."""
    channels = samples[..., None] if samples.ndim == dimension else samples
    size = list(channels.shape[:-1]) + [1] * (3 - dimension)
    probes = [[min(p, n - 1) for p, n in zip(probe, size)] for probe in PROBES]
    EXPECTED[name] = {
        "dimension": dimension,
        "size": size,
        "channels": channels.shape[-1],
        "stored": stored,
        "samples": [float(v) for v in channels.astype(np.float32).ravel("F")],
        "affine": [[float(v) for v in row] for row in world_affine[:3]],
        "exact": exact,
        "voxels": probes,
        "world": [[float(v) for v in (world_affine @ [*probe, 1])[:3]] for probe in probes],
    }


RUST = {"uint8": "u8", "int8": "i8", "uint16": "u16", "int16": "i16", "uint32": "u32", "int32": "i32",
        "uint64": "u64", "int64": "i64", "float32": "f32", "float64": "f64"}


def save_nifti(name, image, samples, dimension=3, exact=True, stored=None):
    if name.endswith(".gz"):
        (FOLDER / name).write_bytes(gzip.compress(image.to_bytes(), mtime=0))
    else:
        (FOLDER / name).write_bytes(image.to_bytes())
    read = nib.load(FOLDER / name)
    expect(name, samples, read.affine, stored or RUST[read.get_data_dtype().name], dimension, exact)


def nifti_files():
    for dtype, kind in RUST.items():
        data = array(dtype)
        image = nib.Nifti1Image(data, affine(), dtype=dtype)
        image.header.set_slope_inter(1, 0)
        save_nifti(f"type_{kind}.nii.gz", image, data)

    data = array("int16")
    big = nib.Nifti1Image(data.astype(">i2"), affine(), nib.Nifti1Header(endianness=">"))
    save_nifti("big_endian.nii", big, data)

    # sform and qform disagree: the sform wins.
    both = nib.Nifti1Image(data, affine())
    both.set_sform(affine(), 2)
    both.set_qform(affine(rotation(-0.4, 0.1, 0.0), (1, 2, 3), (1, 2, 3)), 1)
    save_nifti("disagreeing.nii.gz", both, data)

    qform = nib.Nifti1Image(data, None)
    qform.set_qform(affine(OBLIQUE @ np.diag([1, 1, -1])), 1)
    qform.set_sform(None, 0)
    save_nifti("qform_mirrored.nii.gz", qform, data, exact=False)

    half_turn = nib.Nifti1Image(data, None)
    half_turn.set_qform(affine(np.diag([-1.0, -1.0, 1.0])), 1)
    half_turn.set_sform(None, 0)
    save_nifti("qform_half_turn.nii.gz", half_turn, data, exact=False)

    neither = nib.Nifti1Image(data, None)
    neither.header.set_zooms(SPACING)
    neither.header["qform_code"] = neither.header["sform_code"] = 0
    save_nifti("no_form.nii.gz", neither, data)

    second = nib.Nifti2Image(data, affine())
    save_nifti("nifti_2.nii.gz", second, data)
    save_nifti("nifti_2_big_endian.nii", nib.Nifti2Image(data, affine(), nib.Nifti2Header(endianness=">")), data)

    # Slope and intercept: nibabel writes the raw samples, the header is changed afterwards.
    scaled = bytearray(nib.Nifti1Image(data, affine()).to_bytes())
    scaled[112:120] = struct.pack("<2f", 0.5, -1024.25)
    (FOLDER / "scaled.nii").write_bytes(scaled)
    read = nib.load(FOLDER / "scaled.nii")
    expect("scaled.nii", data * 0.5 - 1024.25, read.affine, "i16", exact=True)
    assert np.array_equal(read.get_fdata(), data * 0.5 - 1024.25)

    # nibabel ignores the unit, ITK does not: metres are 1000 mm.
    metres = nib.Nifti1Image(data, affine())
    metres.header.set_xyzt_units("meter")
    (FOLDER / "metres.nii").write_bytes(metres.to_bytes())
    expect("metres.nii", data, np.diag([1000.0, 1000.0, 1000.0, 1.0]) @ nib.load(FOLDER / "metres.nii").affine, "i16")

    flat = array("uint8", (4, 3))
    save_nifti("flat.nii", nib.Nifti1Image(flat, affine(np.diag([-1.0, -1.0, 1.0]), (2, 3, 1))), flat, dimension=2)

    series = array("int16", (3, 4, 5, 2))
    save_nifti("series.nii.gz", nib.Nifti1Image(series, affine()), series)

    color = np.zeros((3, 4, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    for offset, field in enumerate("RGB"):
        color[field] = array("uint8") // 2 + offset
    channels = np.stack([color[f] for f in "RGB"], axis=-1)
    save_nifti("color.nii.gz", nib.Nifti1Image(color, affine()), channels, stored="u8")


def sitk_image(samples, dimension=3, vector=False, direction=OBLIQUE, spacing=SPACING, origin=ORIGIN):
    """An image with the given LPS geometry."""
    axes = list(range(dimension))[::-1] + ([dimension] if vector else [])
    image = sitk.GetImageFromArray(np.ascontiguousarray(samples.transpose(axes)), isVector=vector)
    image.SetSpacing([float(s) for s in spacing[:dimension]])
    image.SetOrigin([float(o) for o in origin[:dimension]])
    image.SetDirection([float(v) for v in np.asarray(direction)[:dimension, :dimension].ravel()])
    return image


def sitk_affine(image):
    """Voxel to RAS world of an image, asked point by point."""
    n = image.GetDimension()
    at = lambda v: np.array(image.TransformContinuousIndexToPhysicalPoint([float(c) for c in v]))
    origin = at([0] * n)
    lps = np.eye(4)
    lps[:n, 3] = origin
    for axis in range(n):
        lps[:n, axis] = at([float(a == axis) for a in range(n)]) - origin
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def save_sitk(name, image, samples, dimension=3, compressed=True):
    path = str(FOLDER / name)
    sitk.WriteImage(image, path, useCompression=compressed)
    read = sitk.ReadImage(path)
    expect(name, samples, sitk_affine(read), RUST[samples.dtype.name], dimension)


def itk_files():
    volume = array("int16")
    vector = array("float32", (3, 4, 5, 2))
    flat = array("uint8", (4, 3))
    flat_vector = array("uint8", (4, 3, 3))
    turn = rotation(0.4, 0, 0)
    for extension in ("nii.gz", "nrrd", "mha"):
        save_sitk(f"itk_oblique.{extension}", sitk_image(volume), volume)
        save_sitk(f"itk_flipped.{extension}", sitk_image(volume, direction=np.diag([-1, 1, -1])), volume)
        save_sitk(f"itk_vector.{extension}", sitk_image(vector, vector=True), vector)
        save_sitk(f"itk_flat.{extension}", sitk_image(flat, 2, direction=turn), flat, dimension=2)
        save_sitk(f"itk_flat_vector.{extension}", sitk_image(flat_vector, 2, True, turn), flat_vector, dimension=2)
    save_sitk("itk_detached.mhd", sitk_image(volume), volume)
    save_sitk("itk_detached.nhdr", sitk_image(volume), volume)
    save_sitk("itk_plain.mha", sitk_image(array("float64")), array("float64"), compressed=False)
    save_sitk("itk_plain.nrrd", sitk_image(array("float64")), array("float64"), compressed=False)

    # Big endian samples behind a header of other names, at the end of the file.
    text = (
        "ObjectType = Image\nNDims = 3\nComment = a = b\nBinaryData = True\nElementByteOrderMSB = True\n"
        "HeaderSize = -1\nRotation = 0 1 0 -1 0 0 0 0 1\nPosition = 5 6 7\nElementSize = 1 2 3\n"
        "DimSize = 3 4 5\nElementType = MET_SHORT\nElementDataFile = big_endian.raw\n"
    )
    (FOLDER / "big_endian.mhd").write_text(text)
    (FOLDER / "big_endian.raw").write_bytes(b"rubbish" + volume.astype(">i2").tobytes("F"))
    read = sitk.ReadImage(str(FOLDER / "big_endian.mhd"))
    assert np.array_equal(sitk.GetArrayFromImage(read).T, volume)
    expect("big_endian.mhd", volume, sitk_affine(read), "i16")


def nrrd_files():
    volume = array("uint16")
    ras = {
        "space": "right-anterior-superior",
        "space directions": (OBLIQUE * SPACING).T,
        "space origin": ORIGIN,
        "encoding": "raw",
        "endian": "big",
        "kinds": ["domain"] * 3,
    }
    nrrd.write(str(FOLDER / "ras_big_endian.nrrd"), volume.astype(">u2"), ras, index_order="F")
    expect("ras_big_endian.nrrd", volume, affine(), "u16")

    las = dict(ras, space="LAS", encoding="ascii")
    del las["endian"]
    nrrd.write(str(FOLDER / "las_ascii.nrrd"), volume, las, index_order="F")
    expect("las_ascii.nrrd", volume, np.diag([-1.0, 1.0, 1.0, 1.0]) @ affine(), "u16")

    # ITK reads a file without a space as LPS.
    header = {"spacings": [0.7, 0.8, 2.5], "encoding": "gzip"}
    nrrd.write(str(FOLDER / "spacings.nrrd"), volume, header, index_order="F")
    expect("spacings.nrrd", volume, sitk_affine(sitk.ReadImage(str(FOLDER / "spacings.nrrd"))), "u16")

    # The list axis comes last, lines and bytes are skipped in the data file.
    planar = array("int16", (3, 4, 5, 2))
    (FOLDER / "skips.nhdr").write_text(
        "NRRD0005\n# a comment\ntype: int16\ndimension: 4\nspace: LPS\nsizes: 3 4 5 2\n"
        "space directions: (1,0,0) (0,2,0) (0,0,3) none\nkinds: space space space list\nendian: little\n"
        "encoding: raw\nspace units: \"mm\" \"mm\" \"mm\"\nspace origin: (1,2,3)\nkey:=value: more\n"
        "line skip: 2\nbyte skip: 3\ndata file: skips.raw\n"
    )
    (FOLDER / "skips.raw").write_bytes(b"first line\nsecond line\nabc" + planar.tobytes("F"))
    read, _ = nrrd.read(str(FOLDER / "skips.nhdr"), index_order="F")
    assert np.array_equal(read, planar)
    lps = np.diag([1.0, 2.0, 3.0, 1.0])
    lps[:3, 3] = [1, 2, 3]
    expect("skips.nhdr", planar, np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps, "i16")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    nifti_files()
    itk_files()
    nrrd_files()
    (FOLDER / "expected.json").write_text(json.dumps(EXPECTED, indent=None, separators=(",", ":")) + "\n")
    print(len(EXPECTED), "files")
