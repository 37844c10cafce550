"""An image held against the counts that it was made of, place by place.

At each pixel: would the image's signal times its neighbourhood, changed by a small Gaussian bump, explain the counts
better, and by how many standard deviations? The answer z is the signed root of the likelihood ratio of image and counts
there: above 0 where more was counted than the image says, below 0 where less. Nothing is fitted and the image's own
standard deviation plays no part, so z judges the image that is shown. Noise is that of counting (and of the detector,
as far as readings below zero show it).

An image that was made of the same counts follows them, and z spreads less than 1. It is divided by its spread at places
of like signal, by 0.75 at least: smoothing errs most at the darkest and brightest places, so that one spread for all
would make them stand out. Where an image follows each sample (nearest, linear), nothing can be said, and z is near 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from stemscan.recon.contradiction.bins import SampleNoise, deposit, draw
from stemscan.recon.contradiction.scores import normal_score, places_above, poisson_score, score_threshold
from stemscan.recon.contradiction.width import detail_width
from stemscan.recon.contradiction.words import sentence
from stemscan.recon.inputs.grids import coarse_shape
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["Contradiction", "Place", "contradiction"]

_NARROWER: Final = 0.75  # than a column: what an image misses of one is sharper than the column
_APART: Final = 2.0
_REACH: Final = 2.5
_BINS_A_WIDTH: Final = 1.5
_ROWS: Final = 256
_LEAST_SIGNAL: Final = 0.02
_SPREAD: Final = 0.75, 1.0
_STRATA: Final = 0.002, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 0.998
_EVERY: Final = 3


class Place(NamedTuple):
    """A pixel where counts contradict an image: row, column and z."""

    row: int
    col: int
    z: float


@dataclass(frozen=True, eq=False)
class Contradiction:
    """Where counts contradict an image.

    Attributes
    ----------
    z : ndarray of float32, of the image's shape
        Standard deviations by which the counts around a pixel are above what the image says; 0 where there are none.
    threshold : float
        Size of z that noise alone exceeds in 0.05 places of an image, in the mean.
    width : float
        Of the Gaussian kernel, as its standard deviation in pixels of the image.
    """

    z: Image
    threshold: float
    width: float

    @staticmethod
    def width_for(detail: float) -> float:
        """Width of the kernel for finest detail of a width, both in pixels."""
        return max(_NARROWER * detail, 1.0)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where the size of z is above the threshold and the largest within twice the width; the largest first."""
        size, apart = np.abs(self.z), _APART * self.width
        taken: list[tuple[int, int]] = []
        for row, col in places_above(size, apart, self.threshold).tolist():
            beside = taken[-1:] and max(abs(row - taken[-1][0]), abs(col - taken[-1][1])) <= apart
            if not beside or size[row, col] != size[taken[-1]]:  # of equal neighbours the first alone
                taken.append((row, col))
        return tuple(Place(row, col, float(self.z[row, col])) for row, col in taken)

    def coarser(self, factor: int) -> Contradiction:
        """The same on a grid that many times coarser: of each block the z of largest size."""
        rows, columns = coarse_shape(self.z.shape, factor)
        padded = np.zeros((rows * factor, columns * factor), np.float32)
        padded[: self.z.shape[0], : self.z.shape[1]] = self.z
        blocks = padded.reshape(rows, factor, columns, factor).swapaxes(1, 2).reshape(rows, columns, -1)
        largest = np.abs(blocks).argmax(axis=2)[..., None]
        z = np.ascontiguousarray(np.take_along_axis(blocks, largest, axis=2)[..., 0])
        return Contradiction(z, self.threshold, self.width / factor)

    def __str__(self) -> str:
        """``3 places where the counts contradict the image``."""
        return sentence(len(self.places))


