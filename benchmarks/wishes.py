"""Plans from a wish: what `stemscan plan --want` predicts, and what simulated specimens then show.

    python -m benchmarks.wishes [--specimens 100] [--first-seed 501] [--size 256] [--cases 0 2] [--significance]

Each specimen is a crystal at 10 pm of which a fifth of the columns is displaced by 5 to 40 pm, drawn, scanned along a
path and counted with seeds of its own, none of which the plan has seen; its columns are found and fitted as `stemscan
columns` does. `shown` is the root mean square of the errors per axis of all columns found within half the distance of
neighbours, 13 pixels inside of the frame. With `--significance`, oxygen of SrTiO3 at doses at which its amplitude is so
many standard deviations, which is what `SURELY_FOUND` was chosen by (on the first seeds below 500).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.plan.dose import Dose
from stemscan.plan.patterns.block_random import BlockRandom
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.columns.find import find_columns
from stemscan.recon.columns.precision import MARGIN, KnownColumns, expected_precision
from stemscan.recon.columns.wish import Choice, Wish, WishedPlan, plan_for
from stemscan.recon.inputs.inputs import Inputs
from stemscan.simulators.api import Specimen, load_specimen, sampled_frames
from stemscan.store.true_columns import TrueColumns

CASES: tuple[tuple[str, str | None, Choice], ...] = (
    ("crystal:SrTiO3[001]", "TiO", "dose"),
    ("crystal:SrTiO3[001]", "TiO", "ratio"),
    ("crystal:SrTiO3[001]", None, "dose"),
    ("crystal:GaAs[110]", None, "dose"),
    ("crystal:Au[110]", None, "dose"),
)
DEFECTS = "?displaced=0.2&shift=5pm-40pm&seed={seed}"
WANT_NM = 0.005
INSIDE = 13.0

Squares = dict[str, list[npt.NDArray[np.float64]]]


def base_plan(size: int) -> ScanPlan:
    """The plan before the wish."""
    return ScanPlan(
        pattern=BlockRandom(block=8, samples_per_block=3),
        shape=(size, size),
        passes=4,
        dwell="1us",
        dose=Dose(electrons_per_sample=10),
        pixel_size="10pm",
        seed=7,
    )


def foreseen(name: str, plan: ScanPlan) -> KnownColumns:
    """A perfect crystal on a plan's grid, as `stemscan plan --want` knows it."""
    specimen = drawn(name, (plan.shape[0] + 2 * MARGIN, plan.shape[1] + 2 * MARGIN), plan)
    return KnownColumns.of(specimen.signal, known_columns(specimen))


def drawn(name: str, shape: tuple[int, int], plan: ScanPlan) -> Specimen:
    """A crystal on a grid with a plan's pixels."""
    return load_specimen(name, shape, pixel_size_nm=plan.pixel_size_nm)


def known_columns(specimen: Specimen) -> TrueColumns:
    """Columns of a specimen that knows them."""
    if specimen.columns is None:
        raise ValueError(f"{specimen.name} knows no columns")
    return specimen.columns


def shown(name: str, plan: ScanPlan, seeds: range) -> Iterator[tuple[str, float, float]]:
    """Class, error per axis in nm and share found, over specimens of these seeds."""
    squares: Squares = {}
    there: dict[str, int] = {}
    for seed in seeds:
        path = plan.replace(seed=10_000 + seed)
        specimen = drawn(name + DEFECTS.format(seed=seed), plan.shape, plan)
        true = known_columns(specimen)
        places = np.stack([true["row"], true["col"]], axis=1)
        frames, visits = sampled_frames(specimen.signal, path, seed=20_000 + seed)
        table = find_columns(Inputs.from_arrays(frames, visits, plan.electrons_per_sample))
        rows = ~table.of_kind("empty")
        found = np.stack([table["row"][rows], table["col"][rows]], axis=1)
        tree = cKDTree(places)
        near = 0.5 * float(np.median(tree.query(places, k=2)[0][:, 1]))
        distance, nearest = cKDTree(found).query(places)
        mutual = tree.query(found)[1][nearest.clip(0, len(found) - 1)] == np.arange(len(places))
        inside = ((places > INSIDE) & (places < np.array(plan.shape) - 1 - INSIDE)).all(axis=1)
        for number, kind in enumerate(true.classes):
            mine = inside & (true["class"] == number)
            hit = mine & mutual & (distance < near)
            there[kind] = there.get(kind, 0) + int(mine.sum())
            squares.setdefault(kind, []).append(((found[nearest[hit]] - places[hit]) ** 2).ravel())
    for kind, parts in squares.items():
        every = np.concatenate(parts)
        error = float(np.sqrt(every.mean())) if every.size else float("nan")
        yield kind, error * (plan.pixel_size_nm or 0.0), every.size / 2 / max(there[kind], 1)


def print_rows(name: str, made: WishedPlan, seeds: range, wished: str) -> None:
    """Compare, class by class."""
    plan = made.plan
    foretold = {one.name: one for one in made.classes}
    for kind, error, share in shown(name, plan, seeds):
        one = foretold[kind]
        expected = one.position_px * (plan.pixel_size_nm or 0.0)
        cells = (
            name.removeprefix("crystal:"), wished, f"{plan.electrons_per_sample:.4g}",
            f"{100 * plan.sampling_ratio:.3g}", f"{plan.dose_e_per_A2:.4g}", kind, f"{one.significance:.1f}",
            f"{1000 * expected:.2f}", f"{1000 * error:.2f}", f"{error / expected:.3f}", f"{100 * share:.1f}",
        )  # fmt: skip
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specimens", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=501)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--cases", type=int, nargs="+", default=list(range(len(CASES))), help="numbers of wishes")
    parser.add_argument("--significance", action="store_true")
    asked = parser.parse_args()
    plan, seeds = base_plan(asked.size), range(asked.first_seed, asked.first_seed + asked.specimens)
    print(
        "| crystal | wish | e- per sample | ratio, % | e-/A^2 | class | amplitude / std | predicted, pm | shown, pm | "
        "shown / predicted | found, % |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    if asked.significance:
        name = CASES[0][0]
        known = foreseen(name, plan)
        once = expected_precision(plan, known)[-1].significance
        for goal in (4.0, 5.0, 6.0, 7.0, 8.0, 10.0):
            dosed = plan.replace(dose=Dose(electrons_per_sample=10 * (goal / once) ** 2))
            classes = expected_precision(dosed, known)
            print_rows(name, WishedPlan(dosed, classes, classes[-1]), seeds, "none")
        return
    for name, kind, free in (CASES[number] for number in asked.cases):
        made = plan_for(Wish(WANT_NM, kind), plan, foreseen(name, plan), free=[free])
        print_rows(name, made, seeds, f"5 pm {made.judged.name}, by {free}")


if __name__ == "__main__":
    main()
