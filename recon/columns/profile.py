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

__all__ = ["PARAMETERS", "Profile", "shape_and_slopes", "tabulated"]

PARAMETERS = 5
NEAR, FAR = 2.5, 6.0
_FLAT = 0.4
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
def shape_and_slopes(
    y: float, x: float, profile: npt.NDArray[np.float64], reach: float, out: npt.NDArray[np.float64]
) -> None:
    """Write (g, slopes by the column's row and column, by ln s, a, b, t1, t2) at an offset from a column."""
    sigma, along, across, near, far = profile
    s2 = sigma * sigma
    r2 = y * y + x * x
    outer = (r2 / (reach * reach) - _FLAT) / (1.0 - _FLAT)
    taper, taper_slope = 1.0, 0.0
    if outer >= 1.0:
        taper = 0.0
    elif outer > 0.0:
        taper = (1.0 - outer) * (1.0 - outer) * (1.0 + 2.0 * outer)
        taper_slope = -12.0 * outer * (1.0 - outer) / (reach * reach * (1.0 - _FLAT))
    uy = ((1.0 + along) * y + across * x) / s2
    ux = (across * y + (1.0 - along) * x) / s2
    q = uy * y + ux * x
    core = math.exp(-0.5 * q)
    near_base = 1.0 + r2 / (NEAR * NEAR * s2)
    far_base = 1.0 + r2 / (FAR * FAR * s2)
    near_tail = 1.0 / (near_base * math.sqrt(near_base))
    far_tail = 1.0 / (far_base * math.sqrt(far_base))
    share = 1.0 - near - far
    tails = near * near_tail + far * far_tail
    falls = 3.0 * (near * near_tail / (near_base * NEAR * NEAR * s2) + far * far_tail / (far_base * FAR * FAR * s2))
    shape = share * core + tails
    out[0] = shape * taper
    out[1] = (share * core * uy + falls * y) * taper - shape * taper_slope * y
    out[2] = (share * core * ux + falls * x) * taper - shape * taper_slope * x
    out[3] = (share * core * q + falls * r2) * taper
    out[4] = -0.5 * share * core * (y * y - x * x) / s2 * taper
    out[5] = -share * core * y * x / s2 * taper
    out[6] = (near_tail - core) * taper
    out[7] = (far_tail - core) * taper


def tabulated(profile: Profile, reach: float) -> npt.NDArray[np.float64]:
    """The profile at whole pixels around a column, (2 n + 1, 2 n + 1) with n the reach rounded up."""
    size = math.ceil(reach)
    return _tabulate(profile.array(), float(reach), size)


@compiled()
def _tabulate(profile: npt.NDArray[np.float64], reach: float, size: int) -> npt.NDArray[np.float64]:
    """Evaluate the shape alone."""
    out = np.empty(8)
    table = np.empty((2 * size + 1, 2 * size + 1))
    for i in range(2 * size + 1):
        for j in range(2 * size + 1):
            shape_and_slopes(float(i - size), float(j - size), profile, reach, out)
            table[i, j] = out[0]
    return table
