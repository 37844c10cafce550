"""A picture of a program: its path coloured by time, coverage, how far and how soon after others pixels are visited."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.files.writing import write_file
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.hardware.preflight.report import Preflight
    from stemscan.hardware.program import Program

__all__ = ["check_name", "draw_flight"]

Indices = npt.NDArray[np.intp]
Window = tuple[tuple[int, int], tuple[int, int]]

_MOST_POINTS: Final = 20_000
_MOST_EXPANDED: Final = 4_000_000
_WINDOW: Final = 128  # pixels along a part of the field in which single moves can be told apart
_MOST_TICKS: Final = 8
_CELLS: Final = 128  # along the longer side of a map


def check_name(path: Path) -> None:
    """Refuse the name of a picture that is not PNG.

    Raises
    ------
    UsageError
        When it does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"expected a picture whose name ends in .png, got {str(path)!r}; name it so")


def draw_flight(program: Program, report: Preflight, path: Path, *, overwrite: bool = False) -> None:
    """Draw a program as PNG.

    Parameters
    ----------
    report : Preflight
        Of the program.
    path : Path
        Ends in .png.
    overwrite : bool
        True if a file that is there may be replaced.

    Raises
    ------
    UsageError
        When the name does not end in .png.
    OutputExistsError, InputNotFoundError
        As `stemscan.files.writing.write_file`.
    """
    check_name(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16.5, 9.6), layout="constrained")
    axes = figure.subplots(2, 3)
    shape, window = program.plan.shape, _window(program)
    (top, bottom), (left, right) = window
    _draw_path(axes[0, 0], program, ((0, shape[0]), (0, shape[1])), "path, coloured by time")
    where = "" if (bottom - top, right - left) == tuple(shape) else f", {bottom - top} x {right - left} pixels of it"
    _draw_path(axes[0, 1], program, window, f"path{where}")
    _draw_jumps(axes[1, 2], report)
    if report.maps is None:
        for axis in (axes[0, 2], axes[1, 0], axes[1, 1]):
            axis.set_axis_off()
    else:
        _draw_visits(axes[1, 0], report.maps.visits, window, where)
        _draw_least(axes[0, 2], report.maps.apart, "distance to the nearest of the 8 samples before", "px")
        seconds = report.maps.since * np.float32(1e-9)
        _draw_least(axes[1, 1], seconds, "shortest time since a pixel within 2 px was visited", "s")
    for axis in axes.flat[:5]:
        axis.set(xlabel="column [px]", ylabel="row [px]")
        axis.title.set_fontsize(11)
    seen = "" if report.examined == report.samples else f", maps of the first {report.examined:,}"
    figure.suptitle(f"{counted(report.samples, 'sample')} on {report.profile}{seen}: {report.verdict}")
    write_file(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110), overwrite=overwrite)


