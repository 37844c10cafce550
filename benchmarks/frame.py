"""Errors over the whole image, away from the frame and at it, beside the spectral oracles.

    python -m benchmarks.frame IMAGES CACHE [--half first --seeds 100] [--ratios 1,3,6 --dose 10 --methods METHOD ...]

Truths and scans are those of `stemscan evaluate` (Poisson counts). Every reconstruction's errors go into CACHE, a file
of JSON lines, as soon as they are known; the next run goes on from there, and prints a table of all that CACHE holds of
the images, seeds and ratios asked for. `--half` takes every second image, so that what is chosen on one half can be
reported on the other. `--mark old:` puts a word before the labels: run from an older checkout into the same CACHE, old
and new stand in one table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.evaluation.cases import Case, Cell
from stemscan.recon.evaluation.contenders import parse_contender
from stemscan.recon.evaluation.images import ImageSource, folder_images
from stemscan.recon.evaluation.scans import scans_of
from stemscan.types import Image

INSIDE: Final = 64
FRAME: Final = 16
ORACLE: Final = "spectral-oracle"
METHODS: Final = (
    "fourier-eb",
    "fshnet",
    ORACLE,
    f"{ORACLE}-padded={ORACLE},padded=true",
    f"{ORACLE}-local={ORACLE},local_mean=true",
    f"{ORACLE}-local-padded={ORACLE},local_mean=true,padded=true",
)
Row = dict[str, Any]


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--half", choices=("both", "first", "second"), default="both")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--ratios", default="1,3,6")
    parser.add_argument("--dose", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="*", default=METHODS, help="as for `stemscan evaluate --method`")
    parser.add_argument("--mark", default="", help="before the labels")
    given = parser.parse_args()
    images = _half(folder_images(given.images)[0], given.half)
    ratios, seeds = (tuple(map(int, text.split(","))) for text in (given.ratios, given.seeds))
    scans = [(image, ratio, seed) for image in images for ratio in ratios for seed in seeds]
    known = {_key(row): row for row in _rows(given.cache)}
    contenders = [parse_contender(text) for text in given.methods]
    for image, ratio, seed in scans:
        for contender in contenders:
            label = given.mark + contender.label
            if (image.name, ratio, seed, given.dose, label) not in known:
                case = Case(image, Cell("poisson", ratio, given.dose), 4, seed, contender)
                row = _measured(case, given.threads) | {"label": label}
                known[_key(row)] = row
                with given.cache.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    asked = {(image.name, ratio, seed, given.dose) for image, ratio, seed in scans}
    print(table([row for key, row in known.items() if key[:4] in asked]))


def _half(images: list[ImageSource], half: str) -> list[ImageSource]:
    """Every second image, or all."""
    return images if half == "both" else images[half == "second" :: 2]


def _rows(cache: Path) -> Iterator[Row]:
    """Rows of a cache, but for a last line that was cut short."""
    for line in cache.read_text().splitlines() if cache.is_file() else ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def _key(row: Row) -> tuple[str, int, int, float, str]:
    """All that decides a row."""
    return row["image"], row["ratio"], row["seed"], row["dose"], row["label"]


def _measured(case: Case, threads: int) -> Row:
    """Mean squared errors of a reconstruction, coverage of its standard deviation, and its processor time."""
    scans = scans_of("poisson")
    scans.pictured(case)  # scan it now, outside of the time
    begun = time.process_time()
    made, truth = scans.reconstructed(case, threads)
    seconds = time.process_time() - begun
    error = np.abs(made.image - truth)
    row = {"image": case.image.name, "ratio": case.cell.samples_per_block, "seed": case.seed, "dose": case.cell.dose}
    within = {} if made.std is None else {f"within_{n}": float(np.mean(error <= n * made.std)) for n in (1, 2)}
    return row | by_distance(error) | within | {"cpu_s": seconds}


def by_distance(error: Image) -> dict[str, float]:
    """Mean squares of errors (H, W): whole, farther than `INSIDE` from the frame, and nearer than `FRAME`."""
    rows, columns = (np.minimum(np.arange(size), np.arange(size)[::-1]) for size in error.shape)
    distance = np.minimum(rows[:, None], columns)
    places = {"whole": distance >= 0, "inside": distance >= INSIDE, "frame": distance < FRAME}
    return {name: float(np.mean(np.square(error[there], dtype=np.float64))) for name, there in places.items()}


def table(rows: list[Row]) -> str:
    """Means of decibels by ratio and label: Markdown."""
    lines = [
        f"| n | method | scans | whole | inside {INSIDE} px | outer {FRAME} px | RMS outer / inside "
        "| within 1 sd | within 2 sd | CPU s |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for ratio in sorted({row["ratio"] for row in rows}):
        for label in dict.fromkeys(row["label"] for row in rows):
            these = [row for row in rows if (row["ratio"], row["label"]) == (ratio, label)]
            if these:
                lines.append(f"| {ratio} | {label} | {len(these)} | " + " | ".join(_cells(these)) + " |")
    return "\n".join(lines)


def _cells(rows: list[Row]) -> list[str]:
    """The means of one line."""
    mse: npt.NDArray[np.float64] = np.array([[row[place] for place in ("whole", "inside", "frame")] for row in rows])
    decibels = -10 * np.log10(mse).mean(axis=0)
    outer = np.sqrt(mse[:, 2] / mse[:, 1]).mean()
    shares = [
        "" if any(name not in row for row in rows) else f"{np.mean([row[name] for row in rows]):.1%}"
        for name in ("within_1", "within_2")
    ]
    seconds = np.median([row["cpu_s"] for row in rows])
    return [*(f"{value:.2f}" for value in decibels), f"{outer:.3f}", *shares, f"{seconds:.2f}"]


if __name__ == "__main__":
    main()
