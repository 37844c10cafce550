"""Width of the finest detail of a scan, from the samples alone: the same for whatever image is held against them.

Products of the samples of two different pixels have the mean of the products of their signals: noise is independent.
So the mean product at a distance is the signal's autocorrelation there, however few samples there are. That of Gaussian
columns of width s falls as exp(-r^2 / 4 s^2) near r = 0, whatever their places.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from stemscan.types import Floats, Image

__all__ = ["detail_width"]

_USUAL: Final = 4.0  # where noise hides all detail
_WIDTHS: Final = tuple(round(float(width), 2) for width in np.geomspace(1, 8, 25))
_BAND, _PIXELS, _LAGS, _AROUND = 64, 2**17, 10, 32
_CLEAR: Final = 4.0  # standard deviations
_PRIOR: Final = 0.7  # spread of ln(width) about the usual one, for scans that say little


def detail_width(counted: Image, visits: Image) -> float:
    """Width of what stands out of the background, as the standard deviation of a Gaussian.

    Parameters
    ----------
    counted, visits : ndarray of float32, (H, W)
        Counts over dose, and samples. Of large grids a few bands of rows are taken, spread evenly.

    Returns
    -------
    float
        In pixels, 1 to 8; 4 where noise hides all detail.
    """
    detail, times = _detail(counted, visits)
    products, pairs = _by_distance(detail, times)
    known = pairs > 0
    if known.sum() < 4 or not detail.any():
        return _USUAL
    mean, radii = products[known] / pairs[known], np.arange(1, _LAGS)[known]
    variance = (float((detail**2).sum()) / float(times.sum())) ** 2 / pairs[known] + (0.01 * mean[0]) ** 2 + 1e-30
    fits = [_fall(mean, variance, np.exp(-0.25 * (radii / width) ** 2)) for width in _WIDTHS]
    worth = [fit[2] - (math.log(width / _USUAL) / _PRIOR) ** 2 for fit, width in zip(fits, _WIDTHS, strict=True)]
    best = int(np.argmax(worth))
    return _WIDTHS[best] if fits[best][0] > _CLEAR * fits[best][1] else _USUAL


def _fall(mean: Floats, variance: Floats, shape: Floats) -> tuple[float, float, float]:
    """Height of a shape above a constant, fitted to means; its standard deviation; and what it explains."""
    weight = 1 / variance
    shape = shape - float(np.average(shape, weights=weight))
    known = float(weight @ shape**2)
    height = float(weight @ (shape * mean)) / known
    return height, known**-0.5, math.copysign(height**2 * known, height)


def _detail(counted: Image, visits: Image) -> tuple[Floats, Floats]:
    """Samples less their mean around, and visits, in bands of rows: (bands, rows, W)."""
    rows, columns = counted.shape
    high = min(_BAND, rows)
    bands = max(1, min(rows // high, _PIXELS // (high * columns) or 1))
    starts = np.linspace(0, rows - high, bands).astype(np.int64) if bands > 1 else [(rows - high) // 2]
    wide = min(columns, _PIXELS // high)
    left = (columns - wide) // 2
    pieces = [(slice(start, start + high), slice(left, left + wide)) for start in starts]
    sums, times = (np.stack([one[piece] for piece in pieces]).astype(np.float64) for one in (counted, visits))
    cuts = [np.arange(0, max(side - _AROUND // 2, 1), _AROUND) for side in (high, wide)]
    lengths = [np.diff(cut, append=side) for cut, side in zip(cuts, (high, wide), strict=True)]

    def around(values: Floats) -> Floats:
        tiles = np.add.reduceat(np.add.reduceat(values, cuts[0], axis=1), cuts[1], axis=2)
        return np.repeat(np.repeat(tiles, lengths[0], axis=1), lengths[1], axis=2)

    return sums - times * (around(sums) / np.maximum(around(times), 1e-9)), times


def _by_distance(detail: Floats, visits: Floats) -> tuple[Floats, Floats]:
    """Sums over pairs of pixels by their distance, 1 to 13 px: products of samples, and numbers of pairs."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    size = [next_fast_len(side + _LAGS, real=True) for side in detail.shape[1:]]
    sums = []
    for values in (detail, visits):
        power = (np.abs(rfft2(values.astype(np.float32), s=size)) ** 2).sum(axis=0)
        sums.append(irfft2(power, s=size))
    lags = np.arange(-_LAGS, _LAGS + 1)
    distance = np.rint(np.hypot(lags[:, None], lags)).astype(np.int64)
    wanted = (distance > 0) & (distance < _LAGS)
    products, pairs = (np.bincount(distance[wanted], one[lags][:, lags][wanted], _LAGS)[1:] for one in sums)
    return products.astype(np.float64), np.where(pairs > 0.5, pairs, 0.0)
