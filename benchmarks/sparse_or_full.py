"""Sparse scans against full rasters at equal incident electrons, and at equal electrons and time.

    python -m benchmarks.sparse_or_full [-o FOLDER] [--size 256] [--seeds 81 82] [--budget 1.875] [--images FILE ...]
        [--plots FOLDER]

The beam is never blanked: electrons that fall while it settles or flies back are incident too, and all scans of a table
have as many in all, `budget` a pixel. There are two ways to spend them:

- equal time: all scans have one current, and last as long as a raster of one pass without waits. A sparse one dwells
  longer, and what it waits for its coils goes off its dwells.
- equal dwell: every sample takes the 1.9 us that the raster's pixels have. A sparse scan is over sooner; its current is
  higher, until dwells and waits together bring the electrons.

Sparse scans are block-random in 4 passes, `raster x 4` is a full raster in 4 passes. Coils wait 0.5 us for a jump of 2
pixels, 2 us for 16, 5 us for the field, and nothing from pixel to pixel; a flyback takes 20 us. Scenarios, of which
numbers were set before the first run:

- counts: Poisson counts alone, without waits.
- waits: the same with the waits, as all that follow.
- read-out: a converter with a noise of 1 electron a reading.
- dead time: a counting detector of 200 ns, corrected as stores are read.
- drift: 5 pixels along both axes in the time of the raster, linear; `recon --drift auto`.
- damage: fading after 20 e-/A^2 of dose that exceeds 5 e-/A^2 before it has relaxed (100 us), spread over 0.05 nm.

PSNR in dB is that of `fourier-eb` against the still, undamaged specimen, each image scaled and shifted in level to fit
it best, for no detector of known linearity is assumed. Specimens are a crystal with defects, two scenes and the images
that are given (the largest corner, smoothed to serve as truth). Errors of the crystal's columns are RMS a direction in
pm after the median is removed; missed are true columns, in per cent, without a fitted one nearer than 0.45 of their
distance. Columns of classes below a third of the brightest count neither way: no scan here shows them. Means over
specimens and seeds. Rows already in the folder are not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

import stemscan as ss
from stemscan.hardware.profile import load_profile
from stemscan.hardware.program import Program
from stemscan.recon.columns.find import find_columns
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from stemscan.simulators.instrument.settings import Instrument
from stemscan.simulators.specimens.loading import load_specimen
from stemscan.simulators.specimens.specimen import Specimen

PIXEL_NM: Final = 0.02
CURRENT: Final = 1e-3
"""Electrons a nanosecond of the raster without waits, 0.16 pA."""

SPECIMENS: Final = {
    "crystal": ("crystal:SrTiO3[001]?displaced=0.1&vacancies=0.02&turn=7&seed={}",),
    "scenes": ("synthetic:{}/3", "synthetic:{}/4"),
}
RATIOS: Final = (1, 3, 6, 16, 32)
"""Samples of each 8 x 8 block in a pass."""

RASTER, FRAMES = 64, 0
"""Stand among ratios for the raster, and that in four passes."""

WAYS: Final = ("equal time", "equal dwell")
SCENARIOS: Final = ("counts", "waits", "read-out", "dead time", "drift", "damage")
_EDGE: Final = 8
_WEAK: Final = 1 / 3
_FEW: Final = 10
_PROFILE: Final = """version: 1
name: {name}
grid: {{columns: 65536, rows: 65536, fit: pixels}}
dwell: {{quantum_ns: 1, smallest: 1, largest: 1000000000}}
blanker: none
{waits}"""
_WAITS: Final = "settle: {per_jump: [[0, 0], [1.5, 0], [2, 500], [16, 2000], [256, 5000]]}\nflyback_ns: 20000\n"

Cell = dict[str, float | None]


class Scan(NamedTuple):
    """One cell of the tables."""

    way: str
    scenario: str
    ratio: int
    group: str
    specimen: str
    seed: int

    @property
    def file_name(self) -> str:
        """Name for what was measured."""
        words = (*self[:4], Path(self.specimen).stem.replace("/", "-").replace(":", "-")[:24], self.seed)
        return "_".join(map(str, words)).replace(" ", "-").replace("?", "-")


def profile_file(folder: Path, scenario: str) -> Path:
    """Controller of a scenario."""
    name = "free" if scenario == "counts" else "coils"
    path = folder / f"{name}.yaml"
    path.write_text(_PROFILE.format(name=name, waits="" if name == "free" else _WAITS))
    return path


def plan_of(scan: Scan, size: int, budget: float, profile: Path) -> ss.ScanPlan | None:
    """The plan that spends the budget; None where the waits alone exceed it."""
    whole = scan.ratio in (RASTER, FRAMES)
    sparse = {"kind": "block-random", "block": 8, "samples_per_block": scan.ratio}
    fields: dict[str, Any] = {
        "pattern": {"kind": "raster"} if whole else sparse,
        "shape": [size, size],
        "passes": 1 if scan.ratio == RASTER else 4,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 1.0},
        "pixel_size_nm": PIXEL_NM,
        "seed": scan.seed,
    }
    plan = ss.ScanPlan.from_dict(fields)
    times = Program(plan, load_profile(profile)).beam_times(0, plan.total_samples)
    waits, electrons = times.settle.time_ns + times.transit.time_ns, size * size * budget
    dwell, current = int((electrons / CURRENT - waits) / plan.total_samples), CURRENT
    if scan.way == "equal dwell":
        dwell = int(budget / CURRENT)
        current = electrons / (dwell * plan.total_samples + waits)
    if dwell < 1:
        return None
    return ss.ScanPlan.from_dict({**fields, "dwell_ns": dwell, "dose": {"electrons_per_sample": dwell * current}})


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


@lru_cache(maxsize=2)
def specimen_of(specimen: str, seed: int, size: int) -> Specimen:
    """The specimen on the grid."""
    shape = size, size
    if ":" in specimen:
        return load_specimen(specimen.format(seed), shape, pixel_size_nm=PIXEL_NM)
    return load_specimen(specimen, shape, pixel_size_nm=PIXEL_NM, fit="crop", smooth="paper")


def columns_of(inputs: Inputs) -> Cell:
    """Error of columns in pm, and missed ones in per cent."""
    true = inputs.truth_columns
    assert true is not None, "expected a crystal"
    usual = [float(np.median(true["amplitude"][true["class"] == kind])) for kind in range(len(true.classes))]
    bright = np.array([height >= _WEAK * max(usual) for height in usual])[true["class"].astype(int)]
    places = np.stack([true["row"], true["col"]], axis=1)
    inside = ((places > _EDGE) & (places < np.array(inputs.shape) - _EDGE)).all(axis=1)
    places = places[bright & inside & ~true.of_defect("vacancy")]
    near = 0.45 * float(np.median(cKDTree(places).query(places, 2)[0][:, 1]))
    table = find_columns(inputs, threads=1)
    if not len(table["row"]):
        return {"pm": None, "missed": 100.0}
    found = np.stack([table["row"], table["col"]], axis=1)
    away, which = cKDTree(found).query(places)
    matched = away < near
    missed = 100 * float(np.mean(~matched))
    if matched.sum() < _FEW:
        return {"pm": None, "missed": missed}
    off = (found[which] - places)[matched]
    off -= np.median(off, axis=0)
    return {"pm": 1000 * PIXEL_NM * float(np.sqrt(np.mean(off**2))), "missed": missed}


def measured(scan: Scan, size: int, budget: float) -> Cell:
    """Figures of one cell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = profile_file(folder, scan.scenario)
        plan = plan_of(scan, size, budget, profile)
        if plan is None:
            return {"dwell_us": 0, "psnr": None, "pm": None, "missed": None}
        store = ss.simulate(
            plan, specimen_of(scan.specimen, scan.seed, size), folder / "acq.zarr", seed=scan.seed, profile=profile,
            instrument=instrument_of(scan.scenario, size, budget),
        )  # fmt: skip
        ledger = store.ledger
        assert ledger is not None, "expected a scan by a plan"
        inputs = load_inputs(store)
    image = reconstruct(inputs, "fourier-eb", contradictions=False, threads=1).image
    truth = inputs.truth
    assert truth is not None, "expected a simulation"
    slope, level = np.polyfit(image.ravel().astype(np.float64), truth.ravel().astype(np.float64), 1)
    out: Cell = {
        "dwell_us": plan.dwell_ns / 1000,
        "spent": sum(ledger[kind]["electrons"] for kind in ("dwell", "settle", "transit")) / size**2,
        "ms": sum(ledger[kind]["time_ns"] for kind in ("dwell", "settle", "transit")) / 1e6,
        "psnr": float(compare(slope * image + level, truth).psnr),
    }
    return out | (columns_of(inputs) if scan.group == "crystal" else {})


