"""Writes the DICOM files of tests/dicom.rs, and what SimpleITK and pydicom read from them.

numpy 2.4.6, pydicom 3.0.2, SimpleITK 2.5.7, pylibjpeg 2.1.0, pylibjpeg-openjpeg 2.6.0, pylibjpeg-libjpeg 2.5.0,
imagecodecs 2026.3.6, pillow 13.0.0
"""

import io
import json
import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import SimpleITK as sitk
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage, DeflatedExplicitVRLittleEndian, EnhancedCTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian,
    ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless,
    SecondaryCaptureImageStorage,
)

HERE = Path(__file__).parent / "dicom"
ROWS, COLUMNS, SLICES = 7, 8, 6
SPACING = (0.7, 0.9)  # between rows, between columns
DISTANCE = 2.5
SERIES = "1.2.826.0.1.3680043.8.498.1"
rng = np.random.default_rng(7)


def oblique():
    a, b = 0.3, 0.2
    row = np.array([np.cos(a), np.sin(a), 0.0])
    column = np.array([-np.sin(a) * np.cos(b), np.cos(a) * np.cos(b), np.sin(b)])
    return row, column, np.cross(row, column)


def write(path, pixels, syntax=ExplicitVRLittleEndian, sop=CTImageStorage, number=1, **attributes):
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop
    meta.MediaStorageSOPInstanceUID = f"{SERIES}.{number}"
    meta.TransferSyntaxUID = syntax
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop, meta.MediaStorageSOPInstanceUID
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.Modality = SERIES, SERIES + ".0", "CT"
    ds.InstanceNumber = number
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    if isinstance(pixels, np.ndarray):
        shape = pixels.shape[-3:-1] if pixels.shape[-1] == 3 else pixels.shape[-2:]
        ds.Rows, ds.Columns = shape
        ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
        ds.PixelRepresentation = int(pixels.dtype.kind == "i")
        big = syntax == ExplicitVRBigEndian
        ds.PixelData = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
        ds.PixelData += b"\0" * (len(ds.PixelData) % 2)
        ds["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    else:
        ds.PixelData = encapsulate(pixels)
        ds["PixelData"].is_undefined_length = True
        ds["PixelData"].VR = "OB"
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.HighBit = ds.BitsStored - 1
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    pydicom.dcmwrite(path, ds, enforce_file_format=True, implicit_vr=implicit, little_endian=little)
    return ds


def place(k, orientation=None):
    row, column, normal = orientation or oblique()
    position = np.array([-100.0, -50.0, 20.0]) + k * DISTANCE * normal
    return {
        "ImagePositionPatient": [f"{v:.8g}" for v in position],
        "ImageOrientationPatient": [f"{v:.10g}" for v in [*row, *column]],
        "PixelSpacing": list(SPACING),
        "SliceThickness": DISTANCE,
    }


def read_series(folder):
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return describe(reader.Execute())


def describe(image):
    size = image.GetSize()
    corners = [[0] * 3, [size[0] - 1, 0, 0], [0, size[1] - 1, 0], [0, 0, size[2] - 1], [n - 1 for n in size]]
    return {
        "size": size,
        "samples": sitk.GetArrayFromImage(image).astype(float).ravel().tolist(),
        "world": [[c, image.TransformIndexToPhysicalPoint(c)] for c in corners],  # LPS
    }


def stored(path):
    ds = pydicom.dcmread(path)
    pixels = ds.pixel_array
    if pixels.ndim == 3 and pixels.shape[-1] == 3:
        pixels = np.moveaxis(pixels, -1, 0)
    return {"size": [ds.Columns, ds.Rows], "samples": pixels.astype(float).ravel().tolist()}


def series(expected):
    volume = rng.integers(0, 4096, (SLICES, ROWS, COLUMNS)).astype(np.uint16)
    names = ["e", "b", "f", "a", "d", "c"]
    for k in range(SLICES):
        write(HERE / "oblique" / f"{names[k]}.dcm", volume[k], number=k + 1, BitsStored=12, RescaleSlope=1 + 0.5 * k,
              RescaleIntercept=-1024, **place(k))
    (HERE / "oblique" / "notes.txt").write_text("not DICOM\n")
    expected["oblique"] = read_series(HERE / "oblique")
    for k in (0, 1, 2, 4, 5):
        write(HERE / "missing" / f"{k}.dcm", volume[k], number=k + 1, **place(k))
    for k in range(4):
        other = {"SeriesInstanceUID": SERIES + ".9", "SeriesDescription": "scout"} if k == 3 else {}
        attributes = place(k) | {"SeriesDescription": "thorax"} | other
        write(HERE / "mixed" / f"{k}.dcm", volume[k], number=k + 1, **attributes)
    # A tilted gantry: slices are displaced along the column direction.
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(0.2), np.sin(0.2)])
    for k in range(3):
        attributes = place(k, (row, column, np.array([0.0, 0.0, 1.0])))
        write(HERE / "tilted" / f"{k}.dcm", volume[k], number=k + 1, **attributes)


