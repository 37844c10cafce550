"""The compiled non-local step against a plain one in Python and against the published time, in one run.

The plain one does what the published code does: a loop over patches and, within, over the candidates of the region,
each compared by numpy. It is timed on some of the patches and scaled to all. The published code took 133 s for a
512 x 512 image on 2 cores. Images are a noisy lattice.

    python -m benchmarks.nonlocal_step --size 512 --repeats 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from stemscan.recon.fshnet.nonlocal_step import NEIGHBOURS, REGION, SEARCH, nonlocal_step

PUBLISHED_SECONDS = 133.0


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def noisy_lattice(size: int) -> npt.NDArray[np.float32]:
    """Square lattice of period 24 with noise of a third of its amplitude."""
    wave = np.cos(2 * np.pi * np.arange(size) / 24.0)
    noise = np.random.Generator(np.random.Philox(1)).standard_normal((size, size))
    image: npt.NDArray[np.float32] = (wave[:, None] + wave[None, :] + 0.3 * noise).astype(np.float32)
    return image


def plain_patches(image: npt.NDArray[np.float32], patch: int, corners: npt.NDArray[np.int64]) -> None:
    """Update patches one by one, candidates one by one."""
    reach = (REGION - patch) // 2 // SEARCH * SEARCH
    height, width = image.shape
    for top, left in corners:
        here = image[top : top + patch, left : left + patch]
        found = []
        for y in range(max(top % SEARCH, top - reach), min(height - patch, top + reach) + 1, SEARCH):
            for x in range(max(left % SEARCH, left - reach), min(width - patch, left + reach) + 1, SEARCH):
                difference = here - image[y : y + patch, x : x + patch]
                found.append((float(np.mean(difference * difference)), y, x))
        nearest = sorted(found)[:NEIGHBOURS]
        weights = np.exp(-np.array([mse for mse, _, _ in nearest]))
        patches = np.array([image[y : y + patch, x : x + patch] for _, y, x in nearest])
        np.tensordot(weights / weights.sum(), patches, axes=1)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--plain", type=int, default=40, help="patches for the plain one")
    options = parser.parse_args()
    image = noisy_lattice(options.size)
    chosen = np.random.Generator(np.random.Philox(2))
    print(
        f"{options.size} x {options.size}, median of {options.repeats}; plain: {options.plain} patches, scaled to all"
    )
    print(f"{'patch':>5} {'ours s':>8} {'plain s':>9} {'plain/ours':>10} {'133 s/ours':>10} {'all s':>8}")
    for patch in (8, 12, 16, 24, 32):
        call = partial(nonlocal_step, image, patch)
        call()
        ours = float(np.median([seconds(call) for _ in range(options.repeats)]))
        corners = chosen.integers(0, (options.size - patch) // (patch // 4) + 1, (options.plain, 2)) * (patch // 4)
        patches = ((options.size - patch) // (patch // 4) + 1) ** 2
        plain = seconds(partial(plain_patches, image, patch, corners))
        plain *= patches / options.plain
        every = seconds(partial(nonlocal_step, image, patch, neighbours="all"))
        print(
            f"{patch:5d} {ours:8.3f} {plain:9.1f} {plain / ours:10.0f} {PUBLISHED_SECONDS / ours:10.0f} {every:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
