"""Rows of pictures with titles, on one matplotlib figure: the parts of panels.

All tiles have one size, in inches; the figure grows with their number. A detail of a large image is magnified in a
corner, pixel by pixel, for what a scan of few samples measures cannot be seen in a reduced picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import numpy as np

from stemscan.files.writing import write_file
from stemscan.recon.pictures.colours import INK, QUIET
from stemscan.recon.pictures.scale_bar import scale_bar
from stemscan.types import RGB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

__all__ = [
    "DPI",
    "SMALL",
    "Layout",
    "Tile",
    "add_frame",
    "add_legend",
    "add_scale_bar",
    "detail",
    "draw_rows",
    "inches_from",
    "save_figure",
]

DPI: Final = 150
_GAP, _MARGIN, _LABEL = 0.10, 0.12, 0.26
_BELOW: Final = 0.11  # from a tile to the middle of what is written below it
_LEAST_MAGNIFIED: Final = 1.5
_INSET_SHARE: Final = 0.512
_FLATTEST: Final = 25
_EDGE: Final = "#b0b0b0"
SMALL: Final = 7.5
"""Points of what is written below tiles."""


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

    def figure(self, lengths: Sequence[int]) -> tuple[Figure, list[list[Axes]]]:
        """A figure with axes for so many tiles in each row."""
        from matplotlib.figure import Figure

        numbers = [[row * self.columns + column for column in range(n)] for row, n in enumerate(lengths)]
        mosaic = [line for row in numbers for line in ([], row)]
        width, height = self.size
        figure = Figure(figsize=self.size, dpi=DPI, facecolor="white")
        axes = figure.subplot_mosaic(
            [[*line, *[-1] * (self.columns - len(line))] for line in mosaic],
            empty_sentinel=-1,
            height_ratios=[side for head in self.heads for side in (head, self.height)],
            gridspec_kw={
                "left": (_MARGIN + _LABEL) / width,
                "right": 1 - _MARGIN / width,
                "top": 1 - self.top / height,
                "bottom": self.bottom / height,
                "wspace": _GAP / self.width,
                "hspace": 0,
            },
        )
        return figure, [[axes[number] for number in row] for row in numbers]


def detail(shape: tuple[int, ...], side: int, *, square: bool = False) -> tuple[slice, slice]:
    """Rows and columns of the part of an image that is shown magnified, at the upper left.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image (more are ignored).
    side : int
        The longer side of the part, in pixels; less where the image is smaller.
    square : bool
        True if both sides are that long; else the part is as oblong as the image, up to 2 : 1.
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
    labels : sequence of str
        Written upright at the left of each row, if there is room.
    inset : int or None
        Side in pixels of the detail that is magnified in the lower right corner; None for none.
    size : float
        Of titles, in points.

    Returns
    -------
    list of list of Axes
        Of the tiles.
    """
    figure, drawn = layout.figure([len(row) for row in rows])
    for row, axes, label in zip(rows, drawn, labels, strict=True):
        if axes and layout.height > 0.009 * size * len(label):
            box = axes[0].get_position()
            at = (_MARGIN + 0.4 * _LABEL) / layout.size[0], (box.y0 + box.y1) / 2
            figure.text(*at, label, rotation=90, va="center", ha="center", color=QUIET, size=size)
        for tile, ax in zip(row, axes, strict=True):
            _draw_tile(ax, tile, inset, size)
    return figure, drawn


def add_frame(ax: Axes, shape: tuple[int, int], side: int) -> None:
    """Mark the detail of that many pixels on a tile of an image of that shape."""
    from matplotlib.patches import Rectangle

    rows, columns = detail(shape, side)
    if max(shape) > side:
        corner = columns.start - 0.5, rows.start - 0.5
        wide, high = columns.stop - columns.start, rows.stop - rows.start
        ax.add_patch(Rectangle(corner, wide, high, fill=False, edgecolor="white", lw=0.8))


def inches_from(ax: Axes) -> Transform:
    """Coordinates in inches from the lower left corner of axes."""
    from matplotlib.transforms import BboxTransformTo, ScaledTranslation

    return _figure_of(ax).dpi_scale_trans + ScaledTranslation(0, 0, BboxTransformTo(ax.bbox))


def add_scale_bar(ax: Axes, columns: int, pixel_size_nm: float | None) -> None:
    """Draw a scale bar below a tile that shows that many columns of pixels."""
    from matplotlib.lines import Line2D

    bar, inches = scale_bar(columns, pixel_size_nm), inches_from(ax)
    long = bar.pixels / columns * _sides(ax)[0]
    ends, middle = (0, long), (-_BELOW, -_BELOW)
    line = Line2D(ends, middle, lw=2.5, color=INK, solid_capstyle="butt", transform=inches, clip_on=False)
    ax.add_artist(line)
    ax.text(long + 0.06, -_BELOW, bar.label, transform=inches, va="center_baseline", color=INK, size=SMALL)


def add_legend(ax: Axes, entries: Sequence[tuple[str, Any]]) -> None:
    """Write squares of colour and their meaning below a tile, side by side."""
    from matplotlib.patches import Patch

    shades = [tuple(part / 255 for part in colour) for _, colour in entries]
    ax.legend(
        handles=[Patch(facecolor=shade, edgecolor=INK, lw=0.4) for shade in shades],
        labels=[label for label, _ in entries],
        loc="center left",
        bbox_to_anchor=(0, -_BELOW),
        bbox_transform=inches_from(ax),
        ncols=len(entries),
        fontsize=SMALL,
        labelcolor=INK,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.05,
        handleheight=1.05,
        handletextpad=0.5,
        columnspacing=1.2,
    )


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a figure as a PNG, whole or not at all; raises as `stemscan.files.writing.write_file`."""
    write_file(Path(path), lambda temporary: figure.savefig(temporary, format="png"), overwrite=overwrite)


