"""`stemscan view` through the real command line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Stemscan


def test_a_film_of_a_scan(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:SrTiO3", "-o", "acq.zarr").code == 0
    done = stemscan("view", "acq.zarr", "-o", "film.gif", "--frames", "3", "--size", "64")
    assert (done.code, done.out, done.err) == (0, "film.gif: 3 pictures of acq.zarr\n", "")
    assert Path("film.gif").read_bytes().startswith(b"GIF89a")
    assert stemscan("view", "acq.zarr", "-o", "last.png").out == "last.png: a picture of acq.zarr\n"
    again = stemscan("view", "acq.zarr", "-o", "last.png")
    assert again.code == 2
    assert "expected a new path, got 'last.png'" in again.err
    assert stemscan("view", "plan.yaml", "-o", "p.gif").code == 1
    assert stemscan("view", "acq.zarr", "-o", "film.avi").code == 2
