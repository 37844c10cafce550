"""Time and memory that the fit of columns takes, by the size of the scan.

    python -m benchmarks.columns_speed [--sizes 1024 2048 8192] [--kinds crystal dumbbells] [--threads 1]

Made-up crystals at 10 pm: the cell of SrTiO3 (39 px, amplitudes 0.9 and 0.4), or dumbbells 13.6 px apart; a fifth of
the columns displaced by 10 to 40 pm, 1 % missing; block-random 3 of 8 x 8, 4 passes summed into one, 10 electrons a
sample. The first fit of all is not counted: it compiles. Images are those of `fourier-eb`, made before where the scan
is one tile, and tile by tile within the time where it is larger. Memory is the peak while fitting beyond what was taken
before, inputs included. A scan of 25,000 x 25,000 pixels holds 800,000 columns of the crystal. Columns found are those
with a fit nearer than 6 px; fits nearer to each other than 5 px are counted as twice.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.find import finding
from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.tiles import CORE
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
from stemscan.recon.threads import limit_threads

Floats = npt.NDArray[np.float64]

_DOSE, _SIGMA, _BAND = 10.0, 4.25, 512
_KINDS = {
    "crystal": (np.eye(2) * 39.05, np.array([(0.0, 0.0), (0.5, 0.5)]), np.array([0.9, 0.4]), 1.0),
    "dumbbells": (
        np.diag([54.3, 38.4]),
        np.array([(0.0, 0.0), (0.25, 0.0), (0.5, 0.5), (0.75, 0.5)]),
        np.full(4, 0.9),
        0.8,
    ),
}
"""Cell, motif, amplitudes, and width of a column over that of the crystal's."""


def columns(kind: str, size: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Places and amplitudes of the columns in and around a field."""
    cell, motif, amplitudes, _ = _KINDS[kind]
    turn = np.deg2rad(3.0)
    cell = cell @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    reach = np.arange(-int(size / 38) - 8, int(size / 38) + 9)
    parts = []
    for offset, amplitude in zip(motif, amplitudes, strict=True):
        sites = (np.stack(np.meshgrid(reach, reach, indexing="ij"), -1).reshape(-1, 2) + offset) @ cell + size / 2
        sites = sites[((sites > -30) & (sites < size + 30)).all(axis=1)]
        parts.append(np.column_stack([sites, np.full(len(sites), amplitude)]))
    every = np.concatenate(parts)
    chance = random.random(len(every))
    angle, length = random.uniform(0, 2 * np.pi, len(every)), random.uniform(1, 4, len(every))
    every[:, :2] += np.where(chance < 0.2, length, 0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    every = every[chance < 0.99]
    return every[:, :2], every[:, 2]


def scan(kind: str, size: int, seed: int) -> tuple[Inputs, Floats]:
    """Counts of a crystal, and the places of its columns; a band of rows at a time."""
    random = np.random.default_rng(seed)
    places, amplitudes = columns(kind, size, random)
    sigma = _SIGMA * _KINDS[kind][3]
    frames, visits = np.zeros((1, size, size), np.float32), np.zeros((1, size, size), np.uint16)
    for first in range(0, size, _BAND):
        signal = np.full((min(_BAND, size - first), size), 0.1)
        near = (places[:, 0] > first - 30) & (places[:, 0] < first + _BAND + 30)
        for (row, column), amplitude in zip(places[near], amplitudes[near], strict=True):
            top, left = max(0, int(row) - 25 - first), max(0, int(column) - 25)
            part = signal[top : max(0, int(row) + 27 - first), left : int(column) + 27]
            down, right = (
                np.exp(-0.5 * ((start + np.arange(count) - at) / sigma) ** 2)
                for start, count, at in ((first + top, part.shape[0], row), (left, part.shape[1], column))
            )
            part += amplitude * np.outer(down, right)
        for _ in range(4):
            order = np.argsort(random.random((-(-len(signal) // 8), -(-size // 8), 64), np.float32), axis=-1)
            chosen = (order < 3).reshape(*order.shape[:2], 8, 8).transpose(0, 2, 1, 3)
            visits[0, first : first + _BAND] += chosen.reshape(-1, 8 * order.shape[1])[: len(signal), :size]
        seen = visits[0, first : first + _BAND]
        frames[0, first : first + _BAND] = random.poisson(_DOSE * signal / 1.1 * seen)
    inside = ((places > 0) & (places < size - 1)).all(axis=1)
    return Inputs.from_arrays(frames, visits, _DOSE, pixel_size_nm=0.01), places[inside]


def _resident() -> int:
    """Resident memory of this process in bytes."""
    return 4096 * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def peak(work: Callable[[], Finding | str]) -> tuple[Finding | str, float]:
    """A result, and the peak of resident memory while it is made, in GB, beyond what is taken at its beginning."""
    before, most, done = _resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = work()
    finally:
        done.set()
        watcher.join()
    return result, max(0, most[0] - before) / 1e9


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=["crystal"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=201)
    asked = parser.parse_args()
    print("| specimen | pixels | columns | tiles | wall, s | processor, s | GB | found | twice |")
    print("|---|---|---|---|---|---|---|---|---|")
    with limit_threads(asked.threads):
        for kind in asked.kinds:
            finding(scan(kind, 512, 1)[0])
            for size in asked.sizes:
                inputs, places = scan(kind, size, asked.seed)
                image = reconstruct(inputs, "fourier-eb").image if size <= 1.5 * CORE else None
                began, spent = time.perf_counter(), time.process_time()
                found, memory = peak(lambda inputs=inputs, image=image: finding(inputs, image))  # type: ignore[misc]
                took = f"{time.perf_counter() - began:.1f}", f"{time.process_time() - spent:.1f}"
                if isinstance(found, str):
                    raise SystemExit(found)
                fitted = found.places[found.inside]
                hit = np.mean(cKDTree(fitted).query(places)[0] < 6)
                doubled = len(cKDTree(fitted).query_pairs(5.0))
                row = (
                    kind,
                    f"{size} x {size}",
                    len(fitted),
                    len(found.scan.tiles),
                    *took,
                    f"{memory:.2f}",
                    f"{hit:.4f}",
                )
                print(f"| {' | '.join(map(str, (*row, doubled)))} |", flush=True)


if __name__ == "__main__":
    main()
