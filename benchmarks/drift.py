"""Drift found against drift that was made: residuals, seconds, and the image, with phase correlation of passes beside.

    python -m benchmarks.drift [--size 1024] [--seeds 31 32] [--images FILE ...] [--method fourier-eb]
        [--only "jitter|n = 1"]

Lattices are those of `benchmarks.columns` with seeds of their own; block-random n of 8 x 8, 4 passes. Samples are drawn
at drifted positions by bilinear interpolation. `start`, `passes` and `found` are RMS errors a direction in px, of no
correction, of registration of whole passes (phase correlation of scikit-image, or --passes hyperspy, quantem where they
are installed; joined by a line through their middles) and of `find_drift`; `predicted` is the error that it states,
`bound` the least that rows of jitter allow. Of these only what differs between passes counts where the order repeats
itself. `test` and `found` in seconds are processor time of the quick test of `recon --drift auto` and of the search;
`auto` says whether the test starts one. With --method, PSNR without correction, with what `auto` would use, and by the
true positions, and the share of the lost dB that is regained. Rows "synthetic" are scenes of the specimens that train,
of the seed. --only takes a regular expression.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.registration import phase_cross_correlation

from stemscan.files.read import read_picture
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.drift.find import drift_of
from stemscan.recon.drift.timed import TimedSamples
from stemscan.recon.drift.using import moves, worth_undoing
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from stemscan.simulators.api import synthetic_specimen
from tests.recon.columns.columns_kit import crystal, render

Floats = npt.NDArray[np.float64]

_LOST = 0.05
"""Decibels below which no share of a loss is told."""


class Case(NamedTuple):
    """A scan: drift in pixels from its beginning to its end, and what is unusual about it."""

    name: str
    drift: str
    size: float
    specimen: str = "lattice"
    per_block: int = 3
    dose: float = 10.0
    order: str = "serpentine-blocks"

    @property
    def label(self) -> str:
        """First cell of its row."""
        return f"{self.name} {self.drift} {self.size:g}".strip()


CASES = (
    *(Case("", drift, size) for drift in ("linear", "quadratic", "exponential") for size in (2, 5, 20)),
    *(
        Case(name, drift, size, **unusual)
        for name, unusual in (
            ("perfect lattice", {"specimen": "perfect"}),
            ("half vacuum", {"specimen": "half"}),
            ("n = 1", {"per_block": 1}),
            ("dose 2.5", {"dose": 2.5}),
        )
        for drift, size in (("linear", 5), ("quadratic", 20), ("exponential", 10))
    ),
    Case("random walk", "walk", 2),
    Case("rows", "jitter", 0.5),
    Case("rows, delocalised", "jitter", 0.5, order="delocalised"),
    Case("delocalised", "quadratic", 5, order="delocalised"),
    Case("still", "linear", 0),
    Case("flat", "linear", 5, specimen="flat"),
    *(Case(f"synthetic {index}", "linear", size, specimen=f"{index}") for index in range(6) for size in (0, 5)),
)


def offsets(case: Case, count: int, row: int, random: np.random.Generator) -> Floats:
    """A trajectory of mean 0, (count, 2); jitter is new after `row` samples."""
    angle, t = random.uniform(0, 2 * np.pi), ((np.arange(count) + 0.5) / count)[:, np.newaxis]
    way = case.size * np.array([np.sin(angle), np.cos(angle)])
    if case.drift == "walk":
        steps = np.cumsum(random.normal(size=(2048, 2)), axis=0) * case.size / np.sqrt(2048)
        moved = np.stack([np.interp(t[:, 0], np.linspace(0, 1, 2048), steps[:, axis]) for axis in (0, 1)], axis=1)
    elif case.drift == "jitter":
        moved = np.repeat(random.normal(0, case.size, (-(-count // row), 2)), row, axis=0)[:count]
    else:
        moved = way * {"linear": t, "quadratic": t**2, "exponential": 1 - np.exp(-t / 0.2)}[case.drift]
    return np.asarray(moved - moved.mean(axis=0))


def specimen(kind: str, size: int, seed: int) -> Floats:
    """The signal."""
    if kind == "flat":
        return np.full((size, size), 0.4)
    if kind.isdecimal():
        return np.asarray(synthetic_specimen((size, size), seed=seed, index=int(kind)).signal, np.float64)
    perfect = {"displaced": 0.0, "vacancies": 0.0} if kind == "perfect" else {}
    image = render(crystal(size=size, seed=seed, **perfect)) / 1.05
    if kind == "half":
        image[:, size // 2 :] = 0.02
    return np.asarray(image)


def scan(case: Case, image: Floats, seed: int) -> tuple[TimedSamples, Floats]:
    """Samples and their true offsets."""
    pattern = {"kind": "block-random", "block": 8, "samples_per_block": case.per_block}
    plan = ScanPlan.from_dict(
        {
            "pattern": pattern, "shape": list(image.shape), "passes": 4, "order": {"kind": case.order},
            "dwell_ns": 1000, "dose": {"electrons_per_sample": case.dose}, "seed": seed,
        }
    )  # fmt: skip
    positions, random = ScanPath(plan).positions(0, plan.total_samples).astype(np.float64), np.random.default_rng(seed)
    moved = offsets(case, len(positions), case.per_block * (image.shape[1] // 8), random)
    signal = map_coordinates(image, (positions + moved).T, order=1, mode="nearest")
    starts = np.arange(5) * plan.samples_per_pass
    counts = random.poisson(case.dose * signal)
    return TimedSamples(counts / case.dose, positions, starts, (len(image), image.shape[1]), case.dose), moved


def by_passes(samples: TimedSamples, register: Callable[[list[Floats]], Floats]) -> Floats:
    """Offsets by shifts of images of whole passes, straight between their middles."""
    images, middles = [], []
    for start, stop in pairwise(samples.pass_starts):
        sums, visits = np.zeros((2, *samples.shape))
        where = tuple(samples.positions[start:stop].astype(int).T)
        sums[where], visits[where] = samples.signal[start:stop], 1
        images.append(gaussian_filter(sums, 3) / (gaussian_filter(visits, 3) + 1e-4))
        middles.append((start + stop) / 2)
    shifts = register(images)
    line = [np.interp(np.arange(samples.count), middles, -shifts[:, axis]) for axis in (0, 1)]
    return np.stack(line, axis=1)


def phase(images: list[Floats]) -> Floats:
    """Shifts by phase correlation with the first (scikit-image)."""
    return np.array([phase_cross_correlation(image, images[0], upsample_factor=20)[0] for image in images])


def hyperspy(images: list[Floats]) -> Floats:
    """Shifts by `estimate_shift2D` of hyperspy, which is no dependency: each image with the one before."""
    import hyperspy.api as hs

    return np.asarray(
        hs.signals.Signal2D(np.stack(images)).estimate_shift2D(
            reference="cascade", sub_pixel_factor=20, hanning=True, show_progressbar=False
        )
    )


def quantem(images: list[Floats]) -> Floats:
    """Shifts by `DriftCorrection.align_translation` of quantem, which is no dependency.

    Its affine and non-rigid parts want scans in two directions.
    """
    from quantem.imaging.drift import DriftCorrection

    aligned = DriftCorrection.from_data(images, [0.0] * len(images)).preprocess(show_knots=False)
    before = [knots.copy() for knots in aligned.knots]
    aligned.align_translation(upsample_factor=20, show_merged=False)
    return -np.array([now[:, 0, 0] - was[:, 0, 0] for now, was in zip(aligned.knots, before, strict=True)])


REGISTERED: dict[str, Callable[[list[Floats]], Floats]] = {"phase": phase, "hyperspy": hyperspy, "quantem": quantem}


def residual(found: Floats, truth: Floats) -> float:
    """RMS a direction without the mean."""
    off = found - truth
    return float(np.sqrt(np.mean((off - off.mean(axis=0)) ** 2)))


def differing(case: Case, offsets: Floats, passes: int) -> Floats:
    """Part of the offsets that is not the same in every pass; all of it where an order does not repeat itself."""
    if case.drift != "jitter" or case.order == "delocalised":
        return offsets
    each = offsets.reshape(passes, -1, 2)
    return np.asarray((each - each.mean(axis=0)).reshape(-1, 2))


def bound(case: Case, image: Floats) -> str:
    """Least RMS error a direction of jitter that is new in each row of blocks, by Fisher information of the samples.

    Jitter's size and the specimen are known to the estimator; a sample has dose (ds / dx)^2 / s of Poisson counts.
    """
    if case.drift != "jitter":
        return "-"
    down, right = np.gradient(image)
    each = case.dose * float(np.mean(0.5 * (down**2 + right**2) / np.maximum(image, 1e-3)))
    row = each * case.per_block * (image.shape[1] // 8)
    alone = 1.0 if case.order == "delocalised" else 0.75  # the part that differs between four passes
    return f"{np.sqrt(alone / (case.size**-2 + row)):.3f}"


def psnr(samples: TimedSamples, moved: Floats, image: Floats, method: str) -> float:
    """Of a reconstruction with samples at their positions plus offsets."""
    starts = tuple(int(start) for start in samples.pass_starts)
    places = (samples.positions + moved).astype(np.float32)
    placed = PlacedSamples.of(samples.signal * samples.dose, places, starts, samples.shape)
    made = reconstruct(Inputs.from_samples(placed, samples.dose, shared=False), method, contradictions=False)
    return float(compare(made.image, image).psnr)


def row(
    case: Case, samples: TimedSamples, moved: Floats, image: Floats, method: str | None, register: str = "phase"
) -> str:
    """A line of the table."""
    began = time.process_time()
    auto = moves(samples)
    tested = time.process_time()
    drift = drift_of(samples)
    seconds = [tested - began, time.process_time() - tested]
    nothing, known = np.zeros_like(moved), drift.trajectory
    at = nothing if known is None else known.at(np.arange(samples.count))
    passes = samples.passes
    truth, found = differing(case, moved, passes), differing(case, at, passes)
    passed = differing(case, by_passes(samples, REGISTERED[register]), passes)
    errors = [residual(nothing, truth), residual(passed, truth)]
    told = ["-", "-"] if known is None else [f"{residual(found, truth):.3f}", f"{known.rms_std:.3f}"]
    cells = [
        case.label, drift.verdict, *(f"{one:.3f}" for one in errors), *told,
        bound(case, image), "yes" if auto else "no", *(f"{one:.2f}" for one in seconds),
    ]  # fmt: skip
    if method is not None:
        used = at if auto and worth_undoing(drift) else nothing
        left, undone, true = (psnr(samples, one, image, method) for one in (nothing, used, moved))
        share = f"{(undone - left) / (true - left):.0%}" if true - left > _LOST else "-"
        cells += [f"{left:.2f}", f"{undone:.2f}", f"{true:.2f}", share]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--images", type=Path, nargs="*", default=[])
    parser.add_argument("--method")
    parser.add_argument("--passes", choices=REGISTERED, default="phase", help="what registers images of passes")
    parser.add_argument("--only", default="", help="cases whose first cell matches this")
    asked = parser.parse_args()
    more = "" if asked.method is None else " left, dB | found, dB | true, dB | regained |"
    print(
        f"| scan, drift px | verdict | start | passes | found | predicted | bound | auto | test, s | found, s |{more}"
    )
    print("|" + "---|" * (10 + 4 * (asked.method is not None)))
    for seed in asked.seeds:
        for case in (case for case in CASES if re.search(asked.only, case.label)):
            image = specimen(case.specimen, asked.size, seed)
            print(row(case, *scan(case, image, seed), image, asked.method, asked.passes), flush=True)
        for path in asked.images:
            values = np.asarray(read_picture(path).values, np.float64)[: asked.size, : asked.size]
            image = (values - values.min()) / max(float(np.ptp(values)), 1e-9)
            for size in (0, 5):
                case = Case(path.stem, "linear", size)
                print(row(case, *scan(case, image, seed), image, asked.method, asked.passes), flush=True)


if __name__ == "__main__":
    main()
