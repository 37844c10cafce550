"""A picture of a program: its path coloured by time, how often pixels are visited, and how soon neighbours are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.errors import UsageError
from stemscan.files import write_file

if TYPE_CHECKING:
    from stemscan.preflight.report import Maps, Preflight
    from stemscan.program import Program

__all__ = ["check_name", "draw_flight"]

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
    program : Program
    report : Preflight
        Of the program.
    path : Path
        Ends in .png.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    UsageError
        When the name does not end in .png.
    OutputExistsError, InputNotFoundError
        As `stemscan.files.write_file`.
    """
    check_name(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), layout="constrained")
    axes = figure.subplots(2, 2)
    _draw_path(axes[0, 0], program, program.plan.shape, "path, coloured by time")
    corner = (min(program.plan.shape[0], _WINDOW), min(program.plan.shape[1], _WINDOW))
    _draw_path(axes[0, 1], program, corner, f"the same, top left {corner[0]} x {corner[1]} pixels")
    if report.maps is None:
        for axis in axes[1]:
            axis.set_axis_off()
    else:
        _draw_maps(axes[1], report.maps)
    seen = "" if report.examined == report.samples else f", maps of the first {report.examined}"
    figure.suptitle(f"{report.samples} samples on {report.profile}{seen}: {report.verdict}")
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


def _draw_maps(axes: Any, maps: Maps) -> None:
    """Visits, and the shortest times since a neighbour was visited, in cells that the eye can tell apart."""
    height, width = maps.visits.shape
    cell = -(-max(height, width) // _CELLS)
    place = (-0.5, width - 0.5, height - 0.5, -0.5)
    rows, columns = np.arange(0, height, cell), np.arange(0, width, cell)
    total = np.add.reduceat(np.add.reduceat(maps.visits.astype(np.float64), rows, 0), columns, 1)
    pixels = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    visits = axes[0].imshow(total / pixels, cmap="magma", vmin=0, interpolation="nearest", extent=place)
    axes[0].figure.colorbar(visits, ax=axes[0], label=f"visits a pixel, means over {cell} x {cell}")
    axes[0].set_title(f"coverage {np.count_nonzero(maps.visits) / maps.visits.size:.1%}")
    since = np.minimum.reduceat(np.minimum.reduceat(maps.since, rows, 0), columns, 1) / 1000
    known = since[np.isfinite(since)]
    axes[1].set_title("shortest time since a pixel within 2 px was visited")
    if not known.size:
        axes[1].text(0.5, 0.5, "no pixel has a neighbour that is visited", ha="center", transform=axes[1].transAxes)
        axes[1].set_axis_off()
        return
    from matplotlib.colors import LogNorm

    norm = LogNorm(max(float(known.min()), 1e-3), max(float(known.max()), 2e-3))
    shown = np.where(np.isfinite(since), since, np.nan)
    times = axes[1].imshow(shown, norm=norm, cmap="cividis", interpolation="nearest", extent=place)
    axes[1].figure.colorbar(times, ax=axes[1], label=f"us, least of {cell} x {cell}")
