"""Sparse scans against full rasters at equal incident electrons and equal time.

    python -m benchmarks.sparse_or_full [-o FOLDER] [--size 256] [--seeds 81 82] [--budget 1.875] [--plot FILE]

The beam has one current and is never blanked, so that equal time is equal incident electrons: a scan that waits for
its coils pays for it in dwell time. Each scan takes as long as a raster of one pass without waits whose pixels get
`budget` electrons. Sparse scans are block-random in 4 passes, `raster x 4` is a full raster in 4 quick passes. Coils
wait 0.5 us for a jump of 2 pixels, 2 us for 16, 5 us for the field, and nothing from pixel to pixel; a flyback takes
20 us. Scenarios, of which numbers were set before the first run:

- counts: Poisson counts alone, without waits.
- waits: the same with the waits, as all that follow.
- read-out: a converter with a noise of 1 electron a reading.
- dead time: a counting detector of 200 ns.
- drift: 5 pixels along both axes, linear; `recon --drift auto`.
- damage: fading after 20 e-/A^2 of dose that exceeds 5 e-/A^2 before it has relaxed (100 us), spread over 0.05 nm.

PSNR in dB is that of `fourier-eb` against the still, undamaged specimen, each image scaled and shifted in level to fit
it best, for no detector of known linearity is assumed. Errors of columns are RMS a direction in pm after the median is
removed; missed are the true columns of at least a tenth of the greatest height, in per cent, without a fitted one
nearer than 0.45 of their distance. Means over specimens and seeds. Rows already in the folder are not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

import stemscan as ss
from stemscan.hardware.profile import ControllerProfile, load_profile
from stemscan.hardware.program import Program
from stemscan.recon.columns.find import find_columns
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from stemscan.simulators.instrument.settings import Instrument
from stemscan.store.reader import Acquisition

PIXEL_NM: Final = 0.02
CURRENT: Final = 1e-3
"""Electrons a nanosecond, 0.16 pA."""

COUNTED: Final = "crystal:SrTiO3[001]?displaced=0.1&vacancies=0.02&turn=7&seed={}"
SPECIMENS: Final = (COUNTED, "synthetic:{}/3")
RATIOS: Final = (1, 2, 3, 6, 12, 24, 48)
"""Samples of each 8 x 8 block in a pass."""

SCENARIOS: Final = ("counts", "waits", "read-out", "dead time", "drift", "damage")
_SEEN: Final = 0.1
"""Least height of a column that counts, of the highest."""

_PROFILE: Final = """version: 1
name: {name}
grid: {{columns: 65536, rows: 65536, fit: pixels}}
dwell: {{quantum_ns: 1, smallest: 1, largest: 1000000000}}
blanker: none
{waits}"""
_WAITS: Final = "settle: {per_jump: [[0, 0], [1.5, 0], [2, 500], [16, 2000], [256, 5000]]}\nflyback_ns: 20000\n"


class Scan(NamedTuple):
    """One cell: ratio 64 is the raster, 0 that in four passes."""

    scenario: str
    ratio: int
    specimen: str
    seed: int


def profile_of(folder: Path, scenario: str) -> ControllerProfile:
    """Waits of a scenario's controller."""
    name = "free" if scenario == "counts" else "coils"
    path = folder / f"{name}.yaml"
    path.write_text(_PROFILE.format(name=name, waits="" if name == "free" else _WAITS))
    return load_profile(path)


def plan_of(scan: Scan, size: int, budget: float, profile: ControllerProfile) -> ss.ScanPlan | None:
    """The plan whose dwell times fill the time; None where the waits alone exceed it."""
    full = scan.ratio in (0, 64)
    sparse = {"kind": "block-random", "block": 8, "samples_per_block": scan.ratio}
    fields: dict[str, Any] = {
        "pattern": {"kind": "raster"} if full else sparse,
        "shape": [size, size],
        "passes": 1 if scan.ratio == 64 else 4,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 1.0},
        "pixel_size_nm": PIXEL_NM,
        "seed": scan.seed,
    }
    plan = ss.ScanPlan.from_dict(fields)
    times = Program(plan, profile).beam_times(0, plan.total_samples)
    left = size * size * budget / CURRENT - times.settle.time_ns - times.transit.time_ns
    dwell = int(left / plan.total_samples)
    if dwell < 1:
        return None
    return ss.ScanPlan.from_dict({**fields, "dwell_ns": dwell, "dose": {"electrons_per_sample": dwell * CURRENT}})


def instrument_of(scenario: str, size: int, budget: float) -> Instrument:
    """Effects of a scenario."""
    minutes = size * size * budget / CURRENT / 6e10
    pixels = 5 * PIXEL_NM / minutes
    detector: dict[str, Any] = {"name": "detector"}
    effects: dict[str, Any] = {}
    if scenario == "read-out":
        detector["digitiser"] = {"gain": 50.0, "offset": 1000.0, "read_noise": 50.0, "bits": 16}
    elif scenario == "dead time":
        detector["dead_time"] = {"ns": 200.0}
    elif scenario == "drift":
        effects["stage_drift"] = {"polynomial_nm": [[pixels, pixels]]}
    elif scenario == "damage":
        effects["damage"] = {
            "critical_e_per_A2": 20.0, "diffusion_nm": 0.05, "threshold_e_per_A2": 5.0, "recovery_us": 100.0,
        }  # fmt: skip
    return Instrument(version=1, name=scenario.replace(" ", "-"), detectors=[detector], **effects)


