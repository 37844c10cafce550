"""Score test on the counts: where a column that the model lacks would explain them better.

For a weak column of profile g at a place, the slope of ln L by its amplitude over its standard deviation is
z = sum g (S - V u) / u / sqrt(sum g^2 V / (lambda u)), sums over the points around; under the model z is standard
normal. It is evaluated on a grid by two convolutions and is cheap whatever the number of columns. The grid is that of
the scan, or where columns are wide a coarser one, of half their width at most: that costs z a hundredth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2

from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import Profile, tabulated
from stemscan.recon.contradiction.scores import normal_score
from stemscan.recon.threads import workers
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["Score"]

Image = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Score:
    """Score of a further column at each place of a grid.

    Attributes
    ----------
    slope, information : ndarray of float32, (h, w)
        Slope of ln L by the amplitude of a further column, and its variance.
    step : int
        Pixels of the scan per pixel of the grid, in each direction.
    """

    slope: Image
    information: Image
    step: int

    @classmethod
    def of(cls, points: Observations, signal: Floats, profile: Profile, reach: float) -> Score:
        """Score of a model.

        Parameters
        ----------
        signal : ndarray of float64, (points,)
            The model at the points.
        profile : Profile
            Of the column that may be missing.
        reach : float
            Its reach in pixels.
        """
        step = max(1, int(profile.sigma / 2))
        down, across = (-(-side // step) for side in points.shape)
        rows, columns = (
            np.clip((places + 0.5) // step, 0, last - 1).astype(np.int64)
            for places, last in ((points.rows, down), (points.columns, across))
        )
        place = rows * across + columns
        a_visit = points.electrons_per_sample / signal ** (2 if points.noise == "eq5" else 1)
        gained = np.bincount(place, a_visit * (points.signal - points.visits * signal), down * across)
        known = np.bincount(place, a_visit * points.visits, down * across)
        table = tabulated(profile, reach, step)[::-1, ::-1]
        slope, information = (
            _convolved(values.reshape(down, across), kernel) for values, kernel in ((gained, table), (known, table**2))
        )
        return cls(slope, np.maximum(information, 0.0), step)

    @cached_property
    def z(self) -> Image:
        """The score in standard deviations; 0 where hardly a sample is near."""
        return normal_score(self.slope, self.information, least=0.02 * float(self.information.max()))

    def on_grid(self, places: Floats) -> Floats:
        """Rows and columns of the grid, (n, 2), of places on the scan."""
        return (places - 0.5 * (self.step - 1)) / self.step

    def peaks(self, distance: float, threshold: float, sign: int) -> Floats:
        """Places, best first, whose score of a sign is above a threshold and the largest within a distance."""
        score = sign * self.z
        high = np.ascontiguousarray(np.argwhere(score >= threshold))
        values = score[high[:, 0], high[:, 1]]
        found = values == _largest_around(score, high, distance / self.step)
        best = high[found][np.argsort(-values[found], kind="stable")]
        return np.asarray(self.step * best + 0.5 * (self.step - 1))

    def largest_around(self, places: Floats, distance: float) -> Floats:
        """Largest score of either sign within a distance of places on the scan, (n,)."""
        pixels = np.clip(np.rint(self.on_grid(places)), 0, np.array(self.z.shape) - 1).astype(np.int64)
        return _largest_around(np.abs(self.z), pixels, distance / self.step).astype(np.float64)


def _convolved(values: npt.NDArray[Any], table: Floats) -> Image:
    """Convolution by Fourier transforms, zero beyond the frame, to single precision."""
    margin = len(table) // 2
    shape = [next_fast_len(side + margin, real=True) for side in values.shape]
    both = (rfft2(np.asarray(part, np.float32), shape, workers=workers()) for part in (values, table))
    product = next(both)
    product *= next(both)
    whole = irfft2(product, shape, workers=workers())
    return np.asarray(np.roll(whole, (-margin, -margin), (0, 1))[: values.shape[0], : values.shape[1]])


@compiled()
def _largest_around(values: Image, places: npt.NDArray[np.int64], distance: float) -> Image:
    """Largest value in the square around each of some pixels, (n, 2), to a distance rounded to pixels, at least 1."""
    reach = max(1, round(distance))
    largest = np.empty(len(places), values.dtype)
    for k in range(len(places)):
        i, j = places[k]
        around = values[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1]
        largest[k] = around.max()
    return largest
