"""A picture of columns: over the image, with displacements as arrows and those in doubt marked."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.table import ColumnTable
from stemscan.recon.pictures.colours import INK, grey_limits
from stemscan.recon.pictures.scale_bar import scale_bar

__all__ = ["doubtful", "draw_columns", "surely_empty"]

Image = npt.NDArray[Any]

_DPI: Final = 100
_SIDE: Final = 10.0
_MOST_DRAWN: Final = 20_000
_COLOURS: Final = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442")
_DOUBT: Final = "#d55e00"
_SURE: Final = 8.0
_BESIDE: Final = 12.0
_GONE: Final = -5.0


def doubtful(table: ColumnTable) -> npt.NDArray[np.bool_]:
    """Rows in doubt, (n,): hardly there, hardly of their class, beside what may be another column, or empty sites.

    A log-likelihood ratio below 8 against no column, below 1 against another class, or above 12 for a further column
    beside it.
    """
    weak = table.of_kind("column") & (table["llr_absent"] < _SURE)
    mixed = table["llr_class"] < 1.0
    crowded = table["llr_added"] > _BESIDE
    return np.asarray(weak | mixed | crowded | table.of_kind("empty"))


def surely_empty(table: ColumnTable) -> npt.NDArray[np.bool_]:
    """Empty sites, (n,), whose counts are 150 times as likely without a column: a log-likelihood ratio below -5."""
    return np.asarray(table.of_kind("empty") & (table["llr_class"] < _GONE))


def draw_columns(
    table: ColumnTable, image: Image, path: Path, *, over: str = "an image", arrows: float | None = None
) -> None:
    """Draw columns over an image as PNG.

    Parameters
    ----------
    image : ndarray, (H, W)
        Of the same scan.
    path : Path
        Replaced if it is there; `stemscan.files.writing.write_file` writes it whole or not at all.
    over : str
        Name of the image, for the legend.
    arrows : float, optional
        Length of an arrow over its displacement; by default such that the 95th percentile is half a spacing long.
    """
    from matplotlib.figure import Figure

    rows, columns = image.shape
    figure = Figure(
        figsize=(_SIDE * columns / max(rows, columns), _SIDE * rows / max(rows, columns) + 0.9), dpi=_DPI, facecolor="w"
    )
    axes = figure.add_axes((0.0, 0.9 / figure.get_figheight(), 1.0, 1 - 0.9 / figure.get_figheight()))
    low, high = grey_limits(image, None)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    shown = np.arange(min(len(table), _MOST_DRAWN))
    size = _marker_size(table, image.shape)
    for kind in np.unique(table["class"][shown]):
        mine = shown[(table["class"][shown] == kind) & ~table.of_kind("empty")[shown]]
        colour = _COLOURS[int(kind) % len(_COLOURS)]
        axes.scatter(table["col"][mine], table["row"][mine], s=size, facecolors="none", edgecolors=colour, lw=1.0)
    _mark(axes, table, shown, size)
    factor = _arrows(axes, table, shown, arrows)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_axis_off()
    bar = scale_bar(columns, table.pixel_size_nm)
    text = fill(_legend(table, factor, bar.label, over), max(40, int(13 * figure.get_figwidth())))
    figure.text(0.01, 0.45 / figure.get_figheight(), text, color=INK, size=9, va="center")
    axes.plot(
        [0.03 * columns, 0.03 * columns + bar.pixels], [0.97 * rows] * 2, color="white", lw=4, solid_capstyle="butt"
    )
    figure.savefig(path, format="png", dpi=_DPI)


def _marker_size(table: ColumnTable, shape: tuple[int, ...]) -> float:
    """Area in square points of a circle that a column fits into."""
    sigma = table.settings["profiles"][0]["sigma"] if len(table) else 4.0
    return float((2.6 * sigma * _SIDE * 72 / max(shape)) ** 2)


def _mark(axes: Any, table: ColumnTable, shown: npt.NDArray[np.int64], size: float) -> None:
    """Mark rows in doubt by a square, empty sites by a cross, a thin one where it is not sure."""
    doubt, empty, sure = doubtful(table)[shown], table.of_kind("empty")[shown], surely_empty(table)[shown]
    odd, gone, undecided = shown[doubt & ~empty], shown[sure], shown[empty & ~sure]
    axes.scatter(table["col"][odd], table["row"][odd], s=1.6 * size, marker="s", facecolors="none", edgecolors=_DOUBT)
    axes.scatter(table["col"][gone], table["row"][gone], s=size, marker="x", color=_DOUBT, lw=2.0)
    axes.scatter(table["col"][undecided], table["row"][undecided], s=0.3 * size, marker="x", color=_DOUBT, lw=0.7)


def _arrows(axes: Any, table: ColumnTable, shown: npt.NDArray[np.int64], factor: float | None) -> float:
    """Draw displacements that are exceptions more likely than not; the factor by which they are longer."""
    p = table["p_displaced"][shown]
    moved = shown[np.nan_to_num(p) > 0.5]
    if not len(moved):
        return 0.0
    down, right = table["displacement_row"][moved], table["displacement_col"][moved]
    if factor is None:
        spacing = min(np.hypot(*np.array(lattice["basis"]).T).min() for lattice in table.settings["lattices"])
        factor = max(1.0, float(0.5 * spacing / np.quantile(np.hypot(down, right), 0.95)))
    axes.quiver(
        table["site_col"][moved], table["site_row"][moved], factor * right, factor * down,
        angles="xy", scale_units="xy", scale=1.0, color="#f0e442", width=0.002,
    )  # fmt: skip
    return float(factor)


def _legend(table: ColumnTable, factor: float, bar: str, over: str) -> str:
    """Legend of the picture."""
    empty = int(table.of_kind("empty").sum())
    doubt = int(doubtful(table).sum()) - empty
    sure = int(surely_empty(table).sum())
    parts = [f"bar {bar}", f"{len(table) - empty} columns in {len(np.unique(table['class']))} classes (colours)"]
    parts[-1] += f" over {over}"
    parts += [f"{sure} sites surely empty (crosses)", f"{empty - sure} perhaps (small ones)"]
    parts.append(f"{doubt} columns in doubt (squares)")
    if factor:
        parts.append(f"displacements {factor:.3g} times as long")
    return ", ".join(parts) if len(table) else f"no columns: {table.note}"
