"""Parts that the pictures of instruments share: scans of an instrument, and figures of several panels."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import Specimen, VirtualMicroscope, render_crystal
from stemscan.simulators.instrument.settings import Instrument
from stemscan.store.batch import SampleBatch

__all__ = ["crystal", "image_of", "options", "panels", "plan_of", "save", "scan"]


def options(text: str | None) -> argparse.Namespace:
    """Output and side of the scans."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", help="picture (jpg or png)")
    parser.add_argument("--side", type=int, default=192, help="rows and columns of the scans")
    return parser.parse_args()


def plan_of(side: int, kind: str = "raster", **changes: Any) -> ScanPlan:
    """One pass over every pixel of 0.02 nm, 10 us and 30 electrons each."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": kind},
            "shape": [side, side],
            "passes": 1,
            "dwell_ns": 10_000,
            "dose": {"electrons_per_sample": 30},
            "pixel_size_nm": 0.02,
            "seed": 1,
        }
        | changes
    )


def crystal(side: int) -> Specimen:
    """Strontium titanate."""
    return render_crystal("SrTiO3", (side, side), pixel_size_nm=0.02)


def scan(plan: ScanPlan, specimen: Specimen, settings: dict[str, Any], seed: int = 1) -> SampleBatch:
    """All samples of a scan with an instrument of these settings."""
    path = ScanPath(plan)
    device = VirtualMicroscope(specimen, plan, seed=seed, instrument=Instrument.model_validate(settings))
    device.arm(path, 0, len(path))
    device.start()
    batches = []
    while (batch := device.read(1 << 20)) is not None:
        batches.append(batch)
    truths = {name: np.concatenate([(one.truths or {})[name] for one in batches]) for name in batches[0].truths or {}}
    return SampleBatch(0, np.concatenate([one.counts for one in batches]), None, truths)


def image_of(plan: ScanPlan, values: NDArray[Any]) -> NDArray[np.float64]:
    """Values of the samples of one full pass on the grid."""
    image = np.full(plan.shape, np.nan)
    rows, columns = ScanPath(plan).positions(0, len(values)).T
    image[rows, columns] = values
    return image


def panels(rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """An empty figure, and its panels row after row."""
    figure = Figure(figsize=(3.4 * columns, 3.1 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False)))


def save(figure: Figure, output: str) -> None:
    """Write a picture."""
    figure.savefig(output, **({"pil_kwargs": {"quality": 85}} if output.endswith("jpg") else {}))
