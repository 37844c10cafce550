"""Pre-flight: what running a plan on a controller takes and does, told before anything is exposed.

The program is walked once, in batches. Times are those of the controller's profile; electrons those of the plan's
dose, spread over its dwell. Where the beam cannot be blanked, what it does while it waits on the pixel of the next
sample is dose on that pixel. Where commands come too late it may be on whatever the blanker can, so stalls count as
dose. Large plans are walked in part, and their times and doses taken in proportion: the report says how many samples
it saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.hardware.coil_lag import CoilLag, LaggedPath
from stemscan.hardware.preflight.findings import findings
from stemscan.hardware.preflight.report import Duration, Maps, Preflight
from stemscan.hardware.preflight.spread import Spread
from stemscan.hardware.program import Program, Waits
from stemscan.hardware.raster_runs import row_runs
from stemscan.runtime.memory import require_memory

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["MOST_SAMPLES", "check_flight"]

Progress = Callable[[int, int], None]

MOST_SAMPLES: Final = 100_000_000

_BYTES_A_PIXEL: Final = 32
"""Memory of the maps and their statistics, by `benchmarks/memory.py`."""

_BATCH: Final = 1 << 18
_LARGEST_MAP: Final = 1 << 26
_MOST_LAGGED: Final = 5_000_000
_DOSE_BINS: Final = 8
_JUMPS: Final = 18  # bins of jumps: [0, 1), [1, 2), [2, 4), ... pixels


@dataclass
class _Sums:
    """Sums over a walk."""

    settle: int = 0
    flyback: int = 0
    steps: int = 0
    waits: int = 0
    in_runs: int = 0
    runs: int = 0
    jump: float = 0.0
    longest: float = 0.0
    jumps: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_JUMPS, np.int64))
    by_pass: dict[int, float] = field(default_factory=dict)
    since: Spread = field(default_factory=Spread)
    apart: Spread = field(default_factory=Spread)
    lag_square: float = 0.0
    lag_longest: float = 0.0
    lagged: int = 0


def check_flight(program: Program, *, most_samples: int = MOST_SAMPLES, progress: Progress | None = None) -> Preflight:
    """Walk a program and report.

    Parameters
    ----------
    most_samples : int
        Samples to walk at most; what is beyond is taken in proportion.
    progress : callable, optional
        Called with (samples done, samples in all).
    """
    plan, profile = program.plan, program.profile
    examined = min(plan.total_samples, most_samples)
    maps = _empty_maps(plan)
    sums = _walk(program, examined, maps, progress)
    report = _report(program, examined, sums, maps)
    return replace(report, findings=findings(plan, profile, report))


def _empty_maps(plan: ScanPlan) -> Maps | None:
    """Maps before the walk; None where they would be too large."""
    if plan.shape[0] * plan.shape[1] > _LARGEST_MAP:
        return None
    rows, columns = plan.shape
    require_memory(_BYTES_A_PIXEL * rows * columns, f"for maps of {rows} x {columns} pixels")
    since, apart = (np.full(plan.shape, np.inf, np.float32) for _ in range(2))
    return Maps(np.zeros(plan.shape, np.uint32), np.zeros(plan.shape, np.float32), since, apart)


def _walk(program: Program, examined: int, maps: Maps | None, progress: Progress | None) -> _Sums:
    """Go through the program's samples once."""
    plan, profile = program.plan, program.profile
    quantum, dwell = profile.dwell.quantum_ns, program.quantisation.dwell_ns
    lit = profile.blanker != "inline"
    lag = _lagged_path(program)
    last = None if maps is None else np.full(plan.shape, -np.inf)
    sums, clock = _Sums(), 0.0
    before = np.empty((0, 2), np.int32)
    for start in range(0, examined, _BATCH):
        stop = min(start + _BATCH, examined)
        positions, waits = program.path.positions(start, stop), program.waits(start, stop)
        waited = (waits.settle + waits.flyback) * float(quantum)
        _add_moves(sums, waits, start, profile.dwell.largest)
        if profile.link is not None and profile.link.bytes_per_run is not None:
            _add_runs(sums, program, positions, waits)
        exposed = np.asarray(dwell + waited * lit, np.float64)
        _add_passes(sums, exposed, start, plan.samples_per_pass)
        begun = np.asarray(clock + np.cumsum(waited + dwell) - dwell, np.float64)
        clock = float(begun[-1] + dwell)
        if maps is not None and last is not None:
            _add_pixels(sums, positions, exposed, begun, last, maps)
            before = _add_distances(sums, np.concatenate([before, positions]), len(before), maps)
        if lag is not None and start < _MOST_LAGGED:
            _add_lag(sums, positions, lag.positions(start, stop))
        if progress is not None:
            progress(stop, examined)
    return sums


