"""Displaced columns among regular ones: how much of an oracle's area under the curve is lost, and to what.

    python -m benchmarks.displaced_columns [--seeds 301 302 303 304] [--size 384] [--per-block 3]

The specimens are those of `stemscan evaluate --task columns`; seeds are of defects. The oracle knows all of a specimen
but whether a column is displaced. In the second row it has the site that the fit has learned from the columns around,
with that site's error. The fit's place is compared with the true site, then with the one that it has learned; scores
are the likelihood's mean over all displacements, none likelier than others, over that of none, and in the last row the
displacement in its own standard deviations.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.find import find_columns
from stemscan.recon.evaluation.cases import Case, Cell
from stemscan.recon.evaluation.columns.bound import Samples
from stemscan.recon.evaluation.columns.found import found_in_table
from stemscan.recon.evaluation.columns.known import Known, known_columns
from stemscan.recon.evaluation.columns.oracle import likelihood_ratios
from stemscan.recon.evaluation.columns.profile import TrueProfile
from stemscan.recon.evaluation.columns.specimens import MADE, column_images
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.images import loaded
from stemscan.recon.evaluation.scans import scanned
from stemscan.recon.inputs.inputs import Inputs
from stemscan.simulators.api import Probe, Specimen
from stemscan.types import Floats

_SHIFT = (0.5, 4.0)


class Scores(NamedTuple):
    """Scores of columns by what gave them, and which columns are displaced, and which regular."""

    by: dict[str, Floats]
    displaced: npt.NDArray[np.bool_]
    regular: npt.NDArray[np.bool_]

    @classmethod
    def pooled(cls, parts: Sequence[Scores]) -> Scores:
        """Those of several scans."""
        return cls(
            {name: np.concatenate([part.by[name] for part in parts]) for name in parts[0].by},
            np.concatenate([part.displaced for part in parts]),
            np.concatenate([part.regular for part in parts]),
        )

    def area(self, name: str) -> float:
        """Probability that a displaced column has a higher score than a regular one."""
        order = np.sort(self.by[name][self.regular])
        return float(np.searchsorted(order, self.by[name][self.displaced]).mean() / len(order))


def scores(specimen: Specimen, inputs: Inputs) -> Scores:
    """Scores of the columns of a scan that count."""
    known, table = known_columns(specimen, inputs), find_columns(inputs)
    found = found_in_table(known, table)
    places = np.stack([found["found_row"], found["found_col"]], axis=1)
    row = cKDTree(np.stack([table["row"], table["col"]], axis=1)).query(np.nan_to_num(places))[1]
    std = np.stack([table["row_std"], table["col_std"]], axis=1)[row]
    off = np.stack([table["displacement_row"], table["displacement_col"]], axis=1)[row]
    wide = np.stack([table["displacement_row_std"], table["displacement_col_std"]], axis=1)[row]
    there = np.isfinite(places[:, 0]) & np.isfinite(off[:, 0]) & known.seen & known.inside
    site = np.stack([table["site_row"], table["site_col"]], axis=1)[row]
    unsure = np.sqrt(np.maximum((wide**2 - std**2).mean(axis=1), 0.0))
    by = {
        "oracle, all else known": known.displaced,
        "oracle, the fit's site": _learned(specimen, known, inputs, np.nan_to_num(site), np.nan_to_num(unsure)),
        "fit, true site": _evidence(places - known.sites, std),
        "fit": _evidence(off, wide),
        "fit, in standard deviations": ((off / wide) ** 2).sum(axis=1),
    }
    return Scores(
        {name: values[there] for name, values in by.items()},
        known.columns.of_defect("displaced")[there],
        known.columns.of_defect("none")[there],
    )


def _evidence(off: Floats, std: Floats) -> Floats:
    """ln of the likelihood's mean over all displacements over that of none, up to a constant."""
    return np.asarray((0.5 * (off / std) ** 2 + np.log(std)).sum(axis=1))


def _learned(specimen: Specimen, known: Known, inputs: Inputs, site: Floats, unsure: Floats) -> Floats:
    """The oracle's score where it has another site than the true one."""
    assert specimen.pixel_size_nm is not None
    profile = TrueProfile.of(Probe(**specimen.record["steps"][0]["probe"]), specimen.pixel_size_nm)
    samples, seen, out = Samples.of(inputs, specimen.signal), known.seen, np.full(len(unsure), np.nan)
    columns, nominal = known.columns.where(seen), known.nominal[seen]
    out[seen] = likelihood_ratios(columns, nominal, profile, samples, _SHIFT, (site[seen], unsure[seen]))[1]
    return out


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[301, 302, 303, 304])
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--per-block", type=int, default=3)
    asked = parser.parse_args()
    parts: dict[str, list[Scores]] = {}
    for name in MADE:
        for image in column_images([name], asked.seeds, asked.size):
            case = Case(image, Cell("poisson", asked.per_block, 10.0), 4, 1, Contender("", ""))
            specimen = loaded(image).specimen
            assert specimen is not None
            parts.setdefault(name, []).append(scores(specimen, scanned(case)))
    pools = {name: Scores.pooled(each) for name, each in parts.items()}
    pools["all"] = Scores.pooled([part for each in parts.values() for part in each])
    print(f"| | {' | '.join(pools)} |\n|---|{'---:|' * len(pools)}")
    print(f"| displaced, regular | {' | '.join(f'{p.displaced.sum()}, {p.regular.sum()}' for p in pools.values())} |")
    for row in pools["all"].by:
        print(f"| {row} | {' | '.join(f'{pool.area(row):.4f}' for pool in pools.values())} |")


if __name__ == "__main__":
    main()
