"""Archimedean spiral at constant speed, of equal dose along the way.

Sang et al., Advanced Structural and Chemical Imaging 2, 6 (2016).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from stemscan.plan.options import Option
from stemscan.plan.patterns.base import Way
from stemscan.runtime.portable_math import log

__all__ = ["Spiral", "arc_length"]

_TWO_PI = 6.283185307179586


def arc_length(angle: float) -> float:
    """Length of the spiral r = angle from its centre to an angle in radians."""
    root = math.sqrt(1.0 + angle * angle)
    return 0.5 * (angle * root + log(angle + root))


class Spiral(Way):
    """An Archimedean spiral from the centre to the largest circle inside the grid, samples at equal distances along it.

    Every pass takes the same way.

    Parameters
    ----------
    pitch : float
        Distance of neighbouring turns in pixels, 0.25 to 1024.
    spacing : float
        Distance of successive samples along the spiral in pixels, 0.25 to 1024.
    """

    kind: Literal["spiral"] = "spiral"
    pitch: Annotated[float, Field(ge=0.25, le=1024), Option(default=4.0, tried=(0.5, 20.0))]
    spacing: Annotated[float, Field(ge=0.25, le=1024), Option(default=4.0, tried=(0.5, 20.0))]

    def samples_per_pass(self, shape: tuple[int, int]) -> int:
        """Count the samples up to the largest circle inside the grid."""
        scale = self.pitch / _TWO_PI
        radius = (min(shape) - 1) / 2
        return 1 + math.floor(scale * arc_length(radius / scale) / self.spacing)
