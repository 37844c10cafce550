"""Acquisition stores as specimens and as frames: read with digests and visits, never as bare arrays."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan


@pytest.fixture
def stores(stemscan: Stemscan) -> None:
    """A full raster of two passes, full.zarr, a sparse scan, sparse.zarr, and a plan for their specimens, p.yaml."""
    common = ("--shape", "32x32", "--pixel-size", "0.05nm")
    assert stemscan("plan", "-o", "full.yaml", *common, "--pattern", "raster", "--passes", "2").code == 0
    assert stemscan("plan", "-o", "p.yaml", *common, "--passes", "2").code == 0
    for plan, store in (("full.yaml", "full.zarr"), ("p.yaml", "sparse.zarr")):
        assert stemscan("simulate", plan, "crystal:SrTiO3", "-o", store).code == 0


def simulated(stemscan: Stemscan, source: str, *options: str) -> np.ndarray:
    """Truth of a simulation of a source."""
    done = stemscan("simulate", "p.yaml", source, "-o", "out.zarr", "--overwrite", *options)
    assert (done.code, done.err) == (0, "")
    truth = Acquisition.open("out.zarr").truth
    assert truth is not None
    return truth


def test_a_pass_that_visited_all_is_a_picture(stemscan: Stemscan, stores: None) -> None:
    frame = Acquisition.open("full.zarr").frames()[1].astype(float)
    expected = (frame - frame.min()) / (frame.max() - frame.min())
    np.testing.assert_allclose(simulated(stemscan, "full.zarr", "--frame", "1"), expected, atol=1e-6)
    np.testing.assert_array_equal(
        simulated(stemscan, "sparse.zarr", "--frame", "truth"), Acquisition.open("sparse.zarr").truth
    )


def test_pixels_without_a_visit_are_no_zeros(stemscan: Stemscan, stores: None) -> None:
    done = stemscan("simulate", "p.yaml", "sparse.zarr", "--frame", "0", "-o", "out.zarr")
    assert done.code == 1
    assert "not visited" in done.err
    done = stemscan("simulate", "p.yaml", "full.zarr", "-o", "out.zarr")
    assert done.code == 2
    assert "--frame 0 to 1, or truth" in done.err


@pytest.mark.parametrize("fault", ["lost", "swapped"])
def test_damaged_stores_are_refused(stemscan: Stemscan, stores: None, fault: str) -> None:
    first, second = (Path(f"full.zarr/frames/c/{number}/0/0/0") for number in (0, 1))
    if fault == "lost":
        second.unlink()
    else:
        shutil.copy(first, second)
    for arguments in (
        ("simulate", "p.yaml", "full.zarr", "--frame", "1", "-o", "out.zarr"),
        ("import", "full.zarr", "--dose", "10", "-o", "out.zarr"),
        ("recon", "full.zarr", "-o", "out.npy"),
    ):
        done = stemscan(*arguments)
        assert done.code == 1, arguments
        assert "redraw it by stemscan verify --repair" in done.err
    assert stemscan("verify", "full.zarr", "--repair").code == 0
    assert stemscan("simulate", "p.yaml", "full.zarr", "--frame", "1", "-o", "out.zarr").code == 0


def test_frames_come_with_their_visits(stemscan: Stemscan, stores: None) -> None:
    done = stemscan("import", "sparse.zarr", "--dose", "10", "-o", "again.zarr")
    assert (done.code, done.err) == (0, "")
    before, after = Acquisition.open("sparse.zarr"), Acquisition.open("again.zarr")
    np.testing.assert_array_equal(after.frames(), before.frames())
    np.testing.assert_array_equal(after.visits(), before.visits())
    assert after.pixel_size_nm == before.pixel_size_nm


def test_an_inverted_mask_is_reported(stemscan: Stemscan) -> None:
    """A TIFF of bits written by tifffile says that zero is white."""
    mask = np.zeros((32, 32), bool)
    mask[:, ::4] = True
    tifffile.imwrite("mask.tif", mask)
    np.save("frames.npy", np.where(mask, 0, 7))
    done = stemscan("import", "frames.npy", "--mask", "mask.tif", "--dose", "10", "-o", "a.zarr")
    assert done.code == 0
    assert "mask inverted, because the file says that zero is white" in done.out
    done = stemscan("plan", "-o", "p.yaml", "--shape", "32x32", "--mask", "mask.tif")
    assert done.code == 0
    assert "mask mask.tif: inverted, because the file says that zero is white" in done.err


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ("row,column,counts\n1,2,\n3,4,5\n", "got 3 columns in line 3 and 2 before"),
        ("row,row,counts\n1,2,3\n3,4,5\n", "two for the row"),
        ("row;column;counts\n1,234;5,678;3\n", "thousands"),
    ],
)
def test_a_table_is_refused_by_what_is_wrong_with_it(stemscan: Stemscan, lines: str, cause: str) -> None:
    Path("table.csv").write_text(lines)
    done = stemscan("import", "table.csv", "--shape", "32x32", "--dose", "10", "-o", "a.zarr")
    assert done.code in (1, 2)
    assert cause in done.err
    assert "only with --positions" not in done.err
