"""Seams of FSHNet in tiles: largest and root-mean-square difference to the whole frame, by overlap and taper.

An image is scanned by the protocol `published` (4 passes of 3 in 8 x 8, dose 10) and reconstructed whole and in tiles.

    python -m benchmarks.fshnet_tiles IMAGE --weights fshnet.safetensors [--tile 512]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stemscan.recon.networks.tiling import tiled
from stemscan.recon.paper.inference import infer
from stemscan.recon.paper.network import FACTOR, MULTIPLE, RECEPTIVE_RADIUS
from stemscan.recon.paper.protocol import published_scan
from stemscan.recon.paper.published_weights import load_fshnet, prior_input
from stemscan.simulators.api import load_corner

COVERING = -(-RECEPTIVE_RADIUS // MULTIPLE) * MULTIPLE
CHOICES = ((0, 0), (16, 0), (32, 0), (32, 16), (48, 0), (48, 24), (64, 0), (64, 32), (96, 0), (96, 48), (COVERING, 0))
"""Overlap and taper in scan pixels."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--tile", type=int, default=512)
    options = parser.parse_args()
    network = load_fshnet(options.weights)[0]
    truth = load_corner(options.image, 512).signal
    rows, columns = (side // 4 * 4 for side in truth.shape)
    frames = published_scan(truth[:rows, :columns]).frames
    prior = prior_input(frames)

    def run(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return infer(network, a, b)

    began = time.process_time()
    whole = run(frames, prior)
    alone = time.process_time() - began
    print(f"{options.image.stem}, {frames.shape[1]} x {frames.shape[2]}, tiles of {options.tile}, in deviations\n")
    print(
        "| overlap | taper | largest difference | root mean square | processor time over whole |\n|---|---|---|---|---|"
    )
    for overlap, taper in CHOICES:
        began = time.process_time()
        made = tiled(run, (frames, prior), FACTOR, options.tile, overlap, multiple=MULTIPLE, taper=taper)
        spent = time.process_time() - began
        away = (made - whole) / whole.std()
        largest, typical = float(np.abs(away).max()), float(np.sqrt(np.mean(away**2)))
        print(f"| {overlap} | {taper} | {largest:.1e} | {typical:.1e} | {spent / alone:.2f} |", flush=True)


if __name__ == "__main__":
    main()
