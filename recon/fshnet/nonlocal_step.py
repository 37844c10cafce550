"""Equation 13: non-local patch enhancement, compiled.

Every patch P (side W, one each quarter W in both directions) becomes the mean of patches P_n of its region Q, weighted
by exp(-MSE(P, P_n) / h^2); where patches overlap, their values are averaged. Q reaches 128 pixels, centred on P, in all
four quadrants, and ends at the image's border. The equation as printed takes all patches of Q, and destroys images: the
exponential of a difference of a few h^2 is still far from zero and there are thousands of them. So the K = 5 nearest
are taken by default, P itself included; `neighbours="all"` is the printed equation. Values are standardised first, for
h has no meaning otherwise.

The P_n lie every second pixel, whatever W. Were they, too, a quarter of W apart, no neighbour could line up with a
lattice better than to W / 8, three or four pixels at the larger patch sizes, and the step blurs what it should enhance.

The arithmetic is in `stemscan.recon.fshnet.nonlocal_kernels`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.types import Image

__all__ = ["NEIGHBOURS", "REGION", "SEARCH", "bandwidth", "check_step", "nonlocal_step"]

NEIGHBOURS: Final = 5
REGION: Final = 128
SEARCH: Final = 2

_QUARTERS: Final = 4


def bandwidth(sampling_ratio: float) -> float:
    """The paper's h: 0.5 where one pass visits less than 3 % of the grid, else 1.

    Parameters
    ----------
    sampling_ratio : float
        Visited fraction of the grid in one pass.

    Returns
    -------
    float
        In standard deviations of the image.
    """
    return 0.5 if sampling_ratio < 0.03 else 1.0


def nonlocal_step(
    image: npt.NDArray[np.floating[Any]],
    patch: int,
    *,
    h: float = 1.0,
    neighbours: int | Literal["all"] = NEIGHBOURS,
    region: int = REGION,
    search: int = SEARCH,
) -> Image:
    """Equation 13 on a whole image.

    Parameters
    ----------
    image : ndarray of float, (H, W)
        Any scale; it is standardised for the step and brought back.
    patch : int
        Side of a patch in pixels, a multiple of 4 of at least 4 (see `stemscan.recon.fshnet.patch_size`).
    h : float
        Bandwidth in standard deviations of the image, above 0.
    neighbours : int or "all"
        K: how many of the nearest patches of the region are averaged, the patch itself included; "all" takes every one.
    region : int
        Side of the region in pixels, at least `patch`.
    search : int
        Distance of candidate patches P_n from each other in pixels, at least 1.

    Returns
    -------
    ndarray of float32, (H, W)
        A constant image comes back as it is.

    Raises
    ------
    ReconError
        When a setting is out of its range.
    """
    check_step(patch, h, neighbours, region, search)
    # numba, which the default reconstruction does not need, takes a third of a second to import
    from stemscan.recon.fshnet.nonlocal_kernels import average_all, average_nearest, nearest_patches

    mean = float(np.mean(image, dtype=np.float64))
    deviation = float(np.std(image, dtype=np.float64))
    if not deviation > 1e-6 * abs(mean):  # constant, but for rounding
        return image.astype(np.float32)
    standardised = ((image - mean) / deviation).astype(np.float32)
    stride = patch // _QUARTERS
    padded = _padded(standardised, stride)
    steps = (region - patch) // 2 // search
    scale = np.float32(1.0 / (patch * patch * h * h))
    if neighbours == "all":
        enhanced = average_all(padded, stride, search, steps, scale)
    else:
        weights, shifts = nearest_patches(padded, stride, search, steps, neighbours, scale)
        enhanced = average_nearest(padded, stride, weights, shifts)
    height, width = image.shape
    return (enhanced[:height, :width].astype(np.float64) * deviation + mean).astype(np.float32)


def check_step(patch: int, h: float, neighbours: int | str, region: int = REGION, search: int = SEARCH) -> None:
    """Refuse settings without a meaning."""
    if patch < _QUARTERS or patch % _QUARTERS:
        raise ReconError(f"expected a patch size that is a multiple of 4, got {patch}; its quarter is the stride")
    if not (np.isfinite(h) and h > 0):
        raise ReconError(f"expected a bandwidth h above 0, got {h!r}; the paper takes 0.5 or 1")
    if neighbours != "all" and (isinstance(neighbours, str) or neighbours < 1):
        raise ReconError(f"expected a number of neighbours of at least 1 or 'all', got {neighbours!r}; 5 is usual")
    if region < patch:
        raise ReconError(f"expected a region of at least the patch size {patch}, got {region}; the paper takes 128")
    if search < 1:
        raise ReconError(f"expected candidate patches at least 1 pixel apart, got {search}; 2 is usual")


def _padded(image: Image, stride: int) -> Image:
    """Continue the image by its mirror image to whole cells, and to one patch at least."""
    pads = [(0, max(-size % stride, _QUARTERS * stride - size)) for size in image.shape]
    return np.ascontiguousarray(np.pad(image, pads, mode="symmetric"))