def _window(program: Program) -> Window:
    """Rows and columns about the middle of what the first pass visits, in which single moves can be told apart."""
    first = program.path.positions(0, min(program.plan.samples_per_pass, _MOST_EXPANDED))
    middle = (first.min(axis=0) + first.max(axis=0)) // 2
    sides = []
    for centre, length in zip(middle.tolist(), program.plan.shape, strict=True):
        start = min(max(centre - _WINDOW // 2, 0), max(length - _WINDOW, 0))
        sides.append((start, min(start + _WINDOW, length)))
    return sides[0], sides[1]


def _draw_path(axis: Any, program: Program, window: Window, title: str) -> None:
    """The first pass inside a window: samples, every so manieth where there are too many, and moves between them.

    A line is a move of the beam: there is none between samples between which it was elsewhere.
    """
    from matplotlib.ticker import StrMethodFormatter

    (top, bottom), (left, right) = window
    first = program.path.positions(0, min(program.plan.samples_per_pass, _MOST_EXPANDED))
    rows, columns = first.T
    number = np.flatnonzero((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right))
    every = -(-len(number) // _MOST_POINTS)
    shown = number[:: max(every, 1)]
    if every <= 1:
        moved = np.insert(first[shown].astype(np.float64), np.flatnonzero(np.diff(shown) > 1) + 1, np.nan, axis=0)
        axis.plot(moved[:, 1], moved[:, 0], "-", color="0.6", linewidth=0.4, zorder=1)
    size = 2 if max(bottom - top, right - left) > _WINDOW else 9
    dots = axis.scatter(first[shown, 1], first[shown, 0], c=shown, s=size, cmap="viridis", zorder=2)
    axis.figure.colorbar(dots, ax=axis, label="sample of the first pass", format=StrMethodFormatter("{x:,.0f}"))
    part = f", one of {every} samples" if every > 1 else ""
    axis.set(xlim=(left - 1, right), ylim=(bottom, top - 1), aspect="equal", title=title + part)


def _draw_jumps(axis: Any, report: Preflight) -> None:
    """Histogram of the jumps' lengths: bars from each power of two to the next, those below 1 px at the left."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    there = [number for number, count in enumerate(report.jumps) if count] or [0]
    shown = range(there[0], there[-1] + 1)
    edges = [2.0 ** (number - 1) for number in (*shown, shown[-1] + 1)]
    axis.bar(edges[:-1], [report.jumps[number] for number in shown], np.diff(edges), align="edge", edgecolor="white")
    axis.set(xscale="log", title=f"jumps: mean {report.mean_jump_px:.3g} px")
    axis.set(xlabel="length [px]", ylabel="number of jumps")
    if any(report.jumps):
        axis.set(yscale="log", ylim=(0.7, None))
    ticks = edges[:: 1 + len(edges) // _MOST_TICKS]
    axis.xaxis.set_major_locator(FixedLocator(ticks))
    axis.xaxis.set_major_formatter(lambda edge, _: "0" if edge < 1 else f"{edge:,.0f}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _draw_visits(axis: Any, visits: npt.NDArray[np.uint32], window: Window, where: str) -> None:
    """Visits of single pixels inside a window, and the share of all pixels that are visited."""
    from matplotlib.colors import BoundaryNorm

    (top, bottom), (left, right) = window
    part = visits[top:bottom, left:right]
    most = max(int(part.max()), 1)
    steps = np.arange(most + 2) - 0.5 if most <= _MOST_TICKS else None
    norm = {"norm": BoundaryNorm(steps, 256)} if steps is not None else {"vmin": 0}
    place = (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5)
    shown = axis.imshow(part, cmap="magma", interpolation="nearest", extent=place, **norm)
    ticks = range(most + 1) if steps is not None else None
    axis.figure.colorbar(shown, ax=axis, label="visits of a pixel", ticks=ticks)
    axis.set_title(f"coverage {np.count_nonzero(visits) / visits.size:.2%}{where}")


def _draw_least(axis: Any, values: npt.NDArray[np.float32], title: str, unit: str) -> None:
    """The least values of cells, on a logarithmic scale; nothing where there are none."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import EngFormatter, LogLocator

    rows, columns, cell, place = _cells(values.shape)
    least = np.minimum.reduceat(np.minimum.reduceat(values, rows, 0), columns, 1)
    known = least[np.isfinite(least) & (least > 0)]
    axis.set_title(title)
    if not known.size:
        axis.text(0.5, 0.5, "none", ha="center", transform=axis.transAxes)
        axis.set_axis_off()
        return
    low = float(known.min())
    decades = np.log10(max(float(known.max()) / low, 2))
    norm = LogNorm(low, max(float(known.max()), 2 * low), clip=True)
    shown = axis.imshow(
        np.where(np.isfinite(least), least, np.nan), norm=norm, cmap="cividis", interpolation="nearest", extent=place
    )
    ticks = LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,))
    bar = axis.figure.colorbar(shown, ax=axis, label=f"least of {cell} x {cell} pixels", ticks=ticks)
    bar.minorticks_off()
    bar.formatter = EngFormatter(unit)
    bar.update_ticks()


def _cells(shape: tuple[int, ...]) -> tuple[Indices, Indices, int, tuple[float, float, float, float]]:
    """First rows and columns of a map's cells, pixels along a cell, and where the map lies."""
    height, width = shape
    cell = -(-max(height, width) // _CELLS)
    return np.arange(0, height, cell), np.arange(0, width, cell), cell, (-0.5, width - 0.5, height - 0.5, -0.5)
