"""Error bars of a picture, place by place: how many errors lie within one and two of their own standard deviations.

Places are chosen by the estimate (what anyone who has the picture and the fitted columns can tell apart) and by the
truth. A disc about a column has a radius of 1.5 widths of its core; its pixels are not independent, and the number of
discs, or of discs that would fill an area, says how much a share is worth.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from stemscan.recon.columns.table import ColumnTable
from stemscan.recon.evaluation.columns.known import Known
from stemscan.types import Floats, Image

__all__ = ["BY_TRUTH", "STRATA", "pixel_coverage"]

BY_ESTIMATE: Final = (
    "background",
    "columns",
    "found vacancies",
    "found exceptions",
    "edges",
    "vacuum",
    "brightest 2 %",
)
BY_TRUTH: Final = ("true vacancies", "true substitutions", "true interstitials", "displaced over 25 pm")
STRATA: Final = ("all", *BY_ESTIMATE, *BY_TRUTH)
"""Names of strata, in the order of what `pixel_coverage` gives."""

_DISC: Final = 1.5
_OUTSIDE: Final = 1.3
_FAR_PX: Final = 2.5

Mask = npt.NDArray[np.bool_]


def pixel_coverage(known: Known, table: ColumnTable, image: Image, std: Image | None, truth: Image) -> Floats:
    """Events, pixels, and pixels within one and two standard deviations of each stratum, (strata, 4).

    NaN without standard deviations.
    """
    if std is None:
        return np.full((len(STRATA), 4), np.nan)
    off = np.abs(image.astype(np.float64) - truth)
    one, two = off <= std, off <= 2 * std
    area = math.pi * (_DISC * known.sigma) ** 2
    masks = {
        "all": (np.full(truth.shape, True), 0),
        **_by_estimate(known, table, image),
        **_by_truth(known, truth.shape),
    }
    out = np.zeros((len(STRATA), 4))
    for number, name in enumerate(STRATA):
        mask, discs = masks[name]
        pixels = int(mask.sum())
        out[number] = discs or pixels / area, pixels, one[mask].sum(), two[mask].sum()
    return out


def _by_estimate(known: Known, table: ColumnTable, image: Image) -> dict[str, tuple[Mask, int]]:
    """Mask of each stratum that the estimate shows, and its number of discs."""
    places = np.stack([table["row"], table["col"]], axis=1)
    empty = table.of_kind("empty")
    strange = ~empty & (table.of_kind("added") | (np.nan_to_num(table["p_displaced"]) > 0.5))
    groups = {"columns": ~empty & ~strange, "found vacancies": empty, "found exceptions": strange}
    out = {
        name: (_discs(places[chosen], known.sigma, image.shape), int(chosen.sum())) for name, chosen in groups.items()
    }
    outside, apart = _outside(places, image.shape)
    inner, outer = (np.asarray(distance_transform_edt(mask)) for mask in (~outside, outside))
    some = bool(outside.any())
    edges = ((~outside & (inner <= apart)) | (outside & (outer <= apart / 2))) if some else outside
    free = ~outside & ~_discs(places, known.sigma * 2 / _DISC, image.shape) & ~edges
    return {
        **out,
        "background": (free, 0),
        "edges": (edges, 0),
        "vacuum": (outside & ~edges, 0),
        "brightest 2 %": (image >= np.quantile(image, 0.98), 0),
    }


def _outside(places: Floats, shape: tuple[int, ...]) -> tuple[Mask, float]:
    """Pixels far from all columns and sites, and the distance of neighbours that says what is far."""
    if len(places) < 5:
        return np.full(shape, False), 1.0
    tree = cKDTree(places)
    apart = float(np.median(tree.query(places, k=5)[0][:, 4]))
    grid = _pixels(shape)
    return np.asarray(tree.query(grid)[0] > _OUTSIDE * apart).reshape(shape), apart


def _by_truth(known: Known, shape: tuple[int, ...]) -> dict[str, tuple[Mask, int]]:
    """Mask and number of discs of each stratum that only the truth shows."""
    columns = known.columns
    judged = known.seen & known.inside
    far = np.hypot(columns["displacement_row"], columns["displacement_col"]) > _FAR_PX
    chosen = {
        "true vacancies": columns.of_defect("vacancy"),
        "true substitutions": columns.of_defect("substitution"),
        "true interstitials": columns.of_defect("interstitial"),
        "displaced over 25 pm": columns.of_defect("displaced") & far,
    }
    return {
        name: (_discs(known.places[mask & judged], known.sigma, shape), int((mask & judged).sum()))
        for name, mask in chosen.items()
    }


def _discs(places: Floats, sigma: float, shape: tuple[int, ...]) -> Mask:
    """Pixels within 1.5 widths of places."""
    if not len(places):
        return np.full(shape, False)
    grid = _pixels(shape)
    near = cKDTree(places).query(grid, distance_upper_bound=_DISC * sigma)[0]
    return np.asarray(np.isfinite(near)).reshape(shape)


def _pixels(shape: tuple[int, ...]) -> Floats:
    """Row and column of every pixel, (pixels, 2)."""
    return np.indices(shape).reshape(2, -1).T.astype(np.float64)
