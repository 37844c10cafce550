"""Linear regression with as much shrinkage as the evidence of the data calls for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.types import Floats

__all__ = ["shrunk"]

_ROUNDS = 60
_SETTLED = 0.01
_NOTHING = 1e-3
"""Prior variance, over that of the noise, at which a coefficient is as good as zero."""


def shrunk(information: Floats, pull: Floats, groups: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Coefficients and their covariance posterior to data, those of a group normal about 0 with a learned variance.

    The evidence of a group of n coefficients c is stationary at the variance c^T c / (n - tr(C) / variance), with C
    their posterior covariance (MacKay, Neural Computation 4, 415, 1992).

    Parameters
    ----------
    information : ndarray of float64, (m, m)
        J^T W J of the regression.
    pull : ndarray of float64, (m,)
        J^T W y.
    groups : ndarray of int64, (m,)
        Number of each coefficient's group, 0 to the last.

    Returns
    -------
    coefficients : ndarray of float64, (m,)
    covariance : ndarray of float64, (m, m)
    """
    sizes = np.bincount(groups)
    noise = np.bincount(groups, 1.0 / np.maximum(np.diagonal(information), 1e-300)) / sizes
    variances = 10.0 * noise
    for _ in range(_ROUNDS):
        covariance = np.linalg.inv(information + np.diag(1.0 / variances[groups]))
        coefficients = covariance @ pull
        free = sizes - np.bincount(groups, np.diagonal(covariance)) / variances
        before, squares = variances, np.bincount(groups, coefficients**2)
        variances = np.maximum(squares / np.maximum(free, 1e-3), _NOTHING * noise)
        if np.all(np.abs(np.log(variances / before)) < _SETTLED):
            break
    return coefficients, np.asarray(covariance, np.float64)
