"""Figures of an image, summed tile by tile: its range, mean deviation, and likeness to a truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stemscan.recon.metrics import Metrics, ssim_window
from stemscan.types import Image

__all__ = ["Totals", "likeness", "summed"]


def summed(maps: Mapping[str, Image]) -> dict[str, float]:
    """Figures of the maps of a core: sum, least and largest value of each."""
    found: dict[str, float] = {}
    for name, values in maps.items():
        found |= {
            f"{name}_sum": float(values.sum(dtype=np.float64)),
            f"{name}_least": float(values.min()),
            f"{name}_largest": float(values.max()),
        }
    return {**found, "pixels": maps["image"].size}


def likeness(image: Image, truth: Image) -> dict[str, float]:
    """Sums of products of an image and the truth, and the truth's range."""
    x, y = image.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
    return {
        "error": float(np.vdot(x - y, x - y)),
        "truth_sum": float(y.sum()),
        "image_square": float(np.vdot(x, x)),
        "truth_square": float(np.vdot(y, y)),
        "product": float(np.vdot(x, y)),
        "truth_least": float(y.min()),
        "truth_largest": float(y.max()),
    }


class Totals:
    """Figures of all tiles."""

    def __init__(self, figures: Iterable[Mapping[str, Any]]) -> None:
        self._sums: dict[str, float] = {}
        for one in figures:
            for name, value in one.items():
                known = self._sums.get(name)
                if known is None:
                    self._sums[name] = value
                elif name.endswith("_least"):
                    self._sums[name] = min(known, value)
                elif name.endswith("_largest"):
                    self._sums[name] = max(known, value)
                else:
                    self._sums[name] = known + value

    def __getitem__(self, name: str) -> float:
        return self._sums[name]

    def mean(self, name: str) -> float:
        """Mean of a map."""
        return self[f"{name}_sum"] / self["pixels"]

    def scales(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Least value and range of image and truth, by which each is brought to 0 to 1."""
        truth = self["truth_least"], self["truth_largest"] - self["truth_least"]
        own = self["image_least"], self["image_largest"] - self["image_least"]
        return (own if own[1] > 0 else truth), truth

    def metrics(self, shape: tuple[int, int], scaled_ssim: float) -> Metrics:
        """Likeness of the whole image, from the sums and the SSIM after min-max."""
        number = self["pixels"]
        mean, mean_truth = self["image_sum"] / number, self["truth_sum"] / number
        variance = self["image_square"] / number - mean**2
        variance_truth = self["truth_square"] / number - mean_truth**2
        covariance = self["product"] / number - mean * mean_truth
        explained = covariance**2 / variance if variance > 1e-24 * max(mean**2, 1e-300) else 0.0
        (low, span), (low_truth, span_truth) = self.scales()
        window = ssim_window(shape)
        inner = math.nan if window is None else math.prod(side - window + 1 for side in shape)
        scaled = _scaled_error(
            (variance, mean - low, span), (variance_truth, mean_truth - low_truth, span_truth), covariance
        )
        return Metrics(
            psnr=_psnr(self["error"] / number, 1.0),
            psnr_affine=_psnr(max(variance_truth - explained, 0.0), span_truth),
            psnr_minmax=math.nan if span_truth == 0 else _psnr(scaled, 1.0),
            ssim=self["ssim"] / inner,
            ssim_minmax=scaled_ssim / inner,
        )


def _scaled_error(image: tuple[float, float, float], truth: tuple[float, float, float], covariance: float) -> float:
    """Mean square of x / a - y / b, each given by variance, mean and divisor."""
    (variance, mean, a), (variance_truth, mean_truth, b) = image, truth
    if not (a > 0 and b > 0):
        return math.nan
    apart = mean / a - mean_truth / b
    return max(variance / a**2 + variance_truth / b**2 - 2 * covariance / (a * b), 0.0) + apart**2


def _psnr(error: float, span: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean square error."""
    if span == 0 or not math.isfinite(span) or math.isnan(error):
        return math.nan
    return math.inf if error == 0 else 10 * math.log10(span**2 / error)
