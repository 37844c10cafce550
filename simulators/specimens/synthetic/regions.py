"""Borders of regions: wavy lines across the field, cells about seeds, faceted particles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stemscan.simulators.specimens.synthetic.choices import Choices
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage
from stemscan.types import Floats

__all__ = ["Line", "choose_line", "facets", "voronoi"]


@dataclass(frozen=True)
class Line:
    """A line across the field, straight or wavy.

    Parameters
    ----------
    normal : tuple of float
        Unit vector (down, right) across it.
    offset : float
        Distance from the field's centre in pixels.
    wave : tuple of float
        Amplitude in pixels, wave number in radians a pixel, phase.
    """

    normal: tuple[float, float]
    offset: float
    wave: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def beyond(self, rows: Floats, columns: Floats) -> Floats:
        """Signed distance of places (pixels from the centre) from the line, positive on the side of the normal."""
        across = rows * self.normal[0] + columns * self.normal[1] - self.offset
        amplitude, number, phase = self.wave
        if amplitude == 0:
            return across
        along = columns * self.normal[0] - rows * self.normal[1]
        return np.asarray(across - amplitude * np.sin(number * along + phase))

    def of(self, sites: Sites) -> Floats:
        """The same for columns."""
        return self.beyond(sites.rows, sites.columns)


def choose_line(
    choices: Choices, stage: Stage, *, angle: float | None = None, reach: float = 0.6, wavy: bool = True
) -> Line:
    """Choose a line that crosses the field.

    Parameters
    ----------
    angle : float, optional
        Direction of the normal in radians; chosen where it is not given.
    reach : float
        Distance from the centre at which it may pass, as a share of the field's reach.
    wavy : bool
        True if it may be other than straight.
    """
    if angle is None:
        angle = choices.uniform("line angle", 0, 2 * math.pi)
    normal = (math.cos(angle), math.sin(angle))
    offset = choices.uniform("line offset", -reach, reach) * stage.reach(normal)
    if not wavy or choices.chance("straight", 0.5):
        return Line(normal, offset)
    amplitude = choices.log_uniform("wave amplitude", 0.3, 5) * stage.spacing
    length = choices.log_uniform("wave length", 15, 80) * stage.spacing
    phase = choices.uniform("wave phase", 0, 2 * math.pi)
    return Line(normal, offset, (amplitude, 2 * math.pi / length, phase))


def voronoi(choices: Choices, stage: Stage, count: int) -> list[tuple[float, float]]:
    """Seeds of grains, (row, column) in pixels from the centre."""
    return [
        (
            choices.uniform(f"seed {n} row", -0.5, 0.5) * stage.shape[0],
            choices.uniform(f"seed {n} column", -0.5, 0.5) * stage.shape[1],
        )
        for n in range(count)
    ]


def facets(choices: Choices, stage: Stage) -> tuple[list[Line], float]:
    """Edges of a faceted particle, normals outwards, and its radius in pixels: that of three columns at least."""
    size = math.sqrt(stage.shape[0] * stage.shape[1])
    radius = max(choices.log_uniform("radius", 0.12, 0.5) * size, 3.0 * stage.spacing)
    place = tuple(choices.uniform(f"place {way}", -0.3, 0.3) * n for way, n in zip("rc", stage.shape, strict=True))
    count = choices.integer("facets", 4, 14)
    turn = choices.uniform("facet angle", 0, 2 * math.pi)
    lines = []
    for n in range(count):
        angle = turn + 2 * math.pi * n / count
        normal = (math.cos(angle), math.sin(angle))
        distance = radius * choices.uniform(f"facet {n}", 0.8, 1.1)
        lines.append(Line(normal, place[0] * normal[0] + place[1] * normal[1] + distance))
    return lines, radius
