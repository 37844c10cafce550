"""A PNG of one image: a whole number of picture pixels per image pixel, and a strip with scale bar and grey limits.

Nothing is drawn over the image, so it can be measured in the picture. Where the image was held against its counts, a
map of z stands beside it, with circles around its places. Drawn with matplotlib's objects on an Agg canvas: no global
state, no window, no style file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.recon.pictures.colours import INK, QUIET, grey_limits, signed_colours, to_rgb
from stemscan.recon.pictures.scale_bar import scale_bar
from stemscan.types import RGB

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stemscan.recon.contradiction.contradiction import Contradiction

__all__ = ["draw_picture"]

_DPI: Final = 100
_SMALLEST: Final = 512
_NARROWEST: Final = 420
_NARROWEST_PAIR: Final = 512
_COMPRESSION: Final = 2
"""Takes a third of the usual level's time, and a quarter more bytes."""

_CIRCLE: Final = 2.5
"""Radius of a circle around a contradiction, in widths of the kernel."""


def draw_picture(
    image: npt.NDArray[Any],
    path: Path | BinaryIO,
    *,
    pixel_size_nm: float | None = None,
    visited: npt.NDArray[np.bool_] | None = None,
    checked: Contradiction | None = None,
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
    checked : Contradiction, optional
        Of the image; drawn at its right.
    text : mapping, optional
        PNG text chunks.
    """
    from matplotlib.figure import Figure

    rows, columns = image.shape
    zoom = max(1, -(-_SMALLEST // max(rows, columns)))
    width, strip = (
        max(columns * zoom, _NARROWEST if checked is None else _NARROWEST_PAIR),
        max(36, columns * zoom // 24),
    )
    places = [_Place(width, strip, zoom, rows, columns, number) for number in range(1 + (checked is not None))]
    size = places[-1].right, rows * zoom + strip
    figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI, facecolor="white")
    limits = grey_limits(image, visited)
    places[0].show(figure, to_rgb(image, limits, visited))
    _add_scale_bar(figure, places[0], pixel_size_nm)
    words = f"grey {limits[0]:.3g} to {limits[1]:.3g} (0.1 to 99.9 %)"
    places[0].write(figure, places[0].right - 0.3 * strip, words, ha="right", color=QUIET)
    if checked is not None:
        places[1].show(figure, _score_colours(checked.z, checked.threshold))
        _add_circles(figure, places[1], checked)
        _add_colours(figure, places[1], checked)
    quickly = {"compress_level": _COMPRESSION}
    figure.savefig(path, format="png", dpi=_DPI, metadata=dict(text or {}), pil_kwargs=quickly)


def _score_colours(score: npt.NDArray[Any], limit: float) -> RGB:
    """Colours of z by its square, so that noise is pale; full at the threshold."""
    return signed_colours(score * np.abs(score) / limit, limit)


class _Place(NamedTuple):
    """Where in the figure a picture of the image's size stands; in its pixels."""

    width: int
    strip: int
    zoom: int
    rows: int
    columns: int
    number: int

    @property
    def left(self) -> int:
        return self.number * (self.width + self.strip // 3)

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def corner(self) -> int:
        """Left side of the pixels."""
        return self.left + (self.width - self.columns * self.zoom) // 2

    def show(self, figure: Figure, rgb: RGB) -> None:
        """Put the pixels above the strip."""
        large = np.repeat(np.repeat(rgb, self.zoom, axis=0), self.zoom, axis=1)
        figure.figimage(large, xo=self.corner, yo=self.strip, origin="upper")

    def write(self, figure: Figure, x: float, words: str, *, ha: str = "left", color: str = INK) -> None:
        """Write into the strip."""
        wide, high = figure.get_size_inches() * _DPI
        size = (0.42 if color == INK else 0.336) * self.strip * 72 / _DPI
        figure.text(x / wide, 0.46 * self.strip / high, words, va="center", ha=ha, color=color, size=size)


def _add_scale_bar(figure: Figure, place: _Place, pixel_size_nm: float | None) -> None:
    """A bar of round length at the left of the strip."""
    from matplotlib.patches import Rectangle

    wide, high = figure.get_size_inches() * _DPI
    margin, thick = 0.3 * place.strip, max(4.0, 0.14 * place.strip)
    bar = scale_bar(place.columns, pixel_size_nm)
    corner = (place.left + margin) / wide, (0.46 * place.strip - 0.5 * thick) / high
    figure.add_artist(Rectangle(corner, bar.pixels * place.zoom / wide, thick / high, color=INK, lw=0))
    place.write(figure, place.left + margin + bar.pixels * place.zoom + 0.2 * place.strip, bar.label)


def _add_circles(figure: Figure, place: _Place, checked: Contradiction) -> None:
    """Circles around the places of a map."""
    from matplotlib.patches import Ellipse
    from matplotlib.transforms import Bbox

    wide, high = figure.get_size_inches() * _DPI
    inside = Bbox.from_bounds(place.corner, place.strip, place.columns * place.zoom, place.rows * place.zoom)
    across = 2 * max(_CIRCLE * checked.width * place.zoom, 0.15 * place.strip)
    for row, column, _ in checked.places:
        x = place.corner + (column + 0.5) * place.zoom
        y = place.strip + (place.rows - row - 0.5) * place.zoom
        circle = Ellipse((x / wide, y / high), across / wide, across / high, fill=False, edgecolor=INK)
        circle.set_linewidth(max(0.8, 0.03 * place.strip))
        figure.add_artist(circle)
        circle.set_clip_box(inside)


def _add_colours(figure: Figure, place: _Place, checked: Contradiction) -> None:
    """The colours of z and the number of contradictions in the strip of a map."""
    margin, long, thick = 0.3 * place.strip, 1.6 * place.strip, max(4, round(0.3 * place.strip))
    limit = checked.threshold
    ramp = _score_colours(np.linspace(-limit, limit, round(long))[None, :], limit)
    left = place.left + margin + 1.6 * place.strip
    place.write(figure, left - 0.2 * place.strip, f"z −{limit:.1f}", ha="right", color=QUIET)
    low = round(0.46 * place.strip - thick / 2)
    figure.figimage(np.repeat(ramp, thick, axis=0), xo=round(left), yo=low, origin="upper")
    place.write(figure, left + long + 0.2 * place.strip, f"+{limit:.1f}", color=QUIET)
    place.write(figure, place.right - margin, str(checked), ha="right", color=QUIET)
