"""Displacements of columns: edge dislocations in isotropic elasticity, and smooth strain."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.specimens.synthetic.choices import Choices
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage
from stemscan.simulators.specimens.synthetic.splines import Spline

__all__ = ["dislocated", "strained"]

_POISSON: Final = 0.3
"""Poisson's ratio."""


def dislocated(choices: Choices, sites: Sites, cell: NDArray[np.float64], stage: Stage) -> Sites:
    """Displace columns by one or two edge dislocations, in a part of the grains.

    The Burgers vector is one of the cell's vectors, so that the lattice closes again behind the cut (Hirth and Lothe,
    Theory of Dislocations, equation 3-45). The displacement is that of an infinite crystal.

    Parameters
    ----------
    cell : float64 (2, 2)
        The projected cell's vectors in pixels.
    """
    count = choices.one_of("dislocations", (0, 1, 2), (8, 1.5, 0.5))
    for number in range(count):
        one = choices.under(f"dislocation {number}")
        burgers = min(cell, key=_length) if one.chance("shortest burgers vector", 0.7) else max(cell, key=_length)
        burgers = -burgers if one.chance("reversed", 0.5) else burgers
        length = _length(burgers)
        x_axis = burgers / length
        place = [share * size for share, size in zip(_place(one), stage.shape, strict=True)]
        down, right = sites.rows - place[0], sites.columns - place[1]
        x = down * x_axis[0] + right * x_axis[1]
        y = -down * x_axis[1] + right * x_axis[0]
        along, across = _edge(x, y, length, stage)
        sites = sites.moved(along * x_axis[0] - across * x_axis[1], along * x_axis[1] + across * x_axis[0])
    return sites


def _length(vector: NDArray[np.float64]) -> float:
    return math.hypot(float(vector[0]), float(vector[1]))


def _place(choices: Choices) -> tuple[float, float]:
    """Place of a dislocation, in fractions of the field from its centre."""
    return choices.uniform("row", -0.4, 0.4), choices.uniform("column", -0.4, 0.4)


def _edge(
    x: NDArray[np.float64], y: NDArray[np.float64], burgers: float, stage: Stage
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Displacement along the Burgers vector and across it."""
    square = x * x + y * y + (0.1 * burgers) ** 2
    stiff = 4 * (1 - _POISSON)
    along = np.arctan2(y, x) + 2 * x * y / (stiff * square)
    distant = float(max(stage.shape)) ** 2 / 4
    across = (1 - 2 * _POISSON) / stiff * np.log(square / distant) + (x * x - y * y) / (stiff * square)
    return burgers / (2 * math.pi) * along, -burgers / (2 * math.pi) * across


def strained(choices: Choices, sites: Sites, stage: Stage) -> Sites:
    """Displace columns by a smooth random field, in half of the specimens."""
    if not choices.chance("smooth strain", 0.5):
        return sites
    cell = choices.log_uniform("strain length", 8, 60) * stage.spacing
    amplitude = choices.log_uniform("strain", 0.001, 0.02) * cell / 1.5
    amplitude = min(amplitude, 0.7 * stage.spacing)
    moved = []
    for way in ("down", "right"):
        field = Spline.noise(choices.key(f"strain {way}"), stage.shape, cell, stage.margin)
        moved.append(amplitude * field.at(sites.rows, sites.columns))
    return sites.moved(moved[0], moved[1])
