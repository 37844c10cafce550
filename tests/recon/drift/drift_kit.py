"""Scans of a lattice that moves under the beam, drawn here, of known drift."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.drift.timed import TimedSamples

__all__ = ["flat", "lattice", "moving_scan", "positions_of"]

Floats = npt.NDArray[np.float64]


def lattice(size: int, cell: float = 23.0, *, perfect: bool = False, seed: int = 0) -> Floats:
    """Round columns on a square lattice turned by 5 degrees, some of them missing or moved unless perfect."""
    random = np.random.default_rng(seed)
    turn = np.deg2rad(5.0)
    count = int(size / cell) + 4
    index = np.stack(np.meshgrid(np.arange(-count, count), np.arange(-count, count)), -1).reshape(-1, 2)
    places = cell * index @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) + size / 2
    heights = np.full(len(places), 0.8)
    if not perfect:
        places = places + random.normal(0, 1.0, places.shape)
        heights = heights * (random.random(len(places)) > 0.1)
    image, axis = np.full((size, size), 0.1), np.arange(size)
    for (row, column), height in zip(places, heights, strict=True):
        if -20 < row < size + 20 and -20 < column < size + 20 and height:
            down, right = (np.exp(-0.5 * ((axis - at) / 3.0) ** 2) for at in (row, column))
            image += height * np.outer(down, right)
    return image


def flat(size: int) -> Floats:
    """A specimen without contrast."""
    return np.full((size, size), 0.5)


@cache
def positions_of(size: int, per_block: int, passes: int, order: str) -> npt.NDArray[np.int32]:
    """Pixels of a block-random scan in time order."""
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": per_block},
            "shape": [size, size],
            "passes": passes,
            "order": {"kind": order},
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 3,
        }
    )
    return ScanPath(plan).positions(0, plan.total_samples)


def moving_scan(
    image: Floats,
    drift: Floats | None = None,
    *,
    per_block: int = 6,
    passes: int = 4,
    order: str = "serpentine-blocks",
    dose: float = 20.0,
    seed: int = 1,
) -> tuple[TimedSamples, Floats]:
    """Samples of an image under a drift, and the offsets (n, 2), of mean 0; `drift` is that of the end, linear in time.

    A drift of shape (n, 2) is taken as it is.
    """
    commanded = positions_of(len(image), per_block, passes, order)
    count = len(commanded)
    moved = np.zeros((count, 2)) if drift is None else np.asarray(drift, np.float64)
    if moved.shape == (2,):
        moved = np.linspace(0, 1, count)[:, np.newaxis] * moved
    moved = moved - moved.mean(axis=0)
    signal = map_coordinates(image, (commanded + moved).T, order=1, mode="nearest")
    counts = np.random.default_rng(seed).poisson(dose * signal)
    starts = np.arange(passes + 1) * (count // passes)
    shape = (len(image), len(image))
    return TimedSamples(counts / dose, commanded.astype(np.float64), starts, shape, dose), moved
