"""The joint Cramer-Rao bound at a true specimen, for the samples that were made of it.

Unknown are the place and height of every column, a background that is bilinear between nodes as far apart as those of
`stemscan columns` (2.5 distances of neighbours, 8 widths of the core at least), and the shape that all columns share:
width, two parameters of ellipticity, share and width of the tail. With the expected signal u of a sample and its slopes
J by all of these, the information is J^T W J with W = lambda V / u (Poisson) or lambda V / u^2 (equation 5), and the
bound its inverse's diagonal. Signal and slopes are the specimen's own, by its generator, and share no code with any
fit. Slopes end six widths of the core from a column, where they are a hundredth of their greatest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial import cKDTree

from stemscan.recon.evaluation.columns.profile import TrueProfile
from stemscan.recon.inputs.inputs import Inputs
from stemscan.types import Floats, Image

__all__ = ["Samples", "Touched", "heights_alone", "joint_bound"]

_NODES_APART = 2.5
_LEAST = 1e-3
_RIDGE = 1e-10


@dataclass(frozen=True, eq=False)
class Samples:
    """Visited pixels of a scan of a known specimen.

    Attributes
    ----------
    places : float64 (m, 2)
    counted, visits : float64 (m,)
        Counts over the dose, and visits.
    signal : float64 (m,)
        The specimen's signal.
    weights : float64 (m,)
        Fisher information per squared change of the signal.
    dose : float
        Electrons per sample.
    """

    places: Floats
    counted: Floats
    visits: Floats
    signal: Floats
    weights: Floats
    dose: float
    shape: tuple[int, int]

    @classmethod
    def of(cls, inputs: Inputs, truth: Image) -> Samples:
        """Those of a scan."""
        rows, columns = np.nonzero(inputs.V)
        counted, visits = (array[rows, columns].astype(np.float64) for array in (inputs.S, inputs.V))
        signal = np.maximum(truth[rows, columns].astype(np.float64), _LEAST)
        dose = inputs.electrons_per_sample
        weights = dose * visits / signal ** (2 if inputs.noise == "eq5" else 1)
        places = np.stack([rows, columns], axis=1).astype(np.float64)
        return cls(places, counted, visits, signal, weights, dose, inputs.shape)


@dataclass(frozen=True, eq=False)
class Touched:
    """Pairs of a column and a sample within its reach.

    Attributes
    ----------
    owners, samples : int64 (k,)
    down, right : float64 (k,)
        Offset of the sample from the column.
    """

    owners: npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]
    down: Floats
    right: Floats

    @classmethod
    def of(cls, places: Floats, samples: Samples, reach: float) -> Touched:
        """All pairs."""
        found = cKDTree(samples.places).query_ball_point(places, reach)
        owners = np.repeat(np.arange(len(places)), [len(one) for one in found])
        touched = np.concatenate([np.asarray(one, np.int64) for one in found]) if len(places) else np.empty(0, np.int64)
        offset = samples.places[touched] - places[owners]
        return cls(owners, touched, offset[:, 0], offset[:, 1])


def heights_alone(places: Floats, profile: TrueProfile, samples: Samples) -> Floats:
    """Bound of each column's height with all else known, (n,)."""
    pairs = Touched.of(places, samples, profile.reach)
    known = samples.weights[pairs.samples] * profile.at(pairs.down, pairs.right, 0) ** 2
    return np.asarray(1 / np.sqrt(np.maximum(np.bincount(pairs.owners, known, len(places)), 1e-300)))


def joint_bound(places: Floats, heights: Floats, profile: TrueProfile, samples: Samples, spacing: float) -> Floats:
    """Standard deviations that no unbiased estimate falls below.

    Parameters
    ----------
    places : float64 (n, 2)
        Of the columns.
    heights : float64 (n,)
    spacing : float
        Distance of neighbouring columns in pixels.

    Returns
    -------
    float64 (n, 3)
        Of row, column and height.
    """
    count, total = len(places), len(samples.signal)
    pairs = Touched.of(places, samples, profile.reach)
    maps = profile.at(pairs.down, pairs.right)
    tall = heights[pairs.owners]
    slopes = np.stack([-tall * maps[1], -tall * maps[2], maps[0]], axis=1)
    first = 3 * pairs.owners[:, None] + np.arange(3)
    own = sp.csr_array(
        (slopes.ravel(), (np.repeat(pairs.samples, 3), first.ravel())), shape=(total, 3 * count)
    )  # fmt: skip
    shared = np.stack([np.bincount(pairs.samples, tall * one, total) for one in maps[3:]], axis=1)
    slope = sp.csr_array(sp.hstack([own, _nodes(samples, profile, spacing), sp.csr_array(shared)]))
    information = (slope.T @ (slope * samples.weights[:, None])).toarray()
    scale = 1 / np.sqrt(np.maximum(np.diagonal(information), 1e-300))
    inverse = np.linalg.inv(information * np.outer(scale, scale) + _RIDGE * np.eye(len(scale)))
    return np.asarray((np.sqrt(np.maximum(np.diagonal(inverse), 0)) * scale)[: 3 * count].reshape(count, 3))


def _nodes(samples: Samples, profile: TrueProfile, spacing: float) -> sp.csr_array:
    """Bilinear weights of the background's nodes at the samples."""
    apart = float(np.clip(_NODES_APART * min(spacing, 12 * profile.sigma), 8 * profile.sigma, max(samples.shape)))
    sides = [math.ceil(side / apart) + 1 for side in samples.shape]
    cell = samples.places / apart
    low = np.minimum(np.floor(cell), np.array(sides) - 2).astype(np.int64)
    part = cell - low
    total, rows, columns, values = len(cell), [], [], []
    for down in (0, 1):
        for right in (0, 1):
            weight = [part[:, axis] if way else 1 - part[:, axis] for axis, way in enumerate((down, right))]
            rows.append(np.arange(total))
            columns.append((low[:, 0] + down) * sides[1] + low[:, 1] + right)
            values.append(weight[0] * weight[1])
    places = (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_array((np.concatenate(values), places), shape=(total, sides[0] * sides[1]))
