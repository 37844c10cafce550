"""`stemscan simulate`, `stemscan info STORE`: good and bad paths through the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stemscan.hardware.coil_lag import actual_positions
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.reading import load_inputs
from stemscan.simulators.api import load_specimen, sampled_frames
from stemscan.simulators.instrument.collection import Collection, Scattering
from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a store; the root without its history, what the ledger lost, and its digest."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    root = json.loads(files["zarr.json"])
    del root["attributes"]["stemscan"]["history"], root["attributes"]["stemscan"]["digest"]
    for name in ("samples_exposed_again_at_most", "times_exposed_again"):
        root["attributes"]["stemscan"]["ledger"].pop(name, None)
    files["zarr.json"] = json.dumps(root).encode()
    return files


@pytest.fixture
def plan(stemscan: Stemscan) -> ScanPlan:
    """A small plan in plan.yaml."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "96x64", "--pixel-size", "0.02nm").code == 0
    return ScanPlan.load("plan.yaml")


def test_store_holds_what_the_library_samples(stemscan: Stemscan, plan: ScanPlan) -> None:
    done = stemscan("simulate", "plan.yaml", "crystal:SrTiO3[001]", "-o", "acq.zarr", "--seed", 5)
    assert (done.code, done.err) == (0, "")
    assert "complete" in done.out
    signal_ = load_specimen("crystal:SrTiO3[001]", plan.shape, pixel_size_nm=plan.pixel_size_nm).signal
    frames, visits = sampled_frames(signal_, plan, seed=5)
    store = Acquisition.open("acq.zarr")
    np.testing.assert_array_equal(store.frames(), frames)
    np.testing.assert_array_equal(store.visits(), visits)
    np.testing.assert_array_equal(store.truth, signal_)


def test_json_and_info(stemscan: Stemscan, plan: ScanPlan) -> None:
    options = ("--noise", "eq5", "--json")
    report = json.loads(stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr", *options).out)
    assert report["samples"] == report["total_samples"] == plan.total_samples
    told = json.loads(stemscan("info", "acq.zarr", "--json").out)
    assert told["type"] == "acquisition"
    assert (told["state"], told["noise"], told["plan_digest"]) == ("complete", "eq5", plan.digest())
    assert told["specimen"]["sha256"] == report["specimen_sha256"]
    assert "crystal:Si" in stemscan("info", "acq.zarr").out


def test_resume_on_nothing_begins_and_on_complete_changes_nothing(stemscan: Stemscan, plan: ScanPlan) -> None:
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr", "--resume").code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("acq.zarr").rglob("*")}
    done = stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr", "--resume")
    assert done.code == 0
    assert {path: path.stat().st_mtime_ns for path in Path("acq.zarr").rglob("*")} == before
    for other in (("--seed", 2), ("--noise", "eq5")):
        done = stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr", "--resume", *other)
        assert done.code == 1
        assert other[0].lstrip("-") in done.err
    assert "specimen" in stemscan("simulate", "plan.yaml", "crystal:Ge", "-o", "acq.zarr", "--resume").err


def test_a_reconstruction_is_never_overwritten_by_a_scan(stemscan: Stemscan, plan: ScanPlan) -> None:
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr").code == 0
    assert stemscan("recon", "acq.zarr", "-o", "image.zarr", "--method", "nearest").code == 0
    before = {path: path.read_bytes() for path in Path("image.zarr").rglob("*") if path.is_file()}
    for option in ("--overwrite", "--resume"):
        done = stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "image.zarr", option)
        assert done.code in (1, 2)
        assert "something else" in done.err or "another folder" in done.err
    assert {path: path.read_bytes() for path in Path("image.zarr").rglob("*") if path.is_file()} == before


def test_overwriting_is_asked_for(stemscan: Stemscan, plan: ScanPlan) -> None:
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr").code == 0
    before = tree(Path("acq.zarr"))
    done = stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr", "--seed", 2)
    assert done.code == 2
    assert "--resume or --overwrite" in done.err
    assert tree(Path("acq.zarr")) == before
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr", "--seed", 2, "--overwrite").code == 0
    assert tree(Path("acq.zarr")) != before


