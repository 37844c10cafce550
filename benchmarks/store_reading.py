"""Cost of a store's digests to those who read it: seconds with and without them, in one run.

python -m benchmarks.store_reading [--samples 50000000] [--folder .]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np

from stemscan.recon.inputs.reading import load_inputs
from stemscan.store.importing.imported import import_samples
from stemscan.store.importing.measured import Samples
from stemscan.store.reader import Acquisition

ROUNDS = 3


def write(path: Path, total: int) -> None:
    """A store of four passes over random pixels of a grid."""
    chance, passes = np.random.default_rng(1), 4
    per_pass = total // passes
    side = int(np.ceil(np.sqrt(per_pass * 1.35)))
    flat = np.concatenate([chance.permutation(side * side)[:per_pass] for _ in range(passes)])
    began = time.perf_counter()
    samples = Samples(
        counts=chance.poisson(4, flat.size).astype(np.uint16),
        positions=np.stack(np.divmod(flat, side), axis=1).astype(np.int32),
        samples_per_pass=(per_pass,) * passes,
        shape=(side, side),
    )
    import_samples(samples, path, electrons_per_sample=10.0, pixel_size_nm=0.02)
    print(f"{flat.size:,} samples on {passes} x {side} x {side} pixels, written in {time.perf_counter() - began:.1f} s")


def seconds(work: Callable[[], object]) -> float:
    """The fastest of some rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def main() -> None:
    """Write, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "a.zarr"
        write(path, options.samples)
        works: dict[str, Callable[[], object]] = {
            "open": lambda: Acquisition.open(path),
            "frames": lambda: Acquisition.open(path).frames(),
            "visits": lambda: Acquisition.open(path).visits(),
            "counts": lambda: Acquisition.open(path).counts(),
            "positions": lambda: Acquisition.open(path).positions(),
            "load_inputs": lambda: load_inputs(path),
        }
        print("| | unchecked s | checked s | ratio |\n|---|---|---|---|")
        for name, work in works.items():
            checked = seconds(work)
            with patch("stemscan.store.opening.OpenStore.checks", return_value=None):
                unchecked = seconds(work)
            print(f"| {name} | {unchecked:.3f} | {checked:.3f} | {checked / unchecked:.2f} |", flush=True)


if __name__ == "__main__":
    main()
