"""Images of all time slabs but one, by normalised convolution, and what they say of each sample's place.

The signal at a sample, less the image of the *other* slabs there, is to first order the image's gradient times what the
trajectory is wrong by: the error of its own slab less the mean error of the others. No sample is held against itself.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.recon.drift.kernels import deposit_slabs, readings
from stemscan.recon.threads import workers

if TYPE_CHECKING:
    from stemscan.recon.drift.timed import TimedSamples

__all__ = ["Readings", "Scale", "Weights", "area_cells", "read_samples", "smoothed_slabs", "weights"]

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]

_BACKGROUND: Final = 1e-4
_AREA: Final = 32
"""Side in pixels of the cells in which residuals are alike."""

_BRIGHTEST: Final = 0.02
_LARGEST: Final = 1 << 21
"""Pixels of an image that is worked on; larger fields are binned."""


@dataclass(frozen=True)
class Scale:
    """Detail of the images: the Gaussian's standard deviation in pixels of the plan, and how many of them a bin has."""

    width: float
    bin: int

    @classmethod
    def of(cls, width: float, shape: tuple[int, int]) -> Scale:
        """The coarsest bins that do that width no harm, and coarser ones for a large field."""
        size = max(1, int(width / 1.4), math.ceil(math.sqrt(math.prod(shape) / _LARGEST)))
        return cls(max(width, 1.0 * size), size)

    def shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Bins of a field of rows and columns of pixels."""
        return max(4, -(-shape[0] // self.bin)), max(4, -(-shape[1] // self.bin))

    def places(self, positions: Floats) -> Floats:
        """Positions in bins."""
        return np.asarray((positions + 0.5) / self.bin - 0.5)


@dataclass(frozen=True, eq=False)
class Readings:
    """Values of each sample in the fit of a trajectory.

    Attributes
    ----------
    inside : ndarray of bool, (n,)
        Samples that count.
    residual, expected : ndarray of float64, (n,)
        Signal less the image of the other slabs, and that image.
    gradient : ndarray of float64, (n, 2)
        Of the image of all slabs, per pixel of the plan.
    curvature : ndarray of float64, (n,)
        Of the image of the other slabs: the sum of its second derivatives.
    """

    inside: npt.NDArray[np.bool_]
    residual: Floats
    expected: Floats
    gradient: Floats
    curvature: Floats


def smoothed_slabs(samples: TimedSamples, positions: Floats, slabs: Whole, scale: Scale) -> tuple[Images, Images]:
    """Signal and visits of each slab, deposited and smoothed, (S, rows, columns) float32 each."""
    from scipy.ndimage import gaussian_filter

    rows, columns = scale.shape(samples.shape)
    sums, visits = deposit_slabs(samples.signal, scale.places(positions), slabs, int(slabs.max()) + 1, rows, columns)
    with ThreadPoolExecutor(workers()) as pool:
        jobs = [
            pool.submit(gaussian_filter, image, scale.width / scale.bin, output=image, mode="constant", truncate=3.0)
            for image in (*sums, *visits)
        ]
        for job in jobs:
            job.result()
    return sums, visits


def read_samples(samples: TimedSamples, offsets: Floats, scale: Scale) -> Readings:
    """Work out what each sample says of a trajectory.

    Parameters
    ----------
    offsets : ndarray of float64, (n, 2)
        The trajectory at the samples, in pixels.
    """
    places = samples.positions + offsets
    sums, visits = smoothed_slabs(samples, places, samples.slabs, scale)
    summed, visited = sums.sum(axis=0), visits.sum(axis=0)
    floor = np.float32(_BACKGROUND * float(visited.mean()))
    whole = (summed + floor * np.float32(samples.mean)) / (visited + floor)
    others, curvatures = sums, np.empty_like(sums)
    for slab in range(len(sums)):
        np.subtract(summed, sums[slab], out=others[slab])
        others[slab] += floor * np.float32(samples.mean)
        others[slab] /= visited - visits[slab] + floor
        _laplacian(others[slab], curvatures[slab])
    down, right = (np.ascontiguousarray(one, np.float32) for one in np.gradient(whole))
    read, inside = readings(scale.places(places), samples.slabs, others, curvatures, down, right)
    return Readings(
        inside,
        np.where(inside, samples.signal - read[:, 0], 0.0),
        read[:, 0],
        read[:, 2:] / scale.bin,
        read[:, 1] / scale.bin**2,
    )


def _laplacian(image: Images, out: Images) -> None:
    """Second derivatives along both axes, summed, per bin squared; 0 at the border."""
    out[:] = 0
    middle = image[1:-1, 1:-1]
    out[1:-1, 1:-1] = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * middle


class Weights(NamedTuple):
    """Weights of the residuals, and the signal about which samples are counted, (n,) each.

    Attributes
    ----------
    each : ndarray of float64
        Inverse variance of residuals near it, relative to the mean; 0 where a sample does not count.
    mean : ndarray of float64
        Mean signal near it.
    """

    each: Floats
    mean: Floats


def weights(read: Readings, samples: TimedSamples) -> Weights:
    """Weights of residuals by their mean square near them: counting noise and what the images lack.

    A weight by each sample's own expected counts would bend the images' slopes by its own slope.
    """
    from scipy.ndimage import gaussian_filter

    inside = read.inside
    number, cells = area_cells(samples, _AREA)

    def summed(values: Floats) -> Floats:
        each = np.bincount(number, values * inside, math.prod(cells)).reshape(cells)
        return np.asarray(gaussian_filter(each, 1.0, mode="constant").ravel())

    counted = np.maximum(summed(np.ones(samples.count)), 1e-12)
    squares = summed(read.residual**2) / counted
    least = _BRIGHTEST * abs(samples.mean) / samples.dose + 1e-12
    weight = np.where(inside, 1.0 / np.maximum(squares, least)[number], 0.0)
    return Weights(np.asarray(weight / weight[inside].mean()), (summed(samples.signal) / counted)[number])


def area_cells(samples: TimedSamples, side: int) -> tuple[Whole, tuple[int, int]]:
    """Square cell of the field of each commanded position, (n,), and how many there are along rows and columns."""
    shape = np.array(samples.shape)
    corners = np.clip(samples.positions // side, 0, (shape - 1) // side).astype(np.int64)
    down, across = (int(cells) for cells in -(-shape // side))
    return corners[:, 0] * across + corners[:, 1], (down, across)
