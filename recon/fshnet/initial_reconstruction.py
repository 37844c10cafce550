"""Equations 10 and 11: the initial reconstruction, a low-pass of the summed samples that keeps what was measured.

Where the paper leaves a choice: the low-pass of S is divided by the mean number of visits, which makes it an estimate
of the signal on the absolute scale (S itself is as bright as the pixels are often visited); a pixel counts as measured
when it was visited (V > 0), never when its value is not zero, for no electron is a measurement too.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from stemscan.recon.fshnet.fourier_masks import apply_mask, forward, inverse, low_pass_mask

__all__ = ["RADIUS", "initial_reconstruction", "low_pass"]

RADIUS = 150.0
"""The paper's r_i, in coefficients of a 1024 x 1024 transform."""


def low_pass(
    summed: npt.NDArray[np.floating[Any]], visits: npt.NDArray[Any], radius: float = RADIUS
) -> npt.NDArray[np.float32]:
    """Equation 10: low-pass the summed samples, on the absolute scale.

    Parameters
    ----------
    summed : ndarray of float, (H, W)
        Samples summed over passes (S: counts over dose), zero where not visited.
    visits : ndarray, (H, W)
        Visits summed over passes, not zero everywhere.
    radius : float
        r_i in coefficients of a 1024 x 1024 transform.

    Returns
    -------
    ndarray of float32, (H, W)

    Raises
    ------
    ReconError
        When the radius is negative.
    """
    shape = cast("tuple[int, int]", summed.shape)
    spectrum = apply_mask(low_pass_mask(shape, radius), forward(summed))
    return (inverse(spectrum, shape) / np.mean(visits, dtype=np.float64)).astype(np.float32)


def initial_reconstruction(
    summed: npt.NDArray[np.floating[Any]], visits: npt.NDArray[Any], radius: float = RADIUS
) -> npt.NDArray[np.float32]:
    """Equations 10 and 11: the low-pass, averaged with the measured mean where a pixel was visited.

    Parameters
    ----------
    summed : ndarray of float, (H, W)
        Samples summed over passes (S: counts over dose), zero where not visited.
    visits : ndarray, (H, W)
        Visits summed over passes, not zero everywhere.
    radius : float
        r_i in coefficients of a 1024 x 1024 transform.

    Returns
    -------
    ndarray of float32, (H, W)

    Raises
    ------
    ReconError
        When the radius is negative.
    """
    image = low_pass(summed, visits, radius)
    visited = np.flatnonzero(visits)
    flat, times = image.reshape(-1), np.ravel(visits)[visited]
    share = np.minimum(times, 1).astype(np.float32)  # of the measurement: a fraction where a sample lies between pixels
    flat[visited] = 0.5 * ((2 - share) * flat[visited] + share * (np.ravel(summed)[visited] / times))
    return image
