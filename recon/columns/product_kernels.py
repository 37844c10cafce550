"""Compiled: products of the normal matrix, and of what stands in for its inverse, with a vector."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["invert", "product", "substitute"]


@compiled()
def product(
    first: Integers,
    found: Integers,
    blocks: Floats,
    node_first: Integers,
    node_found: Integers,
    mixed: Floats,
    flat_starts: npt.NDArray[np.int32],
    flat_indices: npt.NDArray[np.int32],
    flat: Floats,
    border: Floats,
    corner: Floats,
    extra: Floats,
    values: Floats,
    out: Floats,
) -> None:
    """Fill (normal matrix + diag(extra)) times a vector, (3 n + p + m,); see `Normal` for the parts."""
    count, inner = first.size - 1, border.shape[0]
    rows = 3 * count
    for i in range(values.size):
        out[i] = extra[i] * values[i]
    for k in range(count):
        down, across, height = values[3 * k], values[3 * k + 1], values[3 * k + 2]
        one, two, three = 0.0, 0.0, 0.0
        for n in range(first[k], first[k + 1]):
            j = 3 * found[n]
            a, b, c = values[j], values[j + 1], values[j + 2]
            one += blocks[n, 0, 0] * a + blocks[n, 0, 1] * b + blocks[n, 0, 2] * c
            two += blocks[n, 1, 0] * a + blocks[n, 1, 1] * b + blocks[n, 1, 2] * c
            three += blocks[n, 2, 0] * a + blocks[n, 2, 1] * b + blocks[n, 2, 2] * c
        for n in range(node_first[k], node_first[k + 1]):
            node = rows + node_found[n]
            a = values[node]
            one += mixed[n, 0] * a
            two += mixed[n, 1] * a
            three += mixed[n, 2] * a
            out[node] += mixed[n, 0] * down + mixed[n, 1] * across + mixed[n, 2] * height
        out[3 * k] += one
        out[3 * k + 1] += two
        out[3 * k + 2] += three
    for i in range(inner - rows):
        total = 0.0
        for n in range(flat_starts[i], flat_starts[i + 1]):
            total += flat[n] * values[rows + flat_indices[n]]
        out[rows + i] += total
    for i in range(inner):
        total = 0.0
        for m in range(border.shape[1]):
            total += border[i, m] * values[inner + m]
            out[inner + m] += border[i, m] * values[i]
        out[i] += total
    for a in range(corner.shape[0]):
        for b in range(corner.shape[0]):
            out[inner + a] += corner[a, b] * values[inner + b]


@compiled()
def substitute(inverse: Floats, cross: Floats, schur: Floats, values: Floats, out: Floats) -> None:
    """Fill the columns' and the profiles' part of a `Preconditioner` times a vector, (3 n + p + m,)."""
    count, kinds = len(inverse), len(schur)
    inner = values.size - kinds
    left = values[inner:].copy()
    for k in range(count):
        for a in range(3):
            total = 0.0
            for b in range(3):
                total += inverse[k, a, b] * values[3 * k + b]
            out[3 * k + a] = total
            for m in range(kinds):
                left[m] -= cross[k, a, m] * total
    for a in range(kinds):
        out[inner + a] = 0.0
        for b in range(kinds):
            out[inner + a] += schur[a, b] * left[b]
    for k in range(count):
        for b in range(3):
            total = 0.0
            for m in range(kinds):
                total += cross[k, b, m] * out[inner + m]
            for a in range(3):
                out[3 * k + a] -= inverse[k, a, b] * total


@compiled()
def invert(own: Integers, blocks: Floats, extra: Floats, cross: Floats, inverse: Floats, left: Floats) -> None:
    """Fill the inverse of each column's own block, and take off the profiles' block what these explain of it.

    Parameters
    ----------
    own : ndarray of int64, (n,)
        Places of the columns' own blocks among `blocks`.
    extra : ndarray of float64
        Added to the diagonal.
    cross : ndarray of float64, (n, 3, m)
        Columns' part of the border.
    inverse : ndarray of float64, (n, 3, 3)
        Filled.
    left : ndarray of float64, (m, m)
        Changed.
    """
    kinds = left.shape[0]
    part = np.empty(3)
    for k in range(len(own)):
        block = blocks[own[k]]
        yy, xx, hh = block[0, 0] + extra[3 * k], block[1, 1] + extra[3 * k + 1], block[2, 2] + extra[3 * k + 2]
        yx, yh, xh = block[0, 1], block[0, 2], block[1, 2]
        one, two, three = xx * hh - xh * xh, xh * yh - yx * hh, yx * xh - xx * yh
        size = 1.0 / (yy * one + yx * two + yh * three)
        inverse[k, 0, 0], inverse[k, 1, 1], inverse[k, 2, 2] = (
            one * size, (yy * hh - yh * yh) * size, (yy * xx - yx * yx) * size,
        )  # fmt: skip
        inverse[k, 0, 1] = inverse[k, 1, 0] = two * size
        inverse[k, 0, 2] = inverse[k, 2, 0] = three * size
        inverse[k, 1, 2] = inverse[k, 2, 1] = (yx * yh - yy * xh) * size
        for m in range(kinds):
            for a in range(3):
                part[a] = 0.0
                for b in range(3):
                    part[a] += inverse[k, a, b] * cross[k, b, m]
            for n in range(kinds):
                left[m, n] -= part[0] * cross[k, 0, n] + part[1] * cross[k, 1, n] + part[2] * cross[k, 2, n]
