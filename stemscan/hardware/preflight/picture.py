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

_MOST_POINTS: Final = 20_000
_MOST_EXPANDED: Final = 4_000_000
_WINDOW: Final = 128  # pixels of the corner in which single moves can be told apart
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

    figure = Figure(figsize=(18, 9), layout="constrained")
    axes = figure.subplots(2, 3)
    _draw_path(axes[0, 0], program, program.plan.shape, "path, coloured by time")
    corner = (min(program.plan.shape[0], _WINDOW), min(program.plan.shape[1], _WINDOW))
    _draw_path(axes[0, 1], program, corner, f"the same, top left {corner[0]} x {corner[1]} pixels")
    _draw_jumps(axes[1, 2], report)
    if report.maps is None:
        for axis in (axes[0, 2], axes[1, 0], axes[1, 1]):
            axis.set_axis_off()
    else:
        _draw_visits(axes[1, 0], report.maps.visits)
        _draw_least(axes[0, 2], report.maps.apart, "revisit distance: to the nearest of the 8 samples before", "px")
        since = report.maps.since / np.float32(1000)
        _draw_least(axes[1, 1], since, "shortest time since a pixel within 2 px was visited", "us")
    seen = "" if report.examined == report.samples else f", maps of the first {report.examined}"
    figure.suptitle(f"{counted(report.samples, 'sample')} on {report.profile}{seen}: {report.verdict}")
    write_file(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110), overwrite=overwrite)


def _draw_path(axis: Any, program: Program, window: tuple[int, int], title: str) -> None:
    """The first pass inside a window: samples, every so manieth where there are too many, and moves between them.

    A line is a move of the beam: there is none between samples between which it was elsewhere.
    """
    first = program.path.positions(0, min(program.plan.samples_per_pass, _MOST_EXPANDED))
    number = np.flatnonzero((first[:, 0] < window[0]) & (first[:, 1] < window[1]))
    every = -(-len(number) // _MOST_POINTS)
    shown = number[:: max(every, 1)]
    if every <= 1:
        moved = np.insert(first[shown].astype(np.float64), np.flatnonzero(np.diff(shown) > 1) + 1, np.nan, axis=0)
        axis.plot(moved[:, 1], moved[:, 0], "-", color="0.6", linewidth=0.4, zorder=1)
    size = 2 if max(window) > _WINDOW else 9
    dots = axis.scatter(first[shown, 1], first[shown, 0], c=shown, s=size, cmap="viridis", zorder=2)
    axis.figure.colorbar(dots, ax=axis, label="sample of the first pass")
    part = f", one of {every} samples" if every > 1 else ""
    axis.set(xlim=(-1, window[1]), ylim=(window[0], -1), aspect="equal", title=title + part)


def _draw_jumps(axis: Any, report: Preflight) -> None:
    """Histogram of the jumps' lengths."""
    there = [number for number, count in enumerate(report.jumps) if count] or [0]
    shown = range(there[0], there[-1] + 1)
    axis.bar(
        ["< 1" if number == 0 else f"{2 ** (number - 1)}+" for number in shown],
        [report.jumps[number] for number in shown],
        color="tab:blue",
    )
    axis.set(title=f"jumps: mean {report.mean_jump_px:.3g} px", xlabel="px", ylabel="jumps")


def _draw_visits(axis: Any, visits: npt.NDArray[np.uint32]) -> None:
    """Visits in cells that the eye can tell apart."""
    rows, columns, cell, place = _cells(visits.shape)
    total = np.add.reduceat(np.add.reduceat(visits.astype(np.float64), rows, 0), columns, 1)
    pixels = np.outer(np.diff([*rows, visits.shape[0]]), np.diff([*columns, visits.shape[1]]))
    shown = axis.imshow(total / pixels, cmap="magma", vmin=0, interpolation="nearest", extent=place)
    axis.figure.colorbar(shown, ax=axis, label=f"visits a pixel, means over {cell} x {cell}")
    axis.set_title(f"coverage {np.count_nonzero(visits) / visits.size:.1%}")


def _draw_least(axis: Any, values: npt.NDArray[np.float32], title: str, unit: str) -> None:
    """The least values of cells, on a logarithmic scale; nothing where there are none."""
    from matplotlib.colors import LogNorm

    rows, columns, cell, place = _cells(values.shape)
    least = np.minimum.reduceat(np.minimum.reduceat(values, rows, 0), columns, 1)
    known = least[np.isfinite(least) & (least > 0)]
    axis.set_title(title)
    if not known.size:
        axis.text(0.5, 0.5, "none", ha="center", transform=axis.transAxes)
        axis.set_axis_off()
        return
    norm = LogNorm(max(float(known.min()), 1e-3), max(float(known.max()), 2 * float(known.min()), 2e-3), clip=True)
    shown = axis.imshow(
        np.where(np.isfinite(least), least, np.nan), norm=norm, cmap="cividis", interpolation="nearest", extent=place
    )
    axis.figure.colorbar(shown, ax=axis, label=f"{unit}, least of {cell} x {cell}")


def _cells(shape: tuple[int, ...]) -> tuple[Indices, Indices, int, tuple[float, float, float, float]]:
    """First rows and columns of a map's cells, pixels along a cell, and where the map lies."""
    height, width = shape
    cell = -(-max(height, width) // _CELLS)
    return np.arange(0, height, cell), np.arange(0, width, cell), cell, (-0.5, width - 0.5, height - 0.5, -0.5)
