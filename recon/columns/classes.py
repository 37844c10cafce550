"""Classes of columns by their amplitude: a mixture of normal laws with each column's own error, as many as pay."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.profile import decay
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["Classes", "find_classes"]


_MOST = 5
_FEWEST = 10
_IN_VAIN = 2
_ROUNDS = 200
_ENOUGH = 20000
"""So many columns, evenly taken from all, tell what a class is like."""


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

    def of(self, amplitudes: Floats, errors: Floats) -> npt.NDArray[np.int64]:
        """The most probable class of further columns."""
        logs = _logs(amplitudes, errors, self.means, self.spreads, self.shares)
        return np.asarray(np.argmax(logs, axis=1), np.int64)


def find_classes(amplitudes: Floats, errors: Floats) -> Classes:
    """Fit mixtures of one to five classes and take the number with the least Bayesian information criterion.

    Where two more classes are not worth it, a third is not tried.

    Parameters
    ----------
    amplitudes, errors : ndarray of float64, (n,)
        Fitted amplitudes of either sign and their standard deviations, n at least 1.
    """
    best, lowest, worse = _mixture(amplitudes, errors, 1), math.inf, 0
    for number in range(1, _MOST + 1):
        if number > 1 and len(amplitudes) < _FEWEST * number:
            break
        tried = _mixture(amplitudes, errors, number)
        total = float(np.logaddexp.reduce(tried.log_likelihood, axis=1).sum())
        criterion = (3 * number - 1) * math.log(len(amplitudes)) - 2 * total
        if (criterion < lowest and (tried.shares * len(amplitudes) >= _FEWEST * 0.5).all()) or number == 1:
            best, lowest, worse = tried, criterion, 0
        elif (worse := worse + 1) == _IN_VAIN:
            break
    return best


def _mixture(amplitudes: Floats, errors: Floats, number: int) -> Classes:
    """Expectation maximisation from equal parts of the sorted amplitudes."""
    parts = np.array_split(np.sort(amplitudes), number)
    means = np.array([part.mean() for part in parts])
    least = 0.01 * float(np.median(np.abs(amplitudes)))
    spreads = np.array([max(float(part.std()), least) for part in parts])
    shares = np.full(number, 1.0 / number)
    some = slice(None, None, -(-len(amplitudes) // _ENOUGH))
    _improve(amplitudes[some], errors[some] ** 2, means, spreads, shares, least)
    order = np.argsort(-np.abs(means), kind="stable")
    means, spreads, shares = means[order], spreads[order], shares[order]
    return Classes(means, spreads, shares, _logs(amplitudes, errors, means, spreads, shares))


@compiled()
def _improve(
    amplitudes: Floats, variances: Floats, means: Floats, spreads: Floats, shares: Floats, least: float
) -> None:
    """Improve means, spreads and shares in place until the means stand still."""
    number, count = means.size, amplitudes.size
    heights, off, mass = np.empty((number, count)), np.empty((number, count)), np.empty(number)
    nearest, total, kept = np.empty(count), np.empty(count), np.empty(count)
    for _ in range(_ROUNDS):
        for c in range(number):
            mean, spread, share = means[c], spreads[c] ** 2, shares[c]
            for n in range(count):
                inverse = np.reciprocal(spread + variances[n])
                heights[c, n] = share * math.sqrt(inverse)
                off[c, n] = 0.5 * inverse * (amplitudes[n] - mean) ** 2
        nearest[:] = off[0]
        for c in range(1, number):
            for n in range(count):
                nearest[n] = min(nearest[n], off[c, n])
        total[:] = 0.0
        for c in range(number):
            for n in range(count):
                heights[c, n] *= decay(off[c, n] - nearest[n])
                total[n] += heights[c, n]
        moved = 0.0
        for c in range(number):
            mean, spread = means[c], spreads[c] ** 2
            weight = first = second = 0.0
            for n in range(count):
                kept[n] = spread * np.reciprocal(spread + variances[n])
                heights[c, n] *= np.reciprocal(total[n])
            for n in range(count):
                true = kept[n] * (amplitudes[n] - mean)
                weight += heights[c, n]
                first += heights[c, n] * true
                second += heights[c, n] * (true**2 + kept[n] * variances[n])
            mass[c] = max(weight, 1e-9)
            step = first / mass[c]
            moved = max(moved, abs(step))
            means[c] = mean + step
            spreads[c] = max(math.sqrt(max(second / mass[c] - step**2, 0.0)), least)
        shares[:] = mass / mass.sum()
        if moved < 1e-3 * least:
            break


def _logs(amplitudes: Floats, errors: Floats, means: Floats, spreads: Floats, shares: Floats) -> Floats:
    """ln of share times density, (n, classes)."""
    variance = spreads**2 + errors[:, None] ** 2
    return np.log(shares) - 0.5 * (np.log(2 * math.pi * variance) + (amplitudes[:, None] - means) ** 2 / variance)