BAD = [
    (["missing.yaml", "crystal:Si", "-o", "a.zarr"], 2, "missing.yaml"),
    (["plan.yaml", "crystal:Unobtainium", "-o", "a.zarr"], 1, "SrTiO3"),
    (["plan.yaml", "crystal:Si[x]", "-o", "a.zarr"], 1, "zone"),
    (["plan.yaml", "missing.tif", "-o", "a.zarr"], 2, "missing.tif"),
    (["plan.yaml", "text.tif", "-o", "a.zarr"], 1, "text.tif"),
    (["plan.yaml", "wide.npy", "-o", "a.zarr"], 1, "96 x 64"),
    (["plan.yaml", "nan.npy", "-o", "a.zarr"], 1, "nan"),
    (["plan.yaml", "stack.npy", "-o", "a.zarr"], 2, "frame"),
    (["plan.yaml", "crystal:Si", "-o", "none/a.zarr"], 2, "none"),
    (["plan.yaml", "crystal:Si", "-o", "a.zarr", "--noise", "gauss"], 2, "poisson, eq5"),
    (["plan.yaml", "crystal:Si", "-o", "a.zarr", "--fit", "stretch"], 2, "error, crop, resample"),
    (["plan.yaml", "crystal:Si", "-o", "a.zarr", "--seed", "-1"], 2, "--seed"),
    (["plan.yaml", "wide.npy", "-o", "a.zarr", "--range", "0"], 2, "LO,HI"),
    (["plan.yaml", "crystal:Si", "-o", "a.zarr", "--resume", "--overwrite"], 2, "keep one"),
    (["plan.yaml", "crystal:Si", "-o", "folder", "--overwrite"], 2, "folder"),
    (["plan.yaml", "wide.npy", "-o", "a.zarr", "--median", "3"], 2, "--smooth"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=[" ".join(arguments) for arguments, _, _ in BAD])
def test_bad_input_is_one_sentence(
    stemscan: Stemscan, plan: ScanPlan, arguments: list[str], code: int, words: str
) -> None:
    rng = np.random.default_rng(0)
    np.save("wide.npy", rng.random((50, 200)))
    np.save("stack.npy", rng.random((3, 96, 64)))
    np.save("nan.npy", np.full((96, 64), np.nan))
    Path("text.tif").write_text("this is no image")
    Path("folder").mkdir()
    (Path("folder") / "precious").write_text("keep")
    done = stemscan("simulate", *arguments)
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words.lower() in done.err.lower()
    assert not Path("a.zarr").exists()
    assert (Path("folder") / "precious").read_text() == "keep"


def test_image_is_fitted_and_recorded(stemscan: Stemscan, plan: ScanPlan) -> None:
    np.save("big.npy", np.random.default_rng(0).integers(0, 4000, (200, 128)).astype(np.uint16))
    options = ("--fit", "crop", "--smooth", "paper", "--json")
    report = json.loads(stemscan("simulate", "plan.yaml", "big.npy", "-o", "acq.zarr", *options).out)
    text = json.dumps(report["specimen_record"])
    for word in ("crop", "gaussian", "median"):
        assert word in text.lower()
    truth = Acquisition.open("acq.zarr").truth
    assert truth is not None
    assert (truth.min(), truth.max()) == (0.0, 1.0)


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_command_leaves_a_store_that_resumes_to_the_same_bytes(
    stemscan: Stemscan, tmp_path: Path, kill: signal.Signals
) -> None:
    stemscan("plan", "-o", "plan.yaml", "--shape", "2048x2048", "--passes", "6", "--per-block", "16", "-q")
    command = [sys.executable, "-m", "stemscan", "simulate", "plan.yaml", "crystal:Si", "-o", "cut.zarr"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        deadline = time.monotonic() + 60
        while not list(Path("cut.zarr").glob("samples/counts/c/*")) and run.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        run.send_signal(kill)
        _, err = run.communicate(timeout=60)
    if kill == signal.SIGKILL:
        assert run.returncode == -signal.SIGKILL
    else:
        assert run.returncode == 128 + kill
        assert err.startswith("error: interrupted")
        assert "--resume" in err
        assert "Traceback" not in err
    told = json.loads(stemscan("info", "cut.zarr", "--json").out)
    assert told["state"] == ("acquiring" if kill == signal.SIGKILL else "aborted")
    assert 0 <= told["samples_committed"] < told["total_samples"]
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "cut.zarr", "--resume").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "whole.zarr").code == 0
    assert tree(Path("cut.zarr")) == tree(Path("whole.zarr"))


def test_a_coil_lag_is_kept_and_part_of_the_store_s_identity(stemscan: Stemscan, plan: ScanPlan) -> None:
    lag = ("simulate", "plan.yaml", "crystal:Si", "--coil-tau", "30us", "-o", "acq.zarr")
    assert stemscan(*lag).code == 0
    store = Acquisition.open("acq.zarr")
    actual = store.actual()
    assert store.coil_tau_ns == 30000
    assert actual is not None
    np.testing.assert_array_equal(actual, actual_positions(ScanPath(plan), 0, plan.total_samples, 30000))
    assert "30000 ns" in stemscan("info", "acq.zarr").out
    assert json.loads(stemscan("info", "acq.zarr", "--json").out)["coil_tau_ns"] == 30000
    assert stemscan(*lag, "--resume").code == 0
    for other in (("--coil-tau", "5us"), ()):
        done = stemscan("simulate", "plan.yaml", "crystal:Si", *other, "-o", "acq.zarr", "--resume")
        assert done.code == 1
        assert "expected the coil lag in ns with which" in done.err
        assert "(30000.0)" in done.err


