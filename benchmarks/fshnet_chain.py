"""FSHNet's reconstruction, whole, and the default method, beside one forward pass of the published network; by turns.

    python -m benchmarks.fshnet_chain [--shape 1024 1024] [--repeats 7] [--threads 2] [--index 0]

The chain is what `stemscan recon` runs on an open store: Fourier analysis, features, network, standard deviation. The
published network's pass is that of its layers as they stand, with channels last in memory and plain, random weights
(which time does not depend on). Seconds depend on the machine; the ratios within a run are what counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.evaluation.images import TEST_SEED
from stemscan.recon.fshnet.full_grid import FullGridNet, correct
from stemscan.recon.fshnet.full_grid_features import features
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.paper.network import FSHNet
from stemscan.recon.run import reconstruct
from stemscan.recon.weights import find_weights
from stemscan.recon.weights.file import load_weights
from stemscan.simulators.api import sampled_frames, synthetic_specimen


def scan(shape: tuple[int, int], index: int) -> Inputs:
    """Four passes of 3 in 8 x 8 at dose 10."""
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": list(shape),
            "passes": 4,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10.0},
            "seed": 7,
        }
    )
    specimen = synthetic_specimen(shape, seed=TEST_SEED, index=index)
    frames, visits = sampled_frames(specimen.signal, plan, seed=1)
    return Inputs.from_arrays(frames, visits, 10.0, truth=specimen.signal)


def parts(inputs: Inputs) -> dict[str, Callable[[], object]]:
    """Steps that are timed, by name."""
    network, _ = load_weights(find_weights("fshnet", "fshnet"))
    assert isinstance(network, FullGridNet)
    made = features(inputs.S, inputs.V, inputs.electrons_per_sample)
    plain = FSHNet().eval()
    last = FSHNet().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    frames = torch.from_numpy(inputs.frames / np.float32(inputs.electrons_per_sample))[None]
    prior = frames.sum(dim=1, keepdim=True)
    frames_last, prior_last = (x.contiguous(memory_format=torch.channels_last) for x in (frames, prior))
    return {
        "published forward, plain": lambda: plain(frames, prior),
        "published forward, channels last": lambda: last(frames_last, prior_last),
        "chain": lambda: reconstruct(inputs, "fshnet"),
        "the default method, columns and their judgement included": lambda: reconstruct(inputs),
        "analysis and features alone": lambda: features(inputs.S, inputs.V, inputs.electrons_per_sample),
        "network alone": lambda: correct(network, made),
    }


def rounding(inputs: Inputs) -> float:
    """PSNR in dB that is lost (below 0) or gained by the precision of the processor's convolutions."""
    network, _ = load_weights(find_weights("fshnet", "fshnet"))
    assert isinstance(network, FullGridNet)
    assert inputs.truth is not None
    made = features(inputs.S, inputs.V, inputs.electrons_per_sample)
    rows, columns = made.shape
    with torch.inference_mode():
        exact = (made.estimate + made.unit * network(made.channels[None]).image[0, 0])[:rows, :columns].numpy()
    errors = [float(np.mean((image - inputs.truth) ** 2)) for image in (exact, correct(network, made)[0])]
    return float(10 * np.log10(errors[0] / errors[1]))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=2, default=[1024, 1024])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--index", type=int, default=0, help="synthetic specimen that is scanned")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    inputs = scan((options.shape[0], options.shape[1]), options.index)
    table = parts(inputs)
    times: dict[str, list[float]] = {name: [] for name in table}
    with torch.inference_mode():
        for _ in range(options.repeats + 1):
            for name, run in table.items():
                began = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - began)
    factor = reconstruct(inputs, "fourier-eb", grid="native").factor
    print(f"4 x {options.shape[0]} x {options.shape[1]}, analysis at factor {factor}, {options.threads} threads\n")
    print("| part | min, s | median, s | over the published forward (channels last), min | median |")
    print("|---|---|---|---|---|")
    least = {name: min(values[1:]) for name, values in times.items()}
    middle = {name: float(np.median(values[1:])) for name, values in times.items()}
    beside = "published forward, channels last"
    for name in table:
        print(
            f"| {name} | {least[name]:.3f} | {middle[name]:.3f} | {least[name] / least[beside]:.2f} "
            f"| {middle[name] / middle[beside]:.2f} |"
        )
    changes = [rounding(scan((options.shape[0], options.shape[1]), index)) for index in range(5)]
    print(
        f"\nconvolutions as this processor takes them, against float32: {min(changes):+.4f} to {max(changes):+.4f} dB"
    )


if __name__ == "__main__":
    main()
