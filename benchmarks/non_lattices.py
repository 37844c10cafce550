"""Specimens that are no lattice: decibels of each method on edges, particles, cracks, films, letters and the like.

    python -m benchmarks.non_lattices [--size 512] [--per-block 3 --passes 4 --dose 10 --seeds 1] [--methods METHOD ...]

The scenes are those of `benchmarks/non_lattice_scenes.py`, which share nothing with the generator that trains. A row a
scene has the absolute PSNR of each method in dB; then come their mean, the gain over the first method with its standard
error over scenes and seeds, and how many errors lie within one and two standard deviations. Methods are written as for
`stemscan evaluate --method`: `new=fshnet:run/weights.safetensors` tries other weights.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import numpy.typing as npt

from benchmarks.non_lattice_scenes import SCENES, scene
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.evaluation.contenders import Contender, parse_contender
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from stemscan.simulators.api import sampled_frames

METHODS = ("fourier-eb", "fshnet", "blend", "normconv")
Image = npt.NDArray[np.float32]


def scan(signal: Image, per_block: int, passes: int, dose: float, seed: int) -> Inputs:
    """Poisson counts of a scene."""
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": per_block},
            "shape": list(signal.shape),
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": dose},
            "seed": seed,
        }
    )
    frames, visits = sampled_frames(signal, plan, seed=seed)
    return Inputs.from_arrays(frames, visits, dose, truth=signal)


def measured(inputs: Inputs, signal: Image, contender: Contender) -> tuple[float, float, float]:
    """PSNR in dB, and shares of errors within one and two standard deviations (no number without them)."""
    settings = dict(contender.settings) | ({"weights": contender.weights} if contender.weights else {})
    made = reconstruct(inputs, contender.find(), threads=1, contradictions=False, **settings)
    quality = compare(made.image, signal).psnr
    if made.std is None:
        return quality, math.nan, math.nan
    off = np.abs(made.image - signal) / made.std
    return quality, float(np.mean(off <= 1)), float(np.mean(off <= 2))


def summary(found: npt.NDArray[np.float64]) -> list[list[str]]:
    """Last rows of the table, of results (scenes, methods, 3)."""
    gain = found[:, :, 0] - found[:, :1, 0]
    error = gain.std(axis=0, ddof=1) / math.sqrt(len(gain)) if len(gain) > 1 else np.full(gain.shape[1], math.nan)
    within = 100 * found[:, :, 1:].mean(axis=0)
    return [
        ["mean", *(f"{value:.2f}" for value in found[:, :, 0].mean(axis=0))],
        ["gain, dB", *(f"{mean:+.2f} +- {off:.2f}" for mean, off in zip(gain.mean(axis=0), error, strict=True))],
        ["within 1 and 2 std, %", *(f"{one:.0f}, {two:.0f}" if one == one else "-" for one, two in within)],
    ]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--per-block", type=int, default=3)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--dose", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--scenes", nargs="+", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--methods", nargs="+", default=METHODS)
    asked = parser.parse_args()
    contenders = [parse_contender(text) for text in asked.methods]
    print(f"| scene | {' | '.join(one.label for one in contenders)} |\n|{'---|' * (len(contenders) + 1)}", flush=True)
    found = []
    for name in asked.scenes:
        for seed in asked.seeds:
            signal = scene(name, asked.size, seed)
            inputs = scan(signal, asked.per_block, asked.passes, asked.dose, seed)
            found.append([measured(inputs, signal, one) for one in contenders])
            cells = [f"{quality:.2f}" for quality, _, _ in found[-1]]
            print(f"| {name}{f', {seed}' if len(asked.seeds) > 1 else ''} | {' | '.join(cells)} |", flush=True)
    for row in summary(np.array(found)):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
