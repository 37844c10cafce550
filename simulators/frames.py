"""A signal scanned by a plan into frames, without a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import SpecimenError
from stemscan.path.scan_path import ScanPath
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.detector import Noise
from stemscan.simulators.microscope import expose

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["sampled_frames"]

_BATCH: Final = 1 << 20


def sampled_frames(
    signal: NDArray[Any], plan: ScanPlan, *, noise: Noise = "poisson", seed: int, threads: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Scan a signal by a plan, without a store: the same counts as `stemscan simulate` writes.

    Parameters
    ----------
    signal : ndarray (H, W)
        Relative intensity, at least 0, on the plan's grid; used as float32.
    noise : {"poisson", "eq5"}
        See `stemscan.simulators.instrument.detector.detect`.
    seed : int
        Of the detector, 0 to 2**64 - 1.
    threads : int
        Threads of the detector; the counts do not depend on it.

    Returns
    -------
    frames : float32 (T, H, W)
        Electrons summed per pass and pixel; zero where not visited.
    visits : uint16 (T, H, W)
        Samples per pass and pixel.

    Raises
    ------
    SpecimenError
        If the signal is not on the plan's grid.
    UsageError
        If an expected count is negative, not finite or too large.
    """
    values = np.ascontiguousarray(signal, np.float32)
    if values.shape != plan.shape:
        raise SpecimenError(f"expected a signal on the plan's grid of shape {plan.shape}, got {values.shape}")
    path = ScanPath(plan)
    stack = (plan.passes, values.size)
    frames, visits = np.zeros(stack, np.float32), np.zeros(stack, np.uint16)
    sums = np.empty(values.size)
    for number in range(plan.passes):
        end = (number + 1) * plan.samples_per_pass
        sums[:] = 0
        for start in range(end - plan.samples_per_pass, end, _BATCH):
            stop = min(start + _BATCH, end)
            counts, pixels = expose(values, path, start, stop, noise=noise, seed=seed, threads=threads)
            _add(counts, pixels, sums, frames[number], visits[number])
    return frames.reshape(plan.passes, *values.shape), visits.reshape(plan.passes, *values.shape)


@compiled()
def _add(counts: Any, pixels: Any, sums: Any, frame: Any, visits: Any) -> None:
    """Add counts to the sums of their pixels, round these into the frame, and count visits."""
    for i in range(len(pixels)):
        sums[pixels[i]] += counts[i]
        visits[pixels[i]] += 1
    for i in range(len(pixels)):
        frame[pixels[i]] = sums[pixels[i]]
