"""`stemscan simulate PLAN synthetic:SEED/INDEX`: a generated specimen through the real command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stemscan.simulators.api import synthetic_specimen
from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan


@pytest.mark.parametrize("pixel", [None, 0.02])
def test_a_generated_specimen_is_scanned(stemscan: Stemscan, pixel: float | None) -> None:
    options = () if pixel is None else ("--pixel-size", f"{pixel}nm")
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "96x64", *options).code == 0
    done = stemscan("simulate", "plan.yaml", "synthetic:7/3", "-o", "acq.zarr", "--json")
    assert (done.code, done.err) == (0, "")
    expected = synthetic_specimen((96, 64), seed=7, index=3, pixel_size_nm=pixel)
    report = json.loads(done.out)
    assert report["specimen"] == "synthetic:7/3"
    report["specimen_record"].pop("pixel_size_taken_nm", None)  # of a plan without a size
    assert report["specimen_record"] == expected.record
    np.testing.assert_array_equal(Acquisition.open("acq.zarr").truth, expected.signal)
    assert "synthetic:7/3" in stemscan("info", "acq.zarr").out
    assert stemscan("simulate", "plan.yaml", "synthetic:7/3", "-o", "acq.zarr", "--resume").code == 0
    assert "specimen" in stemscan("simulate", "plan.yaml", "synthetic:7/4", "-o", "acq.zarr", "--resume").err


def test_bad_names_are_one_sentence(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "96x64").code == 0
    for spec in ("synthetic:7", f"synthetic:{2**64}/0"):
        done = stemscan("simulate", "plan.yaml", spec, "-o", "acq.zarr")
        assert done.code in (1, 2)
        assert done.err.startswith("error: expected")
        assert len(done.err.splitlines()) == 1