def title_of(ratio: int) -> str:
    """First cell of a row."""
    return {RASTER: "raster", FRAMES: "raster x 4"}.get(ratio, f"{ratio}/64 x 4")


def mean(found: dict[Scan, Cell], key: str, way: str, scenario: str, ratio: int, group: str = "crystal") -> float:
    """Mean of a figure over specimens and seeds; NaN where it is missing."""
    chosen = [cell.get(key) for scan, cell in found.items() if scan[:4] == (way, scenario, ratio, group)]
    return float(np.mean([math.nan if value is None else value for value in chosen])) if chosen else math.nan


def print_table(found: dict[Scan, Cell], way: str, scenario: str, groups: list[str]) -> None:
    """The table of a scenario."""
    print(f"\n{scenario}, {way}\n")
    print(f"| scan | dwell, us | ms | e- per pixel | {' | '.join(f'{one}, dB' for one in groups)} | pm | missed, % |")
    print("|---|" + "---:|" * (5 + len(groups)))
    for ratio in (RASTER, FRAMES, *RATIOS[::-1]):
        cell = way, scenario, ratio
        values = [
            (mean(found, key, *cell), form) for key, form in (("dwell_us", ".2f"), ("ms", ".0f"), ("spent", ".3f"))
        ]
        values += [(mean(found, "psnr", *cell, group), ".2f") for group in groups]
        values += [(mean(found, key, *cell), ".1f") for key in ("pm", "missed")]
        shown = [format(value, form) if math.isfinite(value) else "-" for value, form in values]
        print(f"| {title_of(ratio)} | {' | '.join(shown)} |")