def _lagged_path(program: Program) -> LaggedPath | None:
    """Actual positions of the beam, for a profile with a time constant that is not far beyond the dwell."""
    settle = program.profile.settle
    if settle is None or settle.time_constant_ns is None:
        return None
    try:
        return program.lagged(CoilLag(settle.time_constant_ns))
    except UsageError:
        return None  # a finding says so


def _add_moves(sums: _Sums, waits: Waits, start: int, largest: int) -> None:
    """Jumps and waiting; to the first sample of all there is no jump."""
    waited = waits.settle + waits.flyback
    sums.settle += int(waits.settle.sum())
    sums.flyback += int(waits.flyback.sum())
    sums.steps += len(waited) + int((-(-waited // largest)).sum())
    sums.waits += int(np.count_nonzero(waited))
    sums.jump += float(waits.jump.sum())
    sums.longest = max(sums.longest, float(waits.jump.max(initial=0.0)))
    bins = np.minimum(np.frexp(waits.jump[int(start == 0) :])[1].clip(min=0), _JUMPS - 1)
    sums.jumps += np.bincount(bins, minlength=_JUMPS)


def _add_runs(sums: _Sums, program: Program, positions: npt.NDArray[np.int32], waits: Waits) -> None:
    """Samples that go along rows in equal steps without waits, and how many runs they are."""
    waited = waits.settle + waits.flyback
    if waited.all():
        return
    x, y = program.lattice.codes(positions)
    runs = row_runs(x, y, waited == 0)
    sums.in_runs += int(runs.length.sum())
    sums.runs += len(runs.length)


def _add_passes(sums: _Sums, exposed: npt.NDArray[np.float64], start: int, per_pass: int) -> None:
    """Time with the beam on, by pass."""
    number, stop = start // per_pass, start + len(exposed)
    while number * per_pass < stop:
        part = exposed[max(number * per_pass - start, 0) : (number + 1) * per_pass - start]
        sums.by_pass[number] = sums.by_pass.get(number, 0.0) + float(part.sum())
        number += 1


def _add_pixels(
    sums: _Sums,
    positions: npt.NDArray[np.int32],
    exposed: npt.NDArray[np.float64],
    begun: npt.NDArray[np.float64],
    last: npt.NDArray[np.float64],
    maps: Maps,
) -> None:
    """Exposure, visits and times since the neighbourhood was visited."""
    from stemscan.hardware.preflight.kernels import expose_pixels, since_neighbours

    expose_pixels(positions, exposed, maps.exposed, maps.visits)
    sums.since.add(since_neighbours(positions, begun, last, maps.since))


def _add_distances(sums: _Sums, positions: npt.NDArray[np.int32], first: int, maps: Maps) -> npt.NDArray[np.int32]:
    """Distances of samples, from the first of these on, to the nearest of those before; the last ones for the next."""
    from stemscan.hardware.preflight.kernels import BEFORE, distances_before

    sums.apart.add(distances_before(positions, first, maps.apart))
    return positions[-BEFORE:]


def _add_lag(sums: _Sums, positions: npt.NDArray[np.int32], actual: npt.NDArray[np.float32]) -> None:
    """Distances of where the beam is from where it should be."""
    away = np.square(actual - positions, dtype=np.float64).sum(axis=1)
    sums.lag_square += float(away.sum())
    sums.lag_longest = max(sums.lag_longest, float(np.sqrt(away.max(initial=0.0))))
    sums.lagged += len(positions)


def _report(program: Program, examined: int, sums: _Sums, maps: Maps | None) -> Preflight:
    """The report without findings."""
    plan, profile, quantisation = program.plan, program.profile, program.quantisation
    share = plan.total_samples / examined
    quantum = profile.dwell.quantum_ns
    rate = plan.electrons_per_sample / plan.dwell_ns
    settle, flyback = (round(quanta * quantum * share) for quanta in (sums.settle, sums.flyback))
    dwell = quantisation.dwell_ns * plan.total_samples
    running = dwell + settle + flyback
    stall, needed = 0, None
    if profile.link is not None:
        blankings = 2 * sums.waits if profile.blanker == "inline" else 0
        listed = (sums.steps - sums.in_runs) * profile.link.bytes_per_step + sums.runs * (
            profile.link.bytes_per_run or 0
        )
        taken = (listed + blankings * profile.link.bytes_per_blanking) * share
        stall = max(round(taken / profile.link.bytes_per_second * 1e9) - running, 0)
        needed = taken / (running * 1e-9)
    lit = 0 if profile.blanker == "inline" else settle + flyback
    exposed = (dwell + lit + stall) * rate
    longer = 1 + stall / (dwell + lit)
    whole = [number for number in sums.by_pass if (number + 1) * plan.samples_per_pass <= examined]
    area = None if plan.dose_e_per_A2 is None else plan.dose_e_per_A2 * (exposed / plan.total_electrons)
    pixels = None if maps is None else maps.exposed[maps.visits > 0].astype(np.float64) * (rate * longer)
    return Preflight(
        profile=profile.name,
        samples=plan.total_samples,
        examined=examined,
        duration=Duration(dwell, settle, flyback, stall, profile.ext_switch_delay_ns),
        quantisation=quantisation,
        electrons_per_sample=quantisation.dwell_ns * rate,
        electrons_per_pass=tuple(sums.by_pass[number] * rate * longer for number in whole),
        mean_electrons_per_pass=exposed / plan.passes,
        unblanked_share=lit / dwell,
        stall_share=stall / dwell,
        dose_e_per_A2=area,
        pixel_dose=None if pixels is None else _quantiles(pixels),
        pixel_dose_histogram=None if pixels is None else _histogram(pixels),
        jumps=tuple(int(number) for number in sums.jumps),
        mean_jump_px=sums.jump / max(examined - 1, 1),
        longest_jump_px=sums.longest,
        lag_rms_px=float(np.sqrt(sums.lag_square / sums.lagged)) if sums.lagged else None,
        lag_longest_px=sums.lag_longest if sums.lagged else None,
        lag_examined=sums.lagged,
        revisit_ns=sums.since.quantiles(),
        revisit_px=sums.apart.quantiles(),
        link_needed=needed,
        link_there=None if profile.link is None else profile.link.bytes_per_second,
        maps=maps,
    )


def _quantiles(electrons: npt.NDArray[np.floating]) -> tuple[tuple[float, float], ...]:
    """Electrons of visited pixels at some quantiles."""
    at = (0.0, 0.05, 0.5, 0.95, 1.0)
    return tuple(zip(at, np.quantile(electrons, at).tolist(), strict=True))


def _histogram(electrons: npt.NDArray[np.floating]) -> tuple[tuple[float, float, int], ...]:
    """Numbers of visited pixels by their electrons, from 0 to the most."""
    counts, bounds = np.histogram(electrons, _DOSE_BINS, (0.0, float(electrons.max())))
    bins = zip(bounds[:-1].tolist(), bounds[1:].tolist(), counts.tolist(), strict=True)
    return tuple((low, high, count) for low, high, count in bins if count)
