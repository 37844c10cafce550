"""Drift followed between passes against the same scan without: the field that all passes have in common, and the image.

    python -m benchmarks.follow_drift [--size 1024] [--passes 20] [--rates 5] [--orders serpentine-blocks] [--seed 1]

A crystal of 10 pm pixels, block-random 3 of 8 x 8 at dose 10, a second a pass, under a stage that drifts steadily in a
direction of its own with a random walk of 0.05 nm per minute. `common` is the share of the field that every pass shows,
by the true trajectory at every sample; `centre` the RMS distance of the passes' middles from the first one's; `found`
the residual of `find_drift` a direction; PSNR is that of fshnet with the drift found, on the specimen where the scan
saw it. Seconds are wall time that the beam waits between two passes, mean.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stemscan.acquisition.following import Prediction
from stemscan.acquisition.session import acquire
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.drift.find import find_drift
from stemscan.recon.drift.following import FollowDrift
from stemscan.recon.drift.truth import true_offsets
from stemscan.recon.drift.using import Used
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from stemscan.simulators.instrument.settings import Instrument
from stemscan.simulators.session import virtual_microscope
from stemscan.store.reader import Acquisition

Floats = npt.NDArray[np.float64]

_BLOCK = 8


class Timed(FollowDrift):
    """Follows drift, and measures how long it thinks."""

    seconds = 0.0

    def __call__(self, acquisition: Acquisition, passes: int) -> Prediction:
        """Foretell the offset of the next pass."""
        began = time.perf_counter()
        try:
            return super().__call__(acquisition, passes)
        finally:
            self.seconds += time.perf_counter() - began


def plan_of(size: int, passes: int, order: str, seed: int) -> ScanPlan:
    """Passes of a second each."""
    samples = 3 * (size // _BLOCK) ** 2
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": _BLOCK, "samples_per_block": 3},
            "shape": [size, size], "passes": passes, "order": {"kind": order}, "pixel_size_nm": 0.01,
            "dwell_ns": round(1e9 / samples), "dose": {"electrons_per_sample": 10}, "seed": seed,
        }
    )  # fmt: skip


def scanned(plan: ScanPlan, rate: float, folder: Path, follower: FollowDrift | None, seed: int) -> Acquisition:
    """Acquire a crystal under a drift of `rate` nm per minute."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    drift = {"polynomial_nm": [[rate * np.sin(angle), rate * np.cos(angle)]], "walk_nm": 0.05}
    instrument = Instrument.model_validate({"stage_drift": drift})
    device = virtual_microscope(plan, "crystal:SrTiO3[001]", instrument=instrument, seed=seed)
    return acquire(plan, device, folder, follower=follower)


def offsets_of(acquisition: Acquisition) -> Floats:
    """Offsets of the beam on the specimen from its pixel, (n, 2)."""
    offsets = true_offsets(acquisition)
    assert offsets is not None
    return offsets


def common_field(acquisition: Acquisition) -> float:
    """Share of the field that every pass shows: of points of the specimen, each where the beam was when it came by."""
    offsets, positions = offsets_of(acquisition), acquisition.positions()
    starts, shape = acquisition.layout.pass_starts, np.array(acquisition.shape)
    blocks = -(-shape // _BLOCK)
    first = offsets[: starts[1]].mean(axis=0)
    points = np.stack(np.meshgrid(*(np.arange(0.0, side, 2.0) for side in shape), indexing="ij"), -1).reshape(-1, 2)
    points += first  # the field of the first pass
    seen = np.ones(len(points), bool)
    for start, stop in pairwise(starts):
        block = positions[start:stop] // _BLOCK
        number = block[:, 0] * blocks[1] + block[:, 1]
        counts = np.maximum(np.bincount(number, minlength=int(blocks.prod())), 1)
        moved = [np.bincount(number, offsets[start:stop, axis], int(blocks.prod())) / counts for axis in (0, 1)]
        by_block = np.stack(moved, axis=1)
        pixels = points - offsets[start:stop].mean(axis=0)
        for _ in range(4):
            at = np.clip(pixels // _BLOCK, 0, blocks - 1).astype(int)
            pixels = points - by_block[at[:, 0] * blocks[1] + at[:, 1]]
        seen &= ((pixels > -0.5) & (pixels < shape - 0.5)).all(axis=1)
    return float(seen.mean())


def row(acquisition: Acquisition, name: str, seconds: float) -> str:
    """A line of the table."""
    offsets, starts = offsets_of(acquisition), acquisition.layout.pass_starts
    centres = np.array([offsets[a:b].mean(axis=0) for a, b in pairwise(starts)])
    away = np.sqrt(np.mean(np.sum((centres - centres[0]) ** 2, axis=1)))
    drift = find_drift(acquisition)
    left = "-"
    if drift.trajectory is not None:
        off = drift.trajectory.at(np.arange(len(offsets))) - offsets
        left = f"{np.sqrt(np.mean((off - off.mean(axis=0)) ** 2)):.3f}"
    used = drift.trajectory if drift.verdict == "drift" else None
    inputs = load_inputs(acquisition, drift=Used(used, "found"))
    made = reconstruct(inputs, "fshnet", contradictions=False)
    assert inputs.truth is not None
    psnr = compare(made.image, inputs.truth).psnr
    common = f"{100 * common_field(acquisition):.2f} %"
    return f"| {name} | {common} | {away:.2f} | {drift.verdict} | {left} | {psnr:.2f} | {seconds:.2f} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--rates", type=float, nargs="+", default=[5.0])
    parser.add_argument("--orders", nargs="+", default=["serpentine-blocks"])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print("| nm/min, order | common | centre, px | verdict | found, px | PSNR, dB | s |")
    print("|---|---|---|---|---|---|---|")
    for order in asked.orders:
        plan = plan_of(asked.size, asked.passes, order, asked.seed)
        for rate in asked.rates:
            for follower in (None, Timed()):
                with tempfile.TemporaryDirectory() as folder:
                    store = scanned(plan, rate, Path(folder) / "a.zarr", follower, asked.seed)
                    name = f"{rate:g} {order}{'' if follower is None else ', followed'}"
                    seconds = 0.0 if follower is None else follower.seconds / max(asked.passes - 1, 1)
                    print(row(store, name, seconds), flush=True)


if __name__ == "__main__":
    main()