def test_without_a_coil_lag_the_store_is_as_before(stemscan: Stemscan, plan: ScanPlan) -> None:
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "acq.zarr").code == 0
    record = json.loads(Path("acq.zarr/zarr.json").read_text())["attributes"]["stemscan"]
    assert "coil_tau_ns" not in record
    assert not record["actual_positions"]
    assert json.loads(stemscan("info", "acq.zarr", "--json").out)["actual_positions"] is False
    for wrong in ("30", "0us", "-1us", "fast", "1000s"):
        done = stemscan("simulate", "plan.yaml", "crystal:Si", "--coil-tau", wrong, "-o", "b.zarr")
        assert done.code in (1, 2)
        assert "time constant" in done.err
        assert not Path("b.zarr").exists()


def test_the_pixel_size_of_a_calibrated_specimen_is_taken_under_a_plan_without(stemscan: Stemscan) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (32, 32), dtype=np.uint8)
    tifffile.imwrite("cal.tif", picture, imagej=True, resolution=(50, 50), metadata={"unit": "nm"})
    assert stemscan("plan", "-o", "p.yaml", "--shape", "32x32", "--passes", 1).code == 0
    done = stemscan("simulate", "p.yaml", "cal.tif", "-o", "a.zarr")
    assert done.code == 0
    assert "0.02 nm, as the specimen has it; the plan has none" in done.out
    store, plan = Acquisition.open("a.zarr"), ScanPlan.load("p.yaml")
    assert store.pixel_size_nm == pytest.approx(0.02)
    assert (store.plan, store.plan_digest) == (plan, plan.digest())
    assert load_inputs("a.zarr").pixel_size_nm == store.pixel_size_nm
    assert "0.02 nm" in stemscan("info", "a.zarr").out
    scale = json.loads(Path("a.zarr/zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]["datasets"][0]
    assert scale["coordinateTransformations"][0]["scale"][-2:] == pytest.approx([0.02, 0.02])
    assert stemscan("simulate", "p.yaml", "cal.tif", "-o", "a.zarr", "--resume").code == 0
    stated = stemscan("plan", "-o", "q.yaml", "--shape", "32x32", "--passes", 1, "--pixel-size", "0.03nm")
    assert stated.code == 0
    assert "as the specimen has it" not in stemscan("simulate", "q.yaml", "cal.tif", "-o", "b.zarr").out
    assert Acquisition.open("b.zarr").pixel_size_nm == 0.03


def test_percentiles_as_a_range(stemscan: Stemscan, plan: ScanPlan) -> None:
    np.save("a.npy", np.random.default_rng(0).integers(0, 999, plan.shape))
    done = stemscan("simulate", "plan.yaml", "a.npy", "-o", "b.zarr", "--range", "1%,99%", "--json")
    assert json.loads(done.out)["specimen_record"]["steps"][1]["percentiles"] == ["1%", "99%"]


def test_frames_by_name(stemscan: Stemscan, plan: ScanPlan) -> None:
    image = np.random.default_rng(0).integers(0, 999, plan.shape).astype(np.uint16)
    np.savez("two.npz", haadf=image, bf=image[::-1])
    done = stemscan("simulate", "plan.yaml", "two.npz", "-o", "a.zarr")
    assert done.code == 2
    assert "haadf, bf" in done.err
    done = stemscan("simulate", "plan.yaml", "two.npz", "-o", "a.zarr", "--frame", "bf", "--json")
    assert json.loads(done.out)["specimen_record"]["steps"][0]["signal"] == "bf"


def test_detectors_are_channels(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64", "--pixel-size", "0.02nm").code == 0
    simulate = ("simulate", "plan.yaml", "crystal:SrTiO3", "--detector", "haadf", "--detector", "abf", "-o")
    assert stemscan(*simulate, "a.zarr").code == 0
    told = stemscan("info", "a.zarr").out
    assert "haadf: counted electrons" in told
    assert "abf: counted electrons" in told
    haadf, abf = Acquisition.open("a.zarr").truths  # type: ignore[misc]
    dark, bright = Collection(kind="abf").response(Scattering())
    assert np.abs(abf - (dark + bright * haadf)).max() > 0.1  # oxygen
    assert stemscan(*simulate, "a.zarr", "--resume").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:SrTiO3", "-o", "a.zarr", "--resume").code == 1
    for options, message in ((("--detector", "eds"), "haadf, laadf"), (("--detector", "bf") * 2, "each detector once")):
        done = stemscan("simulate", "plan.yaml", "crystal:SrTiO3", *options, "-o", "b.zarr")
        assert done.code == 2
        assert message in done.err
    for channel, code in (("abf", 0), ("1", 0), ("all", 0), ("abf+haadf", 0), ("eds", 2)):
        done = stemscan("recon", "a.zarr", "--method", "normconv", "--channel", channel, "-o", f"{channel}.npy")
        assert done.code == code, done.err
    assert "with abf" in stemscan("recon", "a.zarr", "--method", "normconv", "--channel", "all", "-o", "x.npy").out
