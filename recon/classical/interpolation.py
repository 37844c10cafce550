"""Baselines without a model: one constant, the nearest sample, linear interpolation between samples.

All work on S / V, the mean of each visited pixel's own samples (the pixel nearest to where the beam was, where that is
known), and fill every pixel. None has a setting to choose or
suppresses noise at the samples (the constant averages everything away); they show what a method must at least beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.recon.reconstruction import Estimate
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["constant", "linear", "nearest"]


def constant(inputs: Inputs) -> Estimate:
    """One value everywhere: the mean of all samples.

    Returns
    -------
    Estimate
        On the plan's grid, without standard deviation.
    """
    return Estimate(image=np.full(inputs.shape, inputs.mean, dtype=np.float32))


def nearest(inputs: Inputs) -> Estimate:
    """The value of the visited pixel that is nearest (Euclidean distance).

    Returns
    -------
    Estimate
        On the plan's grid, without standard deviation.
    """
    whole = inputs.whole
    return Estimate(image=_nearest(_means(whole), whole.V > 0))


def linear(inputs: Inputs) -> Estimate:
    """Linear interpolation on the Delaunay triangles of the visited pixels.

    The frame's outermost pixels count as known, with the value of the nearest visited pixel where they were not
    visited, so that the triangles cover every pixel.

    Returns
    -------
    Estimate
        On the plan's grid, without standard deviation.
    """
    whole = inputs.whole
    means, known = _means(whole), whole.V > 0
    if 1 in inputs.shape:
        return Estimate(image=_along_line(means, known))
    from stemscan.recon.classical.triangulation import interpolate_linear

    filled = _nearest(means, known)
    known[[0, -1], :] = True
    known[:, [0, -1]] = True
    return Estimate(image=interpolate_linear(np.argwhere(known).astype(np.int32), filled[known], inputs.shape))


def _means(inputs: Inputs) -> Image:
    """S / V where visited, else 0."""
    means = np.zeros(inputs.shape, dtype=np.float32)
    np.divide(inputs.S, inputs.V, out=means, where=inputs.V > 0)
    return means


def _nearest(means: Image, visited: npt.NDArray[np.bool_]) -> Image:
    """Fill every pixel from the nearest visited one."""
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~visited, return_distances=False, return_indices=True)
    filled: Image = means[rows, columns]
    return filled


def _along_line(means: Image, visited: npt.NDArray[np.bool_]) -> Image:
    """Interpolate a frame of a single row or column."""
    at = np.flatnonzero(visited)
    line = np.interp(np.arange(means.size), at, means.ravel()[at])
    return line.reshape(means.shape).astype(np.float32)
