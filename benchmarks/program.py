"""Programs and pre-flight reports: microseconds per sample, and memory.

    python -m benchmarks.program

The first plan has 12.6 million samples on 8192 x 8192 pixels, the largest maps that a report makes; the second more
than 10^9, of which parts at its beginning and end are made into steps.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

from stemscan.hardware.preflight import check_flight
from stemscan.hardware.profile import load_profile
from stemscan.hardware.program import Program
from stemscan.plan.scan_plan import ScanPlan

PART = 4_000_000


def plan_of(side: int, passes: int) -> ScanPlan:
    """A block-random plan."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [side, side],
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 3,
        }
    )


def seconds(run: Callable[[], object]) -> float:
    """Processor time."""
    began = time.process_time()
    run()
    return time.process_time() - began


def memory() -> float:
    """Largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    profile = load_profile("obi")
    huge = Program(plan_of(32768, 32), load_profile("fei-stream"))
    huge.steps(0, 1000)
    print(f"{huge.plan.total_samples:,} samples on {huge.plan.shape[0]} x {huge.plan.shape[1]}")
    last = huge.plan.total_samples
    for start, stop in ((0, PART), (last - PART, last)):
        taken = seconds(lambda start=start, stop=stop: sum(len(part) for part in huge.batches(start, stop)))  # type: ignore[misc]
        print(f"  steps of samples {start:,} to {stop:,}: {taken / PART * 1e6:.2f} us per sample, {memory():.0f} MiB")
    program = Program(plan_of(8192, 4), profile)
    check_flight(program, most_samples=300_000)
    taken = seconds(lambda: check_flight(program)) / program.plan.total_samples
    print(f"{program.plan.total_samples:,} samples on 8192 x 8192")
    print(f"  report: {taken * 1e6:.2f} us per sample, {memory():.0f} MiB")


if __name__ == "__main__":
    main()
