"""The cost model of campaigns, and a campaign of small acquisitions against it.

TMPDIR=/dev/shm nice -n 10 python -m benchmarks.campaign FOLDER [--acquisitions 2000] [--processes 2]

The model is fitted to a few acquisitions of other grids, ratios and passes, in FOLDER/fitted: processor seconds of a
scan are A + B samples + C pixels of frames, of a specimen and of a method D + E pixels of the grid, bytes of a store
F + G samples + H pixels of frames. Then the campaign is run in FOLDER/measured, and both are printed side by side, and
what 10^6 acquisitions take by the model. Processor seconds, since other programs take no part of them. What is in
FOLDER is not made again, so that the benchmark may be interrupted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from scipy.optimize import nnls

from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.evaluation.campaign import runners
from stemscan.recon.evaluation.campaign.design import Design, design_of
from stemscan.recon.evaluation.campaign.runners import Cluster
from stemscan.recon.evaluation.campaign.session import run_campaign
from stemscan.recon.evaluation.campaign.settings import Campaign
from stemscan.recon.evaluation.campaign.work import Made
from stemscan.recon.evaluation.clients import LOCAL, dask_client
from stemscan.simulators.api import synthetic_specimen

METHODS = ("normconv", "fourier-eb")
FITTED = ((64, 2, 3), (64, 4, 12), (128, 4, 3), (256, 4, 3), (256, 2, 12))
"""Sides of the grid, passes and samples of an 8 x 8 block."""

MEASURED = (96, 3, 6)
WANTED = ((64, 2, 6), (256, 4, 3), (1024, 4, 3))
_DRAWN = 5
_IDLE_S = 10
Coefficients = dict[str, np.ndarray]


def plan_of(side: int, passes: int, of_64: int) -> ScanPlan:
    """A plan of the benchmark."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": of_64},
            "shape": [side, side],
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 7,
        }
    )


def campaign(plans: Sequence[ScanPlan], specimens: str, seeds: str, keep: bool) -> Design:
    """A campaign of the benchmark."""
    data = {"version": 1, "specimens": [specimens], "plans": tuple(plans), "seeds": seeds, "methods": METHODS}
    return design_of(Campaign.model_validate(data | {"keep": ("acquisitions",) if keep else ()}), Path())


def run(design: Design, folder: Path, processes: int) -> tuple[list[dict[str, Any]], float, float]:
    """Rows of both tables side by side, and wall and processor seconds of the process that hands out the jobs."""
    began, cpu = time.perf_counter(), time.process_time()
    with dask_client(LOCAL, processes) as client:
        last = [began]

        def tell(done: int, total: int, numbers: object) -> None:
            if time.perf_counter() - last[0] > 60:
                last[0] = time.perf_counter()
                print(f"{done} of {total}", flush=True)

        run_campaign(design, folder, Cluster(client), resume=True, progress=tell)
    tables = [pyarrow.parquet.read_table(folder / f"{name}.parquet").to_pylist() for name in ("summary", "times")]
    rows = [one | other for one, other in zip(*tables, strict=True)]
    return rows, time.perf_counter() - began, time.process_time() - cpu


def frames_of(plan: ScanPlan) -> int:
    """Pixels of all frames."""
    return plan.passes * plan.shape[0] * plan.shape[1]


def features(plan: ScanPlan) -> list[float]:
    """A constant, samples, pixels of frames."""
    return [1.0, plan.total_samples, frames_of(plan)]


def sides_only(plan: ScanPlan) -> list[float]:
    """A constant, and pixels of the grid."""
    return [1.0, plan.shape[0] * plan.shape[1]]


def fitted(plans: Sequence[ScanPlan], values: Sequence[float], of: Callable[[ScanPlan], list[float]]) -> np.ndarray:
    """Coefficients of at least 0 whose relative errors are least."""
    matrix = np.array([of(plan) for plan in plans]) / np.array(values)[:, None]
    scale = matrix.max(axis=0)
    return np.asarray(nnls(matrix / scale, np.ones(len(plans)))[0] / scale)


def drawing_seconds(side: int) -> float:
    """Processor seconds of drawing a specimen, median of several after a first."""
    seconds = []
    for index in range(_DRAWN + 1):
        cpu = time.process_time()
        synthetic_specimen((side, side), seed=12, index=index)
        seconds.append(time.process_time() - cpu)
    return float(np.median(seconds[1:]))


def model_of(plans: Sequence[ScanPlan], rows: Sequence[dict[str, Any]]) -> Coefficients:
    """The model, by medians over the acquisitions of each plan."""

    def medians(name: str, contender: str) -> list[float]:
        of_plan: dict[str, list[float]] = {f"plan {number}": [] for number in range(1, len(plans) + 1)}
        for row in rows:
            if row["contender"] == contender:
                of_plan[row["plan"]].append(row[name])
        return [float(np.median(values)) for values in of_plan.values()]

    return {
        "scan": fitted(plans, medians("scan_processor_seconds", METHODS[0]), features),
        "bytes": fitted(plans, medians("store_bytes", METHODS[0]), features),
        "specimen": fitted(plans, [drawing_seconds(plan.shape[0]) for plan in plans], sides_only),
        **{name: fitted(plans, medians("processor_seconds", name), sides_only) for name in METHODS},
    }


