"""Profile of an atomic column: an elliptical Gaussian core on two broad tails, tapered to zero at the profile's reach.

g(y, x) = (1 - t1 - t2) exp(-q / 2) + t1 B(r / 2.5 s) + t2 B(r / 6 s), B(z) = (1 + z^2)^(-3/2), times a smooth step down
to 0 between 0.63 R and the reach R. r is the distance from the column; q = d^T P d with P = (1 / s^2) [[1 + a, b],
[b, 1 - a]], so that a = b = 0 is round; t1 and t2 are the tails' shares of the height. B falls with the third power, as
a probe convolved with a Lorentzian-like source does; two of fixed relative widths are linear in their shares, where one
of free width is undetermined as soon as its share is small. g(0, 0) = 1.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["PARAMETERS", "Profile", "decay", "profile_at", "shape_and_slopes", "tabulated"]

PARAMETERS = 5
NEAR, FAR = 2.5, 6.0
_FLAT = 0.4
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_HALVES = 0.5 ** np.arange(128)
_MOST = np.array([math.inf, 0.8, 0.8, 0.6, 0.4])
_LEAST = np.array([-math.inf, -0.8, -0.8, -0.3, -0.1])
_LONGEST = np.array([0.25, 0.2, 0.2, 0.15, 0.1])


@dataclass(frozen=True)
class Profile:
    """Parameters of a profile.

    Attributes
    ----------
    sigma : float
        Width s of the core in pixels, above 0.
    along, across : float
        a and b, the core's ellipticity.
    near, far : float
        t1 and t2, shares of the two tails; below 0 where the flank is steeper than a Gaussian's.
    """

    sigma: float
    along: float = 0.0
    across: float = 0.0
    near: float = 0.0
    far: float = 0.0

    def array(self) -> npt.NDArray[np.float64]:
        """The parameters in the order of their declaration."""
        return np.array(astuple(self))

    def possible(self, step: npt.NDArray[np.float64]) -> float:
        """Largest share, at most 1, of a step (ln s, a, b, t1, t2) that stays within what a profile may be."""
        longest = np.abs(step) / _LONGEST
        return float(1.0 / max(1.0, longest.max()))

    def moved(self, step: npt.NDArray[np.float64]) -> Profile:
        """The profile after a step (ln s, a, b, t1, t2)."""
        values = self.array() + step
        values[0] = self.sigma * math.exp(step[0])
        return Profile(*np.clip(values, _LEAST, _MOST).tolist())


@compiled(inline=True)
def decay(x: float) -> float:
    """exp(-x) for x of 0 or more, to 3e-13 of it, in steps that run several at a time; below 1e-38 it ends."""
    halvings = math.floor(x * _LOG2_E + 0.5)
    rest = (halvings * _LN2_HIGH - x) + halvings * _LN2_LOW
    total = 1.0 + rest * 0.1
    total = 1.0 + rest * (1.0 / 9.0) * total
    total = 1.0 + rest * 0.125 * total
    total = 1.0 + rest * (1.0 / 7.0) * total
    total = 1.0 + rest * (1.0 / 6.0) * total
    total = 1.0 + rest * 0.2 * total
    total = 1.0 + rest * 0.25 * total
    total = 1.0 + rest * (1.0 / 3.0) * total
    total = 1.0 + rest * 0.5 * total
    total = 1.0 + rest * total
    number = np.int64(halvings)
    return float(total * _HALVES[number if number < 127 else 127])


@compiled(inline=True)
def profile_at(
    y: float, x: float, narrow: float, along: float, across: float, near: float, far: float, closed: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """(g, slopes by the column's row and column, by ln s, a, b, t1, t2) at an offset from a column.

    `narrow` is 1 / s^2 and `closed` 1 / reach^2. Without a branch or a checked division, so that it runs several at a
    time.
    """
    r2 = y * y + x * x
    outer = (r2 * closed - _FLAT) * (1.0 / (1.0 - _FLAT))
    outer = outer if outer > 0.0 else 0.0
    outer = outer if outer < 1.0 else 1.0
    taper = (1.0 - outer) * (1.0 - outer) * (1.0 + 2.0 * outer)
    falling = 12.0 * outer * (1.0 - outer) * closed * (1.0 / (1.0 - _FLAT))
    uy = ((1.0 + along) * y + across * x) * narrow
    ux = (across * y + (1.0 - along) * x) * narrow
    q = uy * y + ux * x
    core = decay(0.5 * q)
    near_base = np.reciprocal(1.0 + r2 * narrow * (1.0 / NEAR**2))
    far_base = np.reciprocal(1.0 + r2 * narrow * (1.0 / FAR**2))
    near_tail, far_tail = near_base * math.sqrt(near_base), far_base * math.sqrt(far_base)
    core_part = (1.0 - near - far) * core
    shape = core_part + near * near_tail + far * far_tail
    falls = 3.0 * narrow * (near * near_tail * near_base * (1.0 / NEAR**2) + far * far_tail * far_base * (1.0 / FAR**2))
    return (
        shape * taper,
        (core_part * uy + falls * y) * taper + shape * falling * y,
        (core_part * ux + falls * x) * taper + shape * falling * x,
        (core_part * q + falls * r2) * taper,
        -0.5 * core_part * (y * y - x * x) * narrow * taper,
        -core_part * y * x * narrow * taper,
        (near_tail - core) * taper,
        (far_tail - core) * taper,
    )


@compiled(inline=True)
def shape_and_slopes(
    y: float, x: float, profile: npt.NDArray[np.float64], reach: float, out: npt.NDArray[np.float64]
) -> None:
    """Write (g, slopes by the column's row and column, by ln s, a, b, t1, t2) at an offset from a column."""
    sigma, along, across, near, far = profile
    values = profile_at(y, x, 1.0 / sigma**2, along, across, near, far, 1.0 / reach**2)
    for n in range(8):
        out[n] = values[n]


def tabulated(profile: Profile, reach: float, step: int = 1) -> npt.NDArray[np.float64]:
    """The profile at multiples of a step around a column, (2 n + 1, 2 n + 1) with n steps the reach rounded up."""
    size = math.ceil(reach / step)
    return _tabulate(profile.array(), float(reach), size, step)


@compiled()
def _tabulate(profile: npt.NDArray[np.float64], reach: float, size: int, step: int) -> npt.NDArray[np.float64]:
    """Evaluate the shape alone."""
    out = np.empty(8)
    table = np.empty((2 * size + 1, 2 * size + 1))
    for i in range(2 * size + 1):
        for j in range(2 * size + 1):
            shape_and_slopes(float(step * (i - size)), float(step * (j - size)), profile, reach, out)
            table[i, j] = out[0]
    return table
