"""Figures of a contender over the columns of several scans, pooled.

Only columns that the scan can show, and far enough from the frame, count. Errors are per axis; an error over its bound
is the root of the mean square of errors over their own bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.evaluation.columns.strata import STRATA
from stemscan.store.true_columns import DEFECTS
from stemscan.types import Floats

__all__ = ["COLUMN_STRATA", "Figures", "class_ranks", "coverage_of_columns", "coverage_of_pixels", "figures"]

Found = Mapping[str, Floats]
Flags = npt.NDArray[np.bool_]

COLUMN_STRATA: Final = ("regular", "displaced", "displaced over 25 pm", "substitutions", "interstitials", "vacancies")
"""Columns by what they are in truth; of vacancies the height counts, of others the place."""

_FAR_PX: Final = 2.5
_LEAST_USUAL: Final = 0.1


@dataclass(frozen=True)
class Figures:
    """Figures of a contender; NaN for what is not defined.

    Attributes
    ----------
    columns : int
        Columns that count, vacancies not among them.
    regular, displaced : float
        Error over bound.
    slope : float
        Recovered displacement by true displacement, of displaced columns.
    fill : float
        Mean height at vacancies over the contender's own usual one at regular columns of the same class and scan.
    auc_vacancy, auc_displaced : float
        Area under the curve of true over false alarms: vacancies among present columns, displaced among regular ones.
    oracle_vacancy, oracle_displaced : float
        The same of the likelihood ratio with all else known.
    false, missed : float
        Columns that are none, and true ones that were not found, a thousand true ones.
    """

    columns: int
    regular: float
    displaced: float
    slope: float
    fill: float
    auc_vacancy: float
    oracle_vacancy: float
    auc_displaced: float
    oracle_displaced: float
    false: float
    missed: float


def class_ranks(found: Sequence[Found]) -> list[int]:
    """Classes of columns that the scans can show, brightest first; interstitials are of none."""
    one = _pooled(found)
    kinds = np.unique(one["class"][~_of(one, "interstitial")]).tolist()
    return sorted(map(int, kinds), key=lambda kind: -float(np.median(one["nominal"][one["class"] == kind])))


def figures(found: Sequence[Found], kind: int | None = None) -> Figures:
    """Figures of what was found in several scans, of all classes or of one; false columns are of no class."""
    one = _pooled(found)
    if kind is not None:
        one = {name: values[one["class"] == kind] for name, values in one.items()}
        one["false"] = np.full(len(one["row"]), math.nan)
    there = ~_of(one, "vacancy")
    regular, moved, gone = (_of(one, name) for name in ("none", "displaced", "vacancy"))
    off = np.stack([one["found_row"] - one["row"], one["found_col"] - one["col"]], axis=1) / one["bound"][:, :2]
    shift = np.stack([one["displacement_row"], one["displacement_col"]], axis=1)
    seen = off * one["bound"][:, :2] + shift
    told = moved & np.isfinite(seen[:, 0])
    number, pictured = int(there.sum()), bool(np.isnan(one["found_row_std"]).all())
    share = one["share"]
    ordinary = regular | moved | gone
    return Figures(
        number,
        _rms(off[regular]),
        _rms(off[moved]),
        float((seen[told] * shift[told]).sum() / (shift[told] ** 2).sum()) if told.any() else math.nan,
        float(share[gone].mean()) if gone.any() else math.nan,
        _area(-share[gone], -share[ordinary & ~gone]),
        _area(one["oracle_missing"][gone], one["oracle_missing"][ordinary & ~gone]),
        _area(one["shift_score"][moved], one["shift_score"][regular]),
        _area(one["oracle_displaced"][moved], one["oracle_displaced"][regular]),
        1000 * float(one["false"].sum()) / max(number, 1),
        math.nan if pictured else 1000 * float(np.isnan(one["found_row"][there]).sum()) / max(number, 1),
    )


def coverage_of_columns(found: Sequence[Found]) -> dict[str, tuple[int, float, float]]:
    """Number of errors and shares of them within one and two standard deviations, by `COLUMN_STRATA`."""
    one = _pooled(found)
    far = np.hypot(one["displacement_row"], one["displacement_col"]) > _FAR_PX
    masks = {
        "regular": _of(one, "none"), "displaced": _of(one, "displaced"),
        "displaced over 25 pm": _of(one, "displaced") & far, "substitutions": _of(one, "substitution"),
        "interstitials": _of(one, "interstitial"),
    }  # fmt: skip
    off = np.stack([(one[f"found_{name}"] - one[name]) / one[f"found_{name}_std"] for name in ("row", "col")], axis=1)
    out = {name: _shares(off[mask].ravel()) for name, mask in masks.items()}
    height = one["at_site"] / one["at_site_std"]
    return {**out, "vacancies": _shares(height[_of(one, "vacancy")])}


def coverage_of_pixels(found: Sequence[Found]) -> dict[str, tuple[float, float, float]]:
    """Number of events and shares of pixels within one and two standard deviations, by `STRATA`."""
    total = np.sum([one["strata"] for one in found], axis=0) if found else np.full((len(STRATA), 4), np.nan)
    return {
        name: (float(events), *((one / pixels, two / pixels) if pixels > 0 else (math.nan, math.nan)))
        for name, (events, pixels, one, two) in zip(STRATA, total, strict=True)
    }


def _pooled(found: Sequence[Found]) -> dict[str, Floats]:
    """Columns that count, of all scans; `false` has the number of false ones at the first column of each scan."""
    parts = []
    for one in found:
        judged = (one["seen"] > 0) & (one["inside"] > 0)
        part = {name: values[judged] for name, values in one.items() if len(values) == len(judged)}
        part["share"] = _shares_of_usual(part)
        pictured = np.isnan(one["found_row_std"]).all()
        part["false"] = np.full(int(judged.sum()), math.nan if pictured else 0.0)
        if judged.any() and not pictured:
            part["false"][0] = len(one["false_row"])
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _shares_of_usual(one: Mapping[str, Floats]) -> Floats:
    """Height at each site over what the contender finds at regular columns of the same class, or else the true one."""
    out = one["at_site"] / one["nominal"]
    for kind in np.unique(one["class"]):
        mine = one["class"] == kind
        regular = out[mine & (one["defect"] == DEFECTS.index("none"))]
        usual = float(np.median(regular)) if regular.size else math.nan
        if usual > _LEAST_USUAL:
            out[mine] /= usual
    return out


def _of(one: Mapping[str, Floats], kind: str) -> Flags:
    """Columns of a kind of defect."""
    return np.asarray(one["defect"] == DEFECTS.index(kind))


def _rms(values: Floats) -> float:
    """Root of the mean square, NaN aside."""
    good = values[np.isfinite(values)]
    return float(np.sqrt((good**2).mean())) if good.size else math.nan


def _area(positive: Floats, negative: Floats) -> float:
    """Probability that a positive's score is above a negative's, ties counting half."""
    if not positive.size or not negative.size:
        return math.nan
    order = np.sort(negative)
    below, up_to = np.searchsorted(order, positive, side="left"), np.searchsorted(order, positive, side="right")
    return float((below + up_to).mean() / 2 / negative.size)


def _shares(off: Floats) -> tuple[int, float, float]:
    """Number of errors in standard deviations, and shares within one and two."""
    good = np.abs(off[np.isfinite(off)])
    if not good.size:
        return 0, math.nan, math.nan
    return good.size, float((good <= 1).mean()), float((good <= 2).mean())
