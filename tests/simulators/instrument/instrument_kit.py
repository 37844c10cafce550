"""Plans, specimens and scans for tests of instruments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.instrument.clock import Clock
from stemscan.simulators.instrument.effect import Scan
from stemscan.simulators.instrument.settings import Instrument
from stemscan.simulators.microscope import VirtualMicroscope
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.store.batch import SampleBatch

__all__ = ["joined", "make_plan", "make_scan", "make_specimen", "microscope", "scanned"]


def make_plan(**changes: Any) -> ScanPlan:
    """Two passes of 3 samples in each 8 x 8 block of 32 x 48 pixels of 0.1 nm, 10 electrons per sample."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [32, 48],
            "passes": 2,
            "dwell_ns": 1_000,
            "dose": {"electrons_per_sample": 10},
            "pixel_size_nm": 0.1,
            "seed": 7,
        }
        | changes
    )


def make_scan(plan: ScanPlan | None = None, seed: int = 1) -> Scan:
    """The scan of a plan."""
    plan = plan or make_plan()
    return Scan(plan, ScanPath(plan), seed, plan.pixel_size_nm, Clock(plan))


def make_specimen(plan: ScanPlan | None = None, signal: NDArray[np.float32] | None = None) -> Specimen:
    """Waves, or a signal, on the plan's grid."""
    if signal is None:
        rows, columns = np.indices((plan or make_plan()).shape, np.float32)
        signal = (0.5 + 0.2 * np.sin(rows / 2) + 0.2 * np.cos(columns / 3)).astype(np.float32)
    return Specimen(signal, "waves")


def microscope(settings: dict[str, Any], plan: ScanPlan | None = None, **more: Any) -> VirtualMicroscope:
    """A virtual microscope with an instrument of these settings."""
    plan = plan or make_plan()
    specimen = more.pop("specimen", None) or make_specimen(plan)
    return VirtualMicroscope(specimen, plan, **{"seed": 1, **more}, instrument=Instrument.model_validate(settings))


def scanned(
    device: VirtualMicroscope,
    plan: ScanPlan,
    start: int = 0,
    stop: int | None = None,
    size: int = 1 << 20,
    path: ScanPath | None = None,
) -> SampleBatch:
    """Samples start .. stop - 1, read in batches of a size, as one batch."""
    path = path or ScanPath(plan)
    device.arm(path, start, len(path) if stop is None else stop)
    device.start()
    batches: list[SampleBatch] = []
    while (batch := device.read(size)) is not None:
        batches.append(batch)
    return joined(batches)


def joined(batches: list[SampleBatch]) -> SampleBatch:
    """Batches that follow one another, as one."""
    truths = {
        name: np.concatenate([one.truths[name] for one in batches if one.truths]) for name in batches[0].truths or ()
    }
    actual = (
        None if batches[0].actual is None else np.concatenate([one.actual for one in batches if one.actual is not None])
    )
    return SampleBatch(batches[0].start, np.concatenate([one.counts for one in batches]), actual, truths or None)
