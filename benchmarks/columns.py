"""Images of lattices with known columns: how near each method comes, what it fills, whether its error bars hold.

    python -m benchmarks.columns [--size 1024] [--per-block 3] [--seeds 101 102] [--methods fshnet columns blend]

The lattices are made up: SrTiO3-like at 10 pm, a fifth of the columns displaced by 10 to 40 pm, some missing;
block-random n of 8 x 8, 4 passes, 10 electrons per sample. `fill` is the mean signal at vacancies over that of their
columns, above the background. Seconds are processor time with one thread.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt

from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from tests.recon.columns.columns_kit import Crystal, crystal, render, sparse_scan

_PEAK = 1.05
_BACKGROUND = 0.1


def fill(truth: Crystal, image: npt.NDArray[np.float32]) -> float:
    """Mean signal at vacancies, as a share of the column that is missing."""
    gone = (truth.amplitudes == 0) & truth.inside(30)
    rows, columns = truth.sites[gone].round().astype(int).T
    missing = np.array([0.9, 0.4])[truth.sublattice[gone]]
    return float(np.mean((image[rows, columns] * _PEAK - _BACKGROUND) / missing))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--per-block", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102])
    parser.add_argument("--methods", nargs="+", default=["fourier-eb", "fshnet", "columns", "blend"])
    asked = parser.parse_args()
    warm = sparse_scan(render(crystal(size=256)) / _PEAK)
    print("| seed | method | PSNR, dB | fill | within 1 and 2 std, % | weight of columns | s |")
    print("|---|---|---|---|---|---|---|")
    for method in asked.methods:
        reconstruct(warm, method, threads=1)
    for seed in asked.seeds:
        truth = crystal(size=asked.size, seed=seed)
        signal = render(truth) / _PEAK
        inputs = sparse_scan(signal, seed=seed + 1000, per_block=asked.per_block)
        for method in asked.methods:
            began = time.process_time()
            made = reconstruct(inputs, method, threads=1)
            seconds = time.process_time() - began
            within = "-"
            if made.std is not None:
                off = np.abs(made.image - signal) / made.std
                within = f"{100 * np.mean(off < 1):.0f}, {100 * np.mean(off < 2):.0f}"
            weight = made.settings.get("weight_of_columns")
            share = "-" if weight is None else f"{weight:.2f}"
            quality = compare(made.image, signal).psnr
            row = (seed, method, f"{quality:.2f}", f"{fill(truth, made.image):.2f}", within, share, f"{seconds:.1f}")
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
