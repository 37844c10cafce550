"""Sparse scans of smooth specimens without plans or stores, for tests of reconstruction methods."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.recon.inputs.inputs import Inputs

Image = npt.NDArray[np.float32]


def lattice(shape: tuple[int, int], period: float = 16.0) -> Image:
    """A lattice of bright columns, signal in [0, 1]."""
    row, column = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    wave = np.cos(2 * np.pi * (row + 0.3 * column) / period) * np.cos(2 * np.pi * (column - 0.2 * row) / (1.3 * period))
    image: Image = (0.5 + 0.45 * wave).astype(np.float32)
    return image


def scan(
    signal: Image,
    *,
    passes: int = 4,
    ratio: float = 3 / 64,
    dose: float = 10.0,
    noise: str = "poisson",
    seed: int = 0,
    pixel_size_nm: float | None = None,
) -> Inputs:
    """Counts of a sparse scan of a signal; at least one pixel is visited."""
    rng = np.random.default_rng(seed)
    visits = (rng.random((passes, *signal.shape)) < ratio).astype(np.uint16)
    visits[0, 0, 0] = 1
    counts = (
        rng.poisson(dose * signal, visits.shape) if noise == "poisson" else signal * rng.poisson(dose, visits.shape)
    )
    return Inputs.from_arrays(
        (counts * visits).astype(np.float32), visits, dose, noise=noise, truth=signal, pixel_size_nm=pixel_size_nm
    )


def exact(signal: Image, *, passes: int = 4, ratio: float = 0.2, seed: int = 0) -> Inputs:
    """A sparse scan of a signal whose counts are what is expected, without noise."""
    rng = np.random.default_rng(seed)
    visits = (rng.random((passes, *signal.shape)) < ratio).astype(np.uint16)
    visits[0, 0, 0] = 1
    return Inputs.from_arrays(8.0 * signal * visits, visits, 8.0, truth=signal)