def predicted(model: Coefficients, plan: ScanPlan) -> dict[str, float]:
    """Processor seconds of each part of an acquisition, and bytes of its store."""
    return {
        name: float(one @ np.array(features(plan) if len(one) == 3 else sides_only(plan)))
        for name, one in model.items()
    }


def compared(model: Coefficients, design: Design, rows: Sequence[dict[str, Any]]) -> None:
    """Print the model beside a campaign."""
    scans = [row for row in rows if row["contender"] == METHODS[0]]
    plan, count = design.planned[0].plan, len(scans)
    said = predicted(model, plan)
    specimens = said["specimen"] * len(design.sources)
    measured = {
        "specimen + scan": (said["scan"] * count + specimens, sum(row["scan_processor_seconds"] for row in scans)),
        **{
            name: (said[name] * count, sum(row["processor_seconds"] for row in rows if row["contender"] == name))
            for name in METHODS
        },
    }
    print(f"\n| {count} acquisitions of {plan.total_samples} samples | model | measured | ratio |\n|---|---|---|---|")
    for name, (one, other) in measured.items():
        print(f"| {name}, processor s | {one:.0f} | {other:.0f} | {other / one:.2f} |")
    one, other = (sum(pair) for pair in zip(*measured.values(), strict=True))
    print(f"| all, processor s | {one:.0f} | {other:.0f} | {other / one:.2f} |")
    stored = sum(row["store_bytes"] for row in scans)
    said_in_all = said["bytes"] * count
    print(f"| stores, MB | {said_in_all / 1e6:.1f} | {stored / 1e6:.1f} | {stored / said_in_all:.2f} |")


def told(model: Coefficients) -> None:
    """Print the model, and what 10^6 acquisitions take."""
    print("\n| part | a piece | a sample | a pixel (scan, store: of each frame) |\n|---|---|---|---|")
    for name, one in model.items():
        unit, factor = ("bytes", 1.0) if name == "bytes" else ("us", 1e6)
        parts = [f"{value * factor:.4g} {unit}" for value in one]
        print(f"| {name} | {parts[0]} | {parts[1] if len(parts) == 3 else ''} | {parts[-1]} |")
    print("\n| plan | samples | samples/s a core | with methods | bytes per sample | 10^6: core h | methods too | TB |")
    print("|---|---|---|---|---|---|---|---|")
    for side, passes, of_64 in WANTED:
        plan = plan_of(side, passes, of_64)
        said, samples = predicted(model, plan), plan.total_samples
        whole = said["scan"] + sum(said[name] for name in METHODS)
        print(
            f"| {side} x {side} x {passes}, {of_64}/64 | {samples:,} | {samples / said['scan']:,.0f} | "
            f"{samples / whole:,.0f} | {said['bytes'] / samples:.1f} | {said['scan'] * 1e6 / 3600:.0f} | "
            f"{whole * 1e6 / 3600:.0f} | {said['bytes'] / 1e6:.3g} |"
        )


def handing_out() -> None:
    """Print what it takes to hand out jobs that do nothing, to one worker, and to wait."""
    vars(runners)["run_job"] = partial(Made.failed, problem="nothing done")
    design = campaign([plan_of(*MEASURED)], "synthetic:13/{1..20}", "1..20", keep=False)
    with dask_client(LOCAL, 1) as client:
        list(islice(Cluster(client).run(design.jobs(), 0), 50))
        cpu = time.process_time()
        time.sleep(_IDLE_S)
        idle = (time.process_time() - cpu) / _IDLE_S
        began, cpu = time.perf_counter(), time.process_time()
        count = sum(1 for _ in Cluster(client).run(design.jobs(), 0))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    print(f"A job that does nothing: {cpu / count * 1e3:.1f} ms of processor, {wall / count * 1e3:.1f} ms in all.")
    print(f"Waiting: {idle * 1e3:.0f} ms of processor a second.")


def main() -> None:
    """Fit, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--acquisitions", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    plans = [plan_of(*one) for one in FITTED]
    rows, _, _ = run(campaign(plans, "synthetic:11/0", "1..9", keep=True), options.folder / "fitted", options.processes)
    model = model_of(plans, rows)
    told(model)
    specimens = max(1, options.acquisitions // 20)
    design = campaign([plan_of(*MEASURED)], f"synthetic:13/{{1..{specimens}}}", "1..20", keep=False)
    folder = options.folder / "measured"
    rows, wall, cpu = run(design, folder, options.processes)
    compared(model, design, rows)
    disk = sum(file.stat().st_size for file in folder.iterdir()) / len(design)
    print(f"\nHanding out, waiting included: {cpu:.0f} s of processor in the {wall:.0f} s of this call.")
    print(f"Tables and results: {disk:.0f} bytes an acquisition of {len(METHODS)} methods.")
    handing_out()


if __name__ == "__main__":
    main()
