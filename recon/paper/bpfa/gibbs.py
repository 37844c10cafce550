"""Gibbs sampler of beta-process factor analysis: its state, its priors, and one sweep.

The model (Zhou et al., NIPS 2009; for sparse STEM: Stevens et al., Microscopy 63, 41, 2014), for patch i with P pixels
and atom k of K:

    x_i = D (z_i * s_i) + noise of precision gamma V,   d_k ~ N(0, I / P),   s_ik ~ N(0, 1 / gamma_s),
    z_ik ~ Bernoulli(pi_k),   pi_k ~ Beta(a0 / K, b0 (K - 1) / K),   gamma_s, gamma ~ Gamma(1e-6, 1e-6)

with a0 = 1 and b0 = N / 4 for N patches. Patches without a sample have no likelihood; leaving them out is the same as
integrating over them. Weights of unused atoms are integrated out, too.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stemscan.recon.paper.bpfa.atoms import draw_atoms
from stemscan.recon.paper.bpfa.patches import Coefficients, Patches, render
from stemscan.recon.paper.bpfa.random import sweep_uniforms
from stemscan.recon.paper.bpfa.usage import draw_usage, statistics
from stemscan.types import Image

__all__ = ["GibbsSampler", "cosine_atoms"]


_A0: Final = 1.0
_PATCHES_PER_B0: Final = 4.0
_FLAT: Final = 1e-6  # both parameters of the gamma priors
_FIRST_USAGE: Final = 0.01
_FIRST_NOISE: Final = 0.1  # variance of a sample about the image, of its variance about the mean
_LEAST_PROBABILITY: Final = 1e-15


class GibbsSampler:
    """State of the Markov chain.

    Parameters
    ----------
    atoms : int
        K, 1 to 256.
    """

    def __init__(self, patches: Patches, atoms: int, seed: int) -> None:
        self._patches = patches
        self._seed = np.uint64(seed)
        self._atoms = cosine_atoms(patches.rows, patches.columns, atoms)
        self._coefficients = Coefficients.none(patches.number, atoms)
        self._probabilities = np.full(atoms, _FIRST_USAGE)
        self._weight_precision = 1.0 / patches.pixels
        self._noise_precision = 1.0 / _FIRST_NOISE
        self._visits = 0.0
        self._seen = np.zeros(patches.number, dtype=np.bool_)
        self._usage = np.zeros(atoms)

    @property
    def noise_precision(self) -> float:
        """Gamma: inverse variance of a single sample about the image, in units of the samples' variance."""
        return self._noise_precision

    @property
    def atoms_in_use(self) -> int:
        """Atoms that at least one patch uses."""
        return int(np.count_nonzero(self._usage))

    @property
    def atoms_per_patch(self) -> float:
        """Mean number of atoms that a patch with samples uses."""
        return float(self._usage.sum() / max(1, np.count_nonzero(self._seen)))

    def sweep(self, number: int) -> None:
        """Draw everything once from its conditional distribution.

        Parameters
        ----------
        number : int
            Of the sweep: with the seed, the key of its random numbers.
        """
        odds = (self._probabilities / (1 - self._probabilities)).astype(np.float32)
        draw_usage(
            self._patches,
            self._coefficients,
            self._atoms,
            odds,
            self._weight_precision,
            self._noise_precision,
            self._seed,
            number,
        )
        draw_atoms(self._patches, self._coefficients, self._atoms, self._noise_precision, self._seed, number)
        self._draw_scalars(number)

    def add_image(self, image: Image) -> None:
        """Add the image of the present state, in the units of the patches' values; (H, W) of float32."""
        render(self._patches, self._coefficients, np.ascontiguousarray(self._atoms.T), self._seen, image)

    def _draw_scalars(self, sweep: int) -> None:
        """Draw the usage probabilities and both precisions, by inverting their distribution functions."""
        from scipy.special import betaincinv, gammaincinv

        errors, power, usage, self._seen = statistics(self._patches, self._coefficients, self._atoms)
        self._usage = usage.sum(axis=0).astype(np.float64)
        atoms, seen = len(self._usage), int(np.count_nonzero(self._seen))
        uniform = sweep_uniforms(self._seed, sweep, atoms + 2)
        b0 = seen / _PATCHES_PER_B0
        alpha = _A0 / atoms + self._usage
        beta = b0 * max(atoms - 1, 1) / atoms + seen - self._usage
        drawn = betaincinv(alpha, beta, uniform[:atoms])
        self._probabilities = np.clip(drawn, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        weights, samples = self._usage.sum(), self._samples_in_patches()
        if weights:
            shape = _FLAT + weights / 2
            self._weight_precision = float(gammaincinv(shape, uniform[atoms]) / (_FLAT + power.sum() / 2))
        shape = _FLAT + samples / 2
        self._noise_precision = float(gammaincinv(shape, uniform[atoms + 1]) / (_FLAT + errors.sum() / 2))

    def _samples_in_patches(self) -> float:
        """Visited pixels of all patches together."""
        if not self._visits:
            visited = np.pad((self._patches.visits > 0).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
            top, left = self._patches.tops[:, None], self._patches.lefts[None, :]
            bottom, right = top + self._patches.rows, left + self._patches.columns
            inside = visited[bottom, right] - visited[top, right] - visited[bottom, left] + visited[top, left]
            self._visits = float(inside.sum())
        return self._visits


def cosine_atoms(rows: int, columns: int, atoms: int) -> Image:
    """Start of the chain: products of cosines of ever higher frequency, of norm 1, (rows * columns, atoms)."""
    steps = int(np.ceil(np.sqrt(atoms)))
    down, across = (
        np.cos(np.pi * (np.arange(size)[:, None] + 0.5) * np.linspace(0, max(size - 1, 0), steps) / size)
        for size in (rows, columns)
    )
    order = sorted(((u, v) for u in range(steps) for v in range(steps)), key=lambda pair: (sum(pair), pair))[:atoms]
    shapes = np.stack([np.outer(down[:, u], across[:, v]).ravel() for u, v in order], axis=1)
    norms = np.linalg.norm(shapes, axis=0)
    return np.ascontiguousarray(shapes / np.where(norms > 1e-9, norms, 1.0), dtype=np.float32)
