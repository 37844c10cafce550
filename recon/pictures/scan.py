"""Picture of an acquisition: where the beam was and when, what it did to the specimen, and what was counted.

Each panel is drawn where the store holds what it shows.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stemscan.errors import ReconError
from stemscan.recon.drift.picture import plot_trajectory
from stemscan.recon.pictures.scan_maps import ScanMaps
from stemscan.recon.pictures.scan_panels import (
    counts_panel,
    current_panel,
    dose_panel,
    field_panel,
    left_panel,
    path_panel,
    statistics_panel,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from stemscan.store.reader import Acquisition

__all__ = ["draw_scan", "panels_of"]

_WINDOW: Final = 64
"""Pixels along the corner in which single moves can be told apart."""

_IN_ORDER: Final = ("positions", "table")
"""Ways of telling imported samples apart that keep their order in time."""

_ACROSS: Final = (3, 4)
"""Panels in a row."""

_WIDE, _HIGH = 6.2, 5.2


def draw_scan(acquisition: Acquisition, path: Path) -> list[str]:
    """Draw an acquisition as PNG, and tell what the panels show.

    Parameters
    ----------
    path : Path
        Of the PNG file.

    Returns
    -------
    list of str
        Names of the panels.

    Raises
    ------
    ReconError
        When the store holds no samples.
    StoreError
        When it is damaged.
    """
    if not acquisition.samples_committed:
        raise ReconError(f"expected samples in {str(acquisition.path)!r}, got none; acquire some first")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = panels_of(acquisition)
    across = min(min(_ACROSS, key=lambda one: -len(panels) % one), len(panels))
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(_WIDE * across, _HIGH * down), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes, draw in zip(grid, panels.values(), strict=False):
        draw(axes)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(f"{acquisition.path.name}: {acquisition.state}, {acquisition.samples_committed:,} samples")
    figure.savefig(path, format="png")
    return list(panels)


def panels_of(acquisition: Acquisition) -> dict[str, Callable[[Any], None]]:
    """Panels that a store has something for, by name: each draws into axes."""
    maps, shape = ScanMaps.of(acquisition), acquisition.shape
    corner = min(shape[0], _WINDOW), min(shape[1], _WINDOW)
    panels: dict[str, Callable[[Any], None]] = {}
    ordered = acquisition.imported is None or acquisition.imported["record"].get("told apart by") in _IN_ORDER
    if ordered:
        panels["path"] = lambda axes: path_panel(axes, acquisition, shape)
    if ordered and corner != shape:
        panels["corner"] = lambda axes: path_panel(axes, acquisition, corner)
    stored = acquisition.drift
    found = stored.trajectory if stored is not None and stored.current else None
    if found is not None or "truth_trajectory" in acquisition.tracks:
        panels["trajectory"] = lambda axes: plot_trajectory(axes, acquisition, found)
    if acquisition.follow is not None and len(acquisition.follow["passes"]) > 1:
        panels["field"] = lambda axes: field_panel(axes, acquisition)
    panels["counts"] = lambda axes: counts_panel(axes, acquisition, maps)
    panels["dose"] = lambda axes: dose_panel(axes, acquisition, maps)
    if maps.fading is not None:
        panels["damage"] = lambda axes: left_panel(axes, maps, "fading")
    if maps.contamination is not None:
        panels["contamination"] = lambda axes: left_panel(axes, maps, "contamination")
    if "truth_current" in acquisition.tracks:
        panels["current"] = lambda axes: current_panel(axes, acquisition)
    if maps.spread is not None and len(maps.spread.means):
        panels["statistics"] = lambda axes: statistics_panel(axes, maps)
    return panels
