"""Distance of a reconstruction from the truth: three PSNRs and two SSIMs, always together.

- absolute: as it is, data range 1. Counts over dose are on an absolute scale, so nothing needs fitting.
- affine: after the gain and offset that fit best; data range is the truth's max - min. For methods that know no scale.
- min-max: image and truth each shifted and scaled to [0, 1] on their own, as in the FSHNet paper. One outlier costs
  many dB, so read it only beside the others.

SSIM (scikit-image's, 7 x 7 windows) is given as it is with data range 1, and after min-max.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.display import as_text
from stemscan.errors import ReconError
from stemscan.recon.inputs.checks import real_array
from stemscan.recon.threads import side_by_side
from stemscan.types import Floats
from stemscan.units import counted

__all__ = ["Metrics", "absolute_psnr", "affine_fit", "compare", "ssim_map", "ssim_window"]

_SSIM_WINDOW: Final = 7


@dataclass(frozen=True)
class Metrics:
    """Similarity of an image to the truth; PSNR in dB, infinite for a perfect image, NaN where it is not defined.

    Attributes
    ----------
    psnr, psnr_affine, psnr_minmax : float
        Peak signal-to-noise ratio: absolute, after the best gain and offset, after min-max of each.
    ssim, ssim_minmax : float
        Structural similarity, at most 1: absolute, after min-max of each.
    """

    psnr: float
    psnr_affine: float
    psnr_minmax: float
    ssim: float
    ssim_minmax: float

    def rows(self) -> list[tuple[str, str]]:
        """Names and values with their units, for people."""
        return [
            ("PSNR absolute", f"{self.psnr:.2f} dB"),
            ("PSNR affine", f"{self.psnr_affine:.2f} dB"),
            ("PSNR min-max", f"{self.psnr_minmax:.2f} dB"),
            ("SSIM", f"{self.ssim:.3f}, min-max {self.ssim_minmax:.3f}"),
        ]

    def __str__(self) -> str:
        """A few lines for people."""
        return as_text("Metrics", self.rows())

    def to_dict(self) -> dict[str, float | None]:
        """As a dictionary for JSON, which has neither infinity nor NaN: None stands for both."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


BYTES_A_PIXEL: Final = 140
"""Memory of `compare`, by `benchmarks/memory.py`."""

_BYTES_TOGETHER: Final = 260
"""The same where both SSIMs are made side by side."""


def compare(image: npt.ArrayLike, truth: npt.ArrayLike) -> Metrics:
    """Compare an image with the truth by every metric.

    Parameters
    ----------
    image : array_like, (H, W)
        Reconstruction on the absolute scale; finite.
    truth : array_like, (H, W)
        The specimen's signal in [0, 1]; finite.

    Returns
    -------
    Metrics
        A constant image has no range of its own: for min-max it takes the truth's. A constant truth leaves affine and
        min-max undefined (NaN). SSIM needs at least 3 pixels each way (NaN below).

    Raises
    ------
    ReconError
        Where the shapes differ, or a value is not finite.

    Examples
    --------
    >>> truth = [[0.0, 1.0], [1.0, 0.0]]
    >>> metrics = compare([[0.1, 0.9], [0.9, 0.1]], truth)
    >>> round(metrics.psnr, 1), metrics.psnr_affine > 200
    (20.0, True)
    """
    estimate, reference = _images(image, truth)
    low, span = float(reference.min()), float(np.ptp(reference))
    gain, offset = affine_fit(estimate, reference)
    scaled, scaled_truth = _minmax(estimate, low, span), _minmax(reference, low, span)
    tasks = [partial(_ssim, *pair) for pair in ((estimate, reference), (scaled, scaled_truth))]
    ssim, ssim_minmax = side_by_side(tasks, memory=_BYTES_TOGETHER * estimate.size)
    return Metrics(
        psnr=_psnr(estimate, reference, 1.0),
        psnr_affine=_psnr(gain * estimate + offset, reference, span),
        psnr_minmax=_psnr(scaled, scaled_truth, 1.0),
        ssim=ssim,
        ssim_minmax=ssim_minmax,
    )


def absolute_psnr(image: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """The absolute PSNR alone, in dB, where the others would take too long; see `compare`.

    Parameters
    ----------
    image, truth : array_like, (H, W)

    Raises
    ------
    ReconError
        As `compare`.
    """
    return _psnr(*_images(image, truth), 1.0)


def affine_fit(image: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[float, float]:
    """Gain and offset for which gain * image + offset is closest to the truth in the mean square.

    Parameters
    ----------
    image, truth : array_like
        Of one shape; finite.

    Returns
    -------
    tuple of float
        Gain and offset; gain 0 and the truth's mean for a constant image.
    """
    x, y = np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    centred = x - x.mean()
    variance = float(np.vdot(centred, centred))
    # A constant image may keep rounding errors of its mean; a gain must not be made of those.
    if variance <= x.size * (1e-12 * max(abs(float(x.mean())), 1e-300)) ** 2:
        return 0.0, float(y.mean())
    gain = float(np.vdot(centred, y)) / variance
    return gain, float(y.mean()) - gain * float(x.mean())


def _images(image: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Both as finite images of one shape."""
    estimate, reference = _image(image, "image"), _image(truth, "truth")
    if estimate.shape != reference.shape:
        raise ReconError(
            f"expected an image of the truth's shape {reference.shape}, got {estimate.shape}; bring both to one grid"
        )
    return estimate, reference


def _image(values: npt.ArrayLike, name: str) -> Floats:
    """A finite two-dimensional image as float64."""
    array = np.asarray(real_array(values, f"the {name}"), dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ReconError(f"expected the {name} as (rows, columns), got shape {array.shape}; give one image")
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise ReconError(
            f"expected the {name} to be finite, got {counted(bad, 'pixel')} of NaN or infinity; mask or mend them"
        )
    return array


def _psnr(image: Floats, truth: Floats, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB."""
    if data_range == 0 or not math.isfinite(data_range):
        return math.nan
    error = image - truth
    mse = float(np.vdot(error, error)) / error.size
    return math.inf if mse == 0 else 10 * math.log10(data_range**2 / mse)


def _minmax(image: Floats, low: float, span: float) -> Floats:
    """Scale to [0, 1] by the image's own range, by (low, span) if it has none."""
    own_low, own_span = float(image.min()), float(np.ptp(image))
    if own_span == 0:
        own_low, own_span = low, span
    return (image - own_low) / own_span if own_span > 0 else np.full_like(image, np.nan)


def ssim_window(shape: tuple[int, ...]) -> int | None:
    """Side of the windows of SSIM: 7 pixels, fewer in a small image, None below 3."""
    window = min(_SSIM_WINDOW, *(side - (side + 1) % 2 for side in shape))
    return window if window >= 3 else None


def ssim_map(image: Floats, truth: Floats, window: int) -> Floats:
    """Structural similarity at each pixel for data range 1, right where a window fits; (H, W)."""
    from skimage.metrics import structural_similarity

    found: Floats = structural_similarity(truth, image, data_range=1.0, win_size=window, full=True)[1]
    return found


def _ssim(image: Floats, truth: Floats) -> float:
    """Mean structural similarity for data range 1."""
    from skimage.metrics import structural_similarity

    window = ssim_window(image.shape)
    if window is None or not np.isfinite(image[0, 0]) or not np.isfinite(truth[0, 0]):
        return math.nan
    return float(structural_similarity(truth, image, data_range=1.0, win_size=window))
