"""Counts that the pixels of a virtual Open Beam Interface device give.

Where the latest three Synchronize cookies name a sample of the device's plan (see `stemscan.hardware.obi.cookies`) and
pixels come as the plan's program says, each exposed sample gives the count that the virtual microscope gives for it;
blanked pixels between them, such as a parked beam's, change nothing and give 0. All other pixels, of foreign clients or
of another plan, draw new counts, with indices after those of the plan, from the specimen pixel that is nearest to their
codes: a device knows its specimen and its beam, and no plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError
from stemscan.hardware.obi.commands import CODES, CYCLE_NS
from stemscan.hardware.obi.cookies import COOKIES, index_of
from stemscan.hardware.program import Program, Steps
from stemscan.simulators.instrument.detector import detect

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["LARGEST_COUNT", "PixelCounts"]

LARGEST_COUNT: Final = (1 << 14) - 1
_LARGEST_DOSE: Final = 15000.0
_BATCH: Final = 1 << 16


class PixelCounts:
    """Counts by pixel.

    Parameters
    ----------
    plan, profile, specimen, seed, round_dwell
        As of `stemscan.simulators.obi.device.VirtualObiDevice`.

    Raises
    ------
    UsageError
        When the dose is more than 16383 counts can hold, or the specimen is on another grid.
    """

    def __init__(
        self, plan: ScanPlan, profile: ControllerProfile, specimen: Specimen, *, seed: int, round_dwell: bool
    ) -> None:
        if specimen.shape != plan.shape:
            raise UsageError(f"expected a specimen of the plan's shape {plan.shape}, got {specimen.shape}")
        if plan.electrons_per_sample > _LARGEST_DOSE:
            raise UsageError(
                f"expected at most {_LARGEST_DOSE:g} electrons per sample for 14-bit counts, got "
                f"{plan.electrons_per_sample:g}; lower the dose"
            )
        self.plan = plan
        self.plan_samples = 0
        self._program = Program(plan, profile, round_dwell=round_dwell)
        self._signal = np.ascontiguousarray(specimen.signal, np.float32).reshape(-1)
        self._dose, self._seed = plan.electrons_per_sample, seed
        self._foreign = plan.total_samples
        self._across, self._down = self._nearest_pixels()
        detect(self._signal[:1], electrons_per_sample=self._dose, seed=seed)  # compiled before a client waits for it
        self.begin()

    def begin(self) -> None:
        """Forget what a client left."""
        self._cookies: tuple[int, ...] = ()
        self._expected: Steps | None = None
        self._at = self._from = 0
        self._moved: tuple[int, int] | None = None
        self.left_plan_at: int | None = None
        """Sample of the plan in whose place another pixel came first, though cookies had named where it is."""

    def synchronize(self, cookie: int) -> None:
        """Remember a cookie, which ends what came before; odd ones only number what is sent."""
        if cookie & 1:
            return
        self._cookies = (*self._cookies, cookie)[-COOKIES:]
        self._expected = None

    def electrons_per_ns(self, x: int, y: int) -> float:
        """Expected detected electrons in a nanosecond on codes."""
        return float(self._seen(np.array([x]), np.array([y]))[0]) * self._dose / self.plan.dwell_ns

    def take(
        self,
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        dwell: NDArray[np.int64],
        blanked: NDArray[np.bool_],
        lit: float | None = None,
    ) -> NDArray[np.int64]:
        """Counts of pixels: of the plan's samples as far as they come as expected, then of others.

        Parameters
        ----------
        x, y : uint16 (n,)
            Codes, 0 to 16383.
        dwell : int64 (n,)
            In ADC cycles.
        blanked : bool (n,)
        lit : float, optional
            Share of the dwell with the beam on, where it was switched meanwhile.

        Returns
        -------
        ndarray of int64, (n,)
            Beyond what 14 bits hold, if so many electrons came.
        """
        self._find_sample()
        counts = np.zeros(len(x), np.int64)
        done = 0
        while (steps := self._expected) is not None and done < len(x):
            n = min(len(x) - done, len(steps) - self._at)
            here, there = slice(done, done + n), slice(self._at, self._at + n)
            if self._moved is None:
                self._moved = self._field(steps, x[here], y[here], blanked[here])
            across, down = (np.int32(codes) for codes in self._moved or (0, 0))
            same = (
                (steps.x[there] + across == x[here])
                & (steps.y[there] + down == y[here])
                & (steps.dwell[there] == dwell[here])
                & (steps.blanked[there] == blanked[here])
            )
            broken = not same.all()
            if broken:
                n = int(same.argmin())
            part = slice(done, done + n)
            counts[part] = self._plan_counts(x[part], y[part], steps.sample[self._at :][:n], lit)
            done, self._at = done + n, self._at + n
            if broken and blanked[done]:
                moved = x[done:] - across, y[done:] - down
                done += _passed_over(steps, self._at, *moved, dwell[done:], blanked[done:])
            elif broken:
                self._leave_plan(steps)
            elif self._at == len(steps):
                self._expected, self._at = self._next_steps(), 0
        if done < len(x):
            counts[done:] = self._other_counts(x[done:], y[done:], dwell[done:], blanked[done:], lit)
        return counts

    def _find_sample(self) -> None:
        """See whether the latest cookies name the sample that comes next."""
        if not self._cookies:
            return
        if len(self._cookies) == COOKIES and not any(one & 1 for one in self._cookies):
            start = index_of(self._cookies)
            if start < self.plan.total_samples:
                self._from, self._moved = start, None
                self._expected, self._at = self._next_steps(), 0
        self._cookies = ()

    def _field(
        self, steps: Steps, x: NDArray[np.uint16], y: NDArray[np.uint16], blanked: NDArray[np.bool_]
    ) -> tuple[int, int] | None:
        """Codes by which a client moved the whole field: as far as two exposed pixels agree; None where none are."""
        came = np.flatnonzero(~blanked)[:2]
        meant = self._at + np.flatnonzero(steps.sample[self._at :] >= 0)[: len(came)]
        if not came.size or len(meant) < len(came):
            return None
        across, down = x[came] - steps.x[meant], y[came] - steps.y[meant]
        agree = (across == across[0]).all() and (down == down[0]).all()
        return (int(across[0]), int(down[0])) if agree else (0, 0)

    def _leave_plan(self, steps: Steps) -> None:
        """Give the plan up at a step that did not come."""
        self._expected = None
        if self.left_plan_at is None:
            left = steps.sample[self._at :]
            self.left_plan_at = int(left[left >= 0][0])

    def _plan_counts(
        self, x: NDArray[np.uint16], y: NDArray[np.uint16], sample: NDArray[np.int64], lit: float | None
    ) -> NDArray[np.int64]:
        """Counts of consecutive steps of the program; 0 for waiting, whose answers nobody keeps."""
        counts = np.zeros(len(sample), np.int64)
        exposed = np.flatnonzero(sample >= 0)
        if exposed.size:
            signal, first = self._seen(x[exposed], y[exposed]), int(sample[exposed[0]])
            signal = signal if lit is None else signal * np.float32(lit)
            counts[exposed] = detect(signal, electrons_per_sample=self._dose, seed=self._seed, start=first)
            self.plan_samples += exposed.size
        return counts

    def _other_counts(
        self,
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        dwell: NDArray[np.int64],
        blanked: NDArray[np.bool_],
        lit: float | None,
    ) -> NDArray[np.int64]:
        """Counts of pixels that are none of the plan's samples, proportional to their dwell."""
        relative = dwell * CYCLE_NS / self.plan.dwell_ns
        exposed = ~blanked if lit is None else lit
        signal = (self._seen(x, y) * relative * exposed).astype(np.float32)
        # Far beyond what 14 bits hold, one count is as good as another, as long as it stays within the detector's type.
        signal = np.minimum(signal, np.float32(2 * LARGEST_COUNT / self._dose))
        start, self._foreign = self._foreign, self._foreign + len(x)
        return detect(signal, electrons_per_sample=self._dose, seed=self._seed, start=start).astype(np.int64)

    def _next_steps(self) -> Steps | None:
        """The program's next steps; none at its end."""
        start = self._from
        self._from = min(start + _BATCH, self.plan.total_samples)
        return self._program.steps(start, self._from) if start < self._from else None

    def _nearest_pixels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each code of a column and of a row, its part of the number of the nearest pixel, row by row."""
        every, first = np.arange(CODES), np.zeros(CODES, np.int64)
        lattice, width = self._program.lattice, self.plan.shape[1]
        across, down = lattice.pixels(every, first).astype(np.int64), lattice.pixels(first, every).astype(np.int64)
        down -= down[0]
        return across[:, 0] * width + across[:, 1], down[:, 0] * width + down[:, 1]

    def _seen(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float32]:
        """Signal of the specimen pixel nearest to codes."""
        seen: NDArray[np.float32] = self._signal.take(self._across[x] + self._down[y])
        return seen


def _passed_over(
    steps: Steps,
    at: int,
    x: NDArray[Any],
    y: NDArray[Any],
    dwell: NDArray[np.int64],
    blanked: NDArray[np.bool_],
) -> int:
    """Number of blanked pixels before one that exposes, or that is step `at`."""
    expected = (x == steps.x[at]) & (y == steps.y[at]) & (dwell == steps.dwell[at]) & steps.blanked[at]
    ends = ~blanked | expected
    return int(ends.argmax()) if ends.any() else len(x)
