"""Noise that a detector adds to every reading, as far as readings below zero show it.

Electrons are never negative; readings of an analogue detector in the dark are, half of them. Of normal read noise about
zero, what lies below zero has the median size 0.674 sigma; about a signal above zero it is smaller. So the median gives
a sigma that is right in the dark and not too large elsewhere, however small the dark part of the image is. Readings
below zero that are fewer than a thousandth of all are taken for disturbances.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["read_variance"]

_MEDIAN: Final = 0.67449  # of the size of a standard normal number
_DISTURBED: Final = 1e-3


def read_variance(summed: npt.NDArray[np.floating[Any]], visits: npt.NDArray[np.floating[Any]]) -> float:
    """Variance that a detector adds to one sample.

    Parameters
    ----------
    summed : ndarray of float
        Samples over dose, summed per pixel.
    visits : ndarray of float, of the same shape
        Samples per pixel, not zero everywhere. A pixel with a fraction counts as that fraction of a sample.

    Returns
    -------
    float
        On the squared scale of a sample; 0 where no sum is below zero.

    Examples
    --------
    >>> round(read_variance(np.array([-0.2, 0.2, 0.0]), np.array([1.0, 1.0, 0.0])), 3)
    0.088
    >>> read_variance(np.array([0.5, 0.2]), np.array([1.0, 2.0]))
    0.0
    """
    below = np.flatnonzero(np.ravel(summed) < 0)
    if not below.size:
        return 0.0
    sums, times = (np.ravel(one)[below].astype(np.float64) for one in (summed, visits))
    sizes = -sums / times * np.sqrt(np.maximum(times, 1))
    order = np.argsort(sizes)
    known = np.cumsum(np.minimum(times, 1)[order])
    disturbed = _DISTURBED * float(np.minimum(visits, 1).sum(dtype=np.float64))
    middle = (known[-1] - disturbed) / 2
    if middle <= 0:
        return 0.0
    return float(sizes[order[np.searchsorted(known, middle)]] / _MEDIAN) ** 2
