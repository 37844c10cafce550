"""Fourier empirical Bayes beside FSHNet's forward pass: global and with windows, by turns in one run.

The specimen is a synthetic crystal of two grains, scanned by a block-random plan; weights do not matter for the
network's time and are random. Ratios are to the forward pass with tensors as they usually lie in memory.

    python -m benchmarks.fourier_eb_speed --shape 1024 1024 --threads 2 --repeats 7 [--factor 1] [--device cpu]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.fourier_eb.method import fourier_eb
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.paper.network import FSHNet
from stemscan.simulators.api import sampled_frames


def two_grains(shape: tuple[int, int], period: float) -> npt.NDArray[np.float32]:
    """Two lattices of the same crystal, turned against each other, signal in [0, 1]."""
    row, column = np.mgrid[: shape[0], : shape[1]].astype(np.float32) * np.float32(2 * np.pi / period)
    grains = []
    for angle in (0.1, 0.6):
        along = np.cos(angle) * row + np.sin(angle) * column
        across = np.cos(angle) * column - np.sin(angle) * row
        grains.append(np.exp(1.5 * (np.cos(along) + np.cos(across)) - 3))
    image: npt.NDArray[np.float32] = np.where(column < column.max() / 2 + row / 4, *grains)
    return image


def scan(shape: tuple[int, int], period: float) -> Inputs:
    """Four passes of three samples in each 8 x 8 block, ten electrons per sample."""
    plan = ScanPlan.from_dict(
        {
            "version": 1,
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": list(shape),
            "passes": 4,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10.0},
            "seed": 1,
        }
    )
    frames, visits = sampled_frames(two_grains(shape, period), plan, seed=1)
    return Inputs.from_arrays(frames, visits, plan.electrons_per_sample)


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=2, default=[1024, 1024])
    parser.add_argument("--period", type=float, default=24.0, help="of the crystal, in pixels")
    parser.add_argument("--factor", type=int, choices=[1, 2, 4])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    inputs = scan((options.shape[0], options.shape[1]), options.period)
    network = FSHNet().eval().to(options.device)
    frames = torch.from_numpy(inputs.frames)[None].to(options.device)

    @torch.inference_mode()
    def forward() -> object:
        return network(frames, frames.sum(dim=1, keepdim=True)).cpu()

    eb = partial(fourier_eb, inputs, device=options.device, factor=options.factor)
    calls: dict[str, Callable[[], object]] = {
        "FSHNet forward": forward,
        "fourier-eb, global": partial(eb, windows=False, regression=False),
        "fourier-eb, windows": partial(eb, regression=False),
        "fourier-eb, windows and regression": eb,
    }
    for call in calls.values():
        call()
    times = np.median([[seconds(call) for call in calls.values()] for _ in range(options.repeats)], axis=0)
    settings = eb().settings
    print(f"{options.shape} on {options.device}, {options.threads} threads, medians of {options.repeats}; {settings}")
    for name, taken in zip(calls, times, strict=True):
        print(f"{taken:8.3f} s  {taken / times[0]:6.3f} of the forward pass  {name}")


if __name__ == "__main__":
    main()
