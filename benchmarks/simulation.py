"""Speed of a simulation from the plan to the finished store, against the number of samples.

    python -m benchmarks.simulation [--sides 1024 2048 4096 8192] [--runs 2]

Block-random 3/64 in 4 passes at dose 10 of a specimen of noise, Poisson counts, on the disk of the current folder. Each
side in a process of its own, the best of the runs after one that compiles. `record` leaves frames and visits undrawn:
what is left is the record of samples. Rates are million samples per second of wall time; memory is the largest resident
of the process; bytes are those of the store without the truth.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

import stemscan as ss
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.store.pictures import PictureWriter
from stemscan.store.writer import AcquisitionWriter


class Measured(NamedTuple):
    """Of one side: samples, seconds of wall and processor time with frames and without, MiB, bytes per sample."""

    samples: int
    whole: tuple[float, float]
    record: tuple[float, float]
    memory: float
    stored: float


def simulated(specimen: Specimen, plan: ss.ScanPlan, path: Path) -> tuple[float, float]:
    """Seconds of wall and processor time."""
    began, cpu = time.perf_counter(), time.process_time()
    ss.simulate(plan, specimen, path, overwrite=True)
    return time.perf_counter() - began, time.process_time() - cpu


def measure(case: tuple[int, int, str]) -> Measured:
    """Measure one side."""
    side, runs, folder = case
    pattern = {"kind": "block-random", "block": 8, "samples_per_block": 3}
    fields = {"pattern": pattern, "passes": 4, "dwell_ns": 1000, "dose": {"electrons_per_sample": 10}, "seed": 3}
    plans = [ss.ScanPlan.from_dict(fields | {"shape": [one, one]}) for one in (256, side)]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "acq.zarr"
        specimens = [
            Specimen(np.random.default_rng(1).random((one, one), dtype=np.float32), "noise") for one in (256, side)
        ]
        simulated(specimens[0], plans[0], path)
        whole = min(simulated(specimens[1], plans[1], path) for _ in range(runs))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        stored = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and "truth" not in file.parts)
        with patch.object(PictureWriter, "is_due", return_value=False), patch.object(AcquisitionWriter, "complete"):
            record = min(simulated(specimens[1], plans[1], path) for _ in range(runs))
    return Measured(plans[1].total_samples, whole, record, memory, stored / plans[1].total_samples)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--runs", type=int, default=2)
    asked = parser.parse_args()
    print("| side | samples | s | processor s | M/s | record: s | processor s | M/s | MiB | bytes per sample |")
    print("|" + "---|" * 10)
    for side in asked.sides:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            got = pool.apply(measure, ((side, asked.runs, "."),))
        parts = [f"{wall:.2f} | {cpu:.2f} | {got.samples / wall / 1e6:.2f}" for wall, cpu in (got.whole, got.record)]
        print(f"| {side} | {got.samples:,} | {' | '.join(parts)} | {got.memory:.0f} | {got.stored:.2f} |", flush=True)


if __name__ == "__main__":
    main()
