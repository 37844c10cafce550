"""Trajectory of a scan: how far the beam lay from its commanded pixels on the specimen, in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.types import Floats

__all__ = ["Trajectory"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Offsets of the beam in pixels at some samples, straight between these and constant beyond.

    The beam stood over pixel ``commanded + offset`` of the specimen. A constant offset cannot be told from a specimen
    that lies elsewhere: the mean over the scan is 0.

    Attributes
    ----------
    samples : ndarray of float64, (K,)
        Numbers of samples in scan order, ascending; at least one.
    offsets : ndarray of float64, (K, 2)
        (row, column) in pixels.
    std : ndarray of float64, (K, 2)
        Standard deviation of the offsets' errors, at least 0.

    Raises
    ------
    UsageError
        When the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> Trajectory.of([0, 10], [[0.0, -1.0], [0.0, 1.0]], np.zeros((2, 2))).at(np.array([5, 10, 20])).tolist()
    [[0.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """

    samples: Floats
    offsets: Floats
    std: Floats

    @classmethod
    def of(cls, samples: npt.ArrayLike, offsets: npt.ArrayLike, std: npt.ArrayLike) -> Self:
        """Validate."""
        at, moved, errors = (np.array(one, np.float64) for one in (samples, offsets, std))
        fits = at.ndim == 1 and at.size and moved.shape == errors.shape == (at.size, 2)
        if not (fits and all(np.isfinite(one).all() for one in (at, moved, errors))):
            raise UsageError("expected a trajectory of finite numbers, (K,) samples and (K, 2) offsets, got another")
        if (np.diff(at) <= 0).any() or (errors < 0).any():
            raise UsageError("expected ascending samples and standard deviations from 0 of a trajectory, got others")
        for one in (at, moved, errors):
            one.flags.writeable = False
        return cls(at, moved, errors)

    def at(self, samples: npt.NDArray[np.integer] | npt.NDArray[np.floating]) -> Floats:
        """Offsets (n, 2) at samples (n,)."""
        return np.stack([np.interp(samples, self.samples, self.offsets[:, axis]) for axis in (0, 1)], axis=1)

    def std_at(self, samples: npt.NDArray[np.integer] | npt.NDArray[np.floating]) -> Floats:
        """Standard deviations (n, 2) at samples (n,)."""
        return np.stack([np.interp(samples, self.samples, self.std[:, axis]) for axis in (0, 1)], axis=1)

    @property
    def rms(self) -> float:
        """Root mean square distance from the mean position over the time of the knots, in pixels."""
        return float(np.sqrt(np.sum(np.var(self._even(self.offsets), axis=0))))

    @property
    def rms_std(self) -> float:
        """Root mean square of the standard deviations, in pixels per direction."""
        return float(np.sqrt(np.mean(self._even(self.std) ** 2)))

    @property
    def span(self) -> float:
        """Distance in pixels between the two places that lie farthest apart along one direction."""
        return float(np.hypot(*np.ptp(self.offsets, axis=0)))

    def _even(self, values: Floats) -> Floats:
        """Values at even steps in time."""
        even = np.linspace(self.samples[0], self.samples[-1], 1025)
        return np.stack([np.interp(even, self.samples, values[:, axis]) for axis in (0, 1)], axis=1)
