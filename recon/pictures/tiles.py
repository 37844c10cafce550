"""Rows of pictures with titles, on one matplotlib figure: what panels and contact sheets are made of.

All tiles have one size, in inches; the figure grows with their number. A detail of a large image is magnified in a
corner, pixel by pixel, for what a scan of few samples measures cannot be seen in a reduced picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.files.writing import write_file
from stemscan.recon.pictures.colours import INK, QUIET
from stemscan.recon.pictures.scale_bar import scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DPI", "Layout", "Tile", "add_legend", "add_scale_bar", "detail", "draw_rows", "save_figure"]

DPI: Final = 150
_GAP, _MARGIN, _LABEL = 0.10, 0.12, 0.26
_LEAST_MAGNIFIED: Final = 1.5
_INSET_SHARE: Final = 0.512
_FLATTEST: Final = 25
_EDGE: Final = "#b0b0b0"

RGB = npt.NDArray[np.uint8]


class Tile(NamedTuple):
    """One picture, the line above it and a smaller one below that."""

    rgb: RGB
    title: str = ""
    subtitle: str = ""


@dataclass(frozen=True)
class Layout:
    """Sizes of a figure of tiles, in inches.

    Attributes
    ----------
    columns : int
        Tiles a row.
    width : float
        Of a tile.
    height : float
        Of a tile.
    heads : tuple of float
        Room above each row for titles.
    top, bottom : float
        Room above and below everything.
    """

    columns: int
    width: float
    height: float
    heads: tuple[float, ...]
    top: float = 0.3
    bottom: float = 0.1

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the figure."""
        width = _MARGIN * 2 + _LABEL + self.columns * self.width + (self.columns - 1) * _GAP
        return width, self.top + sum(self.heads) + len(self.heads) * self.height + self.bottom

    def place(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a tile, as shares of the figure."""
        width, height = self.size
        left = _MARGIN + _LABEL + column * (self.width + _GAP)
        down = self.top + sum(self.heads[: row + 1]) + (row + 1) * self.height
        return left / width, 1 - down / height, self.width / width, self.height / height


def detail(shape: tuple[int, ...], side: int, *, square: bool = False) -> tuple[slice, slice]:
    """Rows and columns of the part of an image that is shown magnified, at the upper left.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image (more are ignored).
    side : int
        The longer side of the part, in pixels; less where the image is smaller.
    square : bool
        Whether both sides are that long; else the part is as oblong as the image, up to 2 : 1.

    Returns
    -------
    tuple of slice
    """
    longest = max(shape[:2])
    parts = []
    for length in shape[:2]:
        long = min(length, side if square else max(1, round(side * max(0.5, length / longest))))
        start = int(np.clip(0.22 * length - long / 2, 0, length - long))
        parts.append(slice(start, start + long))
    return parts[0], parts[1]


def draw_rows(
    rows: Sequence[Sequence[Tile]], labels: Sequence[str], layout: Layout, *, inset: int | None, size: float = 8.5
) -> tuple[Figure, list[list[Axes]]]:
    """Draw rows of tiles.

    Parameters
    ----------
    rows : sequence of sequences of Tile
    labels : sequence of str
        Written upright at the left of each row, if there is room.
    layout : Layout
    inset : int or None
        Side in pixels of the detail that is magnified in the lower right corner; None for none.
    size : float
        Of titles, in points.

    Returns
    -------
    Figure
    list of list of Axes
        Of the tiles.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=layout.size, dpi=DPI, facecolor="white")
    drawn: list[list[Axes]] = []
    for index, (row, label) in enumerate(zip(rows, labels, strict=True)):
        axes = [figure.add_axes(layout.place(index, column)) for column in range(len(row))]
        for tile, ax in zip(row, axes, strict=True):
            _draw_tile(figure, ax, tile, inset, size)
        if axes and layout.height > 0.009 * size * len(label):
            _, bottom, _, height = layout.place(index, 0)
            at = (_MARGIN + 0.4 * _LABEL) / layout.size[0]
            figure.text(at, bottom + height / 2, label, rotation=90, va="center", ha="center", color=QUIET, size=size)
        drawn.append(axes)
    return figure, drawn


def add_frame(ax: Axes, shape: tuple[int, int], side: int) -> None:
    """Mark the detail of that many pixels on a tile of an image of that shape."""
    from matplotlib.patches import Rectangle

    rows, columns = detail(shape, side)
    if max(shape) > side:
        corner = columns.start - 0.5, rows.start - 0.5
        wide, high = columns.stop - columns.start, rows.stop - rows.start
        ax.add_patch(Rectangle(corner, wide, high, fill=False, edgecolor="white", lw=0.8))


