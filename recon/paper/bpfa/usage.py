"""Draw which atoms each patch uses and their weights, and sum up what the draws of scalars need; compiled.

Every patch is computed whole by one thread, with random numbers of its own: results do not depend on the number of
threads. Loops run over atoms inside loops over pixels, so that they are vectorised without reordering any sum.

A patch draws usage and weight of each atom in turn, given all others. With the residual r of the other atoms, visits V
and the noise precision gamma, the atom d explains m = gamma sum V d r with precision q = gamma sum V d^2 + gamma_s; the
weight is integrated out of the odds of usage,

    odds = pi / (1 - pi) sqrt(gamma_s / q) exp(m^2 / 2 q),

and, where the atom is used, drawn from N(m / q, 1 / q). That is the same posterior as drawing the two one after the
other, and it mixes better, for a weight that was drawn without looking at the data seldom fits them.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from stemscan.recon.paper.bpfa.patches import Coefficients, Patches, gather
from stemscan.recon.paper.bpfa.random import fill_uniforms, key, normals
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Image, Mask, Points

__all__ = ["draw_usage", "statistics"]

Counts = npt.NDArray[np.int64]

_WEIGHTS: Final = 256  # numbers of draws: usage of four atoms each below, one weight each from here on


class _Scratch(NamedTuple):
    """Arrays that one thread works in: (P,) of the visited pixels of a patch, then (K,) of its atoms."""

    pixels: Points
    weights: Image
    residuals: Image
    uniforms: Image
    explained: Image
    norms: Image
    inverses: Image
    limits: Image
    before: Image


@compiled()
def _scratch(size: int, atoms: int) -> _Scratch:
    """Working arrays for patches of `size` pixels."""
    return _Scratch(
        np.empty(size + 3, dtype=np.int32),
        np.empty(size + 3, dtype=np.float32),
        np.empty(size + 3, dtype=np.float32),
        np.empty(atoms + 3, dtype=np.float32),
        np.empty(atoms, dtype=np.float32),
        np.empty(atoms, dtype=np.float32),
        np.empty(atoms, dtype=np.float32),
        np.empty(atoms, dtype=np.float32),
        np.zeros(atoms, dtype=np.float32),
    )


@compiled(parallel=True)
def draw_usage(
    patches: Patches,
    coefficients: Coefficients,
    atoms: Image,
    odds: Image,
    weight_precision: float,
    noise_precision: float,
    seed: np.uint64,
    sweep: int,
) -> None:
    """Draw which atoms each patch uses, and their weights.

    Parameters
    ----------
    coefficients : Coefficients
        Replaced.
    atoms : ndarray of float32, (P, K)
    odds : ndarray of float32, (K,)
        pi / (1 - pi) of each atom.
    weight_precision, noise_precision : float
        gamma_s, and gamma of a single sample.
    """
    squares = atoms * atoms
    counts, used, amounts = coefficients  # numba drops writes to an array inside a tuple from a parallel loop
    across = len(patches.lefts)
    precisions = np.float32(weight_precision), np.float32(noise_precision)
    for i in numba.prange(len(patches.tops)):
        scratch = _scratch(atoms.shape[0], atoms.shape[1])
        pixels, weights, residuals = scratch.pixels, scratch.weights, scratch.residuals
        for number in range(i * across, (i + 1) * across):
            found = gather(patches, coefficients, atoms, number, pixels, weights, residuals)
            if found > 0:
                index = key(sweep, number)
                fill_uniforms(seed, index, scratch.uniforms)
                counts[number] = _draw_patch(
                    counts[number], used[number], amounts[number], atoms, squares, odds, precisions, found, scratch,
                    seed, index,
                )  # fmt: skip


@compiled()
def _draw_patch(
    count: int,
    used: npt.NDArray[np.uint8],
    amounts: Image,
    atoms: Image,
    squares: Image,
    odds: Image,
    precisions: tuple[np.float32, np.float32],
    found: int,
    scratch: _Scratch,
    seed: np.uint64,
    index: np.uint64,
) -> int:
    """Draw the atoms of one patch in turn; the number of those used.

    Most atoms are refused without a transcendental function: the probability of usage is at most its odds, and
    exp(g) <= (1 - g / 8)^-8 for g < 8.
    """
    uniforms, explained, norms, inverses, limits, before = scratch[3:]
    noise_precision = precisions[1]
    _project(atoms, squares, odds, precisions, found, scratch)
    for a in range(count):
        before[used[a]] = amounts[a]
    chosen = 0
    for k in range(len(before)):
        evidence = noise_precision * (explained[k] + before[k] * norms[k])
        mean = evidence * inverses[k]
        rest = max(np.float32(0.0), np.float32(1.0) - np.float32(0.0625) * evidence * mean)
        rest *= rest
        rest *= rest
        amount = np.float32(0.0)
        if uniforms[k] * (rest * rest) < limits[k]:
            ratio = limits[k] * math.exp(min(0.5 * np.float64(evidence) * mean, 80.0))
            if uniforms[k] * (1.0 + ratio) < ratio:
                normal, _ = normals(seed, index, _WEIGHTS + k)
                amount = np.float32(mean + normal * math.sqrt(inverses[k]))
                used[chosen], amounts[chosen] = k, amount
                chosen += 1
        if amount != before[k]:
            _subtract(amount - before[k], k, atoms, found, scratch)
            before[k] = np.float32(0.0)
    return chosen


@compiled()
def _project(
    atoms: Image, squares: Image, odds: Image, precisions: tuple[np.float32, np.float32], found: int, scratch: _Scratch
) -> None:
    """Products of all atoms with a patch's residuals and with themselves, on its visited pixels, four pixels at once.

    From them 1 / q, and the odds of usage of an atom that explains nothing.
    """
    pixels, weights, residuals, _, explained, norms, inverses, limits, _ = scratch
    explained[:] = np.float32(0.0)
    norms[:] = np.float32(0.0)
    for n in range(0, found, 4):
        v0, v1, v2, v3 = weights[n], weights[n + 1], weights[n + 2], weights[n + 3]
        r0, r1, r2, r3 = v0 * residuals[n], v1 * residuals[n + 1], v2 * residuals[n + 2], v3 * residuals[n + 3]
        d0, d1, d2, d3 = atoms[pixels[n]], atoms[pixels[n + 1]], atoms[pixels[n + 2]], atoms[pixels[n + 3]]
        s0, s1, s2, s3 = squares[pixels[n]], squares[pixels[n + 1]], squares[pixels[n + 2]], squares[pixels[n + 3]]
        for k in range(len(explained)):
            explained[k] += (r0 * d0[k] + r1 * d1[k]) + (r2 * d2[k] + r3 * d3[k])
        for k in range(len(norms)):
            norms[k] += (v0 * s0[k] + v1 * s1[k]) + (v2 * s2[k] + v3 * s3[k])
    weight_precision, noise_precision = precisions
    for k in range(len(norms)):
        inverses[k] = np.float32(1.0) / (noise_precision * norms[k] + weight_precision)
        limits[k] = odds[k] * np.sqrt(weight_precision * inverses[k])


@compiled()
def _subtract(change: np.float32, k: int, atoms: Image, found: int, scratch: _Scratch) -> None:
    """Take what atom k explains of the residuals from their products with all atoms that are still to be drawn."""
    pixels, weights = scratch.pixels, scratch.weights
    rest = scratch.explained[k + 1 :]
    for n in range(0, found, 4):
        d0, d1, d2, d3 = atoms[pixels[n]], atoms[pixels[n + 1]], atoms[pixels[n + 2]], atoms[pixels[n + 3]]
        c0, c1 = change * weights[n] * d0[k], change * weights[n + 1] * d1[k]
        c2, c3 = change * weights[n + 2] * d2[k], change * weights[n + 3] * d3[k]
        d0, d1, d2, d3 = d0[k + 1 :], d1[k + 1 :], d2[k + 1 :], d3[k + 1 :]
        for other in range(len(rest)):
            rest[other] -= (c0 * d0[other] + c1 * d1[other]) + (c2 * d2[other] + c3 * d3[other])


@compiled(parallel=True)
def statistics(patches: Patches, coefficients: Coefficients, atoms: Image) -> tuple[Floats, Floats, Counts, Mask]:
    """Statistics for the draws of precisions and usage probabilities, by row of patches.

    Parameters
    ----------
    atoms : ndarray of float32, (P, K)

    Returns
    -------
    errors : ndarray of float64, (R,)
        Squared residuals, times visits.
    power : ndarray of float64, (R,)
        Squared weights of used atoms.
    usage : ndarray of int64, (R, K)
        Patches that use each atom.
    seen : ndarray of bool, (N,)
        True if a patch has a sample.
    """
    size, number_of_atoms = atoms.shape
    across, down = len(patches.lefts), len(patches.tops)
    errors, power = np.zeros(down), np.zeros(down)
    usage = np.zeros((down, number_of_atoms), dtype=np.int64)
    seen = np.zeros(down * across, dtype=np.bool_)
    for i in numba.prange(down):
        pixels = np.empty(size + 3, dtype=np.int32)
        weights = np.empty(size + 3, dtype=np.float32)
        residuals = np.empty(size + 3, dtype=np.float32)
        for number in range(i * across, (i + 1) * across):
            found = gather(patches, coefficients, atoms, number, pixels, weights, residuals)
            seen[number] = found > 0
            for n in range(found):
                errors[i] += weights[n] * residuals[n] * residuals[n]
            for a in range(coefficients.counts[number]):
                power[i] += coefficients.amounts[number, a] ** 2
                usage[i, coefficients.used[number, a]] += 1
    return errors, power, usage, seen
