"""Joint reconstruction of two detectors, beside the better of them alone and what their Fisher information allows.

    python -m benchmarks.channels
    python -m benchmarks.channels --method blend --seeds 3 --size 256

Allowed is the same method on counts that were merged with the true relation of the detectors and the true variance of
every sample: their weights are then those of the Fisher information. Where detectors see different things (abf: light
columns), there is no such merging; the table has the single detector and the joint image alone. The share is that of
the gain over the better detector, whose image is brought onto the wanted signal by the true line; worst is the smallest
gain over the wanted detector among the seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import stemscan as ss
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.joint.reading import load_channels
from stemscan.recon.run import reconstruct
from stemscan.store.reader import Acquisition

SPECIMENS: Final = ("crystal:SrTiO3[001]", "crystal:GaAs", "synthetic:5/0", "synthetic:5/3")
PAIRS: Final = (("haadf", "bf"), ("q1", "q2"), ("haadf", "laadf"), ("abf", "haadf"), ("haadf", "abf"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="fourier-eb")
    parser.add_argument("--specimen", nargs="+", default=SPECIMENS)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dose", type=float, nargs="+", default=[2.0, 10.0])
    options = parser.parse_args()
    print(
        "| specimen | detectors | dose | wanted alone, dB | other alone, dB | joint, dB | worst | allowed, dB | share |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for specimen in options.specimen:
        for pair in PAIRS:
            for dose in options.dose:
                print(row(specimen, pair, dose, options), flush=True)


def row(specimen: str, pair: tuple[str, str], dose: float, options: Any) -> str:
    """A line of the table: means over seeds."""
    plan = ss.ScanPlan(
        pattern=ss.BlockRandom(block=8, samples_per_block=3), shape=(options.size,) * 2, passes=4, dwell="1us",
        dose=ss.Dose(electrons_per_sample=dose), pixel_size="0.02nm", seed=7,
    )  # fmt: skip
    scores = np.array([scored(plan, specimen, pair, options.method, 500 + seed) for seed in range(options.seeds)])
    alone, other, joint, allowed = scores.mean(axis=0)
    worst = (scores[:, 2] - scores[:, 0]).min()
    best = max(alone, other if np.isfinite(other) else -np.inf)
    known = np.isfinite(allowed)
    share = f"{100 * (joint - best) / (allowed - best):.0f} %" if known and allowed - best > 0.05 else ""
    bound, others = (f"{value:.2f}" if np.isfinite(value) else "" for value in (allowed, other))
    name = f"{pair[0]} + {pair[1]}"
    return (
        f"| {specimen} | {name} | {dose:g} | {alone:.2f} | {others} | {joint:.2f} | {worst:+.2f} | {bound} | {share} |"
    )


def scored(plan: ss.ScanPlan, specimen: str, pair: tuple[str, str], method: str, seed: int) -> tuple[float, ...]:
    """PSNR in dB of the wanted detector alone, of the other, of both, and of both merged by the truth."""
    with tempfile.TemporaryDirectory() as folder:
        store = ss.simulate(plan, specimen, Path(folder) / "a.zarr", seed=seed, detectors=pair)
        wanted, other = (load_inputs(store, channel=number) for number in (0, 1))
        joint = load_channels(store, "all")
        truth, line = relation(store)
    images = [image(inputs, method) for inputs in (wanted, other, joint)]
    if line is None:
        return psnr(images[0], truth), np.nan, psnr(images[2], truth), np.nan
    offset, slope = line
    best = image(by_truth(wanted, other, truth, offset, slope), method)
    mapped = (images[1] - offset) / slope
    return tuple(psnr(one, truth) for one in (images[0], mapped, images[2], best))


def relation(store: Acquisition) -> tuple[NDArray[Any], tuple[float, float] | None]:
    """The true wanted signal, and the line from it to the other one; None where that is not all."""
    truths = store.truths
    assert truths is not None, "expected a simulated store"
    wanted, other = truths.astype(np.float64)
    slope, offset = np.polyfit(wanted.ravel(), other.ravel(), 1)
    exact = np.abs(other - offset - slope * wanted).max() < 1e-3
    return wanted, (float(offset), float(slope)) if exact else None


def by_truth(wanted: Inputs, other: Inputs, truth: NDArray[Any], offset: float, slope: float) -> Inputs:
    """Counts merged with the true line and the true variances."""
    dose = wanted.electrons_per_sample
    own, theirs = (np.maximum(one, 1e-3) / dose for one in (truth, offset + slope * truth))
    share = own / (own + theirs / slope**2)
    merged = (1 - share) * wanted.frames / dose + share * (other.frames / dose - offset * other.visits) / slope
    variance = 1 / (1 / own + slope**2 / theirs)
    visits = wanted.V
    effective = float((visits * truth).sum() / (visits * variance).sum())
    return Inputs.from_arrays(merged * effective, wanted.visits, effective, analogue=True)


def image(inputs: Inputs, method: str) -> NDArray[Any]:
    """Reconstruction."""
    return reconstruct(inputs, method, contradictions=False).image.astype(np.float64)


def psnr(image: NDArray[Any], truth: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB, peak 1."""
    return float(-10 * np.log10(np.mean((image - truth) ** 2)))


if __name__ == "__main__":
    main()
