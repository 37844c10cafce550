"""Sites of a lattice: where each column would stand if it stood where its neighbours say, and sites that stand empty.

A site is the value of an affine map fitted to the members around it, robustly and without the column itself, so that
neither strain nor the distortion of a scan counts as a displacement, and no displaced column pulls its own site.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.lattice import Lattice
from stemscan.types import Floats, Integers

__all__ = ["Sites", "adopted", "empty_indices", "indices_beyond", "predict"]

_NEIGHBOURS = 72
_ROUNDS = 6
_CHUNK = 20000
_ADOPTIONS = 3
_FILLINGS = 4


@dataclass(frozen=True, eq=False)
class Sites:
    """Predicted places.

    Attributes
    ----------
    places : ndarray of float64, (n, 2)
    variances : ndarray of float64, (n,)
        Of a predicted place per axis, in square pixels.
    """

    places: Floats
    variances: Floats


def predict(lattice: Lattice, places: Floats, indices: Integers) -> Sites:
    """Predict the sites of indices from the members around them.

    Parameters
    ----------
    lattice : Lattice
    places : ndarray of float64, (columns, 2)
        Of all columns.
    indices : ndarray of int64, (n, 2)
        Sites asked for; a member at the same index does not count.

    Returns
    -------
    Sites
    """
    metric = np.linalg.cholesky(lattice.basis @ lattice.basis.T + 1e-9 * np.eye(2))
    tree = cKDTree(lattice.indices @ metric)
    count = min(_NEIGHBOURS + 1, len(lattice.members))
    out, variances = np.empty((len(indices), 2)), np.empty(len(indices))
    for first in range(0, len(indices), _CHUNK):
        part = indices[first : first + _CHUNK]
        near = tree.query(part @ metric, k=count)[1]
        offsets = lattice.indices[near] - part[:, None, :]
        own = (offsets == 0).all(axis=2)
        values = places[lattice.members[near]]
        out[first : first + _CHUNK], variances[first : first + _CHUNK] = _local(offsets, values, ~own)
    return Sites(out, variances)


def _local(offsets: Integers, values: Floats, counted: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Constant of robust affine fits to neighbours at index offsets, with its variance per axis."""
    design = np.concatenate([np.ones((*offsets.shape[:2], 1)), offsets], axis=2).astype(np.float64)
    distance = (offsets**2).sum(axis=2)
    taper = counted / (1.0 + distance / np.maximum(np.median(distance, axis=1, keepdims=True), 1))
    weights = taper.copy()
    for _ in range(_ROUNDS):
        weighted = design * weights[:, :, None]
        normal = weighted.transpose(0, 2, 1) @ design + 1e-9 * np.eye(3)
        fitted = np.linalg.solve(normal, weighted.transpose(0, 2, 1) @ values)
        off = np.hypot(*np.moveaxis(values - design @ fitted, 2, 0))
        scale = np.median(np.where(counted, off, np.nan_to_num(off, nan=0.0)), axis=1, keepdims=True) / 1.1774
        ratio = off / np.maximum(4.0 * scale, 1e-9)
        weights = taper * np.where(ratio < 1, (1 - ratio**2) ** 2, 0.0)
    inverse = np.linalg.inv(normal)
    spread = (weights[:, :, None] * design) @ inverse[:, :, :1]
    return fitted[:, 0], (spread[:, :, 0] ** 2).sum(axis=1) * scale[:, 0] ** 2


def empty_indices(lattice: Lattice, places: Floats, shape: tuple[int, int]) -> Integers:
    """Indices without a member that have at least three of their four neighbours, or are reached from such again.

    Neighbours outside of the frame, of which nothing is known, count as there.
    """
    free, sites = _around(lattice, places)
    outside = free[~((sites > 0) & (sites < np.array(shape) - 1)).all(axis=1)]
    taken = {(int(i), int(j)) for i, j in np.concatenate([lattice.indices, outside])}
    empty: set[tuple[int, int]] = set()
    for _ in range(_FILLINGS):
        counts: dict[tuple[int, int], int] = {}
        for i, j in taken:
            for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                site = (i + step[0], j + step[1])
                if site not in taken:
                    counts[site] = counts.get(site, 0) + 1
        found = {site for site, count in counts.items() if count >= 3}
        if not found:
            break
        empty |= found
        taken |= found
    return np.array(sorted(empty), np.int64).reshape(-1, 2)


def indices_beyond(lattice: Lattice, places: Floats, shape: tuple[int, int], margin: float) -> Integers:
    """Indices without a member next to one whose sites lie at the frame, or beyond it by less than a margin."""
    free, sites = _around(lattice, places)
    side = np.array(shape) - 1
    near = ((sites > -margin) & (sites < side + margin)).all(axis=1)
    inner = ((sites > margin) & (sites < side - margin)).all(axis=1)
    return np.asarray(free[near & ~inner])


def _around(lattice: Lattice, places: Floats) -> tuple[Integers, Floats]:
    """Indices without a member next to one, and their sites."""
    steps = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    around = np.unique((lattice.indices[:, None, :] + steps).reshape(-1, 2), axis=0)
    taken = {(int(i), int(j)) for i, j in lattice.indices}
    free = np.array([site for site in around.tolist() if tuple(site) not in taken], np.int64).reshape(-1, 2)
    return free, predict(lattice, places, free).places


def adopted(
    lattice: Lattice, places: Floats, free: npt.NDArray[np.bool_], shape: tuple[int, int], margin: float
) -> Lattice:
    """The lattice with those free columns that stand nearer to one of its empty sites than a third of a spacing.

    Sites at the frame, and beyond it by less than a margin, count as empty ones.
    """
    reach = float(np.hypot(*lattice.basis.T).min()) / 3
    for _ in range(_ADOPTIONS):
        candidates = np.nonzero(free & ~np.isin(np.arange(len(places)), lattice.members))[0]
        beyond = indices_beyond(lattice, places, shape, margin)
        indices = np.concatenate([empty_indices(lattice, places, shape), beyond])
        if not len(candidates) or not len(indices):
            break
        sites = predict(lattice, places, indices).places
        distance, nearest = cKDTree(places[candidates]).query(sites)
        taken = np.nonzero(distance < reach)[0]
        _, first = np.unique(nearest[taken], return_index=True)
        taken = taken[first]
        if not len(taken):
            break
        lattice = Lattice(
            np.concatenate([lattice.members, candidates[nearest[taken]]]),
            np.concatenate([lattice.indices, indices[taken]]),
            lattice.basis,
        )
    return lattice
