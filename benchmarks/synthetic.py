"""Synthetic specimens: how many a second, and whether real micrographs lie within their variety.

    python -m benchmarks.synthetic [FOLDER -o FIGURE.png] [--images 200] [--seed 1] [--variety usual] [--processes 2]

Without a folder only the speed is measured: 1024 x 1024 images per second with so many processes, after compilation.

With a folder, each real image is cut to its top left 512 x 512 corner and smoothed as in the FSHNet paper; each
generated one is binned 2 x 2 to 512. Two curves of each are compared, bin by bin: the radial power spectrum (Hann
window, share of the total power, logarithm) and the histogram (32 bins, logarithm). For every real image the table
says which share of its bins lies between the generator's 1st and 99th percentile, and, to tell whether it is typical
or only possible, between the 10th and 90th; the figure shows both curves. What it is to lie inside the spread is told
by as many images that the generator makes from another seed: their mean, and what 1 and 5 of 100 of them fall below.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StemscanError
from stemscan.recon.training.config import Variety
from stemscan.simulators.api import image_paths, load_corner, synthetic_specimen

CORNER = 512
RINGS = 64
LEVELS = 32
LEAST_SHARE = 1e-4
Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """Radial power spectrum (RINGS,) and histogram (LEVELS,) of a picture, as decimal logarithms of shares."""

    spectrum: Curve
    histogram: Curve


def curves_of(picture: NDArray[Any]) -> Curves:
    """Both curves of a picture with values in [0, 1]."""
    rows, columns = picture.shape
    window = np.outer(np.hanning(rows), np.hanning(columns))
    mean = float((picture * window).sum() / window.sum())
    power = np.abs(np.fft.fft2((picture - mean) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None, :])
    ring = np.minimum((radius * 2 * RINGS).astype(int), RINGS)
    sums = np.bincount(ring.ravel(), power.ravel(), RINGS + 1)[:RINGS]
    counts = np.bincount(ring.ravel(), minlength=RINGS + 1)[:RINGS]
    share = sums / counts / max(float(power.sum()), 1e-30) * power.size
    held, _ = np.histogram(picture, LEVELS, (0, 1))
    return Curves(np.log10(share + 1e-20), np.log10(held / picture.size + LEAST_SHARE))


def generated(seed: int, index: int, variety: Variety) -> Curves:
    """Curves of one generated image."""
    signal = synthetic_specimen((2 * CORNER, 2 * CORNER), seed=seed, index=index, variety=variety).signal
    return curves_of(signal.reshape(CORNER, 2, CORNER, 2).mean(axis=(1, 3)))


def real(folder: Path) -> dict[str, Curves]:
    """Curves of every image of a folder that can be read."""
    found = {}
    for path in image_paths(folder):
        try:
            corner = load_corner(path, CORNER)
        except StemscanError as problem:
            print(f"{path.name}: left out: {problem}", file=sys.stderr)
            continue
        found[path.stem] = curves_of(corner.signal)
    return found


def draw(task: tuple[int, int, int, Variety]) -> float:
    """Draw specimens seed, start to stop; seconds."""
    seed, start, stop, variety = task
    began = time.perf_counter()
    for index in range(start, stop):
        synthetic_specimen((2 * CORNER, 2 * CORNER), seed=seed, index=index, variety=variety)
    return time.perf_counter() - began


def curves_task(task: tuple[int, int, Variety]) -> Curves:
    """`generated`, for a pool."""
    return generated(*task)


def speed(pool: ProcessPoolExecutor, processes: int, seed: int, images: int, variety: Variety) -> float:
    """Images a second of all processes together; their warm-up is not counted."""
    list(pool.map(draw, [(seed + 1, 40 * n, 40 * n + 40, variety) for n in range(processes)]))
    tasks = [(seed, start, min(start + 5, images), variety) for start in range(0, images, 5)]
    began = time.perf_counter()
    list(pool.map(draw, tasks))
    return images / (time.perf_counter() - began)


def spread(curves: list[Curve]) -> Curve:
    """1st, 10th, 50th, 90th and 99th percentile, bin by bin."""
    return np.asarray(np.percentile(np.stack(curves), (1, 10, 50, 90, 99), axis=0))


def inside(curve: Curve, limits: Curve) -> tuple[float, float]:
    """Shares of bins between the outer and between the inner percentiles."""
    wide, narrow = ((curve >= limits[n] - 1e-12) & (curve <= limits[-1 - n] + 1e-12) for n in (0, 1))
    return float(wide.mean()), float(narrow.mean())


def figure(found: dict[str, Curves], spectra: Curve, histograms: Curve, path: Path) -> None:
    """Both curves of every real image over the generator's spread."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sheet, axes = plt.subplots(1, 2, figsize=(16, 7), layout="constrained")
    rings, levels = (np.arange(RINGS) + 0.5) / (2 * RINGS), (np.arange(LEVELS) + 0.5) / LEVELS
    for axis, places, limits in ((axes[0], rings, spectra), (axes[1], levels, histograms)):
        axis.fill_between(places, limits[0], limits[4], color="0.9", label="generated, 1 to 99 %")
        axis.fill_between(places, limits[1], limits[3], color="0.8", label="generated, 10 to 90 %")
        axis.plot(places, limits[2], color="0.5", lw=2, label="generated, median")
    for number, (name, curves) in enumerate(found.items()):
        style: dict[str, Any] = {"lw": 1, "ls": ("-", "--", ":")[number // 10 % 3], "color": f"C{number % 10}"}
        axes[0].plot(rings, curves.spectrum, label=name, **style)
        axes[1].plot(levels, curves.histogram, **style)
    axes[0].set(xlabel="cycles a pixel at 512", ylabel="log10 of power, mean 1")
    axes[1].set(xlabel="signal", ylabel="log10 of share of pixels")
    axes[0].legend(fontsize=7, ncols=2)
    sheet.savefig(path, dpi=100)
    plt.close(sheet)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="real images to compare with")
    parser.add_argument("-o", "--output", type=Path, help="figure of the comparison")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variety", choices=("usual", "wide"), default="usual")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.output is not None and options.folder is None:
        parser.error("-o needs a folder of real images")
    with ProcessPoolExecutor(options.processes) as pool:
        rate = speed(pool, options.processes, options.seed, options.images, options.variety)
        print(f"{rate:.1f} images of 1024 x 1024 a second, {options.processes} processes, {options.images} images")
        if options.folder is None:
            return
        drawn, anew = (
            list(
                pool.map(curves_task, [(seed, index, options.variety) for index in range(options.images)], chunksize=5)
            )
            for seed in (options.seed, options.seed + 1)
        )
    spectra = spread([curves.spectrum for curves in drawn])
    histograms = spread([curves.histogram for curves in drawn])
    found = real(options.folder)
    print("\n| image | spectrum, 1 to 99 % | 10 to 90 % | histogram, 1 to 99 % | 10 to 90 % |\n|---|---|---|---|---|")
    rows, others = (
        [inside(one.spectrum, spectra) + inside(one.histogram, histograms) for one in curves]
        for curves in (found.values(), anew)
    )
    summary = {
        "mean of real images": np.mean(rows, axis=0),
        "least of real images": np.min(rows, axis=0),
        "mean of generated ones": np.mean(others, axis=0),
        "5 % of generated ones below": np.percentile(others, 5, axis=0),
        "1 % of generated ones below": np.percentile(others, 1, axis=0),
    }
    for name, row in [*zip(found, rows, strict=True), *summary.items()]:
        print(f"| {name} | {' | '.join(f'{share:.0%}' for share in row)} |")
    if options.output is not None:
        figure(found, spectra, histograms, options.output)


if __name__ == "__main__":
    main()
