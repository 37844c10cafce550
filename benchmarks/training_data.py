"""How many crops a second one worker makes for a training: what a faster device needs is that many workers more.

    python -m benchmarks.training_data configs/default.yaml configs/paper.yaml [--groups 2]

A group is the crops that are taken of one batch of scans; the first one, with which libraries are loaded and kernels
compiled, does not count.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from stemscan.recon.training.batches import batches
from stemscan.recon.training.config import TrainingConfig


def crops_a_second(config: TrainingConfig, groups: int) -> float:
    """Made in this process, on one thread, as a worker makes them."""
    made = batches(config, 0, workers=0)
    steps = config.data.crops_per_scan
    for _ in range(steps):
        next(made)
    began = time.perf_counter()
    for _ in range(groups * steps):
        next(made)
    return groups * steps * config.batch / (time.perf_counter() - began)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configurations", type=Path, nargs="+", metavar="CONFIG.yaml")
    parser.add_argument("--groups", type=int, default=2)
    options = parser.parse_args()
    print("| configuration | crop | crops of a scan | crops a second and worker |\n|---|---|---|---|")
    for path in options.configurations:
        config = TrainingConfig.load(path)
        data = config.data
        rate = crops_a_second(config, options.groups)
        print(f"| {path} | {data.crop} x {data.crop} | {data.crops_per_scan} | {rate:.1f} |")


if __name__ == "__main__":
    main()
