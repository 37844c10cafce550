"""From a coarser grid to the plan's and back.

Pixel i of a grid of factor f stands for pixels f i .. f i + f - 1 of the plan, so its centre lies at f i + (f - 1) / 2.
That is the geometry of the discrete cosine transform (DCT-II): its basis functions are symmetric about the outer edges
of the first and last pixel, so that padding its coefficients with zeros evaluates the same band-limited function on a
grid f times finer with all centres in their places. There is no wrap-around from one edge to the other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.types import Image

__all__ = ["bin_mean", "coarse_shape", "upsample", "upsample_linear"]


def coarse_shape(shape: tuple[int, int], factor: int) -> tuple[int, int]:
    """Rows and columns of the grid of that factor that covers a plan of `shape`: both divided and rounded up."""
    return -(-shape[0] // factor), -(-shape[1] // factor)


def upsample(image: Image, factor: int, shape: tuple[int, int]) -> Image:
    """Evaluate a coarse image on the plan's grid, band limited (zero-padded DCT).

    Linear; keeps constants and means; exact for every cosine below the coarse grid's band limit.

    Parameters
    ----------
    image : ndarray of float32, (ceil(H / factor), ceil(W / factor))
    factor : int
        Plan pixels per coarse pixel, at least 1.
    shape : tuple of int
        (H, W) of the plan.

    Returns
    -------
    ndarray of float32, (H, W)
    """
    _check(image, factor, shape)
    if factor == 1:
        return image
    from scipy.fft import dctn, idct

    rows, columns = image.shape
    tall = idct(dctn(image, norm="ortho") * np.float32(factor), n=rows * factor, axis=0, norm="ortho")
    fine: Image = idct(tall[: shape[0]], n=columns * factor, axis=1, norm="ortho")
    return np.ascontiguousarray(fine[:, : shape[1]])


def upsample_linear(image: Image, factor: int, shape: tuple[int, int]) -> Image:
    """Interpolate a coarse image linearly to the plan's grid, constant beyond the outermost centres.

    Never leaves the range of the image: for standard deviations.

    Parameters
    ----------
    image : ndarray of float32, (ceil(H / factor), ceil(W / factor))
    factor : int
        Plan pixels per coarse pixel, at least 1.
    shape : tuple of int
        (H, W) of the plan.

    Returns
    -------
    ndarray of float32, (H, W)
    """
    _check(image, factor, shape)
    if factor == 1:
        return image
    import torch
    from torch.nn.functional import interpolate

    coarse = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    fine: Image = interpolate(coarse, scale_factor=float(factor), mode="bilinear", align_corners=False)[0, 0].numpy()
    return np.ascontiguousarray(fine[: shape[0], : shape[1]])


def bin_mean(image: Image, factor: int) -> Image:
    """Mean of every factor x factor block, of what there is of it at the far edges.

    Parameters
    ----------
    image : ndarray of float32, (H, W)
    factor : int
        Plan pixels per coarse pixel, at least 1.

    Returns
    -------
    ndarray of float32, (ceil(H / factor), ceil(W / factor))
    """
    summed: npt.NDArray[np.float64] = image.astype(np.float64)
    for axis in (0, 1):
        starts = np.arange(0, image.shape[axis], factor)
        sizes = np.diff(starts, append=image.shape[axis])
        summed = np.add.reduceat(summed, starts, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
    return summed.astype(np.float32)


def _check(image: Image, factor: int, shape: tuple[int, int]) -> None:
    """Refuse a coarse image that does not cover the plan's grid exactly."""
    expected = coarse_shape(shape, factor)
    if image.shape != expected:
        raise ReconError(
            f"expected an image of shape {expected} for a grid of {shape} at factor {factor}, got {image.shape}; "
            "cover the whole grid"
        )
