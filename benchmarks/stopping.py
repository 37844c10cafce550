"""Gain of another pass as `psnr-gain` expects it, beside the true one, and the time of a decision.

    python -m benchmarks.stopping [--size 1024] [--doses 3 10] [--passes 2 8] [--seed 7]

Block-random 3/64. The true gain is that of `fourier-eb` without its regression, of which the expectation speaks; gains
in dB. Seconds are processor time of a decision after the first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import stemscan as ss
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from stemscan.recon.stopping import expected_gain
from stemscan.store.reader import Acquisition

SPECIMENS = ("synthetic:{}/1", "synthetic:{}/3", "synthetic:{}/4", "crystal:SrTiO3[001]")


def scan(folder: Path, specimen: str, size: int, dose: float, passes: int, seed: int) -> Acquisition:
    """A still scan."""
    plan = ss.ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [size, size],
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": dose},
            "seed": seed,
        }
    )
    path = folder / f"{passes}.zarr"
    ss.simulate(plan, specimen, path, seed=seed, overwrite=True)
    return Acquisition.open(path)


def quality(store: Acquisition) -> float:
    """PSNR in dB of the image."""
    image = reconstruct(
        load_inputs(store.path, drift="off"), "fourier-eb", regression=False, contradictions=False
    ).image
    return float(compare(image, np.asarray(store.truth)).psnr)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--doses", type=float, nargs="+", default=[3.0, 10.0])
    parser.add_argument("--passes", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    print("| specimen | dose | passes | expected | true | s |\n|---|---|---|---|---|---|")
    for name in SPECIMENS:
        specimen = name.format(asked.seed)
        for dose in asked.doses:
            for passes in asked.passes:
                with tempfile.TemporaryDirectory() as folder:
                    one, more = (
                        scan(Path(folder), specimen, asked.size, dose, n, asked.seed) for n in (passes, passes + 1)
                    )
                    expected_gain(one, passes)
                    began = time.process_time()
                    expected = expected_gain(one, passes)
                    seconds = time.process_time() - began
                    true = quality(more) - quality(one)
                shown = "-" if expected is None else f"{expected:.2f}"
                print(f"| {specimen} | {dose:g} | {passes} | {shown} | {true:.2f} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
