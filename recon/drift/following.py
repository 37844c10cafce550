"""Drift followed: where the next pass should lie so that it shows what the first one did, from the passes so far.

Each pass, or each part of one that covers the field, is held against those shortly before it (`passes`), which costs
the same however many passes there were. The drift of the parts, from their shifts and the offsets at which they were
scanned, is extrapolated to the middle of the next pass by a Gaussian process in time: a constant and a velocity of any
size, a random walk of the velocity and one of the place, of the sizes that make the shifts likeliest. A field is left
where it is while the drift is not known: no features, an ambiguous lattice, an error as large as the move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.acquisition.following import Prediction
from stemscan.errors import UsageError
from stemscan.recon.drift.leave_out import Scale
from stemscan.recon.drift.passes import TrackedParts, covering_parts
from stemscan.recon.drift.timed import TimedSamples
from stemscan.runtime.memory import require_memory
from stemscan.runtime.work import doing

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["FollowDrift", "extrapolated", "next_pass"]

Floats = npt.NDArray[np.float64]

_WIDTH: Final = 3.0
_LEAST_MOVE: Final = 0.25
_SURE: Final = 3.0
"""Pixels, and standard deviations, below which the field stays: a still specimen is scanned as without following."""

_LARGEST_ERROR: Final = 2.0
"""Standard deviation in pixels above which a prediction is none, unless the move is four times as large."""

_STEPS_A_PIXEL: Final = 256
_ERROR: Final = 0.05
"""Error of a part's place in pixels, at least: a pass is smeared by what happens in it."""

_MOST_PARTS: Final = 48
_SIZES: Final = (0.0, 0.02, 0.06, 0.2, 0.6, 2.0, 6.0, 20.0)
"""Sizes of the random walks, in pixels per pass, among which is chosen."""

_PRIOR: Final = 0.5
"""Natural logarithm by which each next size is less likely than the one before."""

_BYTES_A_PIXEL: Final = 160


class _Known(NamedTuple):
    """Parts whose place is known: middles in passes, (M,), drift from the first pass in px, (M, 2), and its error."""

    times: Floats
    drift: Floats
    error: float


@dataclass
class _State:
    """Passes that were held against one another, of one acquisition."""

    store: str
    tracked: TrackedParts
    times: list[float] = field(default_factory=list)
    moved: list[Floats] = field(default_factory=list)
    passes: int = 0
    mean: float = 0.0


class FollowDrift:
    """Foretells where the next pass should lie; handed to `acquire` as `follower`.

    Parameters
    ----------
    largest_px : float, optional
        Largest offset of the field in pixels along rows or columns; as far as the controller goes unless given.

    Raises
    ------
    UsageError
        When that is not above 0.
    """

    def __init__(self, largest_px: float | None = None) -> None:
        if largest_px is not None and not 0 < largest_px < math.inf:
            raise UsageError(f"expected a largest offset above 0 px, got {largest_px!r}; give one such as 100")
        self._largest = largest_px
        self._state: _State | None = None

    @property
    def record(self) -> Mapping[str, object]:
        """Name and settings."""
        return {"name": "drift of passes", "version": 1, "largest_px": self._largest}

    def __call__(self, acquisition: Acquisition, passes: int) -> Prediction:
        """Offset of the next pass after `passes` whole ones, in steps of 1/256 px; see `DriftFollower`."""
        row, column = acquisition.field_offsets[passes - 1]
        last = float(row), float(column)
        with doing("finding drift"):
            state = self._tracked(acquisition, passes)
        if state.tracked.unclear is not None:
            near, far = state.tracked.unclear
            return Prediction(
                last,
                held=f"ambiguous: motions of {near:.3g} px and of {far:.3g} px the other way, a unit cell apart, "
                "explain the passes alike",
            )
        known = _known(state)
        if known is None:
            one = state.tracked.count < 2
            return Prediction(last, held="one pass shows no motion" if one else "too little contrast to see motion")
        middle = passes + 0.5
        drift, std = extrapolated(known.times, known.drift, known.error, middle)
        row, column = np.rint(-drift * _STEPS_A_PIXEL) / _STEPS_A_PIXEL
        wanted = float(row), float(column)
        move = math.dist(wanted, last)
        if std > max(_LARGEST_ERROR, move / 4):
            return Prediction(last, std=_rounded(std), held=f"the drift is known to {std:.2g} px only")
        if move < max(_LEAST_MOVE, _SURE * std):
            return Prediction(last, std=_rounded(std))
        most = math.inf if self._largest is None else self._largest
        asked = (min(max(wanted[0], -most), most), min(max(wanted[1], -most), most))
        return Prediction(asked, wanted, _rounded(std))

    def _tracked(self, acquisition: Acquisition, passes: int) -> _State:
        """Passes held against one another, those that came since the last call too."""
        state, store = self._state, str(acquisition.path.resolve())
        if state is None or state.store != store or state.passes >= passes:
            rows, columns = acquisition.shape
            require_memory(_BYTES_A_PIXEL * rows * columns, f"to follow the drift of {rows} x {columns} pixels")
            state = _State(store, TrackedParts(acquisition.shape, Scale.of(_WIDTH, acquisition.shape)))
        for number in range(state.passes, passes):
            _add(state, acquisition, number)
        self._state = state
        return state


