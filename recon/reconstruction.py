"""The result of a method (`Estimate`) and that of a user's call (`Reconstruction`).

A method estimates on whatever grid suits it: factor f means that pixel (i, j) of the estimate stands for the plan's
pixels f i .. f i + f - 1 by f j .. f j + f - 1, so that a plan of H x W pixels needs ceil(H / f) x ceil(W / f) of them.
`stemscan.recon.run.reconstruct` calls the method, brings its estimate to the grid that was asked for and adds what
the method does not know: its name, its time, the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Estimate", "Reconstruction"]


def _nothing() -> Mapping[str, Any]:
    """An immutable empty mapping."""
    return MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Estimate:
    """The result of a method.

    Attributes
    ----------
    image : ndarray of float32, (ceil(H / factor), ceil(W / factor))
        Estimated signal on the absolute scale (counts over dose; a specimen's signal lies in [0, 1]).
    std : ndarray of float32, of the image's shape, or None
        Standard deviation of the image's error, per pixel.
    factor : int
        Plan pixels per pixel of the estimate, in each direction.
    settings : mapping
        Everything that was set or found out and that is needed to do it again: JSON types only.
    """

    image: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32] | None = None
    factor: int = 1
    settings: Mapping[str, Any] = field(default_factory=_nothing)


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """An image of the specimen and how it came about.

    Attributes
    ----------
    image : ndarray of float32
        Estimated signal on the absolute scale; (H, W) on the plan's grid, or the method's own coarser grid.
    std : ndarray of float32, of the image's shape, or None
        Standard deviation of the image's error, per pixel.
    method : str
        Name of the method, as ``stemscan methods`` lists it, or of the plug-in.
    settings : mapping
        Settings of the method, given and found.
    seconds : float
        Wall time of the method, upsampling included; NaN for one that was read, for files hold no times.
    factor : int
        Plan pixels per pixel of `image` in each direction: 1 on the plan's grid.
    native_factor : int
        The same for the grid on which the method worked.
    pixel_size_nm : float or None
        Size of a pixel of `image` in nm, where it is known.
    source : mapping
        The `source` of the inputs.
    """

    image: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32] | None
    method: str
    settings: Mapping[str, Any]
    seconds: float
    factor: int = 1
    native_factor: int = 1
    pixel_size_nm: float | None = None
    source: Mapping[str, Any] = field(default_factory=_nothing)
