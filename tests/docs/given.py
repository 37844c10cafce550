"""Files that readers have and the pages speak of: micrographs, frames, masks, tables, in small."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from stemscan.simulators.api import load_specimen, sampled_frames
from tests.stemscan.files.conftest import write_dm
from tests.stemscan.store_kit import make_plan

__all__ = ["make"]

PIXEL_NM = 0.02
SIDE = 256


@cache
def signal(side: int = SIDE) -> Any:
    """A crystal that stands in for the reader's own."""
    return load_specimen("crystal:SrTiO3[001]?vacancies=0.03&seed=3", (side, side), pixel_size_nm=PIXEL_NM).signal


@cache
def sparse() -> tuple[Any, Any]:
    """Counts and visits of a sparse scan of eight passes at dose 10, pixels of which are visited again."""
    pattern = {"kind": "block-random", "block": 8, "samples_per_block": 6}
    plan = make_plan(pattern=pattern, shape=[SIDE, SIDE], passes=8, pixel_size_nm=PIXEL_NM)
    return sampled_frames(signal(), plan, seed=5)


def micrograph(path: Path) -> None:
    """A full scan of 10 electrons per pixel in detector units: 120 an electron, 30 in the dark."""
    counts = np.random.default_rng(1).poisson(10 * signal(512))
    values = (30 + 120 * counts).astype(np.float32)
    if path.suffix == ".tif":
        tifffile.imwrite(path, values)
    else:
        write_dm(path, values, PIXEL_NM)


def table(path: Path) -> None:
    """Samples of a sparse scan as a table, in detector units, with no word on dose or gain."""
    frames, visits = sparse()
    passes, rows, columns = np.nonzero(visits)
    values = 30 + 120 * frames[passes, rows, columns]
    lines = [f"{r},{c},{v},{p}" for p, r, c, v in zip(passes, rows, columns, values, strict=True)]
    path.write_text("row,column,value,pass\n" + "\n".join(lines) + "\n")


def counted(path: Path) -> None:
    """The same as counts of electrons, of one pass."""
    frames, visits = sparse()
    rows, columns = np.nonzero(visits[0])
    lines = [f"{r},{c},{frames[0, r, c]}" for r, c in zip(rows, columns, strict=True)]
    path.write_text("row,column,counts\n" + "\n".join(lines) + "\n")


def raster(path: Path) -> None:
    """Two full scans in detector units of unknown gain."""
    counts = np.random.default_rng(2).poisson(10 * signal(), (2, SIDE, SIDE))
    noise = np.random.default_rng(3).normal(0, 6, counts.shape)
    tifffile.imwrite(path, (30 + 120 * counts + noise).astype(np.float32))


def dark(path: Path) -> None:
    """Readings with the beam blanked."""
    np.save(path, (30 + np.random.default_rng(4).normal(0, 6, (128, 128))).astype(np.float32))


def image_folder(path: Path) -> None:
    """A folder of micrographs."""
    path.mkdir()
    for number in range(2):
        counts = np.random.default_rng(number).poisson(60 * signal())
        tifffile.imwrite(path / f"mine{number}.tif", counts.astype(np.float32))


MAKERS: dict[str, Callable[[Path], object]] = {
    "frames.npy": lambda path: np.save(path, sparse()[0]),
    "mask.npy": lambda path: np.save(path, sparse()[1]),
    "micrograph.dm4": micrograph,
    "micrograph.tif": micrograph,
    "samples.csv": table,
    "counts.csv": counted,
    "two-scans.tif": raster,
    "blanked.npy": dark,
    "micrographs/": image_folder,
}


def make(name: str, folder: Path) -> None:
    """Make a file of a name in a folder."""
    MAKERS[name](folder / name.rstrip("/"))