def draw(found: dict[Scan, Cell], scenario: str, groups: list[str], file: Path) -> None:
    """The figure of a scenario: by sampling ratio, PSNR above the raster's, and columns; rings are rasters x 4."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    panels: list[tuple[str, str, list[str]]] = [
        ("psnr", "PSNR above the raster's, dB", groups),
        ("pm", "error of columns, pm", ["crystal"]),
        ("missed", "missed columns, %", ["crystal"]),
    ]
    for ax, (key, words, shown) in zip(axes, panels, strict=True):
        for number, group in enumerate(shown):
            for way, style in zip(WAYS, ("-", "--"), strict=True):
                base = mean(found, key, way, scenario, RASTER, group) if key == "psnr" else 0.0
                lines = [mean(found, key, way, scenario, ratio, group) - base for ratio in (*RATIOS, RASTER)]
                label = f"{group}, {way}"
                ax.plot([*RATIOS, RASTER], lines, style, marker=".", color=f"C{number}", label=label)
                frames = mean(found, key, way, scenario, FRAMES, group) - base
                ax.plot([RASTER], [frames], "o", color=f"C{number}", fillstyle="none" if style == "-" else "left")
        ax.set_xscale("log", base=2)
        ax.set_xticks([*RATIOS, RASTER], [*(f"{one}/64" for one in RATIOS), "raster"])
        ax.set_title(words, fontsize=10)
        ax.grid(alpha=0.3)
    axes[0].axhline(0, color="0.5", linewidth=0.8)
    axes[0].legend(fontsize=7)
    figure.suptitle(f"{scenario}   (rings: raster x 4, open at equal time, half full at equal dwell)", fontsize=10)
    figure.savefig(file, dpi=90)


def main() -> None:
    """Make what is missing, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("sparse-or-full"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seeds", type=int, nargs="+", default=[81, 82])
    parser.add_argument("--budget", type=float, default=1.875, help="incident electrons per pixel")
    parser.add_argument("--images", type=Path, nargs="*", default=[], help="micrographs")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=SCENARIOS)
    parser.add_argument("--plots", type=Path, help="folder for the figures")
    asked = parser.parse_args()
    specimens = {**SPECIMENS, **({"images": tuple(map(str, asked.images))} if asked.images else {})}
    folder = asked.output / f"{asked.size}-{asked.budget:g}"
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[Scan, Cell] = {}
    scans = [
        Scan(way, scenario, ratio, group, one, seed)
        for seed in asked.seeds
        for group, names in specimens.items()
        for one in names
        for scenario in asked.scenarios
        for way in WAYS
        for ratio in (RASTER, FRAMES, *RATIOS)
    ]
    for scan in scans:
        kept = folder / f"{scan.file_name}.json"
        if not kept.exists():
            text = json.dumps(measured(scan, asked.size, asked.budget))
            part = kept.with_suffix(".part")
            part.write_text(text)
            part.rename(kept)
        found[scan] = json.loads(kept.read_text())
    for scenario in asked.scenarios:
        for way in WAYS:
            print_table(found, way, scenario, list(specimens))
        if asked.plots:
            draw(found, scenario, list(specimens), asked.plots / f"sparse-or-full-{scenario.replace(' ', '-')}.jpg")


if __name__ == "__main__":
    main()
