"""Virtual detector against numpy's Generator.poisson on the same expected counts, in one run on one thread.

Expected counts are lambda times uniform numbers in [0, 1], as those of a specimen. Both are timed by turns, so that
what else the machine does meets both; the table shows medians.

    python -m benchmarks.detector --samples 1000000 --repeats 11
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from stemscan.simulators.api import poisson


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--doses", type=float, nargs="+", default=[0.5, 10.0, 200.0], help="electrons per sample")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    signal = generator.random(options.samples)
    print(f"{options.samples} samples, median of {options.repeats} turns, one thread")
    print(f"{'lambda':>8} {'numpy ns':>10} {'ours ns':>10} {'ratio':>7}")
    for dose in options.doses:
        means = signal * dose
        calls = (lambda m=means: generator.poisson(m), lambda m=means: poisson(m, seed=1))
        for call in calls:
            call()
        times = np.median([[seconds(call) for call in calls] for _ in range(options.repeats)], axis=0)
        numpy_ns, our_ns = times / options.samples * 1e9
        print(f"{dose:8g} {numpy_ns:10.2f} {our_ns:10.2f} {numpy_ns / our_ns:7.2f}")


if __name__ == "__main__":
    main()
