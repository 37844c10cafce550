"""Equation 9: masks on the Fourier transform, by frequency (H_fre) and by amplitude (H_amp).

Images are real, so only the half of the transform that `scipy.fft.rfft2` gives is held: (H, W // 2 + 1) coefficients,
row i at frequency i / H (rows above H / 2 are negative frequencies), column j at j / W. A mask of that half means its
mirror image as well, so what is masked stays the transform of a real image. Radii are those of the paper's 1024 x 1024
grid: r stands for r / 1024 cycles per pixel in both directions, which on a grid that is not square keeps an ellipse of
coefficients. Numbers of coefficients are counted on the whole plane, as the paper counts.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.threads import workers
from stemscan.types import Mask

__all__ = [
    "PAPER_GRID",
    "amplitude_mask",
    "apply_mask",
    "forward",
    "inverse",
    "low_pass_mask",
]

PAPER_GRID = 1024

Spectrum = npt.NDArray[np.complexfloating[Any, Any]]


def forward(image: npt.NDArray[np.floating[Any]]) -> Spectrum:
    """Fourier transform F of a real image, without normalisation.

    Parameters
    ----------
    image : ndarray of float32 or float64, (H, W)

    Returns
    -------
    ndarray of complex64 or complex128, (H, W // 2 + 1)
    """
    from scipy.fft import rfft2

    return cast(Spectrum, rfft2(image, workers=workers()))


def inverse(spectrum: Spectrum, shape: tuple[int, int]) -> npt.NDArray[np.floating[Any]]:
    """Inverse Fourier transform to a real image: `inverse(forward(x), x.shape)` is x.

    Parameters
    ----------
    spectrum : ndarray of complex64 or complex128, (H, W // 2 + 1)
    shape : (int, int)
        H and W; W cannot be told from the half spectrum.

    Returns
    -------
    ndarray of float32 or float64, (H, W)
    """
    from scipy.fft import irfft2

    return cast("npt.NDArray[np.floating[Any]]", irfft2(spectrum, shape, workers=workers()))


def low_pass_mask(shape: tuple[int, int], radius: float) -> Mask:
    """Mask of H_fre: frequencies of at most `radius` / 1024 cycles per pixel.

    Parameters
    ----------
    shape : (int, int)
        H and W of the image.
    radius : float
        In coefficients of a 1024 x 1024 transform, at least 0; 0 keeps the mean alone.

    Returns
    -------
    ndarray of bool, (H, W // 2 + 1)

    Raises
    ------
    ReconError
        When the radius is negative or not a number.
    """
    if not radius >= 0:
        raise ReconError(f"expected a radius of at least 0, got {radius!r}; the paper takes 100 to 150")
    height, width = shape
    rows = np.arange(height, dtype=np.float64)
    rows = np.minimum(rows, height - rows) * width
    columns = np.arange(width // 2 + 1, dtype=np.float64) * height
    # scaled by H W so that on the paper's grid every number is an exact integer and the rim is kept as printed
    limit = radius * height * width / PAPER_GRID
    kept: Mask = rows[:, None] ** 2 + columns[None, :] ** 2 <= limit**2
    return kept


def amplitude_mask(spectrum: Spectrum, shape: tuple[int, int], count: int) -> Mask:
    """Mask of H_amp: the `count` coefficients of the largest amplitude, counted on the whole plane.

    A coefficient and its mirror image have the same amplitude and are kept or dropped together, as the inverse
    transform must be real. When a single place is left, it goes to the strongest coefficient that is its own mirror
    image (there are one, two or four of these); where none is left, it stays empty.

    Parameters
    ----------
    spectrum : ndarray of complex64 or complex128, (H, W // 2 + 1)
    shape : (int, int)
        H and W of the image.
    count : int
        At least 0; a number above H W keeps everything.

    Returns
    -------
    ndarray of bool, (H, W // 2 + 1)

    Raises
    ------
    ReconError
        When `count` is negative.
    """
    if count < 0:
        raise ReconError(f"expected a number of coefficients of at least 0, got {count}; the paper takes 200")
    places = _places(shape).ravel()
    amplitude = np.abs(spectrum).ravel()
    candidates = _strongest(np.where(places > 0, amplitude, -1.0), count + 4)
    kept = np.zeros(spectrum.size, dtype=np.bool_)
    free = count
    for index in candidates:
        needed = int(places[index])
        if 0 < needed <= free:
            kept[index] = True
            free -= needed
        if free == 0:
            break
    if free == 1:
        alone = np.flatnonzero((places == 1) & ~kept)
        if alone.size:
            kept[alone[np.argmax(amplitude[alone])]] = True
    return _with_mirror_images(kept.reshape(spectrum.shape), shape)


def apply_mask(mask: Mask, spectrum: Spectrum) -> Spectrum:
    """Equation 9: the product of a mask and a transform.

    Parameters
    ----------
    mask : ndarray of bool, (H, W // 2 + 1)
    spectrum : ndarray of complex64 or complex128, (H, W // 2 + 1)

    Returns
    -------
    ndarray of the spectrum's dtype, (H, W // 2 + 1)
    """
    return cast(Spectrum, np.where(mask, spectrum, np.zeros((), dtype=spectrum.dtype)))


def _own_mirror_columns(shape: tuple[int, int]) -> list[int]:
    """Columns of the half plane that hold their own mirror images."""
    return [0] if shape[1] % 2 else [0, shape[1] // 2]


def _places(shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Coefficients of the plane that an entry brings with it: 2, 1 if alone, 0 if its mirror image stands for it."""
    height, width = shape
    places = np.full((height, width // 2 + 1), 2, dtype=np.int64)
    for column in _own_mirror_columns(shape):
        places[height // 2 + 1 :, column] = 0
        places[0, column] = 1
        if height % 2 == 0:
            places[height // 2, column] = 1
    return places


def _strongest(amplitude: npt.NDArray[np.floating[Any]], count: int) -> npt.NDArray[np.int64]:
    """Indices of the `count` largest values, largest first, equal ones in the order of the array."""
    if count < amplitude.size:
        threshold = np.partition(amplitude, amplitude.size - count)[amplitude.size - count]
        chosen = np.flatnonzero(amplitude >= threshold)
    else:
        chosen = np.arange(amplitude.size)
    return chosen[np.argsort(-amplitude[chosen], kind="stable")].astype(np.int64)


def _with_mirror_images(kept: Mask, shape: tuple[int, int]) -> Mask:
    """Add the mirror images that lie in the half plane themselves."""
    for column in _own_mirror_columns(shape):
        kept[1:, column] |= kept[1:, column][::-1]
    return kept
