"""Picture of a trajectory in time, with its errors, and the truth beside it where the store knows it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from stemscan.recon.drift.truth import true_offsets

if TYPE_CHECKING:
    import numpy.typing as npt

    from stemscan.store.reader import Acquisition
    from stemscan.store.trajectory import Trajectory

__all__ = ["draw_trajectory"]

_POINTS: Final = 2000
_COLOURS: Final = (("tab:blue", "navy"), ("tab:orange", "saddlebrown"))
"""Of the estimate and of the truth, in rows and columns."""


def draw_trajectory(acquisition: Acquisition, trajectory: Trajectory, path: Path) -> None:
    """Draw row and column offsets in time, a band of two standard deviations, and the truth as a thin line.

    Parameters
    ----------
    acquisition : Acquisition
    trajectory : Trajectory
    path : Path
        Of the PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    at = np.unique(np.linspace(0, max(acquisition.samples_committed - 1, 0), _POINTS).astype(np.int64))
    times, unit = _times(acquisition, at)
    offsets, std, truth = trajectory.at(at), trajectory.std_at(at), true_offsets(acquisition)
    if truth is not None:
        truth = truth - truth.mean(axis=0)
    figure = Figure(figsize=(7, 3.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for axis, (name, (colour, dark)) in enumerate(zip(("row", "column"), _COLOURS, strict=True)):
        line, error = offsets[:, axis], 2 * std[:, axis]
        axes.fill_between(times, line - error, line + error, color=colour, alpha=0.25, linewidth=0)
        axes.plot(times, line, color=colour, linewidth=1.5, label=f"{name}, with two standard deviations")
        if truth is not None:
            axes.plot(times, truth[at, axis], color=dark, linewidth=0.5, label=f"{name}, truth")
    starts = np.asarray(acquisition.layout.pass_starts[1:-1], np.int64)
    for start in _times(acquisition, starts[starts < acquisition.samples_committed])[0]:
        axes.axvline(start, color="0.8", linewidth=0.6, zorder=0)
    axes.set_xlabel(f"time, {unit}; a line between passes")
    axes.set_ylabel("beam on specimen less its mean, px")
    axes.set_xlim(times[0], times[-1] if len(times) > 1 else times[0] + 1)
    pixel = acquisition.pixel_size_nm
    if pixel is not None:
        right = axes.secondary_yaxis(
            "right", functions=(partial(np.multiply, 1000 * pixel), partial(np.multiply, 0.001 / pixel))
        )
        right.set_ylabel("pm")
    axes.legend(loc="best", frameon=False, fontsize="small")
    figure.savefig(path, format="png")


def _times(acquisition: Acquisition, samples: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], str]:
    """Times of samples by the dwell alone, in seconds where the dwell is known."""
    if acquisition.plan is None:
        return samples.astype(np.float64), "samples"
    return samples * acquisition.plan.dwell_ns / 1e9, "s of dwell"
