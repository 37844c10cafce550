"""Networks and scans that are the same on every machine, for tests of FSHNet.

Values come from the raw stream of a bit generator, the only thing of numpy's random numbers that never changes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.paper.network import FSHNet


def uniform(seed: int, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Uniform in [0, 1)."""
    raw = np.random.Philox(key=seed).random_raw(int(np.prod(shape)))
    values: npt.NDArray[np.float64] = (np.asarray(raw, dtype=np.uint64) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return values.reshape(shape)


def seeded_network(frames: int = 4, seed: int = 1) -> FSHNet:
    """A network with weights of a sensible size everywhere, batch norm included."""
    network = FSHNet(frames).eval()
    state = network.state_dict()
    for index, name in enumerate(sorted(state)):
        tensor = state[name]
        if name.endswith("num_batches_tracked"):
            continue
        values = uniform(1000 * seed + index, tuple(tensor.shape))
        if name.endswith(("running_var", "norm.weight")):
            values = 0.5 + values
        elif tensor.ndim == 4:
            values = (values - 0.5) * np.sqrt(12.0 / np.prod(tensor.shape[1:]))
        else:
            values = 0.4 * (values - 0.5)
        state[name] = torch.from_numpy(values.astype(np.float32))
    network.load_state_dict(state)
    return network


def lattice(shape: tuple[int, int], period: float = 12.0) -> npt.NDArray[np.float32]:
    """A square lattice of bright columns on [0.1, 0.9]."""
    y, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    waves = np.cos(2 * np.pi * y / period) + np.cos(2 * np.pi * x / period)
    image: npt.NDArray[np.float32] = (0.5 + 0.2 * waves).astype(np.float32)
    return image


def sparse_scan(
    truth: npt.NDArray[np.float32], passes: int = 4, ratio: float = 0.1, dose: float = 10.0, seed: int = 5
) -> Inputs:
    """Noisy counts of a truth on random pixels; the noise is uniform with Poisson's variance, rounded."""
    shape = (passes, *truth.shape)
    visits = uniform(seed, shape) < ratio
    expected = dose * truth
    counts = np.round(expected + np.sqrt(12 * expected) * (uniform(seed + 1, shape) - 0.5)).clip(0)
    return Inputs.from_arrays(counts * visits, visits, dose, truth=truth)


def coefficient_weights(shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Coefficients of the whole plane that each column of the half plane stands for, (W // 2 + 1,): 1 or 2."""
    width = shape[1]
    weights = np.full(width // 2 + 1, 2, dtype=np.int64)
    weights[0] = 1
    if width % 2 == 0:
        weights[-1] = 1
    return weights


def coefficients_kept(mask: npt.NDArray[np.bool_], shape: tuple[int, int]) -> int:
    """Number of coefficients of the whole plane that a mask of the half plane keeps."""
    return int((mask.sum(axis=0) * coefficient_weights(shape)).sum())
