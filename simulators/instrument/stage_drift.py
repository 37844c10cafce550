"""Stage drift: slow motion of the specimen under the beam, in time, across passes.

The offset of the beam on the specimen is, for a time t since the scan began, of which all lengths are (row, column),

    d(t) = sum_k p_k t^k + s (1 - exp(-t / tau)) + w B(t) + g t / T

a polynomial (thermal drift), an exponential approach (a stage that settles after a move), and a random walk: Brownian
motion B of standard deviation sqrt(t) in each direction (Jones et al., Adv. Struct. Chem. Imaging 1 (2015) 8, find
such motion between frames); and, for trials that show as much whatever the scan's size and dwell time, a steady motion
g in pixels over the time T of the whole scan. It is 0 at the beginning, and does not go on with a sample's number but
with time, so that waits of the controller count.

The walk is made by midpoints (Levy's construction of Brownian motion): the middle of a stretch is the mean of its ends
and a normal number of variance (length / 4), keyed by the level and number of the stretch, from 2^50 ns (13 days)
down to 2^14 ns (16 us); between, it is straight. Any time's value is had alone from 37 numbers.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from stemscan.hardware.profile_parts import pairs
from stemscan.random import Stream, normal_pair
from stemscan.runtime.compiled import compiled
from stemscan.runtime.portable_math import exp
from stemscan.simulators.instrument.effect import Effect, Moves, Pair, Positive, Scan, Size

__all__ = ["StageDrift", "random_walk", "steady"]

_MINUTE_NS: Final = 6e10
_TOP: Final = 50
_BOTTOM: Final = 14
_LEVELS: Final = _TOP - _BOTTOM
_STREAM: Final = Stream.STAGE
_exp = compiled()(exp)


class StageDrift(Effect):
    """Settings of stage drift: motion of the beam over the specimen, (row, column) in nm.

    Parameters
    ----------
    polynomial_nm : tuple of (float, float)
        Coefficients of the time in minutes, of its square, and so on: the first pair is a velocity in nm per minute.
    settling_nm : (float, float)
        Distance that it goes in the end as the stage settles.
    settling_min : float
        Time constant of that, in minutes.
    walk_nm : float
        Standard deviation, after one minute, of a random walk in each direction.
    scan_px : (float, float)
        Distance that it goes steadily from the beginning of a scan to its end, in pixels; needs no pixel size.
    """

    polynomial_nm: Annotated[tuple[Pair, ...], BeforeValidator(pairs), Field(max_length=8)] = ()
    settling_nm: Pair = (0.0, 0.0)
    settling_min: Positive = 1.0
    walk_nm: Size = 0.0
    scan_px: Pair = (0.0, 0.0)

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return not (self._in_nm or any(self.scan_px))

    @property
    def _in_nm(self) -> bool:
        """Tell whether something of it is a length in nm."""
        return bool(any(map(any, self.polynomial_nm)) or any(self.settling_nm) or self.walk_nm)

    def moves(self, scan: Scan) -> Moves:
        """The motion in a scan, in pixels.

        Raises
        ------
        UsageError
            When a length is in nm and the pixel size is not known.
        """
        pixel = scan.pixel("stage_drift") if self._in_nm else 1.0
        lasting = float(scan.clock.middles(len(scan.path) - 1, len(scan.path))[0]) + 0.5 * scan.clock.dwell_ns
        steadily = np.array(self.scan_px) / max(lasting, 1.0)
        polynomial, settling = np.array([*self.polynomial_nm, (0.0, 0.0)]) / pixel, np.array(self.settling_nm) / pixel
        walk, seed, per_minute = self.walk_nm / pixel, np.uint64(scan.seed), 1 / self.settling_min

        def add(start: int, times: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
            steady(times, polynomial, settling, per_minute, offsets)
            if walk:
                random_walk(seed, times, walk / np.sqrt(_MINUTE_NS), offsets)
            if steadily.any():
                offsets += np.multiply.outer(times, steadily)

        return add


@compiled()
def steady(
    times: NDArray[np.float64],
    polynomial: NDArray[np.float64],
    settling: NDArray[np.float64],
    per_minute: float,
    offsets: NDArray[np.float64],
) -> None:
    """Add a polynomial without a constant, (k, 2), and an exponential approach at times in ns to offsets (n, 2)."""
    settles = settling[0] != 0.0 or settling[1] != 0.0
    for i in range(times.size):
        minutes = times[i] / _MINUTE_NS
        done = 1.0 - _exp(-minutes * per_minute) if settles else 0.0
        for axis in range(2):
            total = 0.0
            for k in range(polynomial.shape[0] - 1, -1, -1):
                total = (total + polynomial[k, axis]) * minutes
            offsets[i, axis] += total + done * settling[axis]


@compiled()
def random_walk(seed: np.uint64, times: NDArray[np.float64], per_root_ns: float, offsets: NDArray[np.float64]) -> None:
    """Add two independent Brownian motions, of variance ``per_root_ns**2`` a nanosecond, at times, to offsets.

    Parameters
    ----------
    times : float64 (n,)
        In ns, 0 to 2**50; in ascending order it is quickest.
    offsets : float64 (n, 2)
        Changed in place.
    """
    node = np.full(_LEVELS, -1, np.int64)  # of each level, the number of the stretch whose ends and middle are known
    left, right, middle = np.zeros((_LEVELS + 1, 2)), np.zeros((_LEVELS + 1, 2)), np.zeros((_LEVELS + 1, 2))
    down, across = normal_pair(seed, _STREAM, np.uint64(0), _LEVELS)
    right[0, 0], right[0, 1] = down * 2.0 ** (0.5 * _TOP), across * 2.0 ** (0.5 * _TOP)
    knot = np.int64(-1)
    for i in range(times.size):
        at = np.int64(times[i]) >> _BOTTOM
        if at != knot:
            knot = at
            for level in range(_LEVELS):
                number = at >> (_LEVELS - level)
                if number != node[level]:
                    node[level] = number
                    down, across = normal_pair(seed, _STREAM, np.uint64(number), level)
                    spread = 2.0 ** (0.5 * (_TOP - level))
                    middle[level, 0] = 0.5 * (left[level, 0] + right[level, 0] + spread * down)
                    middle[level, 1] = 0.5 * (left[level, 1] + right[level, 1] + spread * across)
                second = (at >> (_LEVELS - level - 1)) & 1
                for axis in range(2):
                    left[level + 1, axis] = middle[level, axis] if second else left[level, axis]
                    right[level + 1, axis] = right[level, axis] if second else middle[level, axis]
        share = times[i] * 2.0**-_BOTTOM - at
        for axis in range(2):
            ends = (1.0 - share) * left[_LEVELS, axis] + share * right[_LEVELS, axis]
            offsets[i, axis] += per_root_ns * ends
