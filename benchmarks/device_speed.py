"""Scans a second of the networks on a GPU: batches, number formats, CUDA graph, torch.compile; the whole chain beside.

    python -m benchmarks.device_speed [--device cuda] [--shape 1024 1024] [--batches 1 8] [--repeats 20] [--compile]

The floor is the time in which the device's memory can be read and written as often as a network that keeps everything
between its input and its output on the chip would: input, weights and output once, at the rate of copying a tensor in
the same run. Weights do not matter for time and are random. It runs on a CPU, too, where it says little that
`benchmarks.fshnet_chain` does not say better.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.fshnet_chain import scan
from stemscan.recon.fshnet.full_grid import FullGridNet
from stemscan.recon.fshnet.full_grid_features import CHANNELS
from stemscan.recon.networks.exact import exact_convolutions
from stemscan.recon.paper.network import FRAMES, FSHNet
from stemscan.recon.run import reconstruct

Run = Callable[[], object]
COPIED = 1 << 28  # bytes


def seconds(run: Run, device: torch.device, repeats: int) -> float:
    """Median seconds of a call, after three that do not count."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    taken = []
    for _ in range(3 + repeats):
        wait()
        began = time.perf_counter()
        run()
        wait()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken[3:]))


def bandwidth(device: torch.device, repeats: int) -> float:
    """Bytes read and written a second by a copy."""
    source = torch.zeros(COPIED // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED / seconds(lambda: target.copy_(source), device, repeats)


def network_of(name: str, device: torch.device) -> nn.Module:
    """A network with random weights, channels last in memory."""
    network = (FullGridNet() if name == "fshnet-full" else FSHNet()).eval().to(device)
    return cast(nn.Module, network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def inputs_of(name: str, shape: tuple[int, int], batch: int, device: torch.device) -> tuple[Tensor, ...]:
    """Random inputs of a network for scans of `shape`."""
    rows, columns = shape
    sizes = [(CHANNELS, rows // 2, columns // 2)] if name == "fshnet-full" else [(FRAMES, *shape), (1, *shape)]
    made = (torch.randn((batch, *size), device=device) for size in sizes)
    return tuple(one.contiguous(memory_format=torch.channels_last) for one in made)


def graphed(call: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Run:
    """The call as a CUDA graph."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call(*inputs)
    return graph.replay


def ways(network: nn.Module, inputs: tuple[Tensor, ...], device: torch.device, compiled: bool) -> dict[str, Run]:
    """Ways to run a network, by name."""

    def exact() -> object:
        with exact_convolutions(device):
            return network(*inputs)

    def half(*given: Tensor) -> object:
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):  # a graph must hold the conversions
            return network(*given)

    table: dict[str, Run] = {"float32": exact, "bfloat16": lambda: half(*inputs)}
    if device.type == "cuda":
        table["bfloat16, CUDA graph"] = graphed(half, inputs)
    if compiled:
        faster = torch.compile(half)
        table["bfloat16, torch.compile"] = lambda: faster(*inputs)
    return table


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shape", type=int, nargs=2, default=[1024, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--compile", action="store_true", help="torch.compile, too")
    options = parser.parse_args()
    device, shape = torch.device(options.device), (options.shape[0], options.shape[1])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    rate = bandwidth(device, options.repeats)
    print(f"{name}: copies {rate / 1e9:.0f} GB/s\n")
    print("| network | way | batch | s | scans per second | floor over time |\n|---|---|---|---|---|---|")
    with torch.inference_mode():
        for kind in ("fshnet", "fshnet-full"):
            network = network_of(kind, device)
            weights = 4 * sum(parameter.numel() for parameter in network.parameters())
            for batch in options.batches:
                inputs = inputs_of(kind, shape, batch, device)
                floor = (weights + sum(4 * one.numel() for one in inputs) + 4 * batch * shape[0] * shape[1]) / rate
                for way, run in ways(network, inputs, device, options.compile).items():
                    taken = seconds(run, device, options.repeats)
                    print(f"| {kind} | {way} | {batch} | {taken:.4f} | {batch / taken:.1f} | {floor / taken:.1%} |")
    measured = scan(shape, 0)
    taken = seconds(lambda: reconstruct(measured, "fshnet", device=str(device)), device, options.repeats)
    print(f"\n`fshnet` whole, analysis included, on {device}: {taken:.3f} s, {1 / taken:.1f} scans per second")


if __name__ == "__main__":
    main()
