"""Standard deviations of fitted columns: the joint Cramer-Rao bound at the fit, with all that was fitted unknown.

The covariance of one column is the inverse of the normal matrix of the column, of those that it overlaps and of the
background around it; what lies farther changes it by less than a hundredth. What the shared profiles add,
X Sigma X^T with X the response of the column to a change of the profiles and Sigma their covariance, is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from stemscan.recon.columns.fitting import Fitted
from stemscan.recon.columns.links import ColumnModel, node_weights
from stemscan.recon.columns.local_kernels import local_covariances
from stemscan.recon.columns.normal import Normal, Solver
from stemscan.recon.threads import in_stretches
from stemscan.types import Floats

__all__ = ["Errors", "amplitude_std", "joint_errors", "profile_information"]


_RESPONSE = 0.003
"""Accuracy of the response to the profiles, whose share of an error is small."""

_CHUNK = 256

_A_THREAD = 200
"""Columns that are worth a thread."""


@dataclass(frozen=True, eq=False)
class Errors:
    """Covariances of a fit.

    Attributes
    ----------
    columns : ndarray of float64, (n, 4, 4)
        Of each column's row, column, amplitude, and the background at its place.
    nodes : ndarray of float64, (p, q)
        Variance of the background around its nodes: that at the column there, or where none is near in the cells.
    """

    columns: Floats
    nodes: Floats

    @property
    def std(self) -> Floats:
        """Standard deviations of row, column, amplitude and background, (n, 4)."""
        return np.sqrt(np.diagonal(self.columns, axis1=1, axis2=2))


def amplitude_std(fitted: Fitted, shape: tuple[int, int]) -> Floats:
    """Standard deviations of amplitudes for a search, (n,): position unknown, neighbours and background known.

    They are below those of `joint_errors` by 1 to 6 %. Of a column outside of the frame position and amplitude can
    hardly be told apart: its position counts as known.
    """
    model, blocks = fitted.model, fitted.system.blocks()
    if not len(model.rows):
        return np.empty(0)
    alone = 1.0 / np.sqrt(np.maximum(blocks[:, 2, 2], 1e-12))
    outside = (model.rows < 0) | (model.columns < 0) | (model.rows > shape[0] - 1) | (model.columns > shape[1] - 1)
    damped = blocks + 1e-9 * np.trace(blocks, axis1=1, axis2=2)[:, None, None] * np.eye(3) + 1e-12 * np.eye(3)
    return np.where(outside, alone, np.sqrt(np.linalg.inv(damped)[:, 2, 2]))


def joint_errors(fitted: Fitted, shape: tuple[int, int], known: Floats | None = None) -> Errors:
    """Errors of a model that was fitted to the points of a scan.

    Parameters
    ----------
    fitted : Fitted
        Linearised with its profiles.
    shape : (int, int)
        Rows and columns of the frame.
    known : ndarray of float64, (m, m), optional
        Information on the profiles, where more than these points tell of them.
    """
    model = fitted.model
    if not len(model.rows):
        return Errors(np.empty((0, 4, 4)), np.zeros(model.nodes.shape))
    normal = Normal.of(fitted.system)
    diagonal, pairs, count = normal.diagonal[: len(normal.border)], normal.system.links.overlaps, len(model.rows)
    least = 1e-6 * float(np.median(diagonal))
    here = node_weights(model.rows, model.columns, model.nodes.shape, model.spacing)
    covariances = np.empty((count, 4, 4))
    in_stretches(lambda begin, end: local_covariances(
        begin, end, pairs.first, pairs.found, normal.blocks, pairs.node_first, pairs.node_found, normal.mixed,
        normal.flat.indptr, normal.flat.indices, normal.flat.data, here.indices, here.data, least, covariances,
    ), count, _A_THREAD)  # fmt: skip
    solver = Solver(_alone(normal), 1e-9 * diagonal + least)
    covariances[:, 3, 3] += _of_all_nodes(normal, solver)
    solved, schur = _profiles(normal, solver)
    known = schur if known is None else known
    columns = solved[: 3 * count].reshape(count, 3, -1)
    response = np.concatenate([columns, (here @ solved[3 * count :])[:, None]], axis=1)
    covariances += response @ np.linalg.pinv(known, rcond=1e-12, hermitian=True) @ response.transpose(0, 2, 1)
    return Errors(covariances, _of_nodes(normal, model, shape, covariances[:, 3, 3], least))


def _of_nodes(
    normal: Normal, model: ColumnModel, shape: tuple[int, int], at_columns: Floats, least: float
) -> Floats:  # fmt: skip
    """Variance of the background around each of its nodes, (p, q).

    Without a column within their distance of each other it is the mean of those in the middles of the cells that meet
    at the node, all nodes unknown and all columns known; of a cell that the frame cuts, its part inside counts.
    """
    down, across = model.nodes.shape
    distance, nearest = cKDTree(model.places).query(np.indices((down, across)).reshape(2, -1).T * model.spacing)
    far = (distance > model.spacing).reshape(down, across)
    around = far[:-1, :-1] | far[1:, :-1] | far[:-1, 1:] | far[1:, 1:]
    cells = np.full(around.shape, np.nan)
    if around.any():
        first = np.argwhere(around) * model.spacing
        middles = 0.5 * (first + np.minimum(first + model.spacing, np.array(shape) - 1))
        sides = node_weights(middles[:, 0], middles[:, 1], (down, across), model.spacing)
        variances, matrix = np.empty(len(middles)), normal.flat + least * sp.eye_array(normal.flat.shape[0])
        solver = splu(sp.csc_array(matrix))
        for start in range(0, len(middles), _CHUNK):
            part = sides[start : start + _CHUNK].toarray().T
            variances[start : start + _CHUNK] = (part * solver.solve(part)).sum(axis=0)
        cells[around] = variances
    meeting = np.pad(cells, 1, constant_values=np.nan)
    four = np.stack([meeting[:-1, :-1], meeting[1:, :-1], meeting[:-1, 1:], meeting[1:, 1:]])
    out = at_columns[nearest].reshape(down, across)
    out[far] = np.nanmean(four[:, far], axis=0)
    return np.asarray(out)


def _of_all_nodes(normal: Normal, solver: Solver) -> float:
    """Variance of the background's mean, which those of single places with all others known do not hold."""
    nodes = len(normal.border) - 3 * (len(normal.system.links.starts) - 1)
    mean = np.zeros(len(normal.border))
    mean[-nodes:] = 1.0 / nodes
    return float(mean @ solver.solve(mean, share=_RESPONSE))


def _alone(normal: Normal) -> Normal:
    """Columns and background with the profiles held."""
    inner = len(normal.border)
    return replace(normal, border=normal.border[:, :0], corner=normal.corner[:0, :0], gradient=normal.gradient[:inner])


def profile_information(fitted: Fitted) -> Floats:
    """Information on the profiles with columns and background unknown, (m, m)."""
    normal = Normal.of(fitted.system)
    diagonal = normal.diagonal[: len(normal.border)]
    return _profiles(normal, Solver(_alone(normal), 1e-9 * diagonal + 1e-6 * float(np.median(diagonal))))[1]


def _profiles(normal: Normal, solver: Solver) -> tuple[Floats, Floats]:
    """Response of columns and nodes to the profiles, (3 n + p, m), and the profiles' information, (m, m)."""
    solved = np.stack([solver.solve(side.copy(), share=_RESPONSE) for side in normal.border.T], axis=1)
    schur = normal.corner - normal.border.T @ solved
    return solved, 0.5 * (schur + schur.T)
