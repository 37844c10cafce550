"""Crops a second that one worker makes for a training; a faster device needs as many more workers.

    python -m benchmarks.training_data default paper [--groups 2]

A group is the crops that are taken of one batch of scans; the first one, with which libraries are loaded and kernels
compiled, does not count. What is computed on a crop, forward and backward, is counted (multiplications and additions of
convolutions and matrix products): a device that computes faster than one worker feeds it needs more of them.
"""

from __future__ import annotations

import argparse
import time

from torch.utils.flop_counter import FlopCounterMode

from stemscan.recon.networks.registry import network_class
from stemscan.recon.training.batches import batches
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.tasks import task_of


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


def operations(config: TrainingConfig) -> float:
    """Floating point operations of a step, of forward and backward, a crop."""
    network = network_class(config.network)()
    batch = next(batches(config, 0, workers=0))
    with FlopCounterMode(display=False) as counter:
        task_of(config).losses(network, batch)["loss"].backward()  # type: ignore[no-untyped-call]
    return float(counter.get_total_flops() / config.batch)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configurations", nargs="+", metavar="NAME|CONFIG.yaml")
    parser.add_argument("--groups", type=int, default=2)
    options = parser.parse_args()
    print("| configuration | crop | crops of a scan | crops per second and worker | GFLOP a crop | one worker feeds |")
    print("|---|---|---|---|---|---|")
    for path in options.configurations:
        config = TrainingConfig.load(path)
        data = config.data
        rate = crops_a_second(config, options.groups)
        flops = operations(config)
        print(
            f"| {path} | {data.crop} x {data.crop} | {data.crops_per_scan} | {rate:.1f} | {flops / 1e9:.1f} | "
            f"{rate * flops / 1e12:.2f} TFLOP/s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
