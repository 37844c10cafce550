"""Sine, cosine, logarithm and exponential from basic arithmetic alone: the same bits on every machine.

Paths are pinned by digests; mathematical libraries differ in the last bit, and a last bit can decide to which pixel a
point is rounded. The functions are plain Python: kernels compile them.
"""

from __future__ import annotations

import math

__all__ = ["exp", "log", "sine_cosine"]

_LN2 = 0.6931471805599453
_TWO_PI = 6.283185307179586


def sine_cosine(turn: float) -> tuple[float, float]:
    """Sine and cosine of an angle in turns (1 is the full circle), to 2e-16.

    Parameters
    ----------
    turn : float
        0 to 1.
    """
    quarter = math.floor(4.0 * turn + 0.5)
    x = _TWO_PI * (turn - 0.25 * quarter)
    square = x * x
    sine = cosine = 1.0
    for k in range(8):
        step = 16 - 2 * k
        sine = 1.0 - square * sine / (step * (step + 1))
        cosine = 1.0 - square * cosine / (step * (step - 1))
    sine *= x
    side = int(quarter) % 4
    if side == 1:
        return cosine, -sine
    if side == 2:
        return -sine, -cosine
    if side == 3:
        return -cosine, sine
    return sine, cosine


def log(value: float) -> float:
    """Natural logarithm of a number above 0, to 1e-15 of it."""
    mantissa, exponent = math.frexp(value)
    if mantissa < 0.7071067811865476:
        mantissa *= 2.0
        exponent -= 1
    z = (mantissa - 1.0) / (mantissa + 1.0)
    square = z * z
    total = 0.0
    for k in range(11):
        total = total * square + 1.0 / (21 - 2 * k)
    return 2.0 * z * total + exponent * _LN2


def exp(value: float) -> float:
    """Exponential function, to 4e-16 of it; 0 below -700, and that of 700 above 700."""
    if value < -700.0:
        return 0.0
    value = min(value, 700.0)
    turns = math.floor(value / _LN2 + 0.5)
    rest = (value - turns * 0.693147180369123816490) - turns * 1.90821492927058770002e-10
    total = rest * (1 / 87178291200) + 1 / 6227020800
    total = ((total * rest + 1 / 479001600) * rest + 1 / 39916800) * rest + 1 / 3628800
    total = ((total * rest + 1 / 362880) * rest + 1 / 40320) * rest + 1 / 5040
    total = (((total * rest + 1 / 720) * rest + 1 / 120) * rest + 1 / 24) * rest + 1 / 6
    return math.ldexp(((total * rest + 0.5) * rest + 1.0) * rest + 1.0, int(turns))
