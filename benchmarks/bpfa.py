"""Beta-process factor analysis on known ground: denoising of full images, inpainting of half and a quarter of them.

    python -m benchmarks.bpfa [--sizes 256 512] [--images camera astronaut] [--sweeps 30] [--threads 2]

Images are scikit-image's `camera` and `astronaut` (grey), or files; they are binned while twice as large as asked for,
and cut to the top left corner. PSNR in dB with data range 1: of the noisy image (denoising) or of the nearest
sample (inpainting), of linear interpolation, of normalised convolution, and of BPFA on the same grid (`factor=1`).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stemscan.files.read import read_picture
from stemscan.recon.inputs.grids import bin_mean
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import absolute_psnr
from stemscan.recon.run import reconstruct

Image = npt.NDArray[np.float32]

DOSE = 1000.0
TASKS = (
    ("denoise, sd 0.1", 1.0, 0.1),
    ("denoise, sd 0.06", 1.0, 0.06),
    ("inpaint 50 %", 0.5, 0.0),
    ("inpaint 25 %", 0.25, 0.0),
)


def picture(name: str, size: int) -> Image:
    """An image by name, or of a file, of that size in [0, 1]."""
    from skimage import color, data

    if name == "camera":
        return fitted(data.camera().astype(np.float32), size)
    if name == "astronaut":
        return fitted(color.rgb2gray(data.astronaut()).astype(np.float32), size)
    return fitted(read_picture(Path(name)).values.astype(np.float32), size)


def fitted(values: Image, size: int) -> Image:
    """Bin while twice as large, cut, scale to [0, 1]."""
    while min(values.shape) >= 2 * size:
        values = bin_mean(values, 2)
    values = values[:size, :size]
    scaled: Image = (values - values.min()) / max(float(np.ptp(values)), 1e-9)
    return scaled


def sampled(truth: Image, ratio: float, deviation: float) -> Inputs:
    """Samples of a share of the pixels with additive noise (cut off at 0, below which there are no counts)."""
    generator = np.random.Generator(np.random.Philox(1))
    visits = generator.random(truth.shape) < ratio
    values = np.maximum(truth + deviation * generator.standard_normal(truth.shape), 0)
    return Inputs.from_arrays((DOSE * values * visits)[None], visits[None].astype(np.uint16), DOSE)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", default=["camera", "astronaut"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512])
    parser.add_argument("--sweeps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    reconstruct(sampled(np.eye(16, dtype=np.float32), 1.0, 0.1), "bpfa", sweeps=1, averaged=1)  # compiles
    print("| image | size | task | noisy or nearest | linear | normconv | bpfa | noise sd found | s | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in options.sizes:
        for name in options.images:
            truth = picture(name, size)
            for task, ratio, deviation in TASKS:
                inputs = sampled(truth, ratio, deviation)
                others = [reconstruct(inputs, method).image for method in ("nearest", "linear", "normconv")]
                began = time.process_time()
                made = reconstruct(inputs, "bpfa", factor=1, sweeps=options.sweeps, threads=options.threads)
                spent = time.process_time() - began
                figures = [f"{absolute_psnr(image, truth):.2f}" for image in (*others, made.image)]
                noise = f"{made.settings['noise_sd']:.4f}"
                cells = [name, str(size), task, *figures, noise, f"{made.seconds:.0f}", f"{spent:.0f}"]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
