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

__all__ = ["bin_mean", "coarse_shape", "upsample", "upsample_linear"]

Image = npt.NDArray[np.float32]


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
    from scipy.fft import dctn, idctn

    rows, columns = image.shape
    padded = np.zeros((rows * factor, columns * factor), dtype=np.float32)
    padded[:rows, :columns] = dctn(image, norm="ortho")
    padded *= np.float32(factor)
    fine: Image = idctn(padded, norm="ortho", overwrite_x=True)
    return np.ascontiguousarray(fine[: shape[0], : shape[1]])


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
    rows = _between(image, factor, shape[0])
    return np.ascontiguousarray(_between(rows.T, factor, shape[1]).T)


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


def _between(image: Image, factor: int, length: int) -> Image:
    """Linear interpolation along the first axis."""
    centre = (np.arange(length, dtype=np.float32) - (factor - 1) / 2) / factor
    centre = np.clip(centre, 0, image.shape[0] - 1)
    low = np.minimum(centre.astype(np.intp), max(image.shape[0] - 2, 0))
    high = np.minimum(low + 1, image.shape[0] - 1)
    weight = (centre - low).astype(np.float32)[:, None]
    between: Image = (1 - weight) * image[low] + weight * image[high]
    return between


def _check(image: Image, factor: int, shape: tuple[int, int]) -> None:
    """Refuse a coarse image that does not cover the plan's grid exactly."""
    expected = coarse_shape(shape, factor)
    if image.shape != expected:
        raise ReconError(
            f"expected an image of shape {expected} for a grid of {shape} at factor {factor}, got {image.shape}; "
            "cover the whole grid"
        )
