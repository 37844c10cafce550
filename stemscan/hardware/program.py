"""Program: what a scan controller is told, made of a plan and the controller's profile, and back to samples.

A program is a lazy stream of steps. Each sample is one exposed step; before it stand as many waiting steps as its move
needs, at the same place, whose data nobody keeps. Any part of a program can be had alone and is always the same, so
that scans of 10^9 samples need no more memory than a batch. Positions and dwells are made whole numbers of the
controller's codes and quanta; `quantisation` says what that costs, and what cannot be represented is an error.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt

from stemscan.errors import ProfileError, UsageError
from stemscan.hardware.coil_lag import CoilLag, LaggedPath
from stemscan.hardware.lattice import Lattice
from stemscan.hardware.quantisation import quantise
from stemscan.path.scan_path import ScanPath
from stemscan.store.ledger import BeamTime, BeamTimes
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["Program", "Steps", "Waits"]

Codes = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]

_BATCH: Final = 1 << 16
_MOST_PIECES: Final = 100  # steps of one wait: more is a slip in a profile, and would fill the memory


@dataclass(frozen=True, eq=False)
class Steps:
    """Consecutive steps of a program.

    Attributes
    ----------
    x, y : ndarray of int32, (n,)
        Codes of column and row.
    dwell : ndarray of int64, (n,)
        In quanta of the profile, at least 1.
    blanked : ndarray of bool, (n,)
        True if the beam is blanked.
    sample : ndarray of int64, (n,)
        Index of the path's sample that is exposed; -1 for waiting and parking, whose data are dropped.
    """

    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    dwell: npt.NDArray[np.int64]
    blanked: npt.NDArray[np.bool_]
    sample: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Number of steps."""
        return len(self.sample)


@dataclass(frozen=True, eq=False)
class Waits:
    """Costs of moves, a value for each sample.

    Attributes
    ----------
    jump : ndarray of float64, (n,)
        Distance in pixels from the sample before; 0 for the first of all.
    settle, flyback : ndarray of int64, (n,)
        Quanta to wait.
    """

    jump: npt.NDArray[np.float64]
    settle: Times
    flyback: Times


