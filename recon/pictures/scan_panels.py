"""Panels of the picture of an acquisition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from stemscan.recon.drift.picture import times_of

if TYPE_CHECKING:
    from stemscan.recon.pictures.scan_maps import ScanMaps
    from stemscan.store.reader import Acquisition

__all__ = [
    "counts_panel",
    "current_panel",
    "dose_panel",
    "field_panel",
    "left_panel",
    "path_panel",
    "statistics_panel",
]

_MOST_POINTS: Final = 20_000
_MOST_READ: Final = 1 << 21
_DOSE_CELLS: Final = 64
_UNVISITED: Final = "#183654"


def path_panel(axes: Any, acquisition: Acquisition, window: tuple[int, int]) -> None:
    """The first pass inside a window from the top left, coloured by time; ways of the beam where there is room.

    Where the store knows the beam's own places these are shown, of a simulation those on the specimen.
    """
    stop = min(acquisition.layout.pass_starts[1], acquisition.samples_committed, _MOST_READ)
    places, of = _places(acquisition, stop)
    inside = np.flatnonzero((places[:, 0] < window[0]) & (places[:, 1] < window[1]))
    every = max(1, -(-len(inside) // _MOST_POINTS))
    shown = inside[::every]
    whole = window == acquisition.shape
    if not whole:
        way = np.insert(places[inside].astype(np.float64), np.flatnonzero(np.diff(inside) > 1) + 1, np.nan, axis=0)
        axes.plot(way[:, 1], way[:, 0], "-", color="0.6", linewidth=0.5, zorder=1)
    times, unit = times_of(acquisition, shown)
    factor, unit = (1e3, unit.replace(", s", ", ms")) if times.max(initial=0.0) < 1 else (1.0, unit)
    size = 14 if not whole else max(0.3, min(6.0, 3e4 / max(len(shown), 1)))
    dots = axes.scatter(places[shown, 1], places[shown, 0], c=factor * times, s=size, cmap="viridis", zorder=2, lw=0)
    axes.figure.colorbar(dots, ax=axes, label=unit)
    part = f", one of {every} samples" if every > 1 else ""
    title = f"first pass{part}" if whole else f"top left {window[0]} x {window[1]} pixels, {of}"
    axes.set(xlim=(-0.5, window[1] - 0.5), ylim=(window[0] - 0.5, -0.5), aspect="equal", title=title)


def field_panel(axes: Any, acquisition: Acquisition) -> None:
    """Offsets of the field in each pass, and what was wanted where the controller could not do it."""
    assert acquisition.follow is not None
    moves = acquisition.follow["passes"]
    number = np.arange(1, len(moves) + 1)
    for axis, (name, colour) in enumerate((("row", "tab:blue"), ("column", "tab:orange"))):
        done = np.array([move["offset_px"][axis] for move in moves])
        wanted = np.array([move["wanted_px"][axis] for move in moves])
        axes.plot(number, done, "o-", color=colour, markersize=3, linewidth=1, label=name)
        if np.abs(done - wanted).max() > 1:
            axes.plot(number, wanted, "x", color=colour, markersize=4, label=f"{name}, wanted")
    axes.set(title="field moved to follow drift", xlabel="pass", ylabel="offset, px")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, fontsize="small")


def counts_panel(axes: Any, acquisition: Acquisition, maps: ScanMaps) -> None:
    """Mean electrons of a sample in cells."""
    known = maps.electrons[np.isfinite(maps.electrons)]
    low, high = np.percentile(known, (0.5, 99.5)) if known.size else (0.0, 1.0)
    name = "" if len(acquisition.channels) == 1 else f" of {acquisition.detector.name}"
    limits = float(low), max(float(high), float(low) + 1e-9)
    _map(axes, maps, maps.electrons, "gray", f"electrons{name} per sample", limits)
    axes.set_title("counts")


def dose_panel(axes: Any, acquisition: Acquisition, maps: ScanMaps) -> None:
    """Dose of the dwells in cells: incident, over the area, where plan and pixel size are known."""
    maps = maps.coarser(_DOSE_CELLS)
    rows, columns = (np.minimum(maps.cell, side - np.arange(0, side, maps.cell)) for side in maps.shape)
    per_pixel = maps.visits * acquisition.electrons_per_sample / np.outer(rows, columns)
    plan, size = acquisition.plan, acquisition.pixel_size_nm
    label = "detected electrons per pixel at signal 1"
    if plan is not None:
        per_pixel = per_pixel / plan.dose.collection
        label = "incident electrons per pixel"
        if size is not None:
            per_pixel, label = per_pixel / (10 * size) ** 2, "incident e-/A^2"
    _map(axes, maps, per_pixel, "magma", label, (0.0, float(max(per_pixel.max(), 1e-9))))
    axes.set_title(f"dose of dwells, mean {np.average(per_pixel, weights=np.outer(rows, columns)):.4g}")


def left_panel(axes: Any, maps: ScanMaps, which: Literal["fading", "contamination"]) -> None:
    """Signal that damage left, or that contamination added, at the latest visit of pixels in cells."""
    values = maps.fading if which == "fading" else maps.contamination
    assert values is not None
    mean = float(np.nanmean(values))
    if which == "fading":
        _map(axes, maps, values, "magma", "share of the signal", (min(float(np.nanmin(values)), 0.99), 1.0))
        axes.set_title(f"damage: {mean:.1%} of the signal left at the last visit")
    else:
        _map(axes, maps, values, "cividis", "signal added", (0.0, max(float(np.nanmax(values)), 1e-9)))
        axes.set_title(f"contamination: {mean:.3g} added at the last visit")


def current_panel(axes: Any, acquisition: Acquisition) -> None:
    """Probe current over its mean in time: the range and the mean of even stretches."""
    total = min(acquisition.samples_committed, _MOST_READ)
    current = acquisition.track("truth_current", 0, total).astype(np.float64)
    edges = np.unique(np.linspace(0, total, min(total, 800) + 1).astype(np.int64))
    times, unit = times_of(acquisition, edges[:-1])
    low, high = (one.reduceat(current, edges[:-1]) for one in (np.minimum, np.maximum))
    axes.fill_between(times, low, high, color="tab:blue", alpha=0.3, linewidth=0)
    axes.plot(times, np.add.reduceat(current, edges[:-1]) / np.diff(edges), color="tab:blue", linewidth=0.8)
    axes.set(title="probe current", xlabel=unit, ylabel="over its mean")


def statistics_panel(axes: Any, maps: ScanMaps) -> None:
    """Variance of counts against their mean, with the line of Poisson counts."""
    spread = maps.spread
    assert spread is not None
    top = float(spread.means.max())
    axes.plot([0, top], [0, top], "k-", linewidth=0.8, label="Poisson")
    axes.errorbar(spread.means, spread.variances, 2 * spread.errors, fmt="o", markersize=3, linewidth=1, label="counts")
    slope = float(np.sum(spread.variances) / max(np.sum(spread.means), 1e-12))
    axes.set(
        title=f"variance {slope:.3g} times the mean, by {spread.against}",
        xlabel="mean, electrons",
        ylabel="variance, electrons^2",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.legend(frameon=False, loc="upper left")


def _places(acquisition: Acquisition, stop: int) -> tuple[npt.NDArray[np.float64], str]:
    """Where the beam was, as far as it is known, and in words what that is."""
    if "truth_trajectory" in acquisition.tracks:
        return acquisition.track("truth_trajectory", 0, stop).astype(np.float64), "on the specimen"
    actual = acquisition.actual(0, stop)
    if actual is None:
        return acquisition.positions(0, stop).astype(np.float64), "as commanded"
    return actual.astype(np.float64), "as the coils lag"


def _map(
    axes: Any, maps: ScanMaps, values: npt.NDArray[np.float64], colours: str, label: str, limits: tuple[float, float]
) -> None:
    """A map of cells; those without a sample in a colour of their own."""
    rows, columns = maps.shape
    low, high = limits
    down, across = values.shape
    place = (-0.5, across * maps.cell - 0.5, down * maps.cell - 0.5, -0.5)
    shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest", extent=place)
    axes.set_facecolor(_UNVISITED)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    cells = "" if maps.cell == 1 else f", cells of {maps.cell} x {maps.cell} px"
    axes.figure.colorbar(shown, ax=axes, label=f"{label}{cells}")
