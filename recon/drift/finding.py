"""Estimate of drift from the samples of a scan: shifts of passes, refined on the samples, and a judgement.

1. `passes`: shifts of passes, and a piecewise-linear trajectory through them.
2. The detail at which the scan tells shifts best: the width of the smoothing, by the information of `linearised`.
3. Gauss-Newton steps on the samples with images of the other time slabs (`leave_out`, `linearised`), the trajectory's
   smoothness by the evidence (`smoothness`).
4. A judgement: the trajectory must predict left-out slabs better than none by more than its freedom alone would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from stemscan.recon.drift.leave_out import Readings, Scale, read_samples, weights
from stemscan.recon.drift.linearised import linearise, sharpness
from stemscan.recon.drift.passes import PassShifts, pass_shifts
from stemscan.recon.drift.smoothness import Posterior, choose_smoothness, posterior
from stemscan.recon.drift.timed import Knots, TimedSamples
from stemscan.store.trajectory import Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Found", "Verdict", "find_trajectory"]

Floats = npt.NDArray[np.float64]
Verdict = Literal["drift", "still", "unknown", "ambiguous"]

WIDTHS: Final = (1.0, 1.5, 2.1, 3.0, 4.3, 6.1, 8.7)
"""Smoothing widths in pixels among which is chosen."""

_KNOTS_A_PASS: Final = 32
_FEWEST_KNOTS, _MOST_KNOTS = 65, 257
_STEPS: Final = 8
_CONVERGED: Final = 0.01
"""Steps of refinement at most, and the change in pixels below which one more is enough."""

_SCORE: Final = 6.0
_COARSE: Final = 0.1
"""Error in pixels of a pass's shift, at least: a pass is smeared by what happens in it."""

_FIRM: Final = 1.0
"""Largest standard deviation in pixels at which a trajectory is one."""


@dataclass(frozen=True, eq=False)
class Found:
    """Drift of a scan, as far as it can be known.

    Attributes
    ----------
    verdict : {"drift", "still", "unknown", "ambiguous"}
        "still" where the samples show no motion beyond errors, or none that could be followed; "unknown" where they
        cannot tell; "ambiguous" where two motions, a lattice's unit cell apart, explain them alike.
    reason : str
        One sentence.
    trajectory : Trajectory or None
        None where nothing can be known.
    gain : float
        Natural logarithm of the likelihood of left-out samples with the trajectory over that without.
    freedom : float
        Effective number of its parameters.
    width : float
        Detail of the images, px.
    """

    verdict: Verdict
    reason: str
    trajectory: Trajectory | None = None
    gain: float = 0.0
    freedom: float = 0.0
    width: float = 0.0


def find_trajectory(samples: TimedSamples, progress: Callable[[int, int], None] | None = None) -> Found:
    """Estimate a scan's drift.

    Parameters
    ----------
    progress : callable, optional
        Called with (steps done, steps in all).
    """
    told = progress or (lambda done, total: None)
    shifts = pass_shifts(samples, Scale.of(3.0, samples.shape))
    if shifts.unclear is not None:
        return Found("ambiguous", _unclear(shifts.unclear))
    told(1, _STEPS + 2)
    knots = Knots.over(samples.count, min(max(_KNOTS_A_PASS * samples.passes + 1, _FEWEST_KNOTS), _MOST_KNOTS))
    now = _through(shifts, samples, knots)
    scale = best_scale(samples, samples.moves + knots.spread(now))
    if scale is None:
        return Found("unknown", "the samples have too little contrast to show motion")
    told(2, _STEPS + 2)
    refined, smooth, done = Posterior(now, np.full_like(now, np.inf), 0.0), None, False
    for step in range(_STEPS):
        before = refined.offsets
        read = read_samples(samples, samples.moves + knots.spread(refined.offsets), scale)
        pulled = linearise(samples, read, knots)
        known = pulled.force, pulled.information, refined.offsets, knots.weights
        smooth = choose_smoothness(*known) if smooth is None or step < _STEPS - 2 else smooth
        if done or step == _STEPS - 1:
            smooth = choose_smoothness(*known, smooth)
        refined = posterior(*known, smooth)
        told(step + 3, _STEPS + 2)
        if done:
            break
        done = bool(np.sqrt(np.mean((refined.offsets - before) ** 2)) < max(0.3 * refined.rms_std, _CONVERGED))
    return _judged(samples, knots, refined, scale)


