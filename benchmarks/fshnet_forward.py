"""The network's forward pass in all ways to compute it, by turns in one run: seconds, and differences to the plain one.

`folded` is what the method uses on a CPU. Weights do not matter for the time: without a file they are random. With
`--images`, the PSNR (affine, protocol `published`) of plain and bfloat16 on a folder of images; needs weights.

    python -m benchmarks.fshnet_forward --shape 1024 1024 --repeats 5 [--weights fshnet.safetensors] [--device cpu]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stemscan.errors import StemscanError
from stemscan.recon.metrics import compare
from stemscan.recon.paper.folding import folded
from stemscan.recon.paper.network import FSHNet, multiply_accumulates, parameter_count_paper
from stemscan.recon.paper.protocol import published_scan
from stemscan.recon.paper.published_weights import load_fshnet, prior_input
from stemscan.simulators.api import image_paths, load_corner

Network = Callable[[Tensor, Tensor], Tensor]


def seconds(call: Callable[[], object], device: str) -> tuple[float, float]:
    """Wall and processor time of one call."""
    began = time.perf_counter(), time.process_time()
    call()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - began[0], time.process_time() - began[1]


def copy_of(network: FSHNet, memory_format: torch.memory_format, device: str) -> FSHNet:
    """The same weights in memory of their own."""
    copy = FSHNet(network.frames).eval()
    copy.load_state_dict(network.state_dict())
    return copy.to(device=device, memory_format=memory_format)  # type: ignore[call-overload, no-any-return]


def frozen(network: FSHNet, inputs: tuple[Tensor, Tensor]) -> Network:
    """Traced, frozen and optimised by torch, weights prepacked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            copy_of(network, torch.channels_last, "cpu"), inputs
        )
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def ways(network: FSHNet, inputs: tuple[Tensor, Tensor], device: str) -> dict[str, tuple[Network, tuple[Tensor, ...]]]:
    """All ways by name, each with its inputs as it wants them in memory."""
    last = tuple(x.contiguous(memory_format=torch.channels_last) for x in inputs)
    table: dict[str, tuple[Network, tuple[Tensor, ...]]] = {
        "plain": (copy_of(network, torch.contiguous_format, device), inputs),
        "channels last": (copy_of(network, torch.channels_last, device), last),
    }
    if device == "cpu":
        table["frozen by torch.jit"] = frozen(network, inputs), last
        table["folded"] = folded(network), inputs
        table["folded, bfloat16"] = folded(network, torch.bfloat16), inputs
    return table


@torch.inference_mode()
def speed(network: FSHNet, shape: tuple[int, int], repeats: int, device: str) -> None:
    """Measure and print a table."""
    generator = np.random.Generator(np.random.Philox(1))
    frames = generator.standard_normal((1, network.frames, *shape), dtype=np.float32)
    frames *= generator.random(frames.shape) < 3 / 64
    prior = frames.sum(axis=1, keepdims=True)
    table = ways(network, (torch.from_numpy(frames).to(device), torch.from_numpy(prior).to(device)), device)
    outputs = {name: run(*inputs) for name, (run, inputs) in table.items()}
    times = np.array([[seconds(partial(run, *given), device) for run, given in table.values()] for _ in range(repeats)])
    print(
        f"{network.frames} x {shape[0]} x {shape[1]} on {device}, {torch.get_num_threads()} threads, {repeats} turns\n"
    )
    print("| way | min, s | median, s | processor, min, s | plain over it, min | median | difference to plain |")
    print("|---|---|---|---|---|---|---|")
    least, middle = times.min(axis=0), np.median(times, axis=0)
    for index, name in enumerate(table):
        away = float((outputs[name] - outputs["plain"]).abs().max() / outputs["plain"].std())
        print(
            f"| {name} | {least[index, 0]:.3f} | {middle[index, 0]:.3f} | {least[index, 1]:.3f} "
            f"| {least[0, 0] / least[index, 0]:.2f} | {middle[0, 0] / middle[index, 0]:.2f} | {away:.1e} sd |"
        )


def quality(network: FSHNet, folder: Path, per_block: int, dose: float) -> None:
    """PSNR of the plain and the bfloat16 network on every image that can be read."""
    changes = []
    for file in image_paths(folder):
        try:
            truth: npt.NDArray[np.float32] = load_corner(file, 512).signal
        except StemscanError:
            continue
        rows, columns = (side // 4 * 4 for side in truth.shape)
        drawn = published_scan(truth[:rows, :columns], per_block, dose)
        inputs = torch.from_numpy(drawn.frames)[None], torch.from_numpy(prior_input(drawn.frames))[None, None]
        runs = folded(network), folded(network, torch.bfloat16)
        found = [compare(run(*inputs)[0, 0].numpy(), drawn.truth).psnr_affine for run in runs]
        changes.append(found[1] - found[0])
        print(f"{file.stem}: {found[0]:.3f} dB, bfloat16 {changes[-1]:+.4f} dB", flush=True)
    print(f"bfloat16: mean {np.mean(changes):+.4f} dB, worst {min(changes):+.4f} dB over {len(changes)} images")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=2, default=[1024, 1024])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--images", type=Path, help="folder of images for the change by bfloat16")
    parser.add_argument("--per-block", type=int, default=3)
    parser.add_argument("--dose", type=float, default=10.0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    network = load_fshnet(options.weights)[0] if options.weights else FSHNet().eval()
    if options.images:
        quality(network, options.images, options.per_block, options.dose)
        return
    shape = (options.shape[0], options.shape[1])
    print(f"{parameter_count_paper(network)} parameters as the paper counts")
    for part, count in multiply_accumulates(shape, network.frames).items():
        print(f"{count / 1e9:8.3f} GMAC {part}")
    speed(network, shape, options.repeats, options.device)


if __name__ == "__main__":
    main()
