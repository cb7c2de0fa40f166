"""Drives a running `fewmark serve` with a DICOMweb client, and then as OHIF's panel for MONAI Label does.

    python3 -m venv venv
    venv/bin/pip install dicomweb-client==0.61.2 pydicom==3.0.2 numpy requests
    venv/bin/python dicomweb.py FEWMARK SERIES...

FEWMARK is the program, SERIES are folders, each with the files of a DICOM series. They are copied to a temporary folder, which is served.
Prints a line for each call, and ends with status 1 when something is not as it has to be.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import requests
from dicomweb_client.api import DICOMwebClient


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: found {found!r}, expected {expected!r}")
    print(f"{what}: as expected")


def files_of(folder):
    """The files of a series by their identifiers."""
    files = {}
    for path in sorted(folder.iterdir()):
        try:
            files[pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID] = path
        except pydicom.errors.InvalidDicomError:
            pass
    return files


def drive_series(client, url, folder):
    files = files_of(folder)
    first = pydicom.dcmread(next(iter(files.values())), stop_before_pixels=True)
    study, series = first.StudyInstanceUID, first.SeriesInstanceUID

    found = client.search_for_studies(search_filters={"StudyInstanceUID": study})
    expect("study", [s["0020000D"]["Value"][0] for s in found], [study])
    name = str(first.get("PatientName", ""))[:3]
    if name:
        found = client.search_for_studies(search_filters={"PatientName": f"*{name.lower()}*"})
        expect("study by name", study in [s["0020000D"]["Value"][0] for s in found], True)
    found = client.search_for_series(study)
    expect("series", series in [s["0020000E"]["Value"][0] for s in found], True)
    found = client.search_for_instances(study, series, limit=3)
    expect("three instances", len(found), min(3, len(files)))

    metadata = client.retrieve_series_metadata(study, series)
    expect("metadata of all instances", {m["00080018"]["Value"][0] for m in metadata}, set(files))
    for told in metadata:
        # What pydicom reads from the JSON is what it reads from the file.
        told.pop("00083002")
        read, stored = pydicom.Dataset.from_json(told), pydicom.dcmread(files[told["00080018"]["Value"][0]])
        del stored.PixelData
        read.SpecificCharacterSet = stored.get("SpecificCharacterSet", "")
        differing = [e.keyword for e in stored if e.keyword != "SpecificCharacterSet" and read.get(e.tag) != e]
        if differing:
            sys.exit(f"metadata: {differing} differ")
    print("metadata: as pydicom reads the files")

    uid, path = next(iter(files.items()))
    stored = pydicom.dcmread(path)
    retrieved = client.retrieve_instance(study, series, uid)
    expect("instance", retrieved.PixelData, stored.PixelData)
    [frame] = client.retrieve_instance_frames(study, series, uid, frame_numbers=[1])
    length = stored.Rows * stored.Columns * stored.SamplesPerPixel * stored.BitsAllocated // 8
    if stored.file_meta.TransferSyntaxUID.is_compressed:
        expect("compressed frame", len(frame) > 0, True)
    else:
        expect("frame", frame, stored.PixelData[:length])
    expect("all instances", len(client.retrieve_series(study, series)), len(files))

    size = [stored.Columns, stored.Rows, len(files)]
    middle = [n // 2 for n in size]
    params = {"foreground": [middle], "background": [[1, 1, middle[2]]], "result_extension": ".nrrd",
              "result_dtype": "uint8", "result_compress": False, "restore_label_idx": False}
    reply = requests.post(f"{url}/infer/tv", params={"image": series, "output": "image"},
                          files={"params": (None, json.dumps(params))}, timeout=300)
    expect("infer", reply.status_code, 200)
    header, mask = reply.content.split(b"\n\n", 1)
    expect("encoding", b"encoding: raw" in header, True)
    mask = np.frombuffer(mask, np.uint8).reshape(size[::-1])
    expect("click within the mask", int(mask[tuple(middle[::-1])]), 1)
    saved = requests.put(f"{url}/datastore/label", params={"image": series}, timeout=300,
                         files={"params": (None, "{}"), "label": ("label.bin", mask.tobytes())})
    expect("label", saved.json(), {"image": folder.name, "label": folder.name})


def main():
    program, series = sys.argv[1], [Path(folder) for folder in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as studies:
        folders = [Path(shutil.copytree(folder, Path(studies) / folder.name)) for folder in series]
        server = subprocess.Popen([program, "serve", studies, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
        try:
            told = "".join(iter(server.stdout.readline, "}\n")) + "}"
            url = json.loads(told)["url"].rstrip("/")
            client = DICOMwebClient(f"{url}/proxy/dicom", qido_url_prefix="qido", wado_url_prefix="wado")
            for folder in folders:
                print(f"-- {folder.name}")
                drive_series(client, url, folder)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
