"""Equation 12: the global structure, the strongest coefficients of the summed samples at low frequencies.

It guides training (equation 16 compares its edges with the network's). Divided by the mean number of visits, so that
it is on the absolute scale; the real part is kept where the published code takes the absolute value.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from stemscan.recon.fshnet.fourier_masks import amplitude_mask, apply_mask, forward, inverse, low_pass_mask
from stemscan.recon.fshnet.patch_size import RADIUS

__all__ = ["COUNT", "global_structure"]

COUNT = 200
"""The paper's k. It counts peaks, of which a field of view has as many on any grid, so it does not scale."""


def global_structure(
    summed: npt.NDArray[np.floating[Any]], visits: npt.NDArray[Any], radius: float = RADIUS, count: int = COUNT
) -> npt.NDArray[np.float32]:
    """Equation 12: keep the `count` strongest coefficients, then those within `radius`.

    Parameters
    ----------
    summed : ndarray of float, (H, W)
        Samples summed over passes (S: counts over dose), zero where not visited.
    visits : ndarray, (H, W)
        Visits summed over passes, not zero everywhere.
    radius : float
        r_g in coefficients of a 1024 x 1024 transform; the paper's is its r_p.
    count : int
        k, counted on the whole plane, the zero frequency included.

    Returns
    -------
    ndarray of float32, (H, W)

    Raises
    ------
    ReconError
        When `radius` or `count` is negative.
    """
    shape = cast("tuple[int, int]", summed.shape)
    strongest = apply_mask(amplitude_mask(spectrum := forward(summed), shape, count), spectrum)
    spectrum = apply_mask(low_pass_mask(shape, radius), strongest)
    return (inverse(spectrum, shape) / np.mean(visits, dtype=np.float64)).astype(np.float32)
