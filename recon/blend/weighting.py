"""Weight of one image against another, place by place, by the samples that neither has seen.

Of two estimates f and c the mixture f + w (c - f) has the least squared error at w = <d (u - f)> / <d d>, d = c - f.
Samples y that were held out of both stand for the truth u, for their noise is independent of f and c:

    w = sum V d (y - f) / sum V d^2,    var w = sum V d^2 var(y) / (sum V d^2)^2.

Sums over the whole image give one weight; sums under a Gaussian around each place give a local one, with more noise.
The local weight is drawn to the global one as far as its noise makes it worth, with the spread of the true weights
from place to place learned by the method of moments.

What the second estimate changes by when the held-out samples are added, e, is taken as independent of d: the weight is
divided by 1 + <e e> / <d d>. Columns that are found anew from one choice of samples to the other are worth nothing.

The second estimate was made without the held-out samples, and of more of them it would be better: its weight is too
small where it follows the counts freely. And a mixture of a picture that pulls displaced columns to the lattice with
one that does not still pulls. So weights above 0.4 are tripled in their distance from it, and from 0.6 on the second
estimate is taken whole. That never takes the error above the first estimate's where the weight is right: the
error is quadratic in the weight and the same at 2 w as at 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.fft import dctn, idctn

from stemscan.recon.threads import workers
from stemscan.types import Floats, Image

__all__ = ["SCALE", "Weights", "weigh"]


SCALE = 48.0
"""Standard deviation in pixels of the neighbourhood whose samples decide."""

_LEAST_SIGNAL = 0.02
_NEVER_DIFFERENT = 1e-12


class Weights(NamedTuple):
    """Weights of the second estimate.

    Attributes
    ----------
    local : ndarray of float32, (H, W)
        0 to 1.
    whole, whole_std : float
        The weight of the whole image, not clipped, and its standard deviation.
    spread : float
        Standard deviation of the true weight from place to place.
    """

    local: Image
    whole: float
    whole_std: float
    spread: float


def weigh(
    first: Image,
    second: Image,
    held_sum: Image,
    held_visits: Image,
    electrons_per_sample: float,
    *,
    of_all: Image | None = None,
    scale: float = SCALE,
) -> Weights:
    """Weigh a second estimate against a first one.

    Parameters
    ----------
    first, second : ndarray of float32, (H, W)
        Estimates without the samples that were held out, on the absolute scale.
    held_sum, held_visits : ndarray of float32, (H, W)
        S and V of the samples that were held out.
    of_all : ndarray of float32, (H, W), optional
        The second estimate with all samples, for which the weights are to hold. The more it differs from the one that
        was judged, the less that says of it.
    scale : float
        Of the neighbourhood, in pixels.

    Returns
    -------
    Weights
        0 everywhere where the estimates do not differ, or nothing was held out.
    """
    apart = (second - first).astype(np.float64)
    noise = np.maximum(first, _LEAST_SIGNAL) / electrons_per_sample
    gain = apart * (held_sum - held_visits * first)
    norm = held_visits * apart**2
    variance = norm * noise
    total = float(norm.sum())
    if total <= _NEVER_DIFFERENT:
        return Weights(np.zeros_like(first), 0.0, 0.0, 0.0)
    whole, whole_variance = float(gain.sum()) / total, float(variance.sum()) / total**2
    gain, norm, variance = (_smoothed(one, scale) for one in (gain, norm, variance))
    norm = np.maximum(norm, _NEVER_DIFFERENT)
    local = gain / norm
    uncertain = variance / norm**2 / (4 * np.pi * scale**2)  # the sum of the squares of a Gaussian's weights
    spread = max(float(np.average((local - whole) ** 2 - uncertain, weights=norm)), 0.0)
    drawn = whole + spread / (spread + uncertain + _NEVER_DIFFERENT) * (local - whole)
    if of_all is not None:
        drawn /= 1 + float(((of_all - second) ** 2).sum(dtype=np.float64)) / float((apart**2).sum())
    settled = np.clip(np.maximum(drawn, 3 * drawn - 0.8), 0, 1)
    return Weights(settled.astype(np.float32), whole, whole_variance**0.5, spread**0.5)


def _smoothed(values: Floats, scale: float) -> Floats:
    """A Gaussian filter, cut off at four of its widths and mirrored at the edges, as `scipy.ndimage.gaussian_filter`.

    By cosine transforms, in which it is a product: a wide one takes a fifth of the time.
    """
    spectrum = dctn(values, workers=workers())
    for axis in (0, 1):
        spectrum *= np.expand_dims(_transfer(values.shape[axis], scale), 1 - axis)
    return np.asarray(idctn(spectrum, workers=workers(), overwrite_x=True))


def _transfer(size: int, scale: float) -> Floats:
    """Factors by which the filter multiplies the cosine transform along an axis of so many pixels, (size,)."""
    offsets = np.arange(int(4 * scale + 0.5) + 1)
    weights = np.exp(-0.5 * (offsets / scale) ** 2)
    weights[1:] *= 2
    weights /= weights.sum()
    return np.asarray(np.cos(np.pi / size * np.arange(size)[:, None] * offsets) @ weights)
