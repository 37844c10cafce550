"""Columns of a whole scan: what tiles share is learned from some of them, then each is fitted, then they are joined.

Shared are the width that a search begins with, the classes of amplitude, and each class's profile. A small scan is one
tile, from which all is learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.candidates import Pilot
from stemscan.recon.columns.classes import Classes, find_classes
from stemscan.recon.columns.errors import Errors, amplitude_std, profile_information
from stemscan.recon.columns.fitting import Fitted, fit, linearised
from stemscan.recon.columns.links import ColumnModel
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS, Profile
from stemscan.recon.columns.search import Scale, Searched, searched
from stemscan.recon.columns.splits import without_splits
from stemscan.recon.columns.tiles import Scan, Tile
from stemscan.runtime.work import part
from stemscan.types import Array, Floats, Integers

__all__ = ["Found", "once", "search", "with_own_profiles"]

_PILOTS = 2
"""So many tiles along either axis tell what all share."""
_ENOUGH = 300
"""So many columns must be in them, or further tiles join them."""
_SEAM = 0.5
"""Widths of a column by which fits of the same one in two tiles may differ."""


class Found(NamedTuple):
    """Columns of a scan.

    Attributes
    ----------
    model : ColumnModel
        All columns, those outside of the frame that the samples tell of, too.
    beyond : ColumnModel
        Columns of which the samples tell too little, outside of the frame or too weak to be seen one by one: at their
        lattices' sites, of usual amplitude.
    uncertain : ndarray of float64, (n,)
        Standard deviation of the amplitude that weak columns have in common; 0 of those outside.
    scan : Scan
        In the tiles that were fitted.
    """

    model: ColumnModel
    errors: Errors
    beyond: ColumnModel
    uncertain: Floats
    scan: Scan


def search(scan: Scan, image_of: Callable[[Tile], Array]) -> Found | None:
    """Find and fit the columns of a scan; None where there are none.

    Parameters
    ----------
    image_of : callable
        A reconstruction of the counts of a tile.
    """
    pilots = _spread(scan.tiles)

    def pilot_of(tile: Tile, share: float) -> Pilot:
        with part(share):
            return Pilot(image_of(tile))

    alone, each = len(scan.tiles) == 1, 1 / len(scan.tiles)
    images = [pilot_of(tile, 0.2 * each) for tile in pilots]
    scale = Scale.of(images, scan.shape)
    if len(scan.tiles) > 1:
        scale = replace(scale, spacing=float(max(8, 8 * math.floor(scale.spacing / 8))))
    begun: list[Searched] = []
    for tile in pilots + [tile for tile in scan.tiles if tile not in pilots]:
        if not images and sum(len(one.fitted.model.rows) for one in begun) >= _ENOUGH:
            break
        pilot = images.pop(0) if images else pilot_of(tile, 0.2 * each)
        with part(0.6 if alone else 0.3 * each):
            one = searched(scan.points(tile), pilot, scale)
        if len(one.fitted.model.rows):
            begun.append(one)
    if not begun:
        return None
    with part(0.15 if alone else 0.05):
        shared, fits = _learned(begun)
    if alone:
        fitted, errors = without_splits(fits[0], begun[0].points)
        return _found(scan, fitted.model, errors, begun[0].beyond, begun[0].uncertain)
    scan = scan.tiled(scale.spacing, scale.reach)
    each = 1 / len(scan.tiles)
    tiles = []
    for tile in scan.tiles:
        pilot = pilot_of(tile, 0.2 * each)
        with part(0.5 * each):
            tiles.append(_tile(scan, tile, pilot, scale, shared))
    return _joined(scan, scale, tiles)


def _found(scan: Scan, model: ColumnModel, errors: Errors, beyond: ColumnModel, uncertain: Floats) -> Found:
    """Columns with those beyond in their classes."""
    beyond = replace(beyond, classes=_alike(model, beyond), profiles=model.profiles)
    scan.beyond = beyond
    return Found(model, errors, beyond, uncertain, scan)


def _alike(model: ColumnModel, others: ColumnModel) -> Integers:
    """The class of each of some columns: that of the column whose amplitude is the nearest."""
    if not len(model.rows):
        return others.classes
    nearest = cKDTree(model.amplitudes[:, None]).query(others.amplitudes[:, None])[1]
    return np.asarray(model.classes[nearest], np.int64)


@dataclass(frozen=True, eq=False)
class _Shared:
    """Values that all tiles share.

    Attributes
    ----------
    profiles : tuple of Profile
        One a class.
    apart : bool
        Are they different.
    information : ndarray of float64, (m, m)
        On the profiles, or on the one profile.
    """

    classes: Classes
    profiles: tuple[Profile, ...]
    apart: bool
    information: Floats


def _spread(tiles: list[Tile]) -> list[Tile]:
    """Some tiles, evenly spread."""
    corners = [sorted({tile.window[axis].start for tile in tiles}) for axis in (0, 1)]
    some = [
        {own[math.floor((k + 0.5) * len(own) / _PILOTS)] for k in range(_PILOTS)} if len(own) > _PILOTS else set(own)
        for own in corners
    ]
    return [tile for tile in tiles if tile.window[0].start in some[0] and tile.window[1].start in some[1]]


def _learned(begun: list[Searched]) -> tuple[_Shared, list[Fitted]]:
    """Classes of amplitude, each with a profile of its own where the counts are worth one, and the tiles so fitted."""
    fits, points = [one.fitted for one in begun], [one.points for one in begun]
    stds = [amplitude_std(fitted, own.shape) for fitted, own in zip(fits, points, strict=True)]
    found = find_classes(np.concatenate([fitted.model.amplitudes for fitted in fits]), np.concatenate(stds))
    count = len(found.means)
    labels = np.split(found.best, np.cumsum([len(fitted.model.rows) for fitted in fits])[:-1])
    fits = with_own_profiles(fits, points, labels, count)
    apart = fits[0].system.shared.shape[1] > PARAMETERS
    profiles, information = _mean_profiles(fits, PARAMETERS * count if apart else PARAMETERS)
    return _Shared(found, profiles, apart, information), fits


def with_own_profiles(
    fits: list[Fitted], points: list[Observations], classes: list[Integers], count: int
) -> list[Fitted]:
    """Columns of one profile in so many classes, each with a profile of its own where the counts are worth one."""
    several = [
        replace(fitted.model, classes=own, profiles=fitted.model.profiles * count)
        for fitted, own in zip(fits, classes, strict=True)
    ]
    if count > 1:
        further = PARAMETERS * (count - 1)
        apart = [fit(model, own) for model, own in zip(several, points, strict=True)]
        if _gain(fits, apart) >= further * math.log(sum(len(own.rows) for own in points)):
            return apart
    return [Fitted(model, fitted.system) for model, fitted in zip(several, fits, strict=True)]


def _gain(before: list[Fitted], after: list[Fitted]) -> float:
    """Deviance gained."""
    return sum(one.system.deviance - other.system.deviance for one, other in zip(before, after, strict=True))


def _mean_profiles(fits: list[Fitted], free: int) -> tuple[tuple[Profile, ...], Floats]:
    """Profiles of several fits averaged, each weighted by its information, and the sum of that on the `free` first."""
    if len(fits) == 1:
        return fits[0].model.profiles, np.empty(0)
    weights = [profile_information(fitted) for fitted in fits]
    values = [np.stack([profile.array() for profile in fitted.model.profiles]) for fitted in fits]
    for own in values:
        own[:, 0] = np.log(own[:, 0])
    total = np.sum(weights, axis=0)
    pulls = np.sum([weight @ own.ravel()[:free] for weight, own in zip(weights, values, strict=True)], axis=0)
    mean = (np.linalg.pinv(total, rcond=1e-12, hermitian=True) @ pulls).reshape(-1, PARAMETERS)
    mean[:, 0] = np.exp(mean[:, 0])
    profiles = tuple(Profile(*own) for own in mean.tolist())
    return profiles * (len(values[0]) // len(profiles)), total


class _Part(NamedTuple):
    """Columns of a tile, in the coordinates of the scan."""

    model: ColumnModel
    errors: Errors
    beyond: ColumnModel
    uncertain: Floats


def _tile(scan: Scan, tile: Tile, pilot: Pilot, scale: Scale, shared: _Shared) -> _Part:
    """Fit a tile."""
    fitted, points, beyond, uncertain = searched(scan.points(tile), pilot, scale, shared.profiles)
    model = fitted.model
    labels = shared.classes.of(model.amplitudes, amplitude_std(fitted, points.shape))
    if shared.apart and len(labels):
        model = fit(replace(model, classes=labels, profiles=shared.profiles), points, profiles=False).model
    fitted, errors = without_splits(linearised(model, points, profiles=True), points, shared.information)
    labels = shared.classes.of(fitted.model.amplitudes, amplitude_std(fitted, points.shape))
    model = replace(fitted.model, classes=labels, profiles=shared.profiles)
    return _Part(model.moved(tile.corner), errors, beyond.moved(tile.corner), uncertain)


def _joined(scan: Scan, scale: Scale, parts: list[_Part]) -> Found:
    """Columns of all tiles, each taken from the tile to which it belongs."""
    near = _SEAM * scale.sigma
    chosen = [np.nonzero(tile.owns(part.model.places, near))[0] for tile, part in zip(scan.tiles, parts, strict=True)]
    model = _together([part.model.only(some) for part, some in zip(parts, chosen, strict=True)])
    errors = np.concatenate([part.errors.columns[some] for part, some in zip(parts, chosen, strict=True)])
    number = np.repeat(np.arange(len(parts)), [len(some) for some in chosen])
    own = np.concatenate([tile.owns(model.places[number == k]) for k, tile in enumerate(scan.tiles)])
    kept = once(model.places, number, own, scale.sigma)
    owned = [tile.owns(part.beyond.places) for tile, part in zip(scan.tiles, parts, strict=True)]
    outside = [part.beyond.only(own) for part, own in zip(parts, owned, strict=True)]
    uncertain = np.concatenate([part.uncertain[own] for part, own in zip(parts, owned, strict=True)])
    stiffness = float(np.median([part.model.stiffness for part in parts]))
    nodes = _nodes(scan, scale.spacing, [part.model.nodes for part in parts])
    model = replace(model.only(kept), nodes=nodes, stiffness=stiffness)
    variances = _nodes(scan, scale.spacing, [part.errors.nodes for part in parts])
    return _found(
        scan, model, Errors(errors[kept], variances), replace(_together(outside), nodes=model.nodes), uncertain
    )


def _together(models: list[ColumnModel]) -> ColumnModel:
    """The columns of several models."""
    return replace(
        models[0],
        rows=np.concatenate([model.rows for model in models]),
        columns=np.concatenate([model.columns for model in models]),
        amplitudes=np.concatenate([model.amplitudes for model in models]),
        classes=np.concatenate([model.classes for model in models]),
    )


def once(places: Floats, number: Integers, own: npt.NDArray[np.bool_], sigma: float) -> npt.NDArray[np.bool_]:
    """Tell which of the fits near seams to keep: one of each column.

    A tile's fits in its core count. Where a column stands on the seam each tile may place it in the other's core: then
    the first one counts.
    """
    kept = own.copy()
    pairs = cKDTree(places).query_pairs(sigma, output_type="ndarray") if len(places) else np.empty((0, 2), np.int64)
    pairs = pairs[number[pairs[:, 0]] != number[pairs[:, 1]]]
    others: dict[int, list[int]] = {}
    for a, b in pairs.tolist():
        others.setdefault(a, []).append(b)
        others.setdefault(b, []).append(a)
    for a in sorted(others, key=lambda number: (not own[number], number)):
        kept[a] = not any(kept[b] and (b < a or not own[a]) for b in others[a])
    return kept


def _nodes(scan: Scan, spacing: float, parts: list[Floats]) -> Floats:
    """Values at the background's nodes, each of the tile in whose core it lies."""
    nodes = np.zeros([math.ceil(side / spacing) + 1 for side in scan.shape])
    for tile, own in zip(scan.tiles, parts, strict=True):
        first = np.rint(tile.corner / spacing).astype(int)
        low = [max(0, round(max(side[0], 0) / spacing)) for side in tile.core]
        high = [first[axis] + own.shape[axis] for axis in (0, 1)]
        nodes[low[0] : high[0], low[1] : high[1]] = own[low[0] - first[0] :, low[1] - first[1] :]
    return nodes
