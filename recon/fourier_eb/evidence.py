"""Ridge regression under the prior variances, one for each group of coefficients, that make the data likeliest.

Data enter by their Gram matrix G and moments b = G beta + noise, of covariance s G. With coefficients in units of their
measures' spread and prior variances t_g s, the logarithm of the marginal likelihood is that of a normal distribution.
Directions in which measures hardly differ tell nothing but rounding, and are left out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["ridge"]

Array = npt.NDArray[np.float64]

_LEAST: Final = 1e-6  # eigenvalue over the largest
_GRIDS: Final = (np.arange(-7.0, 4.5), np.array([-0.5, 0.0, 0.5]), np.array([-0.25, 0.0, 0.25]))
_BEGIN: Final = -3.0  # decimal logarithm of a prior variance over the noise's


def ridge(gram: Array, moments: Array, noise: float, groups: npt.NDArray[np.int_]) -> Array:
    """Coefficients by ridge regression.

    Parameters
    ----------
    gram : ndarray of float64, (n, n)
        Sum of w phi phi^T over samples.
    moments : ndarray of float64, (n,)
        Sum of w phi y.
    noise : float
        Variance of a sample of weight 1, above 0.
    groups : ndarray of int, (n,)
        Of coefficients with one prior variance.

    Returns
    -------
    ndarray of float64, (n,)
    """
    unit = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    values, vectors = np.linalg.eigh(gram / unit[:, None] / unit)
    told = values > _LEAST * values[-1]
    if not values[-1] > 0:
        return np.zeros(len(gram))
    root = np.sqrt(values[told])
    mixing = (vectors[:, told] * root).T
    data = vectors[:, told].T @ (moments / unit) / root
    logs = _likeliest(mixing, data, noise, groups)
    prior = 10 ** logs[groups]
    solved = np.linalg.solve(_covariance(mixing, prior), data)
    coefficients: Array = prior * (mixing.T @ solved) / unit
    return coefficients


def _likeliest(mixing: Array, data: Array, noise: float, groups: npt.NDArray[np.int_]) -> Array:
    """Decimal logarithms of prior variances over the noise's, by turns one group at a time."""
    logs = np.full(int(groups.max()) + 1, _BEGIN)
    for turn, grid in enumerate(_GRIDS):
        for group in range(len(logs)):
            values = grid + (logs[group] if turn else 0.0)
            tried = [np.where(np.arange(len(logs)) == group, value, logs) for value in values]
            logs = max(tried, key=lambda one: _evidence(mixing, data, noise, 10 ** one[groups]))
    return logs


def _evidence(mixing: Array, data: Array, noise: float, prior: Array) -> float:
    """Logarithm of the marginal likelihood, up to a constant."""
    factor = np.linalg.cholesky(_covariance(mixing, prior))
    whitened = np.linalg.solve(factor, data)
    return -float(np.log(np.diag(factor)).sum()) - float(whitened @ whitened) / (2 * noise)


def _covariance(mixing: Array, prior: Array) -> Array:
    """Covariance of the data over the noise's variance."""
    covariance: Array = np.eye(len(mixing)) + (mixing * prior) @ mixing.T
    return covariance
