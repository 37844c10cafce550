"""Drift as reconstructions use it: stored in the acquisition, or found in memory where a quick test shows motion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np

from stemscan.errors import ReconError
from stemscan.recon.drift.find import Drift, find_drift
from stemscan.recon.drift.leave_out import Scale, read_samples, weights
from stemscan.recon.drift.linearised import linearise, sharpness
from stemscan.recon.drift.passes import pass_shifts
from stemscan.recon.drift.timed import Knots, TimedSamples
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.recon.drift.passes import PassShifts
    from stemscan.store.reader import Acquisition
    from stemscan.store.trajectory import Trajectory

__all__ = ["DRIFT_USES", "DriftUse", "Used", "drift_to_use", "moves", "worth_undoing"]

DriftUse = Literal["auto", "off", "stored"]
DRIFT_USES: Final[tuple[DriftUse, ...]] = get_args(DriftUse)

_WORTH: Final = 0.2
"""RMS motion in pixels from which on it is undone: below, samples between pixels cost as much as it does."""

_TEST_WIDTH: Final = 4.3
_UNSURE: Final = 0.1
_FAR: Final = 1.0
"""Detail of the test, and RMS motion in pixels that starts a search: by the samples' pull, and by correlation alone."""

_PIXELS: Final = 1 << 22
"""Of larger frames a strip is tested, which takes 0.7 GB."""

_KNOTS_A_PASS: Final = 4
_MOST_KNOTS: Final = 65
_CONTRAST: Final = 6.0
_SURE: Final = 4.0
"""Standard deviations of chi squared."""

_TOLD: Final = 1e-3
"""Least share of the largest information of a mode that the samples tell."""


class Used(NamedTuple):
    """A trajectory that a reconstruction uses.

    Attributes
    ----------
    trajectory : Trajectory or None
        None where none is used.
    origin : str
        "stored", "found" or "none".
    """

    trajectory: Trajectory | None
    origin: str
    warnings: tuple[str, ...] = ()


def drift_to_use(acquisition: Acquisition, use: DriftUse = "auto") -> Used:
    """The trajectory that a reconstruction of an acquisition is to use.

    Parameters
    ----------
    use : {"auto", "off", "stored"}
        The stored one, and else one that is found where there is some; none; the stored one alone.

    Raises
    ------
    ReconError
        Where the stored one is asked for, and there is none of these samples.
    StoreError
        Where it is damaged.
    """
    if use not in DRIFT_USES:
        raise ReconError(f"expected drift 'auto', 'off' or 'stored', got {use!r}; give one of these")
    if use == "off":
        return Used(None, "none")
    stored, where = acquisition.drift, repr(str(acquisition.path))
    if stored is not None and stored.current:
        return Used(stored.trajectory, "stored")
    if use == "stored":
        got = "none" if stored is None else f"one of the first {counted(stored.samples, 'sample')} alone"
        raise ReconError(f"expected a drift in {where}, got {got}; find it by stemscan drift")
    stale = (
        ()
        if stored is None
        else (f"the drift in {where} is not that of these samples and was left out; find it anew by stemscan drift",)
    )
    if not acquisition.samples_committed or not moves(TimedSamples.up_to(acquisition, _PIXELS)):
        return Used(None, "none", stale)
    found = find_drift(acquisition)
    if found.verdict == "ambiguous":
        return Used(None, "none", (*stale, f"the specimen drifted, but {found.reason}: nothing was undone"))
    return Used(found.trajectory, "found", stale) if worth_undoing(found) else Used(None, "none", stale)


def worth_undoing(found: Drift) -> bool:
    """Tell whether a drift was found, and more of it than undoing it blurs."""
    return found.verdict == "drift" and found.trajectory is not None and found.trajectory.rms >= _WORTH


def moves(samples: TimedSamples) -> bool:
    """Tell quickly whether the samples of one time lie beside those of another.

    Shifts of passes by correlation show motion that is large, and the pull of the samples on a coarse trajectory, by
    its chi squared, that which is small. Motion that is the same in each pass, and motion far quicker than a pass, is
    not seen.
    """
    scale = Scale.of(_TEST_WIDTH, samples.shape)
    shifts = pass_shifts(samples, scale, apart=2)
    if shifts.unclear is not None:
        return True
    sure = shifts.std if shifts.std < float("inf") else 0.0
    if samples.moved is not None and len(shifts.shifts) > 1 and _left(samples, shifts) > max(_UNSURE, 2 * sure):
        return True
    if float((shifts.shifts**2).sum(axis=1).mean() ** 0.5) > max(_FAR, 2 * sure):
        return True
    return _pulled(samples, scale)


def _pulled(samples: TimedSamples, scale: Scale) -> bool:
    """Tell whether the samples pull a still trajectory by more than their noise, and far enough to matter."""
    knots = Knots.over(samples.count, min(_KNOTS_A_PASS * samples.passes + 1, _MOST_KNOTS))
    read = read_samples(samples, np.zeros((samples.count, 2)), scale)
    if not read.inside.any() or sharpness(samples, read, weights(read, samples)).score < _CONTRAST:
        return False
    known = linearise(samples, read, knots)
    firm, modes = np.linalg.eigh(known.information)
    told = firm > _TOLD * firm[-1]
    excess = float(np.sum((modes.T @ known.force)[told] ** 2 / firm[told])) - told.sum()
    size = excess / (float(firm[told].mean()) * knots.count)
    return bool(excess > _SURE * np.sqrt(2 * told.sum()) and size > _UNSURE**2)


def _left(samples: TimedSamples, shifts: PassShifts) -> float:
    """RMS motion in pixels that is left where drift was followed: a field that is moved between passes only lags."""
    sizes = np.bincount(shifts.part)
    middles = np.bincount(shifts.part, np.arange(samples.count)) / sizes
    even = np.linspace(0, samples.count - 1, 1025).astype(np.int64)
    moves, squares = samples.moves, 0.0
    for axis in (0, 1):
        drift = shifts.shifts[:, axis] - np.bincount(shifts.part, moves[:, axis]) / sizes
        slopes = np.gradient(drift, middles)
        line = np.interp(even, middles, drift)
        line += slopes[0] * np.minimum(even - middles[0], 0) + slopes[-1] * np.maximum(even - middles[-1], 0)
        squares += float(np.var(line + moves[even, axis]))
    return math.sqrt(squares)
