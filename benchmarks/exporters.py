"""Exporting a large plan: samples a second of processor time, bytes a sample, and memory.

python -m benchmarks.exporters [--passes 8] [--formats csv,npy,...]     (12.6 million samples a pass)
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from stemscan.hardware.exporters import FORMATS, export
from stemscan.plan import ScanPlan

SIDE = 16384


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
    """Processor seconds, and bytes a sample, of one export."""
    suffixes = FORMATS[name].suffixes
    with TemporaryDirectory() as folder:
        began = time.process_time()
        report = export(plan, name, Path(folder) / f"plan{suffixes[0] if suffixes else ''}")
        return time.process_time() - began, report.size_bytes / report.samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--formats", default=",".join(FORMATS))
    options = parser.parse_args()
    small, plan = plan_of(64, 1), plan_of(SIDE, options.passes)
    print(f"{SIDE} x {SIDE}, {options.passes} passes, {plan.total_samples:,} samples\n")
    print("| format | million samples a second | bytes a sample | largest memory so far, MiB |\n|---|---|---|---|")
    for name in options.formats.split(","):
        measure(name, small)  # compile
        seconds, size = measure(name, plan)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {name} | {plan.total_samples / seconds / 1e6:.1f} | {size:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
