"""Expanding the path of a large plan: seconds for 10 million samples, and memory.

python -m benchmarks.path [--side 16384] [--samples 10000000]
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

from stemscan.path.scan_path import DEFAULT_BATCH, ScanPath
from stemscan.plan.scan_plan import ScanPlan

CASES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "block-random", "block": 8, "samples_per_block": 3}, "serpentine-blocks"),
    ({"kind": "block-random", "block": 8, "samples_per_block": 3}, "raster"),
    ({"kind": "block-random", "block": 8, "samples_per_block": 3}, "random"),
    ({"kind": "uniform", "ratio": 3 / 64}, "random"),
    ({"kind": "uniform", "ratio": 3 / 64}, "raster"),
    ({"kind": "line-hop", "height": 16}, "serpentine-blocks"),
    ({"kind": "raster"}, "raster"),
]


def plan_of(pattern: dict[str, Any], order: str, repeat: str, side: int) -> ScanPlan:
    """A plan of 4 passes."""
    return ScanPlan.from_dict(
        {
            "pattern": pattern,
            "shape": [side, side],
            "passes": 4,
            "order": {"kind": order},
            "repeat": repeat,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 7,
        }
    )


def seconds_of(plan: ScanPlan, samples: int) -> float:
    """Wall seconds to hand out the first `samples` samples in batches, as seconds for 10 million."""
    path = ScanPath(plan)
    samples = min(samples, len(path))
    began = time.perf_counter()
    for start in range(0, samples, DEFAULT_BATCH):
        path.positions(start, min(samples, start + DEFAULT_BATCH))
    return (time.perf_counter() - began) * 1e7 / samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--samples", type=int, default=10_000_000)
    options = parser.parse_args()
    print(
        f"{options.side} x {options.side}, 4 passes; seconds for 10 million samples in batches of {DEFAULT_BATCH:,}\n"
    )
    print("| pattern | order | independent | exclusive |\n|---|---|---|---|")
    for pattern, order in CASES:
        seconds = []
        for repeat in ("independent", "exclusive"):
            seconds_of(plan_of(pattern, order, repeat, 64), options.samples)  # compile
            seconds.append(seconds_of(plan_of(pattern, order, repeat, options.side), options.samples))
        print(f"| {pattern['kind']} | {order} | {seconds[0]:.2f} | {seconds[1]:.2f} |")
    print(f"\nlargest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
