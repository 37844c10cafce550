"""The model of columns on a smooth background, linearised at the samples of a scan.

The signal at a point is u = b + sum A_k g_c(k)(r - r_k). Its counts over the dose have mean V u and variance
V u / lambda (Poisson) or V u^2 / lambda (equation 5 as printed), so that a point's information is W = lambda V / u or
lambda V / u^2. The background is bilinear between nodes on a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from stemscan.recon.columns.kernels import BATCH, evaluate, own_blocks
from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS
from stemscan.recon.threads import in_stretches
from stemscan.types import Floats

__all__ = ["System", "columns_at", "least_signal", "linearise", "without"]

_FLOOR = 0.02
_BATCHES = 200
"""Batches of points that are worth a thread."""


@dataclass(frozen=True, eq=False)
class System:
    """A model linearised at the points of a scan.

    Attributes
    ----------
    signal : ndarray of float64, (points,)
        The model u.
    weights : ndarray of float64, (points,)
        Fisher information of a point per squared change of u, lambda V / u or lambda V / u^2.
    own : ndarray of float64, (links, 3)
        Slopes by row, column and amplitude of each link's column, in the order of points.
    shared : ndarray of float64, (points, 5 classes)
        Slopes by the profiles; (points, 0) where these are held.
    residual : ndarray of float64, (points,)
        S / V - u.
    stiffness : float
        See `ColumnModel`.
    drawn : ndarray of float64, (p,)
        Slope of the prior's logarithm by the background's nodes.
    deviance : float
        -2 ln of likelihood times prior up to a constant; the likelihood of equation 5 is that of a gamma law of the
        same mean and variance.
    """

    links: Links
    signal: Floats
    weights: Floats
    own: Floats
    shared: Floats
    residual: Floats
    stiffness: float
    drawn: Floats
    deviance: float

    @property
    def prior(self) -> sp.csr_array:
        """Precision of the nodes prior to the counts, (nodes, nodes)."""
        return sp.csr_array(self.stiffness * self.links.roughness)

    def blocks(self) -> Floats:
        """Each column's block of the normal matrix, (n, 3, 3)."""
        links = self.links
        blocks = np.zeros((len(links.starts) - 1, 3, 3))
        own_blocks(links.starts, links.points, links.positions, self.own, self.weights, blocks)
        return blocks


def linearise(model: ColumnModel, points: Observations, links: Links, *, profiles: bool = True) -> System:
    """Evaluate a model and its slopes, those by the profiles where they are asked for, at the points of a scan."""
    parameters = np.stack([profile.array() for profile in model.profiles])
    nodes, count = model.nodes.ravel(), len(points.rows)
    known = np.broadcast_to(points.known, count).astype(np.float64)
    own, shared = np.empty((len(links.owners), 3)), np.empty((count, PARAMETERS * len(parameters) * profiles))
    signal, weights, residual, sums = np.empty(count), np.empty(count), np.empty(count), np.empty(-(-count // BATCH))
    in_stretches(lambda begin, end: evaluate(
        begin, end, model.rows, model.columns, model.amplitudes, model.classes, parameters, model.reach,
        links.point_starts, links.owners, points.rows, points.columns, points.signal, points.visits, known,
        links.nodes.indices, links.nodes.data, nodes, points.electrons_per_sample, least_signal(points),
        points.noise == "eq5", own, shared, signal, weights, residual, sums,
    ), len(sums), _BATCHES)  # fmt: skip
    drawn = -model.stiffness * (links.roughness @ nodes)
    deviance = 2 * points.electrons_per_sample * float(sums.sum()) - float(nodes @ drawn)
    return System(links, signal, weights, own, shared, residual, model.stiffness, drawn, deviance)


def least_signal(points: Observations) -> float:
    """The signal below which a model is not taken to fall: a fiftieth of the mean, which is at least one electron."""
    one = 1.0 / (points.electrons_per_sample * float(points.visits.sum()))
    return _FLOOR * max(points.mean, one)


def columns_at(model: ColumnModel, points: Observations) -> Floats:
    """The columns' part of a model's signal at the points of a scan."""
    links = Links.of(model, points)
    system = linearise(model, points, links, profiles=False)
    heights = model.amplitudes[links.owners] * system.own[:, 2]
    point = np.repeat(np.arange(len(points.rows)), np.diff(links.point_starts))
    return np.bincount(point, heights, len(points.rows)).astype(np.float64)


def without(model: ColumnModel, system: System, gone: npt.NDArray[np.bool_], points: Observations) -> Floats:
    """The signal of a linearised model without some of its columns, at the points of a scan."""
    links, signal = system.links, system.signal.copy()
    for k in np.flatnonzero(gone).tolist():
        own = slice(links.starts[k], links.starts[k + 1])
        signal[links.points[own]] -= model.amplitudes[k] * system.own[links.positions[own], 2]
    return np.maximum(signal, least_signal(points))
