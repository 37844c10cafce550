"""Lines made of straight pieces: random walks (cracks, fibres) and the strokes of lettering."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.specimens.synthetic.brush import rounded
from stemscan.simulators.specimens.synthetic.choices import Choices, site_normals, site_uniforms
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage, lattice_sites

__all__ = ["Walks", "glyphs", "walks"]

_GLYPH = (4, 3)
"""Rows and columns of the points between which a figure's strokes run."""


@dataclass(frozen=True)
class Walks:
    """Random walks.

    Parameters
    ----------
    pieces : int
        Of each.
    length : float
        Of a piece in pixels.
    bend : float
        Standard deviation of the turn from piece to piece, in radians.
    """

    pieces: int
    length: float
    bend: float


def walks(choices: Choices, sites: Sites, made: Walks, *, branches: int) -> NDArray[np.float64]:
    """One walk from every site, and branches that leave it on the way.

    Parameters
    ----------
    branches : int
        Of each walk.

    Returns
    -------
    float64 (n, 4)
        Ends of the pieces, those of a walk one after the other.
    """
    start = np.stack([sites.rows, sites.columns], axis=1)
    heading = 2 * math.pi * site_uniforms(choices.key("heading"), sites.numbers)
    points, headings = _walk(choices.under("stem"), sites, start, heading, made)
    lines = [points]
    for number in range(branches):
        one = choices.under(f"branch {number}")
        piece = one.integer("piece", 1, made.pieces - 1)
        side = np.where(site_uniforms(one.key("side"), sites.numbers) < 0.5, -1, 1)
        lines.append(
            _walk(one, sites, points[:, piece], headings[:, piece] + side * one.uniform("turn", 0.4, 1.2), made)[0]
        )
    return np.concatenate([_pieces(line) for line in lines])


def glyphs(choices: Choices, stage: Stage, height: float) -> NDArray[np.float64]:
    """Strokes of figures in rows, each of three to seven strokes between neighbouring points of a grid of 4 x 3.

    Returns
    -------
    float64 (n, 4)
    """
    turn = choices.uniform("turn", 0, 2 * math.pi) if choices.chance("turned", 0.4) else 0.0
    down = np.array([math.cos(turn), math.sin(turn)])
    right = np.array([-down[1], down[0]])
    cell = np.stack(
        [height * choices.uniform("leading", 1.3, 2.5) * down, height * choices.uniform("pitch", 0.7, 1.2) * right]
    )
    half = np.array(stage.shape) / 2 + 2 * height
    sites = lattice_sites(cell, np.zeros((1, 2)), np.ones(1), np.zeros(2), half)
    sites = sites.where(site_uniforms(choices.key("blank"), sites.numbers) > choices.uniform("blanks", 0.05, 0.6))
    middle = np.stack([sites.rows, sites.columns], axis=1)
    strokes, first = [], _point(choices, "first", sites)
    for number in range(choices.integer("strokes", 3, 7)):
        second = _point(choices, f"point {number}", sites)
        ends = [middle + height * (p[:, :1] * down + 0.6 * p[:, 1:] * right) for p in (first, second)]
        strokes.append(np.concatenate(ends, axis=1))
        first = second
    return rounded(np.concatenate(strokes))


def _point(choices: Choices, name: str, sites: Sites) -> NDArray[np.float64]:
    """A point of each site's figure, from -0.5 to 0.5 along both axes."""
    parts = [
        np.floor(site_uniforms(choices.key(f"{name} {axis}"), sites.numbers) * count) / (count - 1) - 0.5
        for axis, count in enumerate(_GLYPH)
    ]
    return np.stack(parts, axis=1)


def _walk(
    choices: Choices, sites: Sites, start: NDArray[np.float64], heading: NDArray[np.float64], made: Walks
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (n, pieces + 1, 2) and headings (n, pieces) of a walk from every site."""
    turns = [site_normals(choices.key(f"turn {piece}"), sites.numbers) for piece in range(made.pieces)]
    headings = heading[:, None] + made.bend * np.cumsum(np.stack(turns, axis=1), axis=1)
    steps = rounded(made.length * np.stack([np.sin(headings), np.cos(headings)], axis=2))
    return start[:, None] + np.concatenate([np.zeros((len(start), 1, 2)), np.cumsum(steps, axis=1)], axis=1), headings


def _pieces(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ends of the pieces between points, (n, 4)."""
    return rounded(np.concatenate([points[:, :-1], points[:, 1:]], axis=2).reshape(-1, 4))