def contradiction(
    inputs: Inputs, image: Image, *, detail: float | None = None, frame: tuple[int, int] | None = None
) -> Contradiction:
    """Hold an image against counts.

    Parameters
    ----------
    inputs : Inputs
        Counts and visits; the nearest pixel has a sample between pixels.
    image : ndarray of float32, (H, W)
        On the scan grid and the absolute scale.
    detail : float, optional
        Width of the finest detail in pixels, as `stemscan.recon.contradiction.width.detail_width` has it; found in the
        samples by default.
    frame : (int, int), optional
        Rows and columns of the frame of which this is a part, for the threshold.

    Examples
    --------
    >>> from stemscan.recon.inputs.inputs import Inputs
    >>> counts = np.full((1, 64, 64), 5.0)
    >>> counts[0, 20:25, 40:45] = 15
    >>> found = contradiction(Inputs.from_arrays(counts, np.ones((1, 64, 64), int), 10.0), np.full((64, 64), 0.5, "f4"))
    >>> str(found), found.places[0][:2]
    ('1 place where the counts contradict the image', (22, 42))
    """
    whole = inputs.whole
    sigma = Contradiction.width_for(detail or detail_width(whole.S, whole.V))
    factor = max(1, int(sigma / _BINS_A_WIDTH))
    z = _scores(whole, image, sigma, factor)
    if factor > 1:
        z = draw(z, factor, whole.shape, _ROWS // 4)
    return Contradiction(z, score_threshold(frame or whole.shape, sigma, sides=2), sigma)


def _scores(inputs: Inputs, image: Image, sigma: float, factor: int) -> Image:
    """Scores of bins of factor x factor pixels, divided by their spread at places of like signal."""
    signal = image[::factor, ::factor]
    limits = np.quantile(signal[::_EVERY, ::_EVERY], _STRATA).astype(np.float32)
    stratum = np.searchsorted(limits, signal.ravel()).astype(np.uint8).reshape(signal.shape)
    squares, known = np.zeros(len(limits) + 1), np.zeros(len(limits) + 1)
    scores = np.zeros(signal.shape, np.float32)
    for rows, slope, variance, third in _sums(inputs, image, sigma, factor):
        scores[rows] = poisson_score(slope, variance, third)
        normal, kind = normal_score(slope, variance).ravel(), stratum[rows].ravel()
        squares += np.bincount(kind, normal * normal, len(squares))
        known += np.bincount(kind[normal != 0], minlength=len(known))
    spread = np.sqrt(squares / np.maximum(known, 1))
    beside = np.maximum(np.append(spread[1:], 0), np.append(0, spread[:-1]))
    scores /= np.clip(np.maximum(spread, beside), *_SPREAD).astype(np.float32)[stratum]
    return scores


def _sums(inputs: Inputs, image: Image, sigma: float, factor: int) -> Iterator[tuple[slice, Image, Image, Image]]:
    """Rows of bins, and there the slope of ln L by the amplitude of a bump, its variance and its third cumulant."""
    noise, narrow = _noise(inputs), sigma / factor
    halo = math.ceil(_REACH * narrow) + 1
    rows = coarse_shape(inputs.shape, factor)[0]
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        first = max(start - halo, 0)
        part = slice(first * factor, (stop + halo) * factor)
        sums = []
        for power, plane in enumerate(deposit(inputs.S[part], inputs.V[part], image[part], factor, noise), 1):
            width = narrow / power**0.5
            smooth = gaussian_filter(plane, width, mode="constant", truncate=_REACH * power**0.5)
            sums.append(smooth[start - first : stop - first] * np.float32(2 * math.pi * width**2))
        slope, variance, third = sums
        yield slice(start, stop), slope, variance, third


def _noise(inputs: Inputs) -> SampleNoise:
    """Noise of a sample; a signal below 2 % of the mean is taken for that, or each count in the dark were an alarm."""
    least = max(_LEAST_SIGNAL * inputs.mean, 1e-6)
    if inputs.noise == "eq5":
        return SampleNoise(inputs.electrons_per_sample, 2, least, 0.0)
    return SampleNoise(inputs.electrons_per_sample, 1, least, read_variance(inputs.S, inputs.V))
