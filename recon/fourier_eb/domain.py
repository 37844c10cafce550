"""The torus on which Fourier methods compute: a scan grid, binned and extended by a margin that nobody visited.

A discrete Fourier transform takes the image for periodic, which no micrograph is: opposite edges would be pulled
together. An estimator that knows visits needs no taper against that. The grid is extended by a margin with V = 0, in
which the model is free to lead from one edge over to the other, and the margin is cut off in the end. Sizes have no
prime factor above 7 and are whole numbers of strides of the windows (`stemscan.recon.fourier_eb.windows`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stemscan.recon.inputs.grids import coarse_shape
from stemscan.types import Image

if TYPE_CHECKING:
    import torch

__all__ = ["Axis", "Domain", "bin_sum", "smooth_size"]


_SMALLEST_MARGIN = 4
_LARGEST_MARGIN = 64
_STRIDES = {384: (48, 54, 56, 60, 64, 70, 72), 192: (24, 28, 30, 32, 36)}  # by the axis length from which they serve


@dataclass(frozen=True)
class Axis:
    """One axis of a domain.

    Attributes
    ----------
    length : int
        Pixels of the image.
    size : int
        Pixels of the extended axis.
    stride : int
        Even distance of windows that divides `size`, or 0 where the axis is too short for windows.
    """

    length: int
    size: int
    stride: int

    @classmethod
    def extend(cls, length: int) -> Axis:
        """Choose margin and stride for an image of that many pixels; a single pixel stays alone."""
        if length == 1:
            return cls(1, 1, 0)
        least = length + min(max(length // 4, _SMALLEST_MARGIN), _LARGEST_MARGIN)
        for shortest, strides in _STRIDES.items():
            if least >= shortest:
                size, stride = min((smooth_size(-(-least // stride)) * stride, -stride) for stride in strides)
                return cls(length, size, -stride)
        return cls(length, smooth_size(least, even=True), 0)


@dataclass(frozen=True)
class Domain:
    """A torus that holds a binned scan grid.

    Attributes
    ----------
    factor : int
        Scan pixels per pixel of the domain, in each direction.
    """

    factor: int
    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, shape: tuple[int, int], factor: int) -> Domain:
        """The domain for a scan grid of `shape` (H, W)."""
        height, width = coarse_shape(shape, factor)
        return cls(factor, Axis.extend(height), Axis.extend(width))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the torus."""
        return self.rows.size, self.columns.size

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of the image in its first corner."""
        return self.rows.length, self.columns.length

    @property
    def share(self) -> float:
        """Part of the torus that the image fills."""
        return math.prod(self.image_shape) / math.prod(self.shape)

    def embed(self, summed: Image) -> Image:
        """Bin a scan-grid array (H, W) by summing and put it into the first corner of a torus of zeros."""
        embedded = np.zeros(self.shape, dtype=np.float32)
        embedded[: self.rows.length, : self.columns.length] = bin_sum(summed, self.factor)
        return embedded

    def cut(self, image: torch.Tensor) -> Image:
        """A copy of an image on the torus, without the margin."""
        inside: Image = image[: self.rows.length, : self.columns.length].cpu().numpy().copy()
        return inside


def smooth_size(least: int, *, even: bool = False) -> int:
    """Smallest whole number of at least `least` (at least 1) whose prime factors are 2, 3, 5 and 7.

    Not `scipy.fft.next_fast_len`: it allows 11 too, or for real transforms nothing above 5, and so gives other sizes to
    a third or a half of all images, and other margins and windows with them.

    Examples
    --------
    >>> smooth_size(528), smooth_size(11)
    (540, 12)
    """
    size = max(least, 1)
    while not _is_smooth(size) or (even and size % 2):
        size += 1
    return size


def bin_sum(values: Image, factor: int) -> Image:
    """Sum of every factor x factor block, of what there is of it at the far edges, (ceil(H/f), ceil(W/f)).

    Added row by row, then column by column: `skimage.measure.block_reduce` adds in another order, which changes the
    last bits, and takes half as long again.
    """
    if factor == 1:
        return values
    rows, columns = coarse_shape(values.shape, factor)
    full = values
    if values.shape != (rows * factor, columns * factor):
        full = np.zeros((rows * factor, columns * factor), dtype=np.float32)
        full[: values.shape[0], : values.shape[1]] = values
    summed = full[::factor].copy()
    for row in range(1, factor):
        summed += full[row::factor]
    binned = summed[:, ::factor].copy()
    for column in range(1, factor):
        binned += summed[:, column::factor]
    return binned


def _is_smooth(number: int) -> bool:
    """Tell whether 2, 3, 5 and 7 are its only prime factors."""
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number == 1
