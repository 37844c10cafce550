"""The network's forward pass: as tensors usually lie in memory, and with channels last, by turns in one run.

Weights do not matter for the time: without a file they are random.

    python benchmarks/fshnet_forward.py --shape 1024 1024 --repeats 5 [--weights fshnet.safetensors] [--device cpu]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from stemscan.recon.fshnet.network import FSHNet, infer, multiply_accumulates, parameter_count_paper
from stemscan.recon.weights_file import load_weights


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=2, default=[1024, 1024])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--weights")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    shape = (options.shape[0], options.shape[1])
    network = load_weights(options.weights)[0] if options.weights else FSHNet().eval()
    generator = np.random.Generator(np.random.Philox(1))
    frames = generator.standard_normal((network.frames, *shape), dtype=np.float32)
    frames *= generator.random(frames.shape) < 3 / 64
    prior = frames.sum(axis=0)

    @torch.inference_mode()
    def plain() -> np.ndarray:
        network.to(options.device)
        for parameter in network.parameters():
            parameter.data = parameter.data.contiguous()
        output = network(*(torch.from_numpy(x)[None].to(options.device) for x in (frames, prior[None])))
        result: np.ndarray = output[0, 0].cpu().numpy()
        return result

    def channels_last() -> np.ndarray:
        return infer(network, frames, prior, options.device)

    difference = float(np.abs(plain() - channels_last()).max())
    times = np.median([[seconds(plain), seconds(channels_last)] for _ in range(options.repeats)], axis=0)
    print(f"{parameter_count_paper(network)} parameters as the paper counts")
    for part, count in multiply_accumulates(shape, network.frames).items():
        print(f"{count / 1e9:8.3f} GMAC {part}")
    print(f"{network.frames} x {shape[0]} x {shape[1]} on {options.device}, {torch.get_num_threads()} threads, medians")
    print(f"{times[0]:8.3f} s plain\n{times[1]:8.3f} s channels last, ratio {times[0] / times[1]:.2f}")
    print(f"{difference:.1e} largest difference between them")


if __name__ == "__main__":
    main()
