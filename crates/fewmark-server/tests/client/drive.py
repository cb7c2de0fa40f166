"""Drives a running `fewmark serve` with the client of MONAI Label from PyPI.

    python3.12 -m venv venv
    venv/bin/pip install --no-deps monailabel
    venv/bin/pip install numpy SimpleITK requests requests-toolbelt
    venv/bin/python drive.py FEWMARK IMAGE...

FEWMARK is the program, IMAGE are scans (`.nii.gz`). They are copied to a temporary folder, which is served. The client needs a Python that
still has `cgi`: 3.12 or older. Prints a line for each call, and ends with status 1 when something is not as it has to be.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import SimpleITK as sitk
from monailabel.client import MONAILabelClient


def geometry(path):
    """Size, spacing, origin and direction as SimpleITK reads them: doubles, compared to the bit."""
    image = sitk.ReadImage(str(path))
    return image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()


def middle_of_brightest(path):
    """A voxel inside something: in the middle slice, the middle of the largest region of the upper quarter of grey values."""
    image = sitk.ReadImage(str(path))
    size = image.GetSize()
    k = size[2] // 2
    slice_ = sitk.Cast(image[:, :, k], sitk.sitkFloat32)
    values = sorted(sitk.GetArrayViewFromImage(slice_).ravel())
    mask = slice_ > float(values[int(0.85 * len(values))])
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(sitk.BinaryMorphologicalOpening(mask, [2, 2])))
    distance = sitk.SignedMaurerDistanceMap(parts == 1, insideIsPositive=True, squaredDistance=False)
    array = sitk.GetArrayViewFromImage(distance)
    y, x = divmod(int(array.argmax()), size[0])
    return [x, y, k]


failures = []


def check(what, truth, detail=""):
    print(f"{'ok  ' if truth else 'FAIL'} {what} {detail}", flush=True)
    if not truth:
        failures.append(what)


def drive(url, studies, spare, token):
    client = MONAILabelClient(url, tmpdir=str(spare), client_id="drive")
    check("auth_enabled", client.auth_enabled() == (token is not None))
    if token:
        try:
            client.info()
            check("info is refused without a token", False)
        except Exception as error:
            check("info is refused without a token", "401" in str(error))
        client.update_auth(client.auth_token("anybody", token))
        check("auth_valid_token", client.auth_valid_token())
    info = client.info()
    check("info", info["models"]["tv"]["type"] == "deepgrow", f"models {', '.join(info['models'])}")
    for strategy in ("first", "random"):
        sample = client.next_sample(strategy, {})
        check(f"next_sample {strategy}", Path(sample["path"]).exists(), sample["id"])

    for image in sorted(studies.glob("*.nii.gz")):
        name = image.name.removesuffix(".nii.gz")
        voxel = middle_of_brightest(image)
        for model, params in (
            ("tv", {"foreground": [voxel], "background": [[0, 0, voxel[2]]]}),
            ("tv-slice", {"foreground": [voxel], "background": [], "slice": voxel[2]}),
            ("elastica", {"foreground": [voxel], "background": [], "slice": voxel[2]}),
        ):
            for extension in (".nii.gz", ".nrrd"):
                asked = {**params, "label": "organ", "result_extension": extension, "result_dtype": "uint8"}
                begun = time.time()
                file, said = client.infer(model, name, asked)
                seconds = time.time() - begun
                mask = sitk.ReadImage(file)
                inside = mask[tuple(voxel)] == 1
                voxels = int(sitk.GetArrayViewFromImage(mask).sum())
                # In text and in 32 bits numbers are rounded differently: NRRD cannot repeat what NIfTI rounds.
                same = geometry(file) == geometry(image) if extension == ".nii.gz" else close(geometry(file), geometry(image))
                how = "to the bit" if extension == ".nii.gz" else "within 1e-6"
                check(f"infer {model} {name} {extension}", inside and same and said["label_names"] == {"organ": 1},
                      f"{voxels} voxels, {seconds:.2f} s, geometry {how}: {same}")
        saved = client.save_label(name, file, params={"label_info": [{"name": "organ", "idx": 1}]})
        check(f"save_label {name}", saved["image"] == name)
        back = client.download_label(name, "final")
        check(f"download_label {name}", geometry(back) == geometry(image), "geometry to the bit")

    names = [image.name.removesuffix(".nii.gz") for image in sorted(studies.glob("*.nii.gz"))]
    if len(names) > 1:
        shown, asked = names[0], names[1]
        config = client.info()["models"]["fewshot"]["config"]["support"]
        check("fewshot is offered with what is labelled", shown in config, ", ".join(config))
        begun = time.time()
        file, said = client.infer("fewshot", asked, {"support": shown, "result_extension": ".nii.gz"})
        same = geometry(file) == geometry(studies / f"{asked}.nii.gz")
        check(f"infer fewshot {asked} by {shown}", same and set(said["label_names"]) <= {"organ"},
              f"{int(sitk.GetArrayViewFromImage(sitk.ReadImage(file)).sum())} voxels, {time.time() - begun:.2f} s, geometry to the bit: {same}")

    everything = client.datastore()
    check("datastore", all("final" in o["labels"] for o in everything["objects"].values()), f"{len(everything['objects'])} images")

    try:
        (spare / "notes.nii.gz").write_bytes(b"this is no image")
        client.create_session(str(spare / "notes.nii.gz"))
        check("create_session with no image is refused", False)
    except Exception as error:
        check("create_session with no image is refused", "422" in str(error))
    local = spare / "local volume.nii.gz"
    shutil.copy(sorted(studies.glob("*.nii.gz"))[0], local)
    session = client.create_session(str(local))["session_id"]
    check("create_session, get_session", client.get_session(session)["name"] == session)
    voxel = middle_of_brightest(local)
    file, _ = client.infer("tv", "local", {"foreground": [voxel], "result_extension": ".nii.gz"}, session_id=session)
    check("infer in a session", geometry(file) == geometry(local))
    client.remove_session(session)
    check("remove_session", client.get_session(session) == {})
    uploaded = client.upload_image(str(local), "local volume")
    check("upload_image", uploaded == {"image": "local volume"})

    try:
        client.train_status()
        check("train_status before a training", False)
    except Exception as error:
        check("train_status before a training", "404" in str(error))
    task = client.train_start("msnet", {"iterations": 100000, "name": "drive"})
    check("train_start", task["status"] == "RUNNING", task["details"][-1])
    deadline = time.time() + 300
    while client.info()["train_stats"]["msnet-3d"]["epoch"] < 1 and time.time() < deadline:
        time.sleep(0.5)
    check("train_status", client.train_status(check_if_running=True) is True and client.train_status()["status"] == "RUNNING")
    stopped = client.train_stop()
    check("train_stop", stopped["status"] == "STOPPED", stopped["details"][-1])


def close(a, b):
    flat = lambda g: [x for part in g for x in part]
    return all(abs(x - y) <= 1e-6 * max(1.0, abs(y)) for x, y in zip(flat(a), flat(b)))


def main():
    program, images = sys.argv[1], [Path(p) for p in sys.argv[2:]]
    for token in (None, "a-token-of-this-test"):
        with tempfile.TemporaryDirectory() as studies, tempfile.TemporaryDirectory() as spare:
            for image in images if token is None else images[:1]:
                shutil.copy(image, studies)
            command = [program, "serve", studies, "--port", "0", "--json", "--quiet"] + (["--token", token] if token else [])
            # The address is that of this machine either way; with a token, paths of the server still mean something to this client.
            server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                text = ""
                while not text.rstrip().endswith("}"):
                    text += server.stdout.readline()
                url = "http://" + json.loads(text)["address"]
                print(f"-- {url}, token: {token is not None}", flush=True)
                drive(url, Path(studies), Path(spare), token)
            finally:
                server.terminate()
                check("the server ends by itself", server.wait(60) == 0)
    print("FAILED: " + ", ".join(failures) if failures else "everything as it has to be")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
