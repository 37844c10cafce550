"""Draw the dictionary; compiled.

Given all coefficients, the values of all atoms at one pixel of the patch are jointly Gaussian and independent of those
at other pixels: they are drawn together, by a Cholesky factor of size K. Every pixel is computed whole by one thread,
with random numbers of its own: results do not depend on the number of threads.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from stemscan.recon.paper.bpfa.patches import Coefficients, Patches
from stemscan.recon.paper.bpfa.random import key, normals
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Image

__all__ = ["draw_atoms"]

Counts = npt.NDArray[np.int64]


@compiled(parallel=True)
def draw_atoms(
    patches: Patches,
    coefficients: Coefficients,
    atoms: Image,
    noise_precision: float,
    seed: np.uint64,
    sweep: int,
) -> None:
    """Draw the dictionary, pixel by pixel; the prior of each value is N(0, 1 / P).

    Parameters
    ----------
    atoms : ndarray of float32, (P, K)
        Replaced.
    noise_precision : float
        Of a single sample.
    """
    size, number_of_atoms = atoms.shape
    across = len(patches.lefts)
    ends, used, amounts = _packed(coefficients)
    for p in numba.prange(size):
        gram = np.zeros((number_of_atoms, number_of_atoms))
        drawn = np.zeros(number_of_atoms)
        for i in range(len(patches.tops)):
            row = patches.tops[i] + p // patches.columns
            visits = patches.visits[row, p % patches.columns :]
            values = patches.values[row, p % patches.columns :]
            for j in range(across):
                weight = visits[patches.lefts[j]] * noise_precision
                if weight > 0:
                    value = values[patches.lefts[j]]
                    begin, end = ends[i * across + j], ends[i * across + j + 1]
                    for a in range(begin, end):
                        weighted = weight * amounts[a]
                        drawn[used[a]] += weighted * value
                        line = gram[used[a]]
                        for b in range(begin, a + 1):
                            line[used[b]] += weighted * amounts[b]
        for k in range(number_of_atoms):
            gram[k, k] += size
        _factorise(gram)
        _solve_lower(gram, drawn)
        index = key(sweep, len(patches.tops) * across + p)
        for k in range(0, number_of_atoms, 2):
            first, second = normals(seed, index, k)
            drawn[k] += first
            if k + 1 < number_of_atoms:
                drawn[k + 1] += second
        _solve_upper(gram, drawn)
        for k in range(number_of_atoms):
            atoms[p, k] = drawn[k]


@compiled()
def _packed(coefficients: Coefficients) -> tuple[Counts, npt.NDArray[np.uint8], Image]:
    """Coefficients of all patches one after another, and where those of each patch end."""
    counts, used, amounts = coefficients
    ends = np.zeros(len(counts) + 1, dtype=np.int64)
    for number in range(len(counts)):
        ends[number + 1] = ends[number] + counts[number]
    packed_used = np.empty(ends[-1], dtype=np.uint8)
    packed_amounts = np.empty(ends[-1], dtype=np.float32)
    for number in range(len(counts)):
        for a in range(counts[number]):
            packed_used[ends[number] + a] = used[number, a]
            packed_amounts[ends[number] + a] = amounts[number, a]
    return ends, packed_used, packed_amounts


@compiled()
def _factorise(matrix: Floats) -> None:
    """Cholesky factor L in place of the lower half of a positive definite matrix, its transpose above."""
    n = len(matrix)
    for j in range(n):
        pivot = math.sqrt(matrix[j, j])
        matrix[j, j] = pivot
        for i in range(j + 1, n):
            matrix[i, j] /= pivot
            matrix[j, i] = matrix[i, j]
        line = matrix[j]
        for i in range(j + 1, n):
            factor, target = line[i], matrix[i]
            if factor != 0:
                for k in range(j + 1, i + 1):
                    target[k] -= factor * line[k]


@compiled()
def _solve_lower(factor: Floats, right: Floats) -> None:
    """Solve L x = b in place."""
    n = len(right)
    for j in range(n):
        right[j] /= factor[j, j]
        for i in range(j + 1, n):
            right[i] -= right[j] * factor[j, i]


@compiled()
def _solve_upper(factor: Floats, right: Floats) -> None:
    """Solve L^T x = b in place."""
    for j in range(len(right) - 1, -1, -1):
        right[j] /= factor[j, j]
        for i in range(j):
            right[i] -= right[j] * factor[j, i]
