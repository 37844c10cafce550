"""Pictures of measured samples: one frame or all, and the detail in which single pixels can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.pictures.colours import grey_limits, to_rgb
from stemscan.recon.pictures.tiles import detail

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["DETAIL", "cropped", "frame_picture"]

DETAIL: Final = 188
"""Longer side in pixels of the part in which single pixels must be seen."""


def frame_picture(inputs: Inputs, frame: int | None = None) -> npt.NDArray[np.uint8]:
    """Picture of one frame, or of the mean of all samples: grey where visited, `UNVISITED` elsewhere.

    Parameters
    ----------
    frame : int, optional
        Number of the pass; all passes when not given.

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    inputs = inputs.whole
    if frame is None:
        counts, visits = inputs.S, inputs.V
    else:
        counts, visits = inputs.frames[frame] / inputs.electrons_per_sample, inputs.visits[frame].astype(np.float32)
    visited = visits > 0
    means = np.divide(counts, visits, out=np.zeros_like(counts), where=visited)
    low, high = grey_limits(means, visited)
    return to_rgb(means, (min(low, 0.0), high), visited)


def cropped(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The detail of a picture in which single pixels must be seen; a small picture whole."""
    return rgb[detail(rgb.shape, DETAIL)]
