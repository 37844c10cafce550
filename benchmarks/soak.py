"""A long acquisition from the virtual microscope into a store: samples per second, and memory on the way.

python -m benchmarks.soak [--samples 100000000] [--side 2048] [--folder .]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from stemscan.acquisition.reports import provenance_of
from stemscan.acquisition.scan import run_scan
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter

MARKS = (0.02, 0.1, 0.25, 0.5, 0.75, 1.0)


def plan_of(samples: int, side: int) -> ScanPlan:
    """Half the pixels of a grid a pass, in as many passes as the samples need."""
    data: dict[str, Any] = {
        "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 32},
        "shape": [side, side],
        "passes": 1,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "seed": 7,
    }
    per_pass = ScanPlan.from_dict(data).samples_per_pass
    return ScanPlan.from_dict(data | {"passes": max(1, round(samples / per_pass))})


def peak_mib() -> float:
    """Largest memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Watch:
    """Prints a line when another part of the samples came."""

    def __init__(self) -> None:
        self._left = list(MARKS)
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def __call__(self, done: int, total: int) -> None:
        """See to the progress."""
        while self._left and done >= self._left[0] * total:
            self._left.pop(0)
            wall, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
            print(f"| {done:,} | {wall:.1f} | {cpu:.1f} | {done / wall:,.0f} | {peak_mib():.0f} |", flush=True)


def main() -> None:
    """Acquire, print, and check that every sample came."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000_000)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    plan = plan_of(options.samples, options.side)
    signal = np.random.default_rng(0).random(plan.shape, np.float32)
    microscope = VirtualMicroscope(specimen_from_array(signal), plan, seed=1)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        place = Path(folder) / "soak.zarr"
        print(f"{plan.total_samples:,} samples in {plan.passes} passes of {options.side} x {options.side} pixels\n")
        print("| samples | wall s | process s | samples/s | largest memory, MiB |\n|---|---|---|---|---|")
        with AcquisitionWriter.create(place, plan, provenance_of(microscope)) as store:
            result = run_scan(plan, microscope, store, progress=Watch())
        read = Acquisition.open(place)
        bytes_on_disk = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        print(
            f"\n{read.state}: {result.samples:,} samples in {result.seconds:.1f} s, {bytes_on_disk / 2**20:.0f} MiB on "
            f"disk, {peak_mib():.0f} MiB of memory at most"
        )


if __name__ == "__main__":
    main()
