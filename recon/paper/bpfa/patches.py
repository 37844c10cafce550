"""Overlapping patches of a grid of samples: where they lie, what was measured in them, and the image of their mean."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Image, Mask, Points

__all__ = ["Coefficients", "Patches", "gather", "render"]


class Patches(NamedTuple):
    """Samples and the patches that are looked at; a tuple of arrays, so that compiled code takes it.

    Attributes
    ----------
    values : ndarray of float32, (H, W)
        Mean of each pixel's samples less the mean of all, in units of their standard deviation; 0 where not visited.
    visits : ndarray of float32, (H, W)
        Samples per pixel.
    tops, lefts : ndarray of int32, (R,) and (C,)
        First row and column of the patches; patch (i, j) is number i C + j.
    rows, columns : int
        Size of a patch.
    """

    values: Image
    visits: Image
    tops: Points
    lefts: Points
    rows: int
    columns: int

    @classmethod
    def of(cls, values: Image, visits: Image, patch: int, stride: int) -> Patches:
        """Patches every `stride` pixels and along the far edges; they shrink to a grid that is smaller."""
        rows, columns = (min(patch, length) for length in values.shape)
        return cls(
            values,
            visits,
            _starts(values.shape[0], rows, stride),
            _starts(values.shape[1], columns, stride),
            rows,
            columns,
        )

    @property
    def number(self) -> int:
        """Number of patches, with or without a sample."""
        return len(self.tops) * len(self.lefts)

    @property
    def pixels(self) -> int:
        """Pixels of a patch."""
        return self.rows * self.columns


class Coefficients(NamedTuple):
    """Atoms that each patch uses, and how much of them.

    Attributes
    ----------
    counts : ndarray of int32, (N,)
        Atoms used by each patch.
    used : ndarray of uint8, (N, K)
        Their numbers in ascending order, the first `counts` of each row.
    amounts : ndarray of float32, (N, K)
        Their weights.
    """

    counts: npt.NDArray[np.int32]
    used: npt.NDArray[np.uint8]
    amounts: Image

    @classmethod
    def none(cls, patches: int, atoms: int) -> Coefficients:
        """No atom used yet; memory is only touched as far as atoms are used."""
        return cls(
            np.zeros(patches, dtype=np.int32),
            np.empty((patches, atoms), dtype=np.uint8),
            np.empty((patches, atoms), dtype=np.float32),
        )


def _starts(length: int, patch: int, stride: int) -> Points:
    """First pixels of patches along an axis; the last patch ends at the far edge."""
    last = length - patch
    return np.unique(np.append(np.arange(0, last + 1, stride), last)).astype(np.int32)


@compiled()
def gather(
    patches: Patches,
    coefficients: Coefficients,
    atoms: Image,
    number: int,
    pixels: Points,
    weights: Image,
    residuals: Image,
) -> int:
    """Visited pixels of a patch, their visits, and what the patch's atoms leave of their values.

    Parameters
    ----------
    atoms : ndarray of float32, (P, K)
    number : int
        Of the patch.
    pixels, weights, residuals : ndarray, (P + 3,)
        Filled as far as there are visited pixels, and with three of weight 0 beyond.

    Returns
    -------
    int
        Number of visited pixels.
    """
    top, left = patches.tops[number // len(patches.lefts)], patches.lefts[number % len(patches.lefts)]
    count, used, amounts = coefficients.counts[number], coefficients.used[number], coefficients.amounts[number]
    found = 0
    for p in range(patches.rows * patches.columns):
        row, column = top + p // patches.columns, left + p % patches.columns
        if patches.visits[row, column] > 0:
            left_over = patches.values[row, column]
            for a in range(count):
                left_over -= amounts[a] * atoms[p, used[a]]
            pixels[found], weights[found], residuals[found] = p, patches.visits[row, column], left_over
            found += 1
    for spare in range(found, found + 3):
        pixels[spare], weights[spare], residuals[spare] = 0, 0.0, 0.0
    return found


@compiled(parallel=True)
def render(patches: Patches, coefficients: Coefficients, shapes: Image, seen: Mask, image: Image) -> None:
    """Mean of all patches that cover a pixel, added to an image; rows of the image are independent.

    Parameters
    ----------
    shapes : ndarray of float32, (K, P)
        The atoms.
    seen : ndarray of bool, (N,)
        Patches with a sample; the others say nothing and are left out.
    image : ndarray of float32, (H, W)
    """
    across = len(patches.lefts)
    for row in numba.prange(image.shape[0]):
        summed = np.zeros(image.shape[1], dtype=np.float32)
        covering = np.zeros(image.shape[1], dtype=np.float32)
        for i in range(len(patches.tops)):
            inside = row - patches.tops[i]
            if inside < 0 or inside >= patches.rows:
                continue
            start, stop = inside * patches.columns, (inside + 1) * patches.columns
            for j in range(across):
                number, left = i * across + j, patches.lefts[j]
                if not seen[number]:
                    continue
                covering[left : left + patches.columns] += np.float32(1.0)
                for a in range(coefficients.counts[number]):
                    amount = coefficients.amounts[number, a]
                    shape = shapes[coefficients.used[number, a], start:stop]
                    for c in range(patches.columns):
                        summed[left + c] += amount * shape[c]
        for column in range(image.shape[1]):
            if covering[column] > 0:
                image[row, column] += summed[column] / covering[column]
