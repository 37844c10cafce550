"""Memory of a pass while it is handed out, and the wait for its first sample.

python -m benchmarks.streaming [--sides 4096 16384]

Patterns and orders that are not merely rows of tiles, in batches of 100,000 samples, each in a process of its own.
Memory is the growth of the process's largest resident memory over what it takes to do the same on 256 x 256 pixels.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from typing import Any

from benchmarks.orders import ORDERS, plan_of
from stemscan.path.scan_path import ScanPath

BATCH = 100_000
_BLOCKS: dict[str, Any] = {"kind": "block-random", "block": 8, "samples_per_block": 3}
_BLUE: dict[str, Any] = {"kind": "blue-noise", "ratio": 3 / 64}
_UNIFORM: dict[str, Any] = {"kind": "uniform", "ratio": 3 / 64}
_WALK: dict[str, Any] = {"kind": "random-walk", "ratio": 3 / 64}
CASES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    (_BLOCKS, ORDERS["serpentine-blocks"]),
    (_BLOCKS, ORDERS["shortest"]),
    (_BLOCKS, ORDERS["settle-aware"]),
    (_BLOCKS, ORDERS["delocalised"]),
    (_UNIFORM, ORDERS["shortest"]),
    (_UNIFORM, ORDERS["delocalised"]),
    (_BLUE, ORDERS["serpentine-blocks"]),
    (_BLUE, ORDERS["shortest"]),
    (_BLUE, ORDERS["delocalised"]),
    (_WALK, {"kind": "own"}),
)


def largest_mib() -> float:
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: tuple[dict[str, Any], dict[str, Any], int]) -> tuple[int, float, float, float]:
    """Samples of a pass, ms to the first, microseconds of processor time per sample, and MiB."""
    pattern, order, side = case
    list(ScanPath(plan_of(pattern, order, 256, passes=2)).batches(BATCH))
    before, began, cpu = largest_mib(), time.perf_counter(), time.process_time()
    path = ScanPath(plan_of(pattern, order, side))
    path.positions(0, 1)
    first = time.perf_counter() - began
    for _ in path.batches(BATCH):
        pass
    return len(path), first * 1000, (time.process_time() - cpu) * 1e6 / len(path), largest_mib() - before


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 16384])
    options = parser.parse_args()
    print("| pattern | order | grid | samples | first after, ms | us per sample | memory, MiB |")
    print("|---|---|---|---|---|---|---|")
    spawn = multiprocessing.get_context("spawn")
    for pattern, order in CASES:
        for side in options.sides:
            with spawn.Pool(1) as pool:
                samples, first, each, memory = pool.apply(measure, ((pattern, order, side),))
            print(
                f"| {pattern['kind']} | {order['kind']} | {side} x {side} | {samples:,} | {first:.0f} | {each:.2f} | "
                f"{memory:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
