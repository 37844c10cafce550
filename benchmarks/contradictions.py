"""Alarms of counts against images: false ones on specimens that suit a method, and defects that are found.

    python -m benchmarks.contradictions [--seeds 101 102 ...] [--per-block 3 1] [--dose 10] [--methods fshnet columns]
    python -m benchmarks.contradictions --seeds 101 --methods fourier-eb --picture contradictions.png

Specimens of 512 x 512: a perfect lattice (SrTiO3-like at 10 pm), a smooth random texture, and the lattice with 2 % of
its columns missing, 2 % of the bright ones at 0.5 of 0.9, 5 % displaced by 25 to 40 pm and eight atoms too many.
Block-random n of 8 x 8, 4 passes. `truth` holds the specimen itself against the counts. An alarm is false where the
image, held against counts without noise, has a score below 2 in size: there the image is right to within what the
counts can tell. Alarms are per image. A defect is found where an alarm lies within 6 px; `wrong` are
those where the image errs by more than 0.2.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from stemscan.recon.contradiction.contradiction import Contradiction, contradiction
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
from tests.recon.columns.columns_kit import Crystal, crystal, render, sparse_scan

Floats = npt.NDArray[np.float64]

_SIZE = 512
_NEAR = 6.0
_SURE = 2.0
_WRONG = 0.2


def texture(seed: int) -> Floats:
    """A smooth random field about 0.5."""
    noise = gaussian_filter(np.random.default_rng(500 + seed).standard_normal((_SIZE, _SIZE)), 4.0, mode="wrap")
    return np.asarray(np.clip(0.5 + 0.12 * noise / noise.std(), 0.02, 1))


def with_defects(seed: int) -> tuple[Floats, dict[str, Floats]]:
    """A lattice with defects, and their places by kind."""
    whole, random = crystal(_SIZE, seed, displaced=0, vacancies=0), np.random.default_rng(9000 + seed)
    chance, bright = random.random(len(whole.sites)), whole.sublattice == 0
    gone, other = chance < 0.02, (chance >= 0.02) & (chance < 0.04) & bright
    moved = (chance >= 0.04) & (chance < 0.09)
    angle, length = random.uniform(0, 2 * np.pi, len(chance)), random.uniform(2.5, 4, len(chance)) * moved
    places = whole.sites + length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    first = random.choice(np.flatnonzero(bright), 8, replace=False)
    extra = whole.sites[first] + (whole.sites[bright][1] - whole.sites[bright][0]) / 2
    amplitudes = np.concatenate([np.where(gone, 0.0, np.where(other, 0.5, whole.amplitudes)), np.full(8, 0.5)])
    places, kinds = np.concatenate([places, extra]), np.concatenate([whole.sublattice, np.full(8, 2)])
    drawn = Crystal(places, places, amplitudes, kinds, np.zeros(len(places), bool), whole.shape)
    found = {
        "bright vacancy": whole.sites[gone & bright],
        "weak vacancy": whole.sites[gone & ~bright],
        "0.5 for 0.9": whole.sites[other],
        "displaced": whole.sites[moved],
        "one too many": extra,
    }
    inside = {kind: at[((at > 12) & (at < _SIZE - 13)).all(axis=1)] for kind, at in found.items()}
    return render(drawn), inside


def specimens(seed: int) -> Iterator[tuple[str, Floats, dict[str, Floats]]]:
    """Name, signal and places of defects."""
    yield "lattice", render(crystal(_SIZE, seed, displaced=0, vacancies=0)), {}
    yield "texture", texture(seed), {}
    yield "defects", *with_defects(seed)


def false_alarms(found: Contradiction, image: npt.NDArray[np.float32], inputs: Inputs, signal: Floats) -> int:
    """Alarms where the image is right to within what the counts can tell."""
    exact = inputs.visits * (inputs.electrons_per_sample * signal).astype(np.float32)
    sure = contradiction(Inputs.from_arrays(exact, inputs.visits, inputs.electrons_per_sample), image).z
    windows = (sure[max(0, row - 2) : row + 3, max(0, col - 2) : col + 3] for row, col, _ in found.places)
    return sum(float(np.abs(window).max()) < _SURE for window in windows)


def print_seconds(methods: list[str]) -> None:
    """Print the least processor seconds of three runs with one thread, of the methods and of the score."""
    inputs = sparse_scan(render(crystal(1024, 1)), seed=1)
    image = reconstruct(inputs, "fourier-eb", threads=1).image
    parts: dict[str, Callable[[], object]] = {"contradiction": partial(contradiction, inputs, image)}
    for name in methods:
        parts[name] = partial(reconstruct, inputs, name, threads=1, contradictions=False)
    for name, part in parts.items():
        taken = []
        for _ in range(3):
            began = time.process_time()
            part()
            taken.append(time.process_time() - began)
        print(f"{name}: {min(taken):.3f} s")


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102])
    parser.add_argument("--per-block", type=int, nargs="+", default=[3, 1])
    parser.add_argument("--dose", type=float, default=10.0)
    parser.add_argument("--methods", nargs="+", default=["truth", "normconv", "fourier-eb", "fshnet"])
    parser.add_argument("--picture", type=Path, help="write the picture of the first method, seed and n here, as PNG")
    parser.add_argument("--seconds", action="store_true", help="print processor seconds at 1024 x 1024 instead")
    asked = parser.parse_args()
    if asked.seconds:
        print_seconds(asked.methods)
    elif asked.picture:
        signal, seed = with_defects(asked.seeds[0])[0], 1000 + asked.seeds[0]
        inputs = sparse_scan(signal, seed=seed, per_block=asked.per_block[0], dose=asked.dose)
        made = reconstruct(inputs, asked.methods[0])
        print(made.save(asked.picture), made.checked)
    else:
        print_tables(asked)


def print_tables(asked: argparse.Namespace) -> None:
    """Print a table of alarms, and one of defects."""
    alarms: dict[tuple[str, int, str], list[tuple[int, int]]] = defaultdict(list)
    defects: dict[tuple[str, int, str], list[tuple[bool, bool]]] = defaultdict(list)
    for seed in asked.seeds:
        for name, signal, places in specimens(seed):
            for per_block in asked.per_block:
                inputs = sparse_scan(signal, seed=1000 + seed, per_block=per_block, dose=asked.dose)
                for method in asked.methods:
                    image = signal.astype(np.float32)
                    if method != "truth":
                        image = reconstruct(inputs, method, threads=1, contradictions=False).image
                    found = contradiction(inputs, image)
                    false = false_alarms(found, image, inputs, signal)
                    alarms[name, per_block, method].append((false, len(found.places) - false))
                    for kind, at in places.items():
                        for row, col in at:
                            near = any(math.dist((row, col), place[:2]) < _NEAR for place in found.places)
                            pixel = round(row), round(col)
                            wrong = abs(float(image[pixel]) - signal[pixel]) > _WRONG
                            defects[method, per_block, kind].append((near, wrong))
    print("| specimen | n | method | images | false alarms | others |\n|---|---|---|---|---|---|")
    for (name, per_block, method), rows in alarms.items():
        mean_false, others = (float(np.mean(column)) for column in zip(*rows, strict=True))
        print(f"| {name} | {per_block} | {method} | {len(rows)} | {mean_false:.3f} | {others:.2f} |")
    print("\n| method | n | defect | number | wrong, % | found, % | found of the wrong, % |")
    print("|---|---|---|---|---|---|---|")
    for (method, per_block, kind), found_wrong in defects.items():
        near_all, wrong_all = (np.array(column) for column in zip(*found_wrong, strict=True))
        of_wrong = f"{100 * near_all[wrong_all].mean():.0f}" if wrong_all.any() else "-"
        shares = f"{100 * wrong_all.mean():.0f} | {100 * near_all.mean():.0f} | {of_wrong}"
        print(f"| {method} | {per_block} | {kind} | {len(near_all)} | {shares} |")


if __name__ == "__main__":
    main()
