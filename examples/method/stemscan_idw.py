"""Inverse-distance weighting (Shepard, Proc. 23rd ACM National Conference 517, 1968) with a standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["idw"]

Image = npt.NDArray[np.float32]


def idw(inputs: Inputs, *, power: float = 2.0, neighbours: int = 12) -> tuple[Image, Image]:
    """Weight the nearest samples of every pixel by their distance.

    Parameters
    ----------
    inputs : Inputs
    power : float
        Power of the distance by which weights fall.
    neighbours : int
        Visited pixels that a pixel is made of, at most.

    Returns
    -------
    (ndarray, ndarray) of float32, (H, W)
        Image on the absolute scale, and the standard error of the weighted mean, from the scatter of the neighbours.
    """
    samples = inputs.whole  # of a beam between pixels: every sample on the pixel nearest to it
    visited = samples.V > 0
    visits = samples.V[visited].astype(np.float64)
    means = samples.S[visited] / visits
    nearest = range(1, min(neighbours, len(means)) + 1)
    distance, which = cKDTree(np.argwhere(visited)).query(np.argwhere(np.ones(inputs.shape, bool)), k=list(nearest))
    weights = visits[which] / (distance**2 + 0.5) ** (power / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    image = (weights * means[which]).sum(axis=1)
    scatter = (weights * (means[which] - image[:, None]) ** 2).sum(axis=1)
    independent = 1 / (weights**2).sum(axis=1)
    error = np.sqrt(scatter / np.maximum(independent - 1, 1))
    return image.reshape(inputs.shape).astype(np.float32), error.reshape(inputs.shape).astype(np.float32)