def fitted(image: npt.NDArray[Any], truth: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The image, scaled and shifted in level to be nearest to the truth."""
    slope, level = np.polyfit(image.ravel().astype(np.float64), truth.ravel().astype(np.float64), 1)
    return np.asarray(slope * image + level, np.float32)


def columns_of(store: Acquisition) -> tuple[float, float]:
    """Error of columns in pm, and missed ones in per cent."""
    from scipy.spatial import cKDTree

    true = store.truth_columns
    assert true is not None
    fields, size = true.fields(), store.shape[0]
    there = fields["amplitude"] > _SEEN * fields["amplitude"].max()
    places = np.stack([fields["row"], fields["col"]], axis=1)[there]
    places = places[np.all((places > 8) & (places < size - 8), axis=1)]
    near = 0.45 * float(np.median(cKDTree(places).query(places, 2)[0][:, 1]))
    table = find_columns(store)
    if not len(table.values["row"]):
        return math.nan, 100.0
    found = np.stack([table.values["row"], table.values["col"]], axis=1)
    away, which = cKDTree(found).query(places)
    matched = away < near
    off = (found[which] - places)[matched]
    off = off - np.median(off, axis=0)
    return 1000 * PIXEL_NM * float(np.sqrt(np.mean(off**2))), 100 * float(np.mean(~matched))


def measured(scan: Scan, size: int, budget: float) -> dict[str, float | None]:
    """Figures of one cell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = profile_of(folder, scan.scenario)
        plan = plan_of(scan, size, budget, profile)
        if plan is None:
            return {"dwell_ns": 0, "psnr": None, "pm": None, "missed": None}
        store = ss.simulate(
            plan, scan.specimen.format(scan.seed), folder / "acq.zarr", seed=scan.seed,
            profile=folder / f"{profile.name}.yaml", instrument=instrument_of(scan.scenario, size, budget),
        )  # fmt: skip
        inputs = load_inputs(store.path)
        image = reconstruct(inputs, "fourier-eb", contradictions=False).image
        truth = inputs.truth
        assert truth is not None
        out: dict[str, float | None] = {
            "dwell_ns": plan.dwell_ns,
            "psnr": float(compare(fitted(image, truth), truth).psnr),
        }
        if store.truth_columns is not None:
            out["pm"], out["missed"] = columns_of(store)
        return out


def rows_of(found: dict[Scan, dict[str, float | None]], scenario: str) -> list[tuple[str, list[float]]]:
    """Means of a scenario, a line a ratio: dwell time, PSNR of each specimen, error and missed columns."""
    lines = []
    for ratio in (*RATIOS, 64, 0):
        cells = {scan: got for scan, got in found.items() if (scan.scenario, scan.ratio) == (scenario, ratio)}
        name = {64: "raster", 0: "raster x 4"}.get(ratio, f"{ratio}/64 x 4")

        def mean(key: str, specimen: str, cells: dict[Scan, dict[str, float | None]] = cells) -> float:
            values = [got.get(key) for scan, got in cells.items() if scan.specimen == specimen]
            return float(np.mean([math.nan if value is None else value for value in values])) if values else math.nan

        figures = [mean("dwell_ns", COUNTED), *(mean("psnr", one) for one in SPECIMENS)]
        lines.append((name, [*figures, mean("pm", COUNTED), mean("missed", COUNTED)]))
    return lines


def draw(found: dict[Scan, dict[str, float | None]], file: Path) -> None:
    """Curves of the differences from the raster."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    ratios = [*RATIOS, 64]
    titles = "PSNR of a crystal, dB over the raster", "PSNR of a scene, dB over the raster", "error of columns, pm"
    for axis, place, title in zip(axes, (1, 2, 3), titles, strict=True):
        for scenario in SCENARIOS:
            lines = rows_of(found, scenario)[:-1]
            values = np.array([figures[place] for _, figures in lines])
            axis.plot(np.array(ratios) / 64, values - (values[-1] if place < 3 else 0), marker="o", label=scenario)
        axis.set(xscale="log", xlabel="sampling ratio of a pass (1: raster of one pass)", title=title)
    axes[0].legend()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Make what is missing, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("sparse-or-full"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seeds", type=int, nargs="+", default=[81, 82])
    parser.add_argument("--budget", type=float, default=1.875, help="electrons a pixel at signal 1")
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    asked.output.mkdir(exist_ok=True)
    found = {}
    for seed in asked.seeds:
        for scenario in SCENARIOS:
            for ratio in (64, 0, *RATIOS):
                for specimen in SPECIMENS:
                    scan = Scan(scenario, ratio, specimen, seed)
                    words = f"{scenario}-{ratio}-{SPECIMENS.index(specimen)}-{seed}-{asked.size}-{asked.budget:g}"
                    kept = asked.output / f"{words.replace(' ', '-')}.json"
                    if not kept.exists():
                        kept.write_text(json.dumps(measured(scan, asked.size, asked.budget)))
                    found[scan] = json.loads(kept.read_text())
    for scenario in SCENARIOS:
        print(f"\n{scenario}\n\n| scan | dwell, ns | crystal, dB | scene, dB | columns, pm | missed, % |")
        print("|---|---|---|---|---|---|")
        for name, figures in rows_of(found, scenario):
            forms = (".0f", ".2f", ".2f", ".1f", ".1f")
            shown = [
                format(value, form) if math.isfinite(value) else "-" for value, form in zip(figures, forms, strict=True)
            ]
            print(f"| {name} | {' | '.join(shown)} |")
    if asked.plot:
        draw(found, asked.plot)


if __name__ == "__main__":
    main()
