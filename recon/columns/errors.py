"""Standard deviations of fitted columns: the joint Cramer-Rao bound at the fit, with all that was fitted unknown.

The covariance of one column is the inverse of the normal matrix of the column, of those that it overlaps and of the
background around it; what lies farther changes it by less than a hundredth. What the shared profiles add,
X Sigma X^T with X the response of the column to a change of the profiles and Sigma their covariance, is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stemscan.recon.columns.kernels import local_covariances
from stemscan.recon.columns.links import ColumnModel, Links, node_weights
from stemscan.recon.columns.model import linearise, solve
from stemscan.recon.columns.observations import Observations
from stemscan.types import Floats

__all__ = ["Errors", "joint_errors"]


@dataclass(frozen=True, eq=False)
class Errors:
    """Covariances of a fit.

    Attributes
    ----------
    columns : ndarray of float64, (n, 4, 4)
        Of each column's row, column, amplitude, and the background at its place.
    """

    columns: Floats

    @property
    def std(self) -> Floats:
        """Standard deviations of row, column, amplitude and background, (n, 4)."""
        return np.sqrt(np.diagonal(self.columns, axis1=1, axis2=2))


def joint_errors(model: ColumnModel, points: Observations) -> Errors:
    """Errors of a model that was fitted to the points of a scan."""
    if not len(model.rows):
        return Errors(np.empty((0, 4, 4)))
    links = Links.of(model, points)
    system = linearise(model, points, links)
    normal = system.normal()
    diagonal = normal.diagonal()
    normal.setdiag(diagonal * (1 + 1e-9) + 1e-6 * float(np.median(diagonal)))
    count, size = len(model.rows), 3 * len(model.rows)
    here = node_weights(model.rows, model.columns, model.nodes.shape, model.spacing)
    covariances = np.empty((count, 4, 4))
    local_covariances(
        normal.indptr, normal.indices, normal.data, count, here.indices.astype(np.int64), here.data, covariances
    )
    weighted = system.weights[:, None] * system.shared
    cross = system.transposed @ weighted
    solved = solve(normal, cross, count)
    schur = system.shared.T @ weighted - cross.T @ solved
    response = np.concatenate([solved[:size].reshape(count, 3, -1), (here @ solved[size:])[:, None]], axis=1)
    return Errors(
        covariances + response @ np.linalg.pinv(schur, rcond=1e-12, hermitian=True) @ response.transpose(0, 2, 1)
    )
