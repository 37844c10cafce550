"""Jitter: the scan's own noise, which puts each sample a little beside its pixel.

Two independent Gaussian parts, in rows and columns separately: one that is new with each sample (noise of the scan's
amplifiers above one over the dwell time), and one that neighbours along a row share (slow noise of amplifiers and
fields; Muller and Grazul, J. Electron Microsc. 50 (2001) 219; Jones and Nellist, Microsc. Microanal. 19 (2013) 1050).
The shared part is a smooth Gaussian process in time: white numbers, one for each length of a row, weighted by the
quadratic B-spline b and divided by the root of the sum of its squares, so that the variance is the same at all times:

    r(t) = s * sum_k b(t / T - k) n_k / sqrt(sum_k b(t / T - k)^2)

It is almost the same within a row, and independent after three. Numbers are keyed by k; a sample needs three of them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.random import Stream, fill_normals, normal_pair
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.effect import Effect, Moves, Positive, Scan, Sizes

__all__ = ["Jitter", "sample_jitter", "shared_jitter"]

_SAMPLE: Final = Stream.JITTER
_ROW: Final = Stream.ROW_JITTER


class Jitter(Effect):
    """Settings of jitter: standard deviations, (row, column) in pixels.

    Parameters
    ----------
    sample_px : (float, float)
        Of the part that is new with each sample.
    row_px : (float, float)
        Of the part that neighbours along a row share.
    row_us : float, optional
        Time T after which that part is another, in microseconds; unless given, that of crossing the field once:
        a pass's time over its rows, or over its rows of blocks.
    """

    sample_px: Sizes = (0.0, 0.0)
    row_px: Sizes = (0.0, 0.0)
    row_us: Positive | None = None

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return not (any(self.sample_px) or any(self.row_px))

    def moves(self, scan: Scan) -> Moves:
        """The motion in a scan."""
        plan, seed = scan.plan, np.uint64(scan.seed)
        crossing = plan.samples_per_pass * getattr(plan.pattern, "block", 1) / plan.shape[0]
        row_ns = max(crossing * scan.clock.dwell_ns, 1.0) if self.row_us is None else 1000.0 * self.row_us

        def add(start: int, times: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
            if any(self.sample_px):
                sample_jitter(seed, np.uint64(start), *self.sample_px, offsets)
            if any(self.row_px):
                shared_jitter(seed, times / row_ns, *self.row_px, offsets)

        return add


@compiled()
def sample_jitter(
    seed: np.uint64, start: np.uint64, row_px: float, column_px: float, offsets: NDArray[np.float64]
) -> None:
    """Add jitter that is new with each sample to offsets (n, 2) of samples from `start` on."""
    down, across = np.empty(offsets.shape[0]), np.empty(offsets.shape[0])
    fill_normals(seed, _SAMPLE, start, 0, down, across)
    for i in range(offsets.shape[0]):
        offsets[i, 0] += row_px * down[i]
        offsets[i, 1] += column_px * across[i]


@compiled()
def shared_jitter(
    seed: np.uint64, rows: NDArray[np.float64], row_px: float, column_px: float, offsets: NDArray[np.float64]
) -> None:
    """Add jitter that neighbours share to offsets (n, 2) of samples at times (n,) in lengths of a row."""
    known = np.int64(-1)
    numbers = np.zeros((3, 2))
    for i in range(offsets.shape[0]):
        first = np.int64(rows[i])
        if first != known:
            known = first
            for k in range(3):
                down, across = normal_pair(seed, _ROW, np.uint64(first + k), 0)
                numbers[k, 0], numbers[k, 1] = row_px * down, column_px * across
        u = rows[i] - first
        early, late = 0.5 * (1.0 - u) * (1.0 - u), 0.5 * u * u
        middle = 1.0 - early - late
        size = np.sqrt(early * early + middle * middle + late * late)
        for axis in range(2):
            mixed = early * numbers[0, axis] + middle * numbers[1, axis] + late * numbers[2, axis]
            offsets[i, axis] += mixed / size
