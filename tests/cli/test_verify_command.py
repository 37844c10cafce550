"""`stemscan verify`: sound and damaged stores, repairs, and what can and cannot be said of them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from stemscan.acquisition.reports import provenance_of
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.session import virtual_microscope
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.cli.conftest import Stemscan


@pytest.fixture
def store(stemscan: Stemscan) -> Path:
    """A complete store in the working folder."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64", "--passes", "2", "-q").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr", "-q").code == 0
    return Path("a.zarr")


def test_a_sound_store(stemscan: Stemscan, store: Path) -> None:
    done = stemscan("verify", "a.zarr")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("a.zarr: sound\n")
    told = json.loads(stemscan("verify", "a.zarr", "--json").out)
    assert told["sound"] is True
    assert (told["problems"], told["repaired"], told["unchecked"]) == ([], [], [])
    assert told["chunks"] == 8  # columns of the specimen among them


def test_a_damaged_store_is_named_by_file_and_mended(stemscan: Stemscan, store: Path) -> None:
    file = store / "frames" / "c" / "1" / "0" / "0" / "0"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    done = stemscan("verify", "a.zarr")
    assert done.code == 1
    assert str(file) in done.out
    assert done.err.startswith("error: expected a sound store at 'a.zarr', got damage in ")
    assert "--repair" in done.err
    done = stemscan("verify", "a.zarr", "--repair")
    assert (done.code, done.err) == (0, "")
    assert f"made anew  {file}" in done.out
    assert file.read_bytes() == whole
    assert stemscan("info", "a.zarr").code == 0


def test_damaged_samples_cannot_be_mended(stemscan: Stemscan, store: Path) -> None:
    file = store / "samples" / "counts" / "c" / "0" / "0"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    done = stemscan("verify", "a.zarr", "--repair", "--json")
    assert done.code == 1
    assert json.loads(done.out)["problems"][0]["file"] == str(file)
    assert "restore it from a copy" in done.err


def test_a_lost_record_is_not_a_licence_to_replace_samples(stemscan: Stemscan, store: Path) -> None:
    (store / "zarr.json").unlink()
    before = {file: file.read_bytes() for file in store.rglob("*") if file.is_file()}
    for command in (
        ("info", "a.zarr"),
        ("verify", "a.zarr"),
        ("verify", "a.zarr", "--repair"),
        ("recon", "a.zarr", "-o", "x.npy"),
        ("recon", "a.zarr", "-o", "a.zarr", "--overwrite"),
        ("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr"),
        ("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr", "--resume"),
        ("simulate", "plan.yaml", "crystal:GaAs", "-o", "a.zarr", "--resume"),
        ("acquire", "plan.yaml", "-o", "a.zarr", "--specimen", "crystal:Si", "--resume"),
        ("acquire", "plan.yaml", "-o", "a.zarr", "--specimen", "crystal:Si"),
    ):
        done = stemscan(*command)
        assert done.code in (1, 2), command
        assert done.err.startswith("error: expected "), done.err
        assert done.err.count("\n") == 1
        if command[0] != "recon" or "--overwrite" not in command:
            assert "without their record" in done.err, command
    assert {file: file.read_bytes() for file in store.rglob("*") if file.is_file()} == before
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr", "--overwrite").code == 0


def test_links_in_a_store_are_not_written_through(stemscan: Stemscan, store: Path) -> None:
    shutil.move(store / "frames", "elsewhere")
    os.symlink(Path("elsewhere").absolute(), store / "frames")
    before = sorted(Path("elsewhere").rglob("*"))
    done = stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr", "--overwrite")
    assert done.code == 1
    assert "got a link to" in done.err
    assert sorted(Path("elsewhere").rglob("*")) == before


def test_what_is_no_store(stemscan: Stemscan, store: Path) -> None:
    assert stemscan("recon", "a.zarr", "-o", "r.zarr", "--method", "nearest", "-q").code == 0
    for path, code in (("r.zarr", 1), ("plan.yaml", 1), ("nowhere", 2)):
        done = stemscan("verify", path)
        assert done.code == code
        assert done.err.count("\n") == 1


def test_doubt_is_said_by_info_verify_and_recon_and_ends_by_resuming(stemscan: Stemscan, store: Path) -> None:
    identity = ("simulate", "plan.yaml", "crystal:Si")
    assert stemscan(*identity, "-o", "b.zarr", "-q", "--seed", "1").code == 0
    plan = ScanPlan.load("plan.yaml")
    with AcquisitionWriter.create("d.zarr", plan, provenance_of(virtual_microscope(plan, "crystal:Si"))) as begun:
        begun.arm(100)
        begun.append(SampleBatch(0, Acquisition.open("b.zarr").counts(0, 100)))
        begun.commit()
        begun.mark_doubt(60, "a reading is missing")
    assert json.loads(stemscan("info", "d.zarr", "--json").out)["doubt"] == {
        "proven": 60,
        "reason": "a reading is missing",
    }
    done = stemscan("info", "d.zarr")
    assert "in doubt         all samples after the first 60: a reading is missing" in done.out
    warning = "samples of d.zarr from 60 on are in doubt (a reading is missing); resume it"
    assert warning in done.err
    assert warning in stemscan("recon", "d.zarr", "-o", "x.npy", "--method", "nearest").err
    assert "samples from 60 on are at their positions" in stemscan("verify", "d.zarr").out
    assert stemscan(*identity, "-o", "d.zarr", "--resume", "-q").code == 0
    assert Acquisition.open("d.zarr").digest() == Acquisition.open("b.zarr").digest()
    assert stemscan("info", "d.zarr").err == ""
