"""Rows of figures: one image by one method, and means over images as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stemscan.recon.metrics import compare
from stemscan.recon.reconstruction import Reconstruction

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One image, reconstructed by one method; NaN for what the method does not give."""

    image: str
    noise: str
    method: str
    psnr: float
    psnr_affine: float
    psnr_minmax: float
    ssim: float
    ssim_minmax: float
    within_1_sd: float
    within_2_sd: float
    seconds: float


def row_of(image: str, noise: str, done: Reconstruction, truth: Image) -> Row:
    """Measure a reconstruction against the truth."""
    metrics = compare(done.image, truth)
    within = (float("nan"), float("nan"))
    if done.std is not None:
        error = np.abs(done.image - truth)
        within = (float((error <= done.std).mean()), float((error <= 2 * done.std).mean()))
    return Row(
        image,
        noise,
        done.method,
        metrics.psnr,
        metrics.psnr_affine,
        metrics.psnr_minmax,
        metrics.ssim,
        metrics.ssim_minmax,
        *within,
        done.seconds,
    )


def markdown(rows: Sequence[Row]) -> str:
    """Means over the images for each kind of noise and method."""
    lines = []
    for noise in dict.fromkeys(row.noise for row in rows):
        chosen = [row for row in rows if row.noise == noise]
        images = len({row.image for row in chosen})
        lines += [f"### {noise}: mean over {images} images", ""]
        lines += ["| method | absolute | affine | min-max | SSIM | within 1 sd | within 2 sd | s |"]
        lines += ["|---|---|---|---|---|---|---|---|"]
        for method in dict.fromkeys(row.method for row in chosen):
            these = [row for row in chosen if row.method == method]
            names = ("psnr", "psnr_affine", "psnr_minmax", "ssim", "within_1_sd", "within_2_sd", "seconds")
            means = [float(np.mean([getattr(row, name) for row in these])) for name in names]
            formats = ("{:.2f}", "{:.2f}", "{:.2f}", "{:.3f}", "{:.1%}", "{:.1%}", "{:.2f}")
            cells = ["" if np.isnan(mean) else form.format(mean) for form, mean in zip(formats, means, strict=True)]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)
