"""Findings of a contender about each true column: read off its picture, or from a table of fitted columns.

Fields are (n,) over the true columns, NaN where nothing is known. A fitted column and a true one are the same where
each is the other's nearest within 0.45 of the distance of neighbouring sites. A picture is told the sites, so that it
can neither miss a column nor invent one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.table import ColumnTable
from stemscan.recon.evaluation.columns.known import Known
from stemscan.recon.evaluation.columns.pictures import fit_picture
from stemscan.types import Floats, Image

__all__ = ["FOUND", "Found", "found_in_picture", "found_in_table", "known_arrays"]

Found = dict[str, npt.NDArray[np.float64]]

FOUND: Final = (
    "found_row", "found_col", "found_amplitude", "found_row_std", "found_col_std", "found_amplitude_std",
    "at_site", "at_site_std", "shift_score", "false_row", "false_col",
)  # fmt: skip
"""Fields of what was found: place and height with their errors, height at the site, evidence of a displacement, and
places of columns that are none."""

_NEAR: Final = 0.45
_CERTAIN: Final = 1e6


def known_arrays(known: Known) -> Found:
    """Everything that is known, as arrays that can be kept."""
    own = {name: np.asarray(getattr(known, name), np.float64) for name in ("nominal", "seen", "inside", "bound")}
    ratios = {"oracle_missing": known.missing, "oracle_displaced": known.displaced}
    return {**known.columns.fields(), **own, **ratios, "sigma": np.array([known.sigma])}


def found_in_picture(known: Known, image: Image) -> Found:
    """Columns as a picture shows them at the sites of those that can be seen."""
    out = _nothing(len(known.columns))
    asked = known.seen
    sites = np.where(known.columns.of_defect("interstitial")[:, None], known.places, known.sites)[asked]
    fit = fit_picture(image, sites, known.spacing, known.sigma)
    there = asked & ~known.columns.of_defect("vacancy")
    for axis, name in enumerate(("found_row", "found_col")):
        out[name][asked] = fit.places[:, axis]
        out[name][~there] = np.nan
    out["found_amplitude"][asked] = fit.heights
    out["at_site"][asked] = fit.at_sites
    out["shift_score"][asked] = np.hypot(*(fit.places - sites).T)
    return out


def found_in_table(known: Known, table: ColumnTable, *, posterior: bool = False) -> Found:
    """Columns of a table, as fitted or by its empirical-Bayes estimates."""
    out = _nothing(len(known.columns))
    prefix = "eb_" if posterior else ""
    columns = ~table.of_kind("empty")
    places = _places(table, prefix)
    radius = _NEAR * known.spacing
    real = np.flatnonzero(~known.columns.of_defect("vacancy"))
    mine, theirs = _pairs(known.places[real], _places(table, "")[columns], radius)
    true, rows = real[mine], np.flatnonzero(columns)[theirs]
    for axis, name in enumerate(("row", "col")):
        out[f"found_{name}"][true] = places[rows, axis]
        out[f"found_{name}_std"][true] = table[f"{prefix}{name}_std"][rows]
    for name in ("amplitude", "amplitude_std"):
        out[f"found_{name}"][true] = table[f"{prefix}{name}"][rows]
    out["shift_score"][:] = 0.0 if posterior else -_CERTAIN
    out["shift_score"][true] = _shift_score(table, rows, posterior=posterior)
    _at_sites(out, known, table, prefix, radius)
    extra = np.setdiff1d(np.flatnonzero(columns), rows)
    inner = extra[_well_inside(known, _places(table, "")[extra])]
    out["false_row"], out["false_col"] = _places(table, "")[inner].T
    return out


def _nothing(count: int) -> Found:
    """Fields of which nothing is known."""
    return {name: np.full(0 if name.startswith("false") else count, np.nan) for name in FOUND}


def _places(table: ColumnTable, prefix: str) -> Floats:
    """Row and column of all rows of a table."""
    return np.stack([table[f"{prefix}row"], table[f"{prefix}col"]], axis=1)


def _pairs(
    first: Floats, second: Floats, radius: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:  # fmt: skip
    """Indices of places that are each other's nearest within a radius."""
    if not len(first) or not len(second):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    distance, nearest = cKDTree(second).query(first)
    back = cKDTree(first).query(second)[1]
    mutual = (distance <= radius) & (back[nearest] == np.arange(len(first)))
    return np.flatnonzero(mutual), np.asarray(nearest[mutual], np.int64)


def _shift_score(table: ColumnTable, rows: npt.NDArray[np.int64], *, posterior: bool) -> Floats:
    """Evidence that columns are displaced; a column at no site is as strange as can be.

    Of fits: ln of the ratio of the likelihood's mean over all displacements, none likelier than others, to that of
    none. Displacements in units of their own errors, which are larger where a column is weak, would not do.
    """
    if posterior:
        return np.where(table["lattice"][rows] < 0, 2.0, np.nan_to_num(table["p_displaced"][rows]))
    ratio = np.zeros(len(rows))
    for name in ("row", "col"):
        off, std = table[f"displacement_{name}"][rows], table[f"displacement_{name}_std"][rows]
        ratio += 0.5 * (off / std) ** 2 + np.log(std)
    return np.where(table["lattice"][rows] < 0, _CERTAIN, np.nan_to_num(ratio))


def _at_sites(out: Found, known: Known, table: ColumnTable, prefix: str, radius: float) -> None:
    """Height at each site: of its column, of a column at a site that should be empty, of a site that the table calls
    empty; 0 where the table has nothing."""
    out["at_site"][:] = 0.0
    places, heights, std = _places(table, ""), table[f"{prefix}amplitude"], table[f"{prefix}amplitude_std"]
    distance, nearest = cKDTree(places).query(known.sites) if len(places) else (np.full(len(known.sites), np.inf), None)
    if nearest is not None:
        near = distance <= radius
        out["at_site"][near], out["at_site_std"][near] = heights[nearest[near]], std[nearest[near]]
    own = np.isfinite(out["found_amplitude"])
    out["at_site"][own], out["at_site_std"][own] = out["found_amplitude"][own], out["found_amplitude_std"][own]


def _well_inside(known: Known, places: Floats) -> npt.NDArray[np.bool_]:
    """Tell which places lie as far from the frame as the columns that are judged."""
    low, high = known.frame
    return np.asarray(((places >= low) & (places < high)).all(axis=1))
