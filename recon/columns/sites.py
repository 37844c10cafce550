"""Sites of a lattice: where each column would stand if it stood where its neighbours say, and sites that stand empty.

A site is the value of an affine map fitted to the members around it, robustly and without the column itself, so that
neither strain nor the distortion of a scan counts as a displacement, and no displaced column pulls its own site.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.lattice_kernels import local_fits
from stemscan.recon.threads import in_stretches
from stemscan.types import Floats, Integers

__all__ = ["Lattice", "Sites", "Surroundings", "adopted", "predict"]

_NEIGHBOURS = 72
_ROUNDS = 6
_CHUNK = 20000
_A_THREAD = 2000
"""Sites that are worth a thread."""
_ADOPTIONS = 3
_FILLINGS = 4
_AROUND = 2 + _FILLINGS


@dataclass(frozen=True, eq=False)
class Lattice:
    """Columns that translations take into one another.

    Attributes
    ----------
    members : ndarray of int64, (n,)
        Numbers of the columns.
    indices : ndarray of int64, (n, 2)
        (i, j) of each member.
    basis : ndarray of float64, (2, 2)
        Translations a and b as (row, column) in pixels, averaged over the lattice.
    """

    members: Integers
    indices: Integers
    basis: Floats


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
    places : ndarray of float64, (columns, 2)
        Of all columns.
    indices : ndarray of int64, (n, 2)
        Sites asked for; a member at the same index does not count.
    """
    metric = np.linalg.cholesky(lattice.basis @ lattice.basis.T + 1e-9 * np.eye(2))
    tree = cKDTree(lattice.indices @ metric)
    count = min(_NEIGHBOURS + 1, len(lattice.members))
    own, out, variances = places[lattice.members], np.empty((len(indices), 2)), np.empty(len(indices))
    for first in range(0, len(indices), _CHUNK):
        part = indices[first : first + _CHUNK]
        near, chunk = tree.query(part @ metric, k=count)[1], slice(first, first + _CHUNK)
        _fitted(lattice.indices, own, part, near, out[chunk], variances[chunk])
    return Sites(out, variances)


def _fitted(indices: Integers, own: Floats, asked: Integers, near: Integers, out: Floats, variances: Floats) -> None:
    """Fill the values of the fits around some indices."""

    def fit(begin: int, end: int) -> None:
        local_fits(begin, end, indices, own, asked, near, _ROUNDS, out, variances)

    in_stretches(fit, len(asked), _A_THREAD)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Indices without a member next to one of a lattice's, and their sites.

    Attributes
    ----------
    indices : ndarray of int64, (n, 2)
    sites : ndarray of float64, (n, 2)
    """

    lattice: Lattice
    indices: Integers
    sites: Floats

    @classmethod
    def of(cls, lattice: Lattice, places: Floats) -> Surroundings:
        """Those of a lattice among columns at `places`."""
        grid = _Numbers.of(lattice.indices)
        taken = grid.numbers(lattice.indices)
        steps = [i * grid.width + j for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        free = grid.indices(np.setdiff1d((taken[:, None] + steps).ravel(), taken))
        return cls(lattice, free, predict(lattice, places, free).places)

    def empty(self, shape: tuple[int, int]) -> Integers:
        """Indices that have at least three of their four neighbours, or are reached from such again.

        Neighbours outside of the frame, of which nothing is known, count as there.
        """
        outside = self.indices[~((self.sites > 0) & (self.sites < np.array(shape) - 1)).all(axis=1)]
        grid = _Numbers.of(self.lattice.indices)
        taken = grid.numbers(np.concatenate([self.lattice.indices, outside]))
        empty = np.empty(0, np.int64)
        for _ in range(_FILLINGS):
            near, counts = np.unique((taken[:, None] + [grid.width, -grid.width, 1, -1]).ravel(), return_counts=True)
            found = np.setdiff1d(near[counts >= 3], taken)
            if not len(found):
                break
            empty, taken = np.concatenate([empty, found]), np.concatenate([taken, found])
        return grid.indices(np.sort(empty))

    def beyond(self, shape: tuple[int, int], margin: float) -> Integers:
        """Indices whose sites lie at the frame, or beyond it by less than a margin."""
        side = np.array(shape) - 1
        near = ((self.sites > -margin) & (self.sites < side + margin)).all(axis=1)
        inner = ((self.sites > margin) & (self.sites < side - margin)).all(axis=1)
        return np.asarray(self.indices[near & ~inner])


@dataclass(frozen=True)
class _Numbers:
    """One number for each pair of indices in a range and around it."""

    low: tuple[int, int]
    width: int

    @classmethod
    def of(cls, indices: Integers) -> _Numbers:
        """For a range of indices, and so far beyond as sites are looked for."""
        low, high = indices.min(axis=0) - _AROUND, indices.max(axis=0) + _AROUND
        return cls((int(low[0]), int(low[1])), int(high[1] - low[1]) + 1)

    def numbers(self, indices: Integers) -> Integers:
        """Numbers of indices, (n,), in the order of the indices."""
        return np.asarray((indices[:, 0] - self.low[0]) * self.width + indices[:, 1] - self.low[1])

    def indices(self, numbers: Integers) -> Integers:
        """The reverse, (n, 2)."""
        return np.stack([numbers // self.width + self.low[0], numbers % self.width + self.low[1]], axis=1)


def adopted(
    lattice: Lattice, places: Floats, free: npt.NDArray[np.bool_], shape: tuple[int, int], margin: float
) -> Lattice:
    """The lattice with those free columns that stand nearer to one of its empty sites than a third of a spacing.

    Sites at the frame, and beyond it by less than a margin, count as empty ones.
    """
    reach = float(np.hypot(*lattice.basis.T).min()) / 3
    for _ in range(_ADOPTIONS):
        candidates = np.nonzero(free & ~np.isin(np.arange(len(places)), lattice.members))[0]
        around = Surroundings.of(lattice, places)
        indices = np.concatenate([around.empty(shape), around.beyond(shape, margin)])
        if not len(candidates) or not len(indices):
            break
        sites = predict(lattice, places, indices).places
        distance, nearest = cKDTree(places[candidates]).query(sites)
        taken = np.nonzero(distance < reach)[0]
        _, first = np.unique(nearest[taken], return_index=True)
        taken = taken[first]
        if not len(taken):
            break
        lattice = replace(
            lattice,
            members=np.concatenate([lattice.members, candidates[nearest[taken]]]),
            indices=np.concatenate([lattice.indices, indices[taken]]),
        )
    return lattice