def next_pass(acquisition: Acquisition) -> Prediction | None:
    """Offset of a pass that would follow those of an acquisition; None where no pass is whole."""
    whole = int(np.searchsorted(acquisition.layout.pass_starts, acquisition.samples_committed, side="right")) - 1
    return FollowDrift()(acquisition, whole) if whole else None


def _add(state: _State, acquisition: Acquisition, number: int) -> None:
    """Hold the next pass against those before it."""
    samples = TimedSamples.of_pass(acquisition, number)
    if not number:
        state.mean = samples.mean
    parts = covering_parts(samples)
    state.tracked.add(samples, samples.parts(parts), state.mean)
    state.times += [number + (part + 0.5) / parts for part in range(parts)]
    state.moved += [acquisition.field_offsets[number]] * parts
    state.passes = number + 1


def _known(state: _State) -> _Known | None:
    """Drift of the parts that can be told, against the first pass; None where that is the first one alone."""
    pairs = {pair: peak.shift for pair, peak in state.tracked.pairs.items() if math.isfinite(peak.std)}
    joined = {0}
    for a, b in sorted(pairs):
        joined |= {a, b} if a in joined or b in joined else set()
    if len(joined) < 2:
        return None
    parts = sorted(joined)
    place = {part: at for at, part in enumerate(parts)}
    used = [(place[a], place[b], shift) for (a, b), shift in pairs.items() if a in place and b in place]
    design = np.zeros((len(used) + 1, len(parts)))
    for row, (a, b, _) in enumerate(used):
        design[row, a], design[row, b] = -1.0, 1.0
    design[-1, 0] = 1.0
    found = np.array([shift for *_, shift in used])
    shifts = np.linalg.lstsq(design, np.vstack([found, np.zeros((1, 2))]), rcond=None)[0]
    left, freedom = found - design[:-1] @ shifts, len(used) - len(parts) + 1
    error = float(np.sqrt((left**2).sum() / (2 * freedom))) if freedom > 0 else 0.0
    stated = math.sqrt(np.mean([state.tracked.pairs[pair].std ** 2 for pair in pairs if set(pair) <= joined]))
    times = np.array(state.times)[parts]
    drift = shifts - np.array(state.moved)[parts]
    first = drift[times < 1].mean(axis=0)
    return _Known(times[-_MOST_PARTS:], (drift - first)[-_MOST_PARTS:], max(error, stated, _ERROR))


def extrapolated(times: Floats, drift: Floats, error: float, at: float) -> tuple[Floats, float]:
    """Drift at a later time, and the standard deviation of its error a direction.

    Parameters
    ----------
    times : ndarray of float64, (M,)
        Ascending, in passes.
    drift : ndarray of float64, (M, 2)
        In pixels, 0 at the first.
    error : float
        Standard deviation of one, above 0.
    at : float
        After the last.
    """
    since = np.append(times, at) - times[0]
    low, high = np.minimum.outer(since, since), np.maximum.outer(since, since)
    fast = max(1.0, 3 * float(np.abs(drift[-1] - drift[0]).max()) / max(since[-2], 1e-9))
    free = 1e4 + fast**2 * np.outer(since, since)
    best, mean, std = -math.inf, np.zeros(2), math.inf
    for (i, bend), (j, walk) in product(enumerate(_SIZES), repeat=2):
        prior = free + bend**2 * low * low * (3 * high - low) / 6 + walk**2 * low
        factor = np.linalg.cholesky(prior[:-1, :-1] + error**2 * np.eye(len(times)))
        seen, cross = np.linalg.solve(factor, drift), np.linalg.solve(factor, prior[:-1, -1])
        evidence = -0.5 * float((seen**2).sum()) - 2 * float(np.log(np.diag(factor)).sum()) - _PRIOR * (i + j)
        if evidence > best:
            best, mean = evidence, cross @ seen
            std = math.sqrt(max(float(prior[-1, -1] - cross @ cross), 0.0))
    return mean, std


def _rounded(std: float) -> float:
    """A standard deviation as it is recorded, the same whatever the last bits were."""
    return round(std, 3)
