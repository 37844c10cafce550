"""Samples on the grid by where the beam really was: bilinear deposit of counts and visits.

A sample between pixels gives each of the four around it a share of its counts and the same share of its visit, so that
no count and no visit is lost. Offsets are rounded to 1/64 of a pixel: shares are then whole multiples of 2**-12, visits
add up without rounding, and a beam that rests on its pixel gives that pixel everything. Positions beyond the outermost
pixels are taken as on them, which is meant for those that are less than a pixel's half away: `PlacedSamples.inside`
leaves out what lies outside of the grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError

__all__ = ["PlacedSamples", "unreached"]

_BLOCK = 16


@dataclass(frozen=True, eq=False)
class PlacedSamples:
    """Samples in scan order, and where the beam was.

    Attributes
    ----------
    electrons : ndarray of float64, (n,)
    positions : ndarray of float32, (n, 2)
        (row, column) in pixels.
    pass_starts : tuple of int
        First sample of each pass, and the end of the last one; ends beyond n mean that samples are missing.
    shape : (int, int)
        Rows and columns of the grid.
    """

    electrons: npt.NDArray[np.float64]
    positions: npt.NDArray[np.float32]
    pass_starts: tuple[int, ...]
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        electrons: npt.ArrayLike,
        positions: npt.ArrayLike,
        pass_starts: tuple[int, ...],
        shape: tuple[int, int],
    ) -> PlacedSamples:
        """Validate.

        Raises
        ------
        ReconError
            When shapes do not fit together or a number is not finite.
        """
        counts = np.asarray(electrons, dtype=np.float64)
        places = np.asarray(positions, dtype=np.float32)
        if counts.ndim != 1 or places.shape != (counts.size, 2):
            raise ReconError(
                f"expected counts of shape (n,) and positions of shape (n, 2), got {counts.shape} and {places.shape}; "
                "give one row and column a sample"
            )
        if not (np.isfinite(counts).all() and np.isfinite(places).all()):
            raise ReconError("expected finite counts and positions, got some that are not; leave these samples out")
        return cls(counts, places, pass_starts, shape)

    def inside(self) -> PlacedSamples:
        """Without the samples that lie outside of the grid: more than half a pixel beyond its outermost pixels."""
        within = (self.positions >= -0.5) & (self.positions <= np.array(self.shape) - 0.5)
        kept: npt.NDArray[np.bool_] = within[:, 0] & within[:, 1]
        if kept.all():
            return self
        before = np.concatenate([[0], np.cumsum(kept)])
        starts = tuple(int(before[min(start, len(kept))]) for start in self.pass_starts)
        return PlacedSamples(self.electrons[kept], self.positions[kept], starts, self.shape)

    def bilinear(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Counts and visits of each pass, shared among the pixels around each sample.

        Returns
        -------
        frames, visits : ndarray of float32, (T, H, W)
        """
        frames, visits = self._deposit(self.positions)
        return frames.astype(np.float32), visits.astype(np.float32)

    def nearest(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
        """Counts and visits of each pass, every sample whole on the pixel nearest to it.

        Returns
        -------
        frames : ndarray of float32, (T, H, W)
        visits : ndarray of uint16, (T, H, W)
        """
        frames, visits = self._deposit(np.rint(self.positions))
        return frames.astype(np.float32), visits.astype(np.uint16)

    def _deposit(self, positions: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Frames and visits of positions."""
        from stemscan.recon.inputs.gridding_kernels import deposit

        passes = len(self.pass_starts) - 1
        frames = np.empty((passes, *self.shape), np.float32)
        visits = np.empty((passes, *self.shape), np.float32)
        for index in range(passes):
            part = slice(self.pass_starts[index], self.pass_starts[index + 1])
            frames[index], visits[index] = deposit(self.electrons[part], positions[part], *self.shape)
        return frames, visits

    def part(self, rows: slice, columns: slice) -> PlacedSamples:
        """Samples whose nearest pixel lies in a part of the grid, from its corner."""
        corner = np.array([rows.start, columns.start], np.float32)
        shape = rows.stop - rows.start, columns.stop - columns.start
        places = self.positions - corner
        kept = np.nonzero(((places >= -0.5) & (places < np.array(shape) - 0.5)).all(axis=1))[0]
        starts = tuple(np.searchsorted(kept, self.pass_starts).tolist())
        return PlacedSamples(self.electrons[kept], places[kept], starts, shape)


def unreached(
    batches: Iterable[tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.floating[Any]]]], shape: tuple[int, int]
) -> float:
    """Share of the blocks of 16 x 16 pixels that were to be sampled and that a lagging beam never reached.

    Parameters
    ----------
    batches : iterable of (ndarray, ndarray), (n, 2) each
        Commanded and actual (row, column) in pixels.
    shape : (int, int)
        Rows and columns of the grid.

    Returns
    -------
    float
        0 to 1; 0 where there are no samples.

    Examples
    --------
    >>> unreached([(np.array([[0, 0], [0, 40]]), np.array([[0, 0], [0, 12.5]]))], (16, 48))
    0.5
    """
    planned, reached = (np.zeros([-(-side // _BLOCK) for side in shape], bool) for _ in range(2))
    for commanded, actual in batches:
        planned |= _blocks(commanded, shape)
        reached |= _blocks(np.rint(actual), shape)
    return float(np.count_nonzero(planned & ~reached)) / max(float(np.count_nonzero(planned)), 1.0)


def _blocks(positions: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Tell which blocks hold a position."""
    held = np.zeros([-(-side // _BLOCK) for side in shape], bool)
    rows, columns = (positions[:, axis].clip(0, shape[axis] - 1).astype(np.int64) // _BLOCK for axis in (0, 1))
    held[rows, columns] = True
    return held
