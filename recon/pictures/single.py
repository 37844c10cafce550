"""A PNG of one image: a whole number of picture pixels per image pixel, and a strip with scale bar and grey limits.

Nothing is drawn over the image, so it can be measured in the picture. Drawn with matplotlib's objects on an Agg canvas:
no global state, no window, no style file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.pictures.colours import INK, QUIET, grey_limits, to_rgb
from stemscan.recon.pictures.scale_bar import scale_bar

__all__ = ["draw_picture"]

_DPI: Final = 100
_SMALLEST: Final = 512
_NARROWEST: Final = 420


def draw_picture(
    image: npt.NDArray[Any],
    path: Path | BinaryIO,
    *,
    pixel_size_nm: float | None = None,
    visited: npt.NDArray[np.bool_] | None = None,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write a PNG of one image with a strip of captions below.

    Parameters
    ----------
    image : ndarray, (H, W)
        Finite. Small images are magnified by a whole number.
    path : Path or file opened for writing bytes
        Replaced if it is there; `stemscan.files.writing.write_file` writes it whole or not at all.
    pixel_size_nm : float, optional
        For the scale bar, which is in pixels without it.
    visited : ndarray of bool, (H, W), optional
        Pixels where this is false get a colour of their own: for pictures of frames.
    text : mapping, optional
        PNG text chunks.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, columns = image.shape
    zoom = max(1, -(-_SMALLEST // max(rows, columns)))
    limits = grey_limits(image, visited)
    rgb = np.repeat(np.repeat(to_rgb(image, limits, visited), zoom, axis=0), zoom, axis=1)
    width, strip = max(columns * zoom, _NARROWEST), max(36, columns * zoom // 24)
    height = rows * zoom + strip
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    figure.figimage(rgb, xo=(width - columns * zoom) // 2, yo=strip, origin="upper")
    size, middle, margin = 0.42 * strip * 72 / _DPI, 0.46 * strip / height, 0.3 * strip
    bar, thick = scale_bar(columns, pixel_size_nm), max(4.0, 0.14 * strip)
    corner = margin / width, middle - 0.5 * thick / height
    figure.add_artist(Rectangle(corner, bar.pixels * zoom / width, thick / height, color=INK, lw=0))
    right = (margin + bar.pixels * zoom + 0.2 * strip) / width
    figure.text(right, middle, bar.label, va="center", color=INK, size=size)
    said = f"grey {limits[0]:.3g} to {limits[1]:.3g} (0.1 to 99.9 %)"
    figure.text(1 - margin / width, middle, said, va="center", ha="right", color=QUIET, size=0.8 * size)
    figure.savefig(path, format="png", dpi=_DPI, metadata=dict(text or {}))
