"""What other rooms may use of the virtual world: specimens, sampled frames, the virtual microscope. Nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import SpecimenError
from stemscan.path import ScanPath
from stemscan.simulators.corner import image_paths, load_corner
from stemscan.simulators.crystal_specimen import render_crystal
from stemscan.simulators.crystals import CRYSTALS
from stemscan.simulators.detector import Noise, detect, poisson
from stemscan.simulators.microscope import VirtualMicroscope, expose
from stemscan.simulators.probe import Probe
from stemscan.simulators.smoothing import paper_smoothed, resampled
from stemscan.simulators.specimen import Specimen, load_specimen, resample_specimen, specimen_from_array
from stemscan.simulators.synthetic.generator import synthetic_specimen

if TYPE_CHECKING:
    from stemscan.plan import ScanPlan

__all__ = [
    "CRYSTALS",
    "Noise",
    "Probe",
    "Specimen",
    "VirtualMicroscope",
    "detect",
    "image_paths",
    "load_corner",
    "load_specimen",
    "paper_smoothed",
    "poisson",
    "render_specimen",
    "resample_specimen",
    "resampled",
    "sampled_frames",
    "specimen_from_array",
    "synthetic_specimen",
]

_BATCH = 1 << 20

render_specimen = render_crystal


def sampled_frames(
    signal: NDArray[Any], plan: ScanPlan, *, noise: Noise = "poisson", seed: int, threads: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Scan a signal by a plan, without a store: the same counts as `stemscan simulate` writes.

    Parameters
    ----------
    signal : ndarray (H, W)
        Relative intensity, at least 0, on the plan's grid; used as float32.
    plan : ScanPlan
    noise : {"poisson", "eq5"}
        See `stemscan.simulators.detector.detect`.
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
    for number in range(plan.passes):
        end = (number + 1) * plan.samples_per_pass
        sums, hits = np.zeros(values.size), np.zeros(values.size, np.int64)
        for start in range(end - plan.samples_per_pass, end, _BATCH):
            stop = min(start + _BATCH, end)
            counts, pixels = expose(values, path, start, stop, noise=noise, seed=seed, threads=threads)
            sums += np.bincount(pixels, counts, values.size)
            hits += np.bincount(pixels, minlength=values.size)
        frames[number], visits[number] = sums, hits
    return frames.reshape(plan.passes, *values.shape), visits.reshape(plan.passes, *values.shape)
