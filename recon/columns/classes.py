"""Classes of columns by their amplitude: a mixture of normal laws with each column's own error, as many as pay."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stemscan.types import Floats

__all__ = ["Classes", "find_classes"]


_MOST = 5
_FEWEST = 10
_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Classes:
    """A mixture of amplitudes.

    Attributes
    ----------
    means, spreads, shares : ndarray of float64, (classes,)
        Of the true amplitudes of each class, brightest first; shares add up to 1.
    log_likelihood : ndarray of float64, (n, classes)
        ln of share times density of each column under each class.
    """

    means: Floats
    spreads: Floats
    shares: Floats
    log_likelihood: Floats

    @property
    def best(self) -> npt.NDArray[np.int64]:
        """The most probable class of each column."""
        return np.asarray(np.argmax(self.log_likelihood, axis=1), np.int64)


def find_classes(amplitudes: Floats, errors: Floats) -> Classes:
    """Fit mixtures of one to five classes and take the number with the least Bayesian information criterion.

    Parameters
    ----------
    amplitudes, errors : ndarray of float64, (n,)
        Fitted amplitudes of either sign and their standard deviations, n at least 1.

    Returns
    -------
    Classes
    """
    best, lowest = _mixture(amplitudes, errors, 1), math.inf
    for number in range(1, _MOST + 1):
        if number > 1 and len(amplitudes) < _FEWEST * number:
            break
        tried = _mixture(amplitudes, errors, number)
        total = float(np.logaddexp.reduce(tried.log_likelihood, axis=1).sum())
        criterion = (3 * number - 1) * math.log(len(amplitudes)) - 2 * total
        if (criterion < lowest and (tried.shares * len(amplitudes) >= _FEWEST * 0.5).all()) or number == 1:
            best, lowest = tried, criterion
    return best


def _mixture(amplitudes: Floats, errors: Floats, number: int) -> Classes:
    """Expectation maximisation from equal parts of the sorted amplitudes."""
    parts = np.array_split(np.sort(amplitudes), number)
    means = np.array([part.mean() for part in parts])
    least = 0.01 * float(np.median(np.abs(amplitudes)))
    spreads = np.array([max(float(part.std()), least) for part in parts])
    shares = np.full(number, 1.0 / number)
    logs = _logs(amplitudes, errors, means, spreads, shares)
    for _ in range(_ROUNDS):
        weights = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
        variance = spreads**2 + errors[:, None] ** 2
        share = spreads**2 / variance
        true = means + share * (amplitudes[:, None] - means)
        mass = np.maximum(weights.sum(axis=0), 1e-9)
        before = means
        means = (weights * true).sum(axis=0) / mass
        spreads = np.sqrt((weights * ((true - means) ** 2 + share * errors[:, None] ** 2)).sum(axis=0) / mass)
        spreads, shares = np.maximum(spreads, least), mass / mass.sum()
        logs = _logs(amplitudes, errors, means, spreads, shares)
        if np.abs(means - before).max() < 1e-4 * least:
            break
    order = np.argsort(-np.abs(means), kind="stable")
    return Classes(means[order], spreads[order], shares[order], logs[:, order])


def _logs(amplitudes: Floats, errors: Floats, means: Floats, spreads: Floats, shares: Floats) -> Floats:
    """ln of share times density, (n, classes)."""
    variance = spreads**2 + errors[:, None] ** 2
    return np.log(shares) - 0.5 * (np.log(2 * math.pi * variance) + (amplitudes[:, None] - means) ** 2 / variance)
