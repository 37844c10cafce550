"""The arithmetic of equation 13, compiled.

How it is fast: patches lie on a grid of cells, a quarter of W wide. For one shift the squared difference of the image
and the shifted image is summed once per cell, and each patch distance is a sum of 4 x 4 cells: the work per shift is
one pass over the image, whatever the patch size. Rows of patches are handed out in strips, and every number is computed
whole by one thread, in one order: results do not depend on the number of threads.

Arrays are (rows, columns); image sides are multiples of `stride`, a quarter of the patch, and at least four of them.
`scale` is 1 / (W h)^2, which turns a squared distance into the exponent.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["average_all", "average_nearest", "nearest_patches"]

_STRIP: Final = 8


@compiled()
def _overlap(size: int, stride: int, shift: int) -> tuple[int, int]:
    """First patch, and the one after the last, that stay in a line of `size` pixels when shifted by `shift`."""
    last = min(size // stride - 4, (size - 4 * stride - shift) // stride)
    return max(0, -(shift // stride)), last + 1


@compiled()
def _distances(
    image: npt.NDArray[np.float32],
    stride: int,
    top: int,
    bottom: int,
    left: int,
    right: int,
    down: int,
    across: int,
    line: npt.NDArray[np.float32],
    quads: npt.NDArray[np.float32],
    result: npt.NDArray[np.float32],
) -> None:
    """Squared distances of patches [top, bottom) x [left, right) to those `down` and `across` pixels away.

    `line`, (image width,), and `quads`, (rows of patches + 3, columns of cells), are scratch; patch (top + i, left + j)
    goes to result[i, j].
    """
    patches = right - left
    pixels = (patches + 3) * stride
    start = left * stride
    shifted = start + across
    for i in range(bottom - top + 3):
        sums = line[:pixels]
        sums[:] = np.float32(0.0)
        for k in range(stride):
            y = (top + i) * stride + k
            here = image[y, start : start + pixels]
            there = image[y + down, shifted : shifted + pixels]
            for x in range(pixels):
                difference = here[x] - there[x]
                sums[x] += difference * difference
        for x in range(patches + 3):
            cell = np.float32(0.0)
            for k in range(stride):
                cell += sums[x * stride + k]
            quads[i, x] = cell
        row = quads[i]
        for x in range(patches):
            row[x] = (row[x] + row[x + 1]) + (row[x + 2] + row[x + 3])
    for i in range(bottom - top):
        for x in range(patches):
            result[i, x] = (quads[i, x] + quads[i + 1, x]) + (quads[i + 2, x] + quads[i + 3, x])


@compiled(parallel=True)
def nearest_patches(
    image: npt.NDArray[np.float32], stride: int, search: int, steps: int, count: int, scale: np.float32
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Weights (rows, columns, count) and shifts in pixels (rows, columns, count, 2) of each patch's nearest patches.

    The first is the patch itself; places that no patch fills have weight 0. Weights are normalised.
    """
    down_cells, across_cells = image.shape[0] // stride, image.shape[1] // stride
    rows, columns = down_cells - 3, across_cells - 3
    best = np.full((rows, columns, count), np.float32(np.inf), dtype=np.float32)
    shifts = np.zeros((rows, columns, count, 2), dtype=np.int32)
    best[:, :, 0] = np.float32(0.0)
    for strip in numba.prange((rows + _STRIP - 1) // _STRIP):
        line = np.empty(image.shape[1], dtype=np.float32)
        quads = np.empty((_STRIP + 3, across_cells), dtype=np.float32)
        distance = np.empty((_STRIP, columns), dtype=np.float32)
        for down in range(-steps * search, steps * search + 1, search):
            first, last = _overlap(image.shape[0], stride, down)
            top, bottom = max(first, strip * _STRIP), min(last, (strip + 1) * _STRIP)
            for across in range(-steps * search, steps * search + 1, search):
                left, right = _overlap(image.shape[1], stride, across)
                if top < bottom and left < right and (down != 0 or across != 0):
                    _distances(image, stride, top, bottom, left, right, down, across, line, quads, distance)
                    _keep_nearest(distance, top, bottom, left, right, down, across, best, shifts)
        for i in range(strip * _STRIP, min(rows, (strip + 1) * _STRIP)):
            for j in range(columns):
                total = np.float32(0.0)
                for n in range(count):
                    best[i, j, n] = np.exp(-best[i, j, n] * scale)
                    total += best[i, j, n]
                for n in range(count):
                    best[i, j, n] /= total
    return best, shifts


@compiled()
def _keep_nearest(
    distance: npt.NDArray[np.float32],
    top: int,
    bottom: int,
    left: int,
    right: int,
    down: int,
    across: int,
    best: npt.NDArray[np.float32],
    shifts: npt.NDArray[np.int32],
) -> None:
    """Insert the patches of one shift into the sorted lists of nearest ones; equal distances keep the earlier."""
    count = best.shape[2]
    for i in range(top, bottom):
        for j in range(left, right):
            found = distance[i - top, j - left]
            if found < best[i, j, count - 1]:
                n = count - 1
                while n > 1 and found < best[i, j, n - 1]:
                    best[i, j, n] = best[i, j, n - 1]
                    shifts[i, j, n] = shifts[i, j, n - 1]
                    n -= 1
                best[i, j, n] = found
                shifts[i, j, n, 0] = down
                shifts[i, j, n, 1] = across


@compiled(parallel=True)
def average_nearest(
    image: npt.NDArray[np.float32], stride: int, weights: npt.NDArray[np.float32], shifts: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """Mean over the patches that cover a pixel of their weighted neighbours, a row of cells at a time."""
    rows, columns, count = weights.shape
    result = np.zeros_like(image)
    for row in numba.prange(rows + 3):
        for column in range(columns + 3):
            covering = np.float32(0.0)
            y0, x0 = row * stride, column * stride
            target = result[y0 : y0 + stride, x0 : x0 + stride]
            for i in range(max(0, row - 3), min(rows, row + 1)):
                for j in range(max(0, column - 3), min(columns, column + 1)):
                    covering += np.float32(1.0)
                    for n in range(count):
                        weight = weights[i, j, n]
                        if weight > 0.0:
                            y = y0 + shifts[i, j, n, 0]
                            x = x0 + shifts[i, j, n, 1]
                            for k in range(stride):
                                for m in range(stride):
                                    target[k, m] += weight * image[y + k, x + m]
            for k in range(stride):
                for m in range(stride):
                    target[k, m] /= covering
    return result


@compiled(parallel=True)
def average_all(
    image: npt.NDArray[np.float32], stride: int, search: int, steps: int, scale: np.float32
) -> npt.NDArray[np.float32]:
    """The printed equation: first the weights' sums of all patches, then, shift by shift, their averages."""
    down_cells, across_cells = image.shape[0] // stride, image.shape[1] // stride
    rows, columns = down_cells - 3, across_cells - 3
    totals = np.zeros((rows, columns), dtype=np.float32)
    for strip in numba.prange((rows + _STRIP - 1) // _STRIP):
        line = np.empty(image.shape[1], dtype=np.float32)
        quads = np.empty((_STRIP + 3, across_cells), dtype=np.float32)
        distance = np.empty((_STRIP, columns), dtype=np.float32)
        for down in range(-steps * search, steps * search + 1, search):
            first, last = _overlap(image.shape[0], stride, down)
            top, bottom = max(first, strip * _STRIP), min(last, (strip + 1) * _STRIP)
            for across in range(-steps * search, steps * search + 1, search):
                left, right = _overlap(image.shape[1], stride, across)
                if top < bottom and left < right:
                    _distances(image, stride, top, bottom, left, right, down, across, line, quads, distance)
                    for i in range(bottom - top):
                        for j in range(right - left):
                            totals[top + i, left + j] += np.exp(-distance[i, j] * scale)
    result = np.zeros_like(image)
    for strip in numba.prange((down_cells + _STRIP - 1) // _STRIP):
        line = np.empty(image.shape[1], dtype=np.float32)
        quads = np.empty((_STRIP + 6, across_cells), dtype=np.float32)
        weights = np.empty((_STRIP + 3, columns), dtype=np.float32)
        begin, end = strip * _STRIP, min(down_cells, (strip + 1) * _STRIP)
        for down in range(-steps * search, steps * search + 1, search):
            first, last = _overlap(image.shape[0], stride, down)
            top, bottom = max(first, begin - 3), min(last, end)
            for across in range(-steps * search, steps * search + 1, search):
                left, right = _overlap(image.shape[1], stride, across)
                if top < bottom and left < right:
                    _distances(image, stride, top, bottom, left, right, down, across, line, quads, weights)
                    for i in range(bottom - top):
                        for j in range(right - left):
                            weights[i, j] = np.exp(-weights[i, j] * scale) / totals[top + i, left + j]
                    _add_shifted(
                        image, stride, weights, top, bottom, left, right, down, across, begin, end, line, result
                    )
        for row in range(begin, end):
            down_covering = min(rows, row + 1) - max(0, row - 3)
            for column in range(across_cells):
                covering = np.float32(down_covering * (min(columns, column + 1) - max(0, column - 3)))
                for y in range(row * stride, (row + 1) * stride):
                    for x in range(column * stride, (column + 1) * stride):
                        result[y, x] /= covering
    return result


@compiled()
def _add_shifted(
    image: npt.NDArray[np.float32],
    stride: int,
    weights: npt.NDArray[np.float32],
    top: int,
    bottom: int,
    left: int,
    right: int,
    down: int,
    across: int,
    begin: int,
    end: int,
    line: npt.NDArray[np.float32],
    result: npt.NDArray[np.float32],
) -> None:
    """Add one shift's image, weighted by all patches that cover a cell, to rows of cells [begin, end) of the result."""
    for row in range(max(begin, top), min(end, bottom + 3)):
        for column in range(left, right + 3):
            weight = np.float32(0.0)
            for i in range(max(top, row - 3), min(bottom, row + 1)):
                for j in range(max(left, column - 3), min(right, column + 1)):
                    weight += weights[i - top, j - left]
            for m in range(stride):
                line[column * stride + m] = weight
        start, stop = left * stride, (right + 3) * stride
        for k in range(stride):
            y = row * stride + k
            there = image[y + down, start + across : stop + across]
            target = result[y, start:stop]
            spread = line[start:stop]
            for x in range(stop - start):
                target[x] += spread[x] * there[x]
