"""Drift of a scan as lines for a page: what was found, what a simulation knows, and how the field was moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import StemscanError
from stemscan.recon.drift.picture import times_of
from stemscan.store.trajectory import Trajectory

if TYPE_CHECKING:
    from stemscan.recon.view.growing import GrowingScan
    from stemscan.store.reader import Acquisition

__all__ = ["drift_of", "moves_of", "trajectory_of"]

_POINTS: Final = 200


def drift_of(scan: GrowingScan) -> dict[str, Any]:
    """Trajectories that a store holds of the samples that are shown: the estimated one, and a simulation's own."""
    store, samples = scan.acquisition, scan.samples
    assert store is not None
    lines: dict[str, Any] = {}
    if samples and store.has_drift:
        try:
            stored = store.drift
            if stored is not None:
                lines["stored"] = trajectory_of(store, stored.trajectory, min(samples, stored.samples))
        except StemscanError as problem:
            lines["problem"] = str(problem)
    if len(scan.track):
        thin = scan.track[:: -(-len(scan.track) // _POINTS)]
        lines["truth"] = _line(store, thin[:, 0].astype(np.int64), thin[:, 1:] - scan.track[:, 1:].mean(axis=0))
    return lines


def trajectory_of(store: Acquisition, trajectory: Trajectory, samples: int) -> dict[str, Any]:
    """A trajectory at some of the first samples: times, rows, columns and standard deviations."""
    at = _some(samples)
    offsets, std = trajectory.at(at), trajectory.std_at(at)
    return _line(store, at, offsets) | {"std": _numbers(std.max(axis=1))}


def moves_of(store: Acquisition) -> list[list[float]]:
    """Offset (row, column) in pixels of the field in each pass; nothing where it was not to be moved."""
    return [] if store.follow is None else [list(one["offset_px"]) for one in store.follow["passes"]]


def _some(samples: int) -> npt.NDArray[np.int64]:
    """Numbers of samples at even steps."""
    return np.unique(np.linspace(0, samples - 1, min(samples, _POINTS)).astype(np.int64))


def _line(store: Acquisition, at: npt.NDArray[np.int64], offsets: npt.NDArray[Any]) -> dict[str, Any]:
    """A line for a page."""
    times, unit = times_of(store, at)
    return {"times": _numbers(times), "unit": unit, "rows": _numbers(offsets[:, 0]), "columns": _numbers(offsets[:, 1])}


def _numbers(values: npt.NDArray[Any]) -> list[float]:
    """Numbers of five digits."""
    return [float(f"{value:.5g}") for value in values]
