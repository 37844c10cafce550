"""Cost of each order in time, how far apart it keeps successive samples; and the time to make it.

python -m benchmarks.orders [--side 512] [--dwell 2] [-o orders.png]

A pass of 3 of 8 x 8 pixels block-random and one of blue noise with as many, in every order. Total time is dwell plus
the time in which a first-order lag settles to 0.5 pixels after each jump. Revisit distance is the distance of a sample
to the nearest of the 8 before it; neighbour time is the time, in samples, between two samples within 8 pixels.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.hardware.preflight.kernels import BEFORE, distances_before
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan

PATTERNS: dict[str, dict[str, Any]] = {
    "block-random": {"kind": "block-random", "block": 8, "samples_per_block": 3},
    "blue-noise": {"kind": "blue-noise", "ratio": 3 / 64},
}
ORDERS: dict[str, dict[str, Any]] = {
    "serpentine-blocks": {"kind": "serpentine-blocks"},
    "raster": {"kind": "raster"},
    "serpentine": {"kind": "serpentine"},
    "random": {"kind": "random"},
    "shortest": {"kind": "shortest"},
    "shortest, 12 px": {"kind": "shortest", "max_jump_px": 12},
    "settle-aware": {"kind": "settle-aware", "settle": {"time_constant_ns": 5000, "tolerance_px": 0.5}},
    "delocalised": {"kind": "delocalised"},
}
TAUS_US = (5, 30)
TOLERANCE_PX = 0.5
NEAR_PX = 8.0

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """Figures of one pattern in one order."""

    pattern: str
    order: str
    mean_jump: float
    over_12: int
    total_ms: tuple[float, ...]
    smallest: float
    percentiles: tuple[float, float]
    neighbour_times: tuple[int, float]
    us_per_sample: float


def plan_of(pattern: dict[str, Any], order: dict[str, Any], side: int, passes: int = 1) -> ScanPlan:
    """A plan over a square grid."""
    return ScanPlan.from_dict(
        {
            "pattern": pattern,
            "shape": [side, side],
            "passes": passes,
            "order": order,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 7,
        }
    )


def process_us(pattern: dict[str, Any], order: dict[str, Any], side: int) -> float:
    """Process time per sample to expand whole passes, in microseconds: the better of two, after compilation."""
    plan = plan_of(pattern, order, side, passes=2)
    path, n = ScanPath(plan), plan.samples_per_pass
    times = []
    for number in range(plan.passes):
        began = time.process_time()
        path.positions(number * n, (number + 1) * n)
        times.append((time.process_time() - began) * 1e6 / n)
    return min(times)


def revisit_distances(points: npt.NDArray[np.int32], shape: tuple[int, int]) -> Points:
    """Distance of each sample to the nearest of those before it, (n - BEFORE,)."""
    return distances_before(points, BEFORE, np.full(shape, np.inf, np.float32))


def row_of(pattern: str, order: str, side: int, dwell_us: float) -> Row:
    """Measure one order."""
    plan = plan_of(PATTERNS[pattern], ORDERS[order], side)
    pixels = ScanPath(plan).positions(0, plan.samples_per_pass)
    points = pixels.astype(np.float64)
    jumps = np.hypot(*np.diff(points, axis=0).T)
    settle = np.log(np.maximum(jumps / TOLERANCE_PX, 1)).sum()
    revisit = revisit_distances(pixels, plan.shape)
    pairs = cKDTree(points).query_pairs(NEAR_PX, output_type="ndarray")
    apart = np.abs(pairs[:, 0] - pairs[:, 1])
    return Row(
        pattern,
        order,
        float(jumps.mean()),
        int((jumps > 12).sum()),
        tuple(float(dwell_us * len(points) + tau * settle) / 1000 for tau in TAUS_US),
        float(revisit.min()),
        (float(np.percentile(revisit, 1)), float(np.percentile(revisit, 50))),
        (int(apart.min()), float(np.percentile(apart, 1))),
        process_us(PATTERNS[pattern], ORDERS[order], 2 * side),
    )


def draw(rows: list[Row], output: Path, side: int, dwell_us: float) -> None:
    """Draw total time against revisit distance, one panel a time constant."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    figure, panels = plt.subplots(1, len(TAUS_US), figsize=(12, 5.5), constrained_layout=True)
    colours = {name: f"C{index}" for index, name in enumerate(ORDERS)}
    for index, (panel, tau) in enumerate(zip(panels, TAUS_US, strict=True)):
        for row in rows:
            low, high = row.smallest, row.percentiles[1]
            marker = "o" if row.pattern == "block-random" else "^"
            panel.plot([row.total_ms[index]] * 2, [low, high], "-", color=colours[row.order], alpha=0.4)
            panel.plot(row.total_ms[index], row.percentiles[0], marker, color=colours[row.order], markersize=9)
        panel.set(
            title=f"settle to {TOLERANCE_PX} px, tau = {tau} us",
            xlabel=f"total time of a pass, ms ({dwell_us:g} us dwell)",
            yscale="log",
        )
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(f"distance to the nearest of the {BEFORE} samples before, px\n(line: smallest to median)")
    handles = [Line2D([], [], color=colour, marker="s", ls="", label=name) for name, colour in colours.items()]
    shapes = (("o", "block-random"), ("^", "blue-noise"))
    handles += [Line2D([], [], color="grey", marker=marker, ls="", label=name) for marker, name in shapes]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(f"orders of {side} x {side} pixels, 4.69 % sampled; marker: 1st percentile")
    figure.savefig(output, dpi=110)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--dwell", type=float, default=2.0, help="microseconds")
    parser.add_argument("-o", "--output", type=Path, help="picture to draw")
    options = parser.parse_args()
    times = " | ".join(f"ms, tau {tau} us" for tau in TAUS_US)
    print(f"{options.side} x {options.side}, dwell {options.dwell:g} us\n")
    print(f"| pattern | order | mean jump, px | over 12 px | {times} | revisit smallest / 1 % / median, px | ", end="")
    print(f"neighbour time smallest / 1 %, samples | us/sample at {2 * options.side} |")
    print("|---|---|---|---|" + "---|" * (len(TAUS_US) + 3))
    rows = []
    for pattern in PATTERNS:
        for order in ORDERS:
            row = row_of(pattern, order, options.side, options.dwell)
            rows.append(row)
            totals = " | ".join(f"{total:.0f}" for total in row.total_ms)
            print(
                f"| {pattern} | {order} | {row.mean_jump:.2f} | {row.over_12} | {totals} | {row.smallest:.1f} / "
                f"{row.percentiles[0]:.1f} / {row.percentiles[1]:.1f} | {row.neighbour_times[0]} / "
                f"{row.neighbour_times[1]:.0f} | {row.us_per_sample:.2f} |",
                flush=True,
            )
    if options.output is not None:
        draw(rows, options.output, options.side, options.dwell)


if __name__ == "__main__":
    main()