class Program:
    """Program of a controller: a plan in its codes and quanta.

    Parameters
    ----------
    round_dwell : bool
        Dwell the nearest time of which the controller uses every reading, rather than the nearest that there is.

    Raises
    ------
    ProfileError
        When the controller cannot do it: a dwell or a grid beyond its range, too many samples.
    """

    def __init__(self, plan: ScanPlan, profile: ControllerProfile, *, round_dwell: bool = False) -> None:
        self.plan = plan
        self.profile = profile
        self.path = ScanPath(plan)
        _check_samples(plan, profile)
        self.lattice = Lattice(plan.shape, profile.grid)
        self.quantisation = quantise(plan, profile, self.lattice, round_dwell=round_dwell)
        _check_grid(self.path, profile, self.lattice)
        self._moves: Codes | None = None

    def moved(self, offsets: Sequence[tuple[float, float]]) -> tuple[Self, list[tuple[float, float]]]:
        """The same program with the field of each pass moved, as near as the controller's codes allow.

        Parameters
        ----------
        offsets : sequence of (float, float)
            (row, column) in pixels of each pass; the last holds for those after it.

        Returns
        -------
        list of (float, float)
            Offsets that its codes make.
        """
        shifts = [self.lattice.shift(offset) for offset in offsets]
        program = copy.copy(self)
        program._moves = np.array([codes for codes, _ in shifts], np.int32)
        return program, [offset for _, offset in shifts]

    def waits(self, start: int, stop: int) -> Waits:
        """Costs of the moves to samples start .. stop - 1."""
        return self._waits(self._with_one_before(start, stop), start)

    def waits_ns(self, start: int, stop: int) -> Times:
        """Time in ns, (n,), that the beam waits on each of samples start .. stop - 1 before its dwell."""
        waits = self.waits(start, stop)
        return (waits.settle + waits.flyback) * self.profile.dwell.quantum_ns

    def lagged(self, lag: CoilLag) -> LaggedPath:
        """Positions of a beam whose coils lag, while this program runs."""
        return LaggedPath(self.path, lag, self.waits_ns, self.quantisation.dwell_ns)

    def steps(self, start: int, stop: int) -> Steps:
        """All steps of samples start .. stop - 1: for each its waiting, then its exposure.

        Parameters
        ----------
        start, stop : int
            0 <= start <= stop <= number of samples.

        Returns
        -------
        Steps
            The same however the path is cut.

        Raises
        ------
        UsageError
            When the range is not inside the path.
        ProfileError
            When a wait takes more than 100 of the longest steps.
        """
        positions = self._with_one_before(start, stop)
        waits = self._waits(positions, start)
        x, y = self.lattice.codes(positions[len(positions) - (stop - start) :])
        if self._moves is not None:
            number = np.arange(start, stop) // self.plan.samples_per_pass
            moves = self._moves[np.minimum(number, len(self._moves) - 1)]
            x, y = x + moves[:, 0], y + moves[:, 1]
        largest = self.profile.dwell.largest
        waited = waits.settle + waits.flyback
        pieces = -(-waited // largest)
        ends = np.cumsum(pieces + 1)
        of = np.repeat(np.arange(stop - start), pieces + 1)
        dwell = np.full(len(of), largest, np.int64)
        exposed = ends - 1
        dwell[exposed] = self.quantisation.dwell_quanta
        held = pieces > 0
        dwell[exposed[held] - 1] = waited[held] - (pieces[held] - 1) * largest
        sample = np.full(len(of), -1, np.int64)
        sample[exposed] = np.arange(start, stop)
        blanked = (sample < 0) & (self.profile.blanker == "inline")
        return Steps(x[of], y[of], dwell, blanked, sample)

    def batches(self, start: int, stop: int, size: int = _BATCH) -> Iterator[Steps]:
        """The steps of samples start .. stop - 1, those of `size` samples at a time."""
        if size < 1:
            raise UsageError(f"expected a batch of at least 1 sample, got {size}")
        for first in range(start, stop, size):
            yield self.steps(first, min(first + size, stop))

    def beam_times(self, start: int, stop: int) -> BeamTimes:
        """Times of the beam for samples start .. stop - 1: dwells, settling, and flybacks as transit."""
        waits = self.waits(start, stop)
        quantum, lit = self.profile.dwell.quantum_ns, self.profile.blanker != "inline"
        dwell = (stop - start) * self.quantisation.dwell_ns
        settle, flyback = (int(quanta.sum()) * quantum for quanta in (waits.settle, waits.flyback))
        return BeamTimes(
            dwell=BeamTime(dwell, dwell),
            settle=BeamTime(settle, settle * lit),
            transit=BeamTime(flyback, flyback * lit),
        )

    def parking(self) -> Steps:
        """One shortest step where the profile parks the beam, blanked if it can be; none without a park position."""
        park, profile = self.profile.park, self.profile
        number = 0 if park is None else 1
        row, column = park or (0, 0)
        return Steps(
            np.full(number, column, np.int32),
            np.full(number, row, np.int32),
            np.full(number, profile.dwell.smallest, np.int64),
            np.full(number, profile.blanker != "none"),
            np.full(number, -1, np.int64),
        )

    def _with_one_before(self, start: int, stop: int) -> npt.NDArray[np.int32]:
        """Positions of samples start .. stop - 1, and before them of the sample from which the beam comes, if any."""
        if not 0 <= start <= stop <= len(self.path):
            raise UsageError(f"expected 0 <= start <= stop <= {len(self.path)}, got start {start} and stop {stop}")
        return self.path.positions(max(start - 1, 0) if stop > start else start, stop)

    def _waits(self, positions: npt.NDArray[np.int32], start: int) -> Waits:
        """Costs of moves, from the positions that `_with_one_before` gave."""
        if start == 0 and len(positions):
            positions = np.concatenate([positions[:1], positions])
        moves = np.diff(positions, axis=0).astype(np.float64) if len(positions) else np.empty((0, 2))
        jump = np.hypot(moves[:, 0], moves[:, 1])
        quantum, smallest = self.profile.dwell.quantum_ns, self.profile.dwell.smallest
        settle = np.zeros(len(jump), np.int64)
        if self.profile.settle is not None:
            settle = np.ceil(self.profile.settle.wait_ns(jump) / quantum).astype(np.int64)
        flyback = np.zeros(len(jump), np.int64)
        if self.profile.flyback_ns:
            back = moves[:, 1] < -self.plan.shape[1] / 2
            flyback[back] = -(-self.profile.flyback_ns // quantum)
        last = (settle + flyback) % self.profile.dwell.largest
        short = (last > 0) & (last < smallest)
        settle[short] += smallest - last[short]
        self._check_waits(settle + flyback, start)
        return Waits(jump, settle, flyback)

    def _check_waits(self, waited: Times, start: int) -> None:
        """Refuse a wait that takes too many of the longest steps."""
        dwell = self.profile.dwell
        most = _MOST_PIECES * dwell.largest
        if waited.max(initial=0) > most:
            first = int((waited > most).argmax())
            raise ProfileError(
                f"expected waits of at most {most * dwell.quantum_ns} ns ({_MOST_PIECES} of the longest dwells) for "
                f"{self.profile.name}, got {waited[first] * dwell.quantum_ns} ns before sample {start + first}; "
                "correct settle, flyback_ns or dwell.largest of the profile"
            )


def _check_samples(plan: ScanPlan, profile: ControllerProfile) -> None:
    """Refuse more samples than the controller takes."""
    most = profile.limits.max_samples
    if most is not None and plan.total_samples > most:
        raise ProfileError(
            f"expected at most {counted(most, 'sample')} for {profile.name}, got {plan.total_samples}: sample {most} "
            "is one too many; take fewer passes or samples"
        )


def _check_grid(path: ScanPath, profile: ControllerProfile, lattice: Lattice) -> None:
    """Refuse samples for which the controller has no codes, naming the first."""
    if lattice.whole:
        return
    for start, positions in path.batches():
        beyond = lattice.beyond(positions)
        if beyond.any():
            first = int(beyond.argmax())
            row, column = positions[first]
            raise ProfileError(
                f"expected positions within {profile.grid.rows} rows and {profile.grid.columns} columns for "
                f"{profile.name}, got ({row}, {column}) at sample {start + first}; take a smaller grid"
            )
