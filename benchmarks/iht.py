"""Fourier iterative hard thresholding under the published protocol, against normalised convolution at its best width.

    python -m benchmarks.iht [--specimens crystal:SrTiO3 synthetic:11/0 ...] [--per-block 1 3] [--dose 10]

Noise-free specimens of 512 x 512 are standardised, doubled and sampled as the published code does
(`stemscan.recon.paper.protocol`); affine PSNR in dB against what was sampled, 1024 x 1024. The width of
normalised convolution is the one that the truth likes best (oracle); IHT chooses its number of coefficients by itself.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt

from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import affine_fit
from stemscan.recon.paper.protocol import PublishedScan, published_scan
from stemscan.recon.run import reconstruct
from stemscan.simulators.api import render_crystal, synthetic_specimen

SIZE = 512
CRYSTALS = ("SrTiO3[110]", "Si[110]", "GaAs", "Au[110]", "Fe", "MoS2-monolayer")
SPECIMENS = [*(f"crystal:{name}" for name in CRYSTALS), *(f"synthetic:11/{index}" for index in range(6))]
Image = npt.NDArray[np.float32]


def truth_of(name: str) -> Image:
    """The signal of a specimen by its name."""
    kind, _, rest = name.partition(":")
    if kind == "crystal":
        return render_crystal(name, (SIZE, SIZE), pixel_size_nm=0.02).signal
    seed, index = rest.split("/")
    return synthetic_specimen((SIZE, SIZE), seed=int(seed), index=int(index)).signal


def affine_psnr(image: Image, truth: Image) -> float:
    """PSNR after the best gain and offset; data range is the truth's."""
    gain, offset = affine_fit(image, truth)
    error = np.mean(np.square(gain * image.astype(np.float64) + offset - truth))
    return float(20 * np.log10(np.ptp(truth)) - 10 * np.log10(error))


def inputs_of(drawn: PublishedScan, dose: float) -> Inputs:
    """The protocol's samples, which are signed and which `Inputs.from_arrays` would refuse."""
    return Inputs(drawn.frames * np.float32(dose), drawn.visits, dose, "eq5")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specimens", nargs="+", default=SPECIMENS)
    parser.add_argument("--per-block", nargs="+", type=int, default=[1, 3])
    parser.add_argument("--dose", type=float, default=10.0)
    options = parser.parse_args()
    print(
        "| specimen | n/64 | normconv, oracle width | iht | coefficients | s | CPU s |\n|---|---|---|---|---|---|---|"
    )
    found: dict[int, list[tuple[float, float]]] = {}
    for name in options.specimens:
        truth = truth_of(name)
        for per_block in options.per_block:
            drawn = published_scan(truth, per_block, options.dose)
            inputs = inputs_of(drawn, options.dose)
            smooth = max(
                affine_psnr(reconstruct(inputs, "normconv", width=float(width)).image, drawn.fine_truth)
                for width in np.geomspace(1.2, 6, 8)
            )
            began = time.process_time()
            made = reconstruct(inputs, "iht")
            spent = time.process_time() - began
            sparse = affine_psnr(made.image, drawn.fine_truth)
            found.setdefault(per_block, []).append((smooth, sparse))
            print(
                f"| {name} | {per_block} | {smooth:.2f} | {sparse:.2f} | {made.settings['coefficients']} | "
                f"{made.seconds:.1f} | {spent:.1f} |",
                flush=True,
            )
    for per_block, pairs in found.items():
        smooth, sparse = np.mean(pairs, axis=0)
        print(f"| mean | {per_block} | {smooth:.2f} | {sparse:.2f} | | | |")


if __name__ == "__main__":
    main()
