"""The linear start of FSHNet as a method of its own: equations 10 and 11 of He et al., ICCV 2021.

The equations are in `stemscan.recon.fshnet.initial_reconstruction`, with what was settled where the paper leaves a
choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stemscan.errors import ReconError
from stemscan.recon.fshnet.initial_reconstruction import RADIUS, initial_reconstruction, low_pass
from stemscan.recon.reconstruction import Estimate

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["lowpass"]


def lowpass(inputs: Inputs, *, radius: float = RADIUS, keep_measured: bool = True) -> Estimate:
    """Low-pass the summed samples (equation 10), then average with the measured means where there are any (11).

    Parameters
    ----------
    radius : float
        r_i, radius of the band kept, in coefficients of a 1024 x 1024 transform: radius / 1024 cycles per pixel.
    keep_measured : bool
        Apply equation 11; without it the image is strictly band limited.

    Returns
    -------
    Estimate
        On the plan's grid, without standard deviation.

    Raises
    ------
    ReconError
        When the radius is not above 0.
    """
    if not radius > 0:
        raise ReconError(f"expected a radius above 0, got {radius!r}; the paper takes 100 to 150")
    reconstruct = initial_reconstruction if keep_measured else low_pass
    if np.array_equal(inputs.V, np.rint(inputs.V)):
        image = reconstruct(inputs.S, inputs.V, radius)
    else:  # of a beam that lagged: so unevenly visited that density would pass for signal
        mean = np.float32(inputs.mean)
        image = reconstruct(inputs.S - mean * inputs.V, inputs.V, radius) + mean
    return Estimate(image=image, settings={"radius": float(radius), "keep_measured": bool(keep_measured)})
