"""Continuation of an image into a margin around the torus, without a step anywhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["continued"]


def continued(image: npt.NDArray[np.float64], rows: int, columns: int) -> npt.NDArray[np.float64]:
    """An image with a margin behind its last row and column, in which the mirror images of opposite edges are mixed.

    Parameters
    ----------
    image : ndarray of float64, (H, W)
    rows, columns : int
        Of the margin, at most H and W.

    Returns
    -------
    ndarray of float64, (H + rows, W + columns)
        Periodic without steps.
    """
    for axis, margin in enumerate((rows, columns)):
        near = np.moveaxis(image, axis, 0)
        share = np.cos(np.pi / 2 * (np.arange(margin) + 0.5) / max(margin, 1)).reshape(-1, *[1] * (image.ndim - 1)) ** 2
        last, first = near[::-1][:margin], near[:margin][::-1]
        image = np.moveaxis(np.concatenate([near, share * last + (1 - share) * first]), 0, axis)
    return image
