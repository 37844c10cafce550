"""Measures of an estimate, in which a regression finds what held-out samples say of its error.

Of the estimate in units of its own spread, u: 1, u, u^2, u^3; what its parts have beyond it; at a few widths of a
Gaussian, the smoothed u, its Laplacian, the size of its gradient, and the anisotropy of its second derivatives; means
over Gaussian neighbourhoods of what the samples that it has seen say beyond it; and random combinations of a few of
these, cut off at zero, by which the regression becomes one of local structure. They are made in stretches of pixels,
for together they are ninety times the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from stemscan.random import Stream, random_words
from stemscan.runtime.compiled import compiled
from stemscan.types import Image

__all__ = ["Measures", "Seen"]


_COMBINATIONS: Final = 64
_OF: Final = 3  # maps in a combination
_WIDTHS: Final = (0.7, 1.4, 2.8, 5.6)  # pixels
_GATHERED: Final = (1.0, 2.0, 4.0)  # pixels
_POWERS: Final = 4
_STRETCH: Final = 8192  # pixels at once, so that their measures stay in the cache
_LEAST: Final = 1e-12


class Seen(NamedTuple):
    """An estimate and the samples that it was made of, (H, W) each of float32.

    Attributes
    ----------
    image : ndarray
        The estimate, less the mean signal m.
    parts : sequence of ndarray
        Images whose mean it is, less m.
    summed, visits : ndarray
        S - m V and V.
    """

    image: Image
    parts: Sequence[Image]
    summed: Image
    visits: Image


class Measures:
    """Measures in the units of one estimate, for it and for others like it.

    Parameters
    ----------
    seen : Seen
        The estimate, not constant.
    doubt : float
        Variance of a sample over that of the estimate's error: samples that are worth as much as the estimate.
    seed : int
        Of the random combinations.

    Attributes
    ----------
    groups : ndarray of int
        Kind of each measure: 0 for powers and parts, 1 for local structure and residuals, 2 for combinations.
    """

    def __init__(self, seen: Seen, doubt: float, seed: int = 0) -> None:
        self._mean = float(seen.image.mean(dtype=np.float64))
        self._spread = float(seen.image.std(dtype=np.float64))
        self._doubt = doubt
        maps = self._maps(seen)
        spreads = np.sqrt(np.square(maps).mean(axis=(1, 2), dtype=np.float64)) + _LEAST
        weights, self._offsets = _combinations(_COMBINATIONS, len(maps), seed)
        self._weights = torch.from_numpy((weights / spreads).astype(np.float32))
        kinds = (_POWERS + len(seen.parts) - 1, len(maps) - len(seen.parts), _COMBINATIONS)
        self.groups = np.repeat(np.arange(len(kinds)), kinds)

    def stretches(self, seen: Seen, where: npt.NDArray[np.bool_] | None = None) -> Iterator[tuple[slice, torch.Tensor]]:
        """Measures of an estimate, some pixels at a time.

        Parameters
        ----------
        where : ndarray of bool, (H, W), optional
            Pixels to measure, row by row; all by default.

        Yields
        ------
        slice
            Of these pixels.
        Tensor of float32, (measures, pixels)
        """
        whole = self._maps(seen)
        maps = torch.from_numpy(whole.reshape(len(whole), -1) if where is None else whole[:, where])
        for start in range(0, maps.shape[1], _STRETCH):
            part = maps[:, start : start + _STRETCH]
            u = part[0]
            powers = torch.stack([torch.ones_like(u), u, u * u, u * u * u])
            mixed = torch.addmm(self._offsets, self._weights, part).clamp_(min=0)
            yield slice(start, start + part.shape[1]), torch.cat([powers, part[1:], mixed])

    def _maps(self, seen: Seen) -> Image:
        """u, the parts less the estimate (one follows from the others), and local measures; (maps, H, W)."""
        unit = np.float32(self._spread)
        u = (seen.image - np.float32(self._mean)) / unit
        beyond = [(part - seen.image) / unit for part in seen.parts[:-1]]
        local = [one for width in _WIDTHS for one in _structure(u, width)]
        residual = ((seen.summed - seen.visits * seen.image) / unit).astype(np.float32)
        return np.stack([u, *beyond, *local, *(self._gathered(residual, seen.visits, width) for width in _GATHERED)])

    def _gathered(self, residual: Image, visits: Image, width: float) -> Image:
        """Mean residual around each pixel, drawn to zero where there are few samples."""
        near = np.float32(4 * np.pi * width**2)  # over the sum of the squares of a Gaussian's weights
        sums, times = (near * _smoothed(one, width, mode="constant") for one in (residual, visits))
        gathered: Image = sums / (times + np.float32(self._doubt))
        return gathered


def _smoothed(image: Image, width: float, mode: str = "nearest") -> Image:
    """A Gaussian filter."""
    from scipy.ndimage import gaussian_filter

    smoothed: Image = gaussian_filter(image, width, mode=mode, truncate=3.0)
    return smoothed


def _structure(u: Image, width: float) -> tuple[Image, ...]:
    """Four measures of an image at one width, derivatives in units of it."""
    smooth = _smoothed(u, width)
    p = np.pad(smooth, 1, mode="edge")
    across, down = p[1:-1, 2:] - p[1:-1, :-2], p[2:, 1:-1] - p[:-2, 1:-1]
    twice = 2 * smooth
    second_across, second_down = p[1:-1, 2:] + p[1:-1, :-2] - twice, p[2:, 1:-1] + p[:-2, 1:-1] - twice
    mixed = p[2:, 2:] + p[:-2, :-2] - p[2:, :-2] - p[:-2, 2:]
    once, square = np.float32(width / 2), np.float32(width**2)
    beyond = smooth - u if width <= _WIDTHS[0] else smooth
    anisotropy = np.sqrt((second_across - second_down) ** 2 + mixed**2 / 4)
    return beyond, square * (second_across + second_down), once * np.hypot(across, down), square * anisotropy


def _combinations(number: int, maps: int, seed: int) -> tuple[npt.NDArray[np.float64], torch.Tensor]:
    """Weights of unit length, (number, maps), most of them 0, and offsets, (number, 1), between -1 and 1."""
    drawn = np.empty((2, number, maps + 1))
    _draw(drawn.reshape(-1), np.uint64(seed), Stream.MEASURES)
    weights, order = drawn[0, :, :maps], drawn[1, :, :maps]
    weights = np.where(order.argsort(axis=1).argsort(axis=1) < _OF, weights, 0.0)
    offsets = torch.from_numpy(drawn[0, :, maps:].astype(np.float32))
    return weights / np.linalg.norm(weights, axis=1, keepdims=True), offsets


@compiled()
def _draw(values: npt.NDArray[Any], seed: np.uint64, stream: int) -> None:
    """Draw even numbers between -1 and 1, each by its place."""
    for index in range(len(values)):
        values[index] = (random_words(seed, stream, np.uint64(index), 0)[0] + 0.5) / 2147483648.0 - 1.0
