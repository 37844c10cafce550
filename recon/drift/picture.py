"""Picture of a trajectory in time, with its errors, and the truth beside it where the store knows it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.recon.drift.truth import true_offsets

if TYPE_CHECKING:
    import numpy.typing as npt

    from stemscan.store.reader import Acquisition
    from stemscan.store.trajectory import Trajectory

__all__ = ["draw_trajectory", "plot_trajectory", "times_of"]

_POINTS: Final = 2000
_COLOURS: Final = (("tab:blue", "navy"), ("tab:orange", "saddlebrown"))
"""Of the estimate and of the truth, in rows and columns."""


def draw_trajectory(acquisition: Acquisition, trajectory: Trajectory, path: Path) -> None:
    """Draw row and column offsets in time, a band of two standard deviations, and the truth as a thin line.

    Parameters
    ----------
    path : Path
        Of the PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    plot_trajectory(figure.add_subplot(), acquisition, trajectory)
    figure.savefig(path, format="png")


def plot_trajectory(axes: Any, acquisition: Acquisition, trajectory: Trajectory | None) -> None:
    """Draw into a panel what `draw_trajectory` draws; the truth alone where nothing was estimated."""
    last = max(acquisition.samples_committed - 1, 0)
    starts = np.asarray(acquisition.layout.pass_starts[1:-1], np.int64)
    starts = starts[starts <= last]
    at = np.unique(np.concatenate([np.linspace(0, last, _POINTS).astype(np.int64), starts, starts - 1]))
    times, unit = times_of(acquisition, at)
    truth = true_offsets(acquisition)
    if truth is not None:
        truth = truth - truth.mean(axis=0)
    for axis, (name, (colour, dark)) in enumerate(zip(("row", "column"), _COLOURS, strict=True)):
        if trajectory is not None:
            line, error = trajectory.at(at)[:, axis], 2 * trajectory.std_at(at)[:, axis]
            axes.fill_between(times, line - error, line + error, color=colour, alpha=0.25, linewidth=0)
            axes.plot(times, line, color=colour, linewidth=1.5, label=f"{name}, with two standard deviations")
        if truth is not None:
            axes.plot(times, truth[at, axis], color=dark, linewidth=0.5, label=f"{name}, truth")
    for start in times_of(acquisition, starts)[0][: _POINTS // 10]:
        axes.axvline(start, color="0.8", linewidth=0.6, zorder=0)
    axes.set_xlabel(f"{unit}; a line between passes")
    axes.set_ylabel("beam on specimen less its mean, px")
    axes.set_xlim(times[0], times[-1] if len(times) > 1 else times[0] + 1)
    pixel = acquisition.pixel_size_nm
    if pixel is not None:
        right = axes.secondary_yaxis(
            "right", functions=(partial(np.multiply, 1000 * pixel), partial(np.multiply, 0.001 / pixel))
        )
        right.set_ylabel("pm")
    axes.set_title("the beam on the specimen")
    axes.legend(loc="best", frameon=False, fontsize="small")


def times_of(acquisition: Acquisition, samples: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], str]:
    """Times of samples by the dwell alone, and what they are, in words; numbers of samples where it is not known."""
    if acquisition.plan is None:
        return samples.astype(np.float64), "samples"
    return samples * acquisition.plan.dwell_ns / 1e9, "time in dwells, s"