def _through(shifts: PassShifts, samples: TimedSamples, knots: Knots) -> Floats:
    """The likeliest drift by the shifts of passes alone, (K, 2)."""
    count, error = knots.count, max(_COARSE, shifts.std if np.isfinite(shifts.std) else 0.0)
    precision = 1.0 / error**2
    force, block = np.zeros((2, count)), np.zeros((count, count))
    for part, shift in enumerate(shifts.shifts):
        mine = shifts.part == part
        share = knots.gather(mine.astype(np.float64)) / np.count_nonzero(mine)
        block += precision * np.outer(share, share)
        drifted = shift - samples.moves[mine].mean(axis=0)
        force += precision * drifted[:, np.newaxis] * share
    known = force.ravel(), np.asarray(np.kron(np.eye(2), block), np.float64), np.zeros((count, 2)), knots.weights
    return posterior(*known, choose_smoothness(*known)).offsets


def best_scale(samples: TimedSamples, offsets: Floats) -> Scale | None:
    """The detail of most information on shifts; None where there is none."""
    best, most = None, 0.0
    for width in sorted(WIDTHS, reverse=True):
        scale = Scale.of(width, samples.shape)
        read = read_samples(samples, offsets, scale)
        if not read.inside.any():
            continue
        sharp = sharpness(samples, read, weights(read, samples))
        if sharp.score > _SCORE and sharp.information > most:
            best, most = scale, sharp.information
        elif best is not None:
            break
    return best


def _judged(samples: TimedSamples, knots: Knots, refined: Posterior, scale: Scale) -> Found:
    """Judgement of a trajectory."""
    times = samples.in_scan(np.clip(knots.samples(), 0, None))
    trajectory = _with_moves(Trajectory.of(times, refined.offsets, refined.std), samples)
    before = read_samples(samples, np.zeros((samples.count, 2)), scale)
    after = read_samples(samples, samples.moves + knots.spread(refined.offsets), scale)
    gain = _gain(samples, before, after)
    verdict: Verdict = "drift"
    reason = f"the beam moved by {trajectory.span:.3g} px over the specimen"
    if trajectory.rms_std > _FIRM:
        reason = f"its error would be {trajectory.rms_std:.2g} px: too few samples, or each place was visited once"
        verdict = "unknown"
    elif gain < 2 * refined.freedom + 5:
        verdict, reason = "still", f"motion of more than {2 * trajectory.rms_std:.2g} px would have shown"
    elif trajectory.rms < 2 * trajectory.rms_std:
        shaken = float(np.hypot(trajectory.rms, np.sqrt(2) * trajectory.rms_std))
        verdict, reason = (
            "still",
            f"the beam shakes by some {shaken:.1g} px, too fast to be followed",
        )
    return Found(verdict, reason, trajectory, gain, refined.freedom, scale.width)


def _with_moves(drift: Trajectory, samples: TimedSamples) -> Trajectory:
    """Offsets from the grid as it was moved: those of the drift, with a step where the field was moved."""
    if samples.moved is None:
        return drift
    edges = samples.pass_starts[1:-1]
    starts = samples.in_scan(samples.pass_starts.astype(np.float64))
    at = np.union1d(drift.samples, samples.in_scan(np.concatenate([edges - 1, edges]).astype(np.float64)))
    number = np.clip(np.searchsorted(starts, at, side="right") - 1, 0, samples.passes - 1)
    return Trajectory.of(at, drift.at(at) + samples.moved[number], drift.std_at(at))


def _gain(samples: TimedSamples, before: Readings, after: Readings) -> float:
    """Logarithm of the likelihood ratio of left-out samples."""
    both = before.inside & after.inside
    weight = np.where(both, weights(after, samples).each, 0.0)
    variance = float(np.sum(weight * after.residual**2)) / max(float(weight.sum()), 1e-300)
    return float(np.sum(weight * (before.residual**2 - after.residual**2))) / (2 * max(variance, 1e-300))


def _unclear(peaks: tuple[float, float]) -> str:
    """A sentence on two peaks that are about as near."""
    return (
        f"a motion of {peaks[0]:.3g} px from one pass to the next and one of {peaks[1]:.3g} px the other way, a "
        "unit cell of the lattice apart, explain the samples alike"
    )
