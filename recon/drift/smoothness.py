"""Smoothness of a trajectory, chosen by the evidence of the linearised model.

The prior of each direction is a Gaussian process in time, a sum of

- a constant, a velocity and a parabola, of any size;
- an integrated random walk (Wahba, J. Roy. Statist. Soc. B 40 (1978) 364: cubic splines), for drift that bends;
- an approach to rest, exp(-t / tau), for a stage that settles;
- an Ornstein-Uhlenbeck process, for random walks and for jitter that lasts some time.

Their five numbers, one set for both directions, are those that make the samples likeliest (the marginal likelihood of
MacKay, Neural Comput. 4 (1992) 415), so that a straight drift gets a straight line, and a shaking one is followed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Posterior", "Smoothness", "choose_smoothness", "posterior"]

Floats = npt.NDArray[np.float64]

_FREE: Final = 1e4
"""Variance in px^2 of what may have any size."""

_MEAN: Final = 1e4
"""Precision with which the mean over the scan is held at 0."""

_USUAL: Final = np.log([0.02, 0.02, 0.2, 0.02, 0.2])
_SPREAD: Final = np.array([4.0, 4.0, 1.2, 3.0, 2.0])
"""Logarithms of usual sizes and times, and how far they usually lie from these; weak."""


class Smoothness(NamedTuple):
    """Sizes in pixels and times as shares of the scan, as natural logarithms.

    Attributes
    ----------
    bend : float
        Of the integrated random walk, after a whole scan.
    settle : float
        Size of the approach to rest, ...
    settles : float
        ... and its time constant.
    shake : float
        Standard deviation of the process that forgets, ...
    lasts : float
        ... and how long it lasts.
    """

    bend: float
    settle: float
    settles: float
    shake: float
    lasts: float


class Posterior(NamedTuple):
    """A trajectory at its knots.

    Attributes
    ----------
    offsets, std : ndarray of float64, (K, 2)
    freedom : float
        Effective number of parameters.
    """

    offsets: Floats
    std: Floats
    freedom: float

    @property
    def rms_std(self) -> float:
        """Root mean square standard deviation."""
        return float(np.sqrt(np.mean(self.std**2)))


def posterior(force: Floats, information: Floats, now: Floats, mean: Floats, smooth: Smoothness) -> Posterior:
    """The likeliest trajectory and its errors.

    Parameters
    ----------
    force, information : ndarray of float64, (2 K,), (2 K, 2 K)
        See `Linearised`.
    now : ndarray of float64, (K, 2)
        The trajectory about which these were linearised.
    mean : ndarray of float64, (K,)
        Weights of the knots in the mean over the scan, which is held at 0.
    """
    from scipy.linalg import cho_solve

    count = len(mean)
    firm = _held(information, mean)
    right = firm @ now.T.ravel() + force
    root = np.asarray(np.kron(np.eye(2), _root(smooth, count)), np.float64)
    factor = _factor(firm, root)
    inner = cho_solve((factor, True), root.T)
    offsets = (root @ (inner @ right)).reshape(2, count).T
    std = np.sqrt(np.maximum(np.einsum("ij,ji->i", root, inner), 0)).reshape(2, count).T
    freedom = 2 * count - float(np.trace(cho_solve((factor, True), np.eye(2 * count))))
    return Posterior(offsets - mean @ offsets, std, freedom)


def choose_smoothness(
    force: Floats, information: Floats, now: Floats, mean: Floats, start: Smoothness | None = None
) -> Smoothness:
    """The smoothness of most evidence, on few knots; on all, beginning with `start`, only how it shakes.

    Parameters
    ----------
    force, information, now, mean
        As for `posterior`.
    start : Smoothness, optional
        Of which all but the process that forgets is kept.
    """
    count = len(mean)
    firm = _held(information, mean)
    right = (firm @ now.T.ravel() + force).reshape(2, count)
    blocks = [firm[axis * count : (axis + 1) * count, axis * count : (axis + 1) * count] for axis in (0, 1)]
    if start is None:
        line = _lines(count, min(count, _COARSE))
        blocks, right = [line.T @ block @ line for block in blocks], right @ line
        return _likeliest(
            blocks, right, sorted(_STARTS, key=lambda one: _unlikely(one, blocks, right))[:2], slice(0, 5)
        )
    return _likeliest(blocks, right, [start], slice(3, 5))


_COARSE: Final = 65
"""Knots on which the smoothness is chosen."""

_FIRST_STEPS: Final = np.array([-1.0, -1.0, 0.7, -1.0, -0.7])

_STARTS: Final = tuple(
    Smoothness(*np.log([bend, settle, settles, shake, lasts]))
    for bend, settle, settles, shake, lasts in (
        (0.02, 0.02, 0.2, 0.02, 0.2),
        (0.3, 0.02, 0.2, 0.02, 0.2),
        (3.0, 0.02, 0.2, 0.02, 0.2),
        (0.02, 5.0, 0.03, 0.02, 0.2),
        (0.02, 5.0, 0.1, 0.02, 0.2),
        (0.02, 5.0, 0.2, 0.02, 0.2),
        (0.02, 5.0, 0.4, 0.02, 0.2),
        (0.02, 0.02, 0.2, 1.0, 0.5),
        (0.02, 0.02, 0.2, 0.3, 0.1),
        (0.02, 0.02, 0.2, 0.3, 0.01),
    )
)


def _likeliest(blocks: list[Floats], right: Floats, starts: list[Smoothness], which: slice) -> Smoothness:
    """The smoothness of most evidence near one of several, of which some numbers may change."""
    from scipy.optimize import minimize

    options = {"xatol": 0.2, "fatol": 0.05, "maxiter": 150 if which.start == 0 else 25}
    best, least = starts[0], np.inf
    for start in starts:
        first = np.array(start)

        def unlikely(numbers: Floats, first: Floats = first) -> float:
            tried = first.copy()
            tried[which] = numbers
            return _unlikely(Smoothness(*tried), blocks, right)

        steps = np.where(first < _USUAL + 1, -_FIRST_STEPS, _FIRST_STEPS)[which]
        corners = np.vstack([first[which], first[which] + np.diag(steps)])
        found = minimize(unlikely, first[which], method="Nelder-Mead", options=options | {"initial_simplex": corners})
        if found.fun < least:
            first[which] = found.x
            best, least = Smoothness(*first), float(found.fun)
    return best


def _unlikely(smooth: Smoothness, blocks: list[Floats], right: Floats) -> float:
    """Minus the logarithm of evidence and prior."""
    root = _root(smooth, right.shape[1])
    value = 0.5 * float(np.sum(((np.array(smooth) - _USUAL) / _SPREAD) ** 2))
    return value - sum(_evidence(block, pulled, root) for block, pulled in zip(blocks, right, strict=True))


def _lines(count: int, few: int) -> Floats:
    """Values at `count` even times of functions that are straight between `few`, (count, few)."""
    at = np.linspace(0, few - 1, count)
    return np.asarray(np.maximum(1 - np.abs(at[:, np.newaxis] - np.arange(few)), 0))


def _held(information: Floats, mean: Floats) -> Floats:
    """With the mean held."""
    return np.asarray(information + np.kron(np.eye(2), _MEAN * np.outer(mean, mean)))


def _root(smooth: Smoothness, count: int) -> Floats:
    """Lower triangular root of the prior covariance of one direction, (count, count)."""
    time = np.linspace(0, 1, count)
    low, high = np.minimum(time[:, np.newaxis], time), np.maximum(time[:, np.newaxis], time)
    bend, settle, settles, shake, lasts = np.exp(np.clip(smooth, -9, 5))
    even = 2 * time - 1
    covariance = _FREE * (1 + np.outer(even, even) + np.outer(even**2, even**2))
    covariance += 12 * bend**2 * low * low * (3 * high - low) / 6
    rest = np.exp(-time / settles)
    covariance += (settle / max(1 - rest[-1], 1e-9)) ** 2 * np.outer(rest, rest) if settle else 0
    covariance += shake**2 * np.exp(-(high - low) / lasts)
    covariance[np.diag_indices(count)] += 1e-7
    return np.asarray(np.linalg.cholesky(covariance))


def _factor(firm: Floats, root: Floats) -> Floats:
    """Cholesky factor of I + root' firm root."""
    both = root.T @ firm @ root
    both[np.diag_indices(len(both))] += 1.0
    return np.asarray(np.linalg.cholesky(both))


def _evidence(firm: Floats, right: Floats, root: Floats) -> float:
    """Logarithm of the marginal likelihood of one direction, but for a constant."""
    from scipy.linalg import solve_triangular

    factor = _factor(firm, root)
    seen = solve_triangular(factor, root.T @ right, lower=True)
    return 0.5 * float(seen @ seen) - float(np.sum(np.log(np.diag(factor))))
