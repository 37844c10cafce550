"""Exporting a large plan: samples per second of processor time, bytes per sample, and memory.

python -m benchmarks.exporters [--samples 100000000] [--formats csv,npy,...]
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from stemscan.hardware.exporters import FORMATS, export
from stemscan.plan.scan_plan import ScanPlan

SIDE = 16384
SMALLER = {"fei-stream-12": 3816, "de-freescan": 8192}
"""Sides of grids where the controller has no larger one."""


def plan_of(side: int, passes: int) -> ScanPlan:
    """Block-random at 3 of 64, the default."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [side, side],
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "pixel_size_nm": 0.01,
            "seed": 7,
        }
    )


def measure(name: str, plan: ScanPlan) -> tuple[float, float]:
    """Processor seconds, and bytes per sample, of one export."""
    suffixes = FORMATS[name].suffixes
    with TemporaryDirectory() as folder:
        began = time.process_time()
        report = export(plan, name, Path(folder) / f"plan{suffixes[0] if suffixes else ''}")
        return time.process_time() - began, report.size_bytes / report.samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000_000)
    parser.add_argument("--formats", default=",".join(FORMATS))
    options = parser.parse_args()
    print(
        "| format | samples | million a second | bytes per sample | largest memory so far, MiB |\n|---|---|---|---|---|"
    )
    for name in options.formats.split(","):
        measure(name, plan_of(64, 1))  # compile
        side = SMALLER.get(name, SIDE)
        plan = plan_of(side, -(-options.samples // plan_of(side, 1).samples_per_pass))
        seconds, size = measure(name, plan)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        speed = plan.total_samples / seconds / 1e6
        print(f"| {name} | {plan.total_samples:,} | {speed:.1f} | {size:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