def _figure_of(ax: Axes) -> Figure:
    """The figure that axes stand in."""
    return cast("Figure", ax.figure)


def _sides(ax: Axes) -> tuple[float, float]:
    """Width and height of axes, in inches."""
    box, figure = ax.get_position(), _figure_of(ax)
    return box.width * figure.get_figwidth(), box.height * figure.get_figheight()


def _draw_tile(ax: Axes, tile: Tile, inset: int | None, size: float) -> None:
    """One picture without ticks, its titles, its detail."""
    _show(ax, tile.rgb)
    if tile.subtitle:
        ax.set_title(tile.subtitle, loc="left", fontsize=0.85 * size, color=QUIET, pad=2.5)
        above = ax.annotate(tile.title, (0, 1), (0, 2.5 + 1.25 * size), "axes fraction", "offset points")
        above.set(fontsize=size, fontweight="bold", color=INK, va="baseline")
    elif tile.title:
        ax.set_title(tile.title, loc="left", fontsize=size, fontweight="bold", color=INK, pad=2.5)
    if inset is None:
        return
    part = detail(tile.rgb.shape, inset, square=True)
    width, height = _sides(ax)
    side = _INSET_SHARE * min(width, height)
    if _is_magnified(tile.rgb.shape, part, side / width):
        corner = ax.inset_axes((1 - side / width, 0, side / width, side / height))
        _show(corner, tile.rgb[part], frame="white")


def _is_magnified(shape: tuple[int, ...], part: tuple[slice, slice], share: float) -> bool:
    """Tell whether a part of an image, in a corner that takes a share of the width, shows more than the image."""
    rows, columns = (side.stop - side.start for side in part)
    return bool(share * shape[1] / max(rows, columns) >= _LEAST_MAGNIFIED)


def _show(ax: Axes, rgb: RGB, frame: str = _EDGE) -> None:
    """An image in its axes, a very flat one stretched; reduced by averaging colours, magnified without blurring."""
    rows, columns = rgb.shape[:2]
    reduced = _reduce(rgb, max(1, int(columns / max(_sides(ax)[0] * DPI, 1.0))))
    aspect: Literal["equal", "auto"] = "equal" if 1 / _FLATTEST < rows / columns < _FLATTEST else "auto"
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    ax.imshow(reduced, extent=extent, aspect=aspect, interpolation="antialiased", interpolation_stage="rgba")
    ax.set_anchor("NW")
    ax.apply_aspect()
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(edgecolor=frame, linewidth=1.0 if frame != _EDGE else 0.4)


def _reduce(rgb: RGB, factor: int) -> RGB:
    """Average blocks of pixels, as far as they are whole; matplotlib does the rest, but slowly."""
    factor = min(factor, *rgb.shape[:2])
    if factor == 1:
        return rgb
    rows, columns = (side // factor for side in rgb.shape[:2])
    blocks = rgb[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    reduced: RGB = blocks.mean(axis=(1, 3), dtype=np.float32).round().astype(np.uint8)
    return reduced