def without_hints(stream):
    """A JPEG stream of RGB whose components are numbered as those of YCbCr, without the marker of Adobe."""
    adobe = stream.index(b"\xff\xee")
    stream = bytearray(stream[:adobe] + stream[adobe + 2 + int.from_bytes(stream[adobe + 2:adobe + 4]):])
    frame, scan = stream.index(b"\xff\xc0") + 10, stream.index(b"\xff\xda") + 5
    for i in range(3):
        stream[frame + 3 * i] = stream[scan + 2 * i] = i + 1
    return bytes(stream)


def encodings(expected):
    grey = rng.integers(-1000, 1000, (ROWS, COLUMNS)).astype(np.int16)
    color = rng.integers(0, 256, (ROWS, COLUMNS, 3)).astype(np.uint8)
    smooth = np.add.outer(np.arange(16) * 5, np.arange(16) * 9).astype(np.uint8)
    write(HERE / "explicit.dcm", grey, **place(2))
    write(HERE / "implicit.dcm", grey, ImplicitVRLittleEndian, **place(2))
    write(HERE / "big_endian.dcm", grey, ExplicitVRBigEndian, **place(2))
    write(HERE / "deflated.dcm", grey, DeflatedExplicitVRLittleEndian, **place(2))
    capture = SecondaryCaptureImageStorage
    rgb = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    write(HERE / "rgb.dcm", color, sop=capture, **rgb)
    write(HERE / "rgb_planar.dcm", np.moveaxis(color, -1, 0).copy(), sop=capture, Rows=ROWS, Columns=COLUMNS,
          **(rgb | {"PlanarConfiguration": 1}))
    for name in ("explicit", "rgb"):
        ds = pydicom.dcmread(HERE / f"{name}.dcm")
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(HERE / f"rle_{name}.dcm")
        # pydicom's encoder refuses pictures as small as these.
        ds = pydicom.dcmread(HERE / f"{name}.dcm")
        stream = imagecodecs.jpeg2k_encode(ds.pixel_array, level=0, codecformat="j2k", reversible=True, resolutions=2,
                                           mct=name == "rgb")
        ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
        ds.PhotometricInterpretation = "YBR_RCT" if name == "rgb" else "MONOCHROME2"
        ds.PixelData, ds["PixelData"].VR = encapsulate([stream]), "OB"
        ds["PixelData"].is_undefined_length = True
        ds.save_as(HERE / f"jpeg2000_{name}.dcm")
    size = {"Rows": 16, "Columns": 16, "BitsAllocated": 8, "BitsStored": 8, "PixelRepresentation": 0}
    stream = io.BytesIO()
    Image.fromarray(smooth).save(stream, "jpeg", quality=95)
    write(HERE / "jpeg.dcm", [stream.getvalue()], JPEGBaseline8Bit, capture, **size)
    hues = np.dstack([smooth, 255 - smooth, smooth // 2 + 60])
    for name, photometric, keep in [("jpeg_ycbcr", "YBR_FULL", False), ("jpeg_rgb", "RGB", True)]:
        stream = io.BytesIO()
        Image.fromarray(hues).save(stream, "jpeg", quality=95, subsampling=0, keep_rgb=keep)
        stream = without_hints(stream.getvalue()) if keep else stream.getvalue()
        write(HERE / f"{name}.dcm", [stream], JPEGBaseline8Bit, capture,
              **(size | rgb | {"PhotometricInterpretation": photometric}))
    deep = (smooth.astype(np.uint16) * 13)
    size |= {"BitsAllocated": 16, "BitsStored": 12}
    stream = imagecodecs.ljpeg_encode(deep, bitspersample=12)
    write(HERE / "jpeg_lossless.dcm", [stream], JPEGLosslessSV1, capture, **size)
    write(HERE / "jpeg_ls.dcm", [b"\xff\xd8\xff\xf7"], JPEGLSLossless, capture, **size)
    for name in ("explicit", "implicit", "big_endian", "deflated", "rgb", "rgb_planar", "rle_explicit", "rle_rgb",
                 "jpeg2000_explicit", "jpeg2000_rgb", "jpeg", "jpeg_lossless"):
        expected[name] = stored(HERE / f"{name}.dcm")
    for name in ("jpeg_ycbcr", "jpeg_rgb"):
        expected[name] = {"size": [16, 16], "samples": np.moveaxis(hues, -1, 0).astype(float).ravel().tolist()}
    expected["jpeg_lossless"]["samples"] = deep.astype(float).ravel().tolist()


def palette(expected):
    indices = rng.integers(0, 4, (ROWS, COLUMNS)).astype(np.uint8) + 9
    tables = [np.array(t, np.uint16) for t in ([0, 65535, 100, 7], [1, 2, 3, 4], [500, 600, 700, 800])]
    attributes = {"PhotometricInterpretation": "PALETTE COLOR"}
    for color, table in zip(("Red", "Green", "Blue"), tables):
        attributes[f"{color}PaletteColorLookupTableDescriptor"] = [4, 10, 16]
        attributes[f"{color}PaletteColorLookupTableData"] = table.tobytes()
    ds = write(HERE / "palette.dcm", indices, sop=SecondaryCaptureImageStorage, **attributes)
    colors = pydicom.pixels.apply_color_lut(ds.pixel_array, ds)
    samples = np.moveaxis(colors, -1, 0).astype(float).ravel().tolist()
    expected["palette"] = {"size": [COLUMNS, ROWS], "samples": samples}


def multi_frame(expected):
    volume = rng.integers(0, 500, (4, ROWS, COLUMNS)).astype(np.uint16)

    def groups(**sequences):
        group = Dataset()
        for name, attributes in sequences.items():
            item = Dataset()
            for key, value in attributes.items():
                setattr(item, key, value)
            setattr(group, name, Sequence([item]))
        return group

    # Frames are stored in another order than they lie.
    order = [2, 0, 3, 1]
    shared = groups(PlaneOrientationSequence={"ImageOrientationPatient": place(0)["ImageOrientationPatient"]},
                    PixelMeasuresSequence={"PixelSpacing": list(SPACING), "SliceThickness": DISTANCE})
    frames = [groups(PlanePositionSequence={"ImagePositionPatient": place(k)["ImagePositionPatient"]},
                     PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -k, "RescaleType": "HU"})
              for k in order]
    write(HERE / "multi_frame.dcm", volume[order], sop=EnhancedCTImageStorage, NumberOfFrames=4,
          SharedFunctionalGroupsSequence=Sequence([shared]), PerFrameFunctionalGroupsSequence=Sequence(frames))
    expected["multi_frame"] = {"samples": (volume * 2.0 - np.arange(4)[:, None, None]).ravel().tolist()}
    write(HERE / "cine.dcm", volume, sop=SecondaryCaptureImageStorage, NumberOfFrames=4)


def described():
    """Attributes of many representations; what pydicom writes of them as DICOM's JSON is expected.json's neighbour."""
    inner = Dataset()
    inner.CodeValue, inner.CodeMeaning = "T-62000", "Leber"
    item = Dataset()
    item.ReferencedSOPInstanceUID = SERIES + ".77"
    item.PurposeOfReferenceCodeSequence = Sequence([inner])
    attributes = {
        "SpecificCharacterSet": "ISO_IR 100", "PatientName": "M\u00fcller^J\u00f6rg", "PatientID": "A-7",
        "PatientBirthDate": "19500102", "StudyDate": "20240229", "StudyDescription": "Abdomen \u00fc",
        "ImageType": ["ORIGINAL", "PRIMARY"], "FrameIncrementPointer": 0x00181063, "AccessionNumber": "",
        "SmallestImagePixelValue": -5, "ExposureInuAs": 1200, "EventElapsedTimes": [1.5, -2.25],
        "SourceImageSequence": Sequence([item, Dataset()]), "ICCProfile": bytes(range(10)),
    }
    grey = np.arange(ROWS * COLUMNS, dtype=np.int16).reshape(ROWS, COLUMNS) - 20
    for name, syntax in [("explicit", ExplicitVRLittleEndian), ("implicit", ImplicitVRLittleEndian),
                         ("big_endian", ExplicitVRBigEndian)]:
        path = HERE / "described" / f"{name}.dcm"
        write(path, grey, syntax, **place(2), **attributes)
    ds = pydicom.dcmread(path)
    del ds.PixelData
    told = json.dumps(ds.to_json_dict(), separators=(",", ":"), sort_keys=True)
    (HERE / "described" / "expected.json").write_text(told + "\n")


shutil.rmtree(HERE, ignore_errors=True)
expected = {}
series(expected)
encodings(expected)
palette(expected)
multi_frame(expected)
described()
(HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