def add_scale_bar(figure: Figure, ax: Axes, columns: int, pixel_size_nm: float | None, size: float = 7.5) -> None:
    """Draw a scale bar below a tile that shows that many columns of pixels."""
    from matplotlib.patches import Rectangle

    width, height = figure.get_figwidth(), figure.get_figheight()
    box, bar = ax.get_position(), scale_bar(columns, pixel_size_nm)
    long, middle, thick = bar.pixels / columns * box.width, box.y0 - 0.11 / height, 0.035 / height
    figure.add_artist(Rectangle((box.x0, middle - thick / 2), long, thick, color=INK, lw=0))
    figure.text(box.x0 + long + 0.06 / width, middle, bar.label, va="center_baseline", color=INK, size=size)


def add_legend(
    figure: Figure, layout: Layout, row: int, column: int, entries: Sequence[tuple[str, Any]], size: float = 7.5
) -> None:
    """Write squares of colour and their meaning below a tile, side by side."""
    from matplotlib.patches import Rectangle

    width, height = layout.size
    left, bottom, _, _ = layout.place(row, column)
    at, middle, side = left * width, bottom * height - 0.11, 0.11
    for label, colour in entries:
        shade = tuple(part / 255 for part in colour)
        corner = at / width, (middle - side / 2) / height
        figure.add_artist(Rectangle(corner, side / width, side / height, facecolor=shade, edgecolor=INK, lw=0.4))
        figure.text((at + side + 0.05) / width, middle / height, label, va="center_baseline", color=INK, size=size)
        at += side + 0.17 + 0.0115 * size * len(label) * 0.75


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a figure as a PNG, whole or not at all; raises as `stemscan.files.writing.write_file`."""
    write_file(Path(path), lambda temporary: figure.savefig(temporary, format="png"), overwrite=overwrite)


def _draw_tile(figure: Figure, ax: Axes, tile: Tile, inset: int | None, size: float) -> None:
    """One picture without ticks, its titles, its detail."""
    _show(figure, ax, tile.rgb)
    if tile.subtitle:
        ax.set_title(tile.subtitle, loc="left", fontsize=0.85 * size, color=QUIET, pad=2.5)
        above = ax.annotate(tile.title, (0, 1), (0, 2.5 + 1.25 * size), "axes fraction", "offset points")
        above.set(fontsize=size, fontweight="bold", color=INK, va="baseline")
    elif tile.title:
        ax.set_title(tile.title, loc="left", fontsize=size, fontweight="bold", color=INK, pad=2.5)
    if inset is None:
        return
    box = ax.get_position()
    side = _INSET_SHARE * min(box.width * figure.get_figwidth(), box.height * figure.get_figheight())
    part = detail(tile.rgb.shape, inset, square=True)
    if not _is_magnified(tile.rgb.shape, part, side / (box.width * figure.get_figwidth())):
        return
    wide, high = side / figure.get_figwidth(), side / figure.get_figheight()
    corner = figure.add_axes((box.x1 - wide, box.y0, wide, high))
    _show(figure, corner, tile.rgb[part], frame="white")


def _is_magnified(shape: tuple[int, ...], part: tuple[slice, slice], share: float) -> bool:
    """Whether a part of an image, in a corner that takes a share of the width, shows more than the image itself."""
    rows, columns = (side.stop - side.start for side in part)
    return bool(share * shape[1] / max(rows, columns) >= _LEAST_MAGNIFIED)


def _show(figure: Figure, ax: Axes, rgb: RGB, frame: str = _EDGE) -> None:
    """An image in its axes, a very flat one stretched; reduced by averaging colours, magnified without blurring."""
    rows, columns = rgb.shape[:2]
    width = ax.get_position().width * figure.get_figwidth() * DPI
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    reduced = _reduce(rgb, max(1, int(columns / max(width, 1.0))))
    aspect: Literal["equal", "auto"] = "equal" if 1 / _FLATTEST < rows / columns < _FLATTEST else "auto"
    ax.imshow(reduced, extent=extent, aspect=aspect, interpolation="antialiased", interpolation_stage="rgba")
    ax.set_anchor("NW")
    ax.apply_aspect()
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(edgecolor=frame, linewidth=1.0 if frame != _EDGE else 0.4)


def _reduce(rgb: RGB, factor: int) -> RGB:
    """Average blocks of pixels, as far as they are whole; matplotlib does the rest, but slowly."""
    factor = min(factor, *rgb.shape[:2])
    if factor == 1:
        return rgb
    rows, columns = (side // factor for side in rgb.shape[:2])
    blocks = rgb[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    reduced: RGB = blocks.mean(axis=(1, 3), dtype=np.float32).round().astype(np.uint8)
    return reduced
