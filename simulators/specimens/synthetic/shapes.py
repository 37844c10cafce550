"""Shapes of what is no lattice: edges, particles, cracks, films, fibres, lettering, blobs and vacuum.

Each maker takes choices and the stage and returns a picture, float32 (H, W), in which 1 is about the brightness of the
strongest column; it may be negative, which is darker than what it is laid over. Lengths are in pixels and shapes stand
on jittered grids about the field's centre, so that a larger field shows more of the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.specimens.synthetic.brush import Rods, paint_polygons, paint_rods, rounded
from stemscan.simulators.specimens.synthetic.choices import Choices, site_normals, site_uniforms
from stemscan.simulators.specimens.synthetic.films import add_film
from stemscan.simulators.specimens.synthetic.grains import disordered
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage
from stemscan.simulators.specimens.synthetic.paths import Walks, glyphs, walks
from stemscan.simulators.specimens.synthetic.regions import choose_line
from stemscan.simulators.specimens.synthetic.scenes import Film
from stemscan.simulators.specimens.synthetic.splines import Spline
from stemscan.types import Image

__all__ = ["SHAPES", "shapes"]


def shapes(choices: Choices, stage: Stage) -> Image:
    """One kind of shapes, at times with a second one over it."""
    names = list(SHAPES)
    weights = [share for share, _ in SHAPES.values()]
    picture = np.zeros(stage.shape, np.float32)
    for number in range(choices.one_of("layers", (1, 2, 3), (5, 4, 1))):
        one = choices.under(f"shapes {number}")
        made = SHAPES[one.one_of("shapes", names, weights)][1](one, stage)
        amount = one.log_uniform("amount", 0.3, 1.0) if number else 1.0
        picture += np.float32(-amount if number and one.chance("dark", 0.4) else amount) * made
    return picture


def _edges(choices: Choices, stage: Stage) -> Image:
    """One to five steps of brightness, sharp or soft, straight or wavy."""
    picture = np.zeros(stage.shape, np.float32)
    for number in range(choices.integer("edges", 1, 5)):
        one = choices.under(f"edge {number}")
        level = one.log_uniform("level", 0.1, 1.0) * (-1 if one.chance("down", 0.5) else 1)
        add_film(Film(level, choose_line(one, stage), _edge(one)), picture)
    return picture


def _particles(choices: Choices, stage: Stage) -> Image:
    """Discs, rods, spheres and shells of many sizes, bright, dark or both."""
    radius = choices.log_uniform("radius", 5, 90)
    sites = _places(choices, stage, radius * choices.log_uniform("spacing in radii", 1.8, 8))
    radii = radius * np.exp(choices.uniform("spread", 0.0, 0.7) * site_normals(choices.key("size"), sites.numbers))
    length = radii * choices.one_of("length in radii", (0.0, 1.0, 4.0), (4, 1, 1))
    turn = 2 * math.pi * site_uniforms(choices.key("turn"), sites.numbers)
    middle = np.stack([sites.rows, sites.columns], axis=1)
    half = rounded(np.stack([length * np.sin(turn), length * np.cos(turn)], axis=1) / 2)
    rods = Rods(np.concatenate([middle - half, middle + half], axis=1), _twice(radii), _signed(choices, sites))
    picture = np.zeros(stage.shape, np.float32)
    paint_rods(
        rods, choices.one_of("profile", ("flat", "dome", "hollow"), (3, 4, 1)), _edge(choices), picture, union=False
    )
    return picture


def _polygons(choices: Choices, stage: Stage) -> Image:
    """Faceted particles and plates that may overlap."""
    radius = choices.log_uniform("radius", 10, 150)
    sites = _places(choices, stage, radius * choices.log_uniform("spacing in radii", 1.6, 5))
    count = choices.integer("sides", 3, 8)
    numbers = np.arange(count)
    own = 2 * math.pi * site_uniforms(choices.key("turn"), sites.numbers)
    turn = own[:, None] + 2 * math.pi * numbers / count
    spread = np.stack([site_uniforms(choices.key(f"side {k}"), sites.numbers) for k in numbers.tolist()], axis=1)
    distances = radius * (0.5 + 0.5 * site_uniforms(choices.key("size"), sites.numbers))[:, None] * (0.7 + 0.6 * spread)
    normals = rounded(np.stack([np.sin(turn), np.cos(turn)], axis=2))
    picture = np.zeros(stage.shape, np.float32)
    places = np.stack([sites.rows, sites.columns], axis=1)
    paint_polygons(places, normals, distances, _signed(choices, sites), _edge(choices), picture)
    return picture


def _cracks(choices: Choices, stage: Stage) -> Image:
    """Jagged dark lines that branch and taper, in something even."""
    width = choices.log_uniform("width", 1.2, 20)
    sites = _places(choices, stage, choices.log_uniform("spacing", 120, 400))
    made = Walks(
        choices.integer("pieces", 15, 60), choices.log_uniform("piece", 6, 25), choices.uniform("jagged", 0.2, 0.9)
    )
    ends = walks(choices, sites, made, branches=choices.integer("branches", 0, 3))
    taper = np.linspace(1, 0.2, made.pieces + 1)
    radii = np.stack([taper[:-1], taper[1:]], axis=1)
    return -_drawn(stage, ends, np.tile(radii, (len(ends) // made.pieces, 1)) * width / 2, "flat", _edge(choices))


def _fibres(choices: Choices, stage: Stage) -> Image:
    """Smoothly bent fibres, wires or tubes of one width."""
    width = choices.log_uniform("width", 2, 40)
    sites = _places(choices, stage, choices.log_uniform("spacing", 100, 500))
    made = Walks(choices.integer("pieces", 20, 60), max(6.0, width / 2), choices.uniform("bent", 0.01, 0.15))
    ends = walks(choices, sites, made, branches=0)
    profile = choices.one_of("profile", ("flat", "dome", "hollow", "bell"))
    return _drawn(stage, ends, np.full((len(ends), 2), width / 2), profile, _edge(choices))


def _lettering(choices: Choices, stage: Stage) -> Image:
    """Rows of small figures made of strokes of one width."""
    height = choices.log_uniform("height", 24, 160)
    ends = glyphs(choices, stage, height)
    width = height * choices.uniform("stroke", 0.06, 0.22)
    return _drawn(stage, ends, np.full((len(ends), 2), max(width, 1.5) / 2), "flat", _edge(choices))


def _blobs(choices: Choices, stage: Stage) -> Image:
    """Smooth spots of many sizes."""
    radius = choices.log_uniform("radius", 4, 60)
    sites = _places(choices, stage, radius * choices.log_uniform("spacing in radii", 1.5, 6))
    radii = radius * np.exp(choices.uniform("spread", 0.0, 0.8) * site_normals(choices.key("size"), sites.numbers))
    ends = np.stack([sites.rows, sites.columns, sites.rows, sites.columns], axis=1)
    picture = np.zeros(stage.shape, np.float32)
    paint_rods(Rods(ends, _twice(radii), _signed(choices, sites)), "bell", 1.0, picture, union=False)
    return picture


def _films(choices: Choices, stage: Stage) -> Image:
    """Islands, holes or a labyrinth: where a random field of several lengths exceeds a threshold."""
    cell = choices.log_uniform("length", 8, 150)
    field = Spline.noise(choices.key("field"), stage.shape, cell).on_grid(stage.shape)
    for octave in range(1, choices.integer("octaves", 1, 4)):
        finer = Spline.noise(choices.key(f"octave {octave}"), stage.shape, max(cell / 2**octave, 2.0))
        field += np.float32(choices.uniform("roughness", 0.2, 0.6) ** octave) * finer.on_grid(stage.shape)
    soft = 4 * _edge(choices) / cell
    inside = np.clip(0.5 + (field - choices.uniform("threshold", -1.0, 1.5)) / np.float32(soft), 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), np.float32)


def _vacuum(choices: Choices, stage: Stage) -> Image:
    """Hardly anything: a few specks, or the rim of something."""
    picture = np.zeros(stage.shape, np.float32)
    if choices.chance("rim", 0.5):
        line = choose_line(choices, stage, reach=0.9)
        add_film(Film(choices.log_uniform("level", 0.1, 1.0), line, _edge(choices)), picture)
    sites = _places(choices, stage, choices.log_uniform("spacing", 120, 500))
    radii = choices.log_uniform("radius", 2, 12) * (0.5 + site_uniforms(choices.key("size"), sites.numbers))
    ends = np.stack([sites.rows, sites.columns, sites.rows, sites.columns], axis=1)
    paint_rods(Rods(ends, _twice(radii), sites.amounts), "dome", 1.0, picture, union=False)
    return picture


SHAPES: Final[dict[str, tuple[float, Callable[[Choices, Stage], Image]]]] = {
    "edges": (0.16, _edges),
    "particles": (0.18, _particles),
    "polygons": (0.12, _polygons),
    "cracks": (0.10, _cracks),
    "films": (0.16, _films),
    "fibres": (0.10, _fibres),
    "lettering": (0.06, _lettering),
    "blobs": (0.06, _blobs),
    "vacuum": (0.06, _vacuum),
}
"""Share of each kind of shapes, and its maker."""


def _edge(choices: Choices) -> float:
    """Half width of rims in pixels."""
    return (
        choices.log_uniform("edge width", 0.7, 12) if choices.chance("soft", 0.4) else choices.uniform("rim", 0.7, 2.5)
    )


def _places(choices: Choices, stage: Stage, spacing: float) -> Sites:
    """Places about `spacing` pixels apart, also outside of the field."""
    return disordered(choices.under("places"), replace(stage, spacing=spacing), spacing, 1)


def _signed(choices: Choices, sites: Sites) -> NDArray[np.float64]:
    """Amounts, some or all of them negative in half of the cases."""
    share = choices.one_of("share of dark ones", (0.0, 0.3, 1.0), (3, 1, 1))
    dark = site_uniforms(choices.key("dark"), sites.numbers) < share
    return np.asarray(np.where(dark, -sites.amounts, sites.amounts))


def _twice(radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radii at both ends."""
    return np.stack([radii, radii], axis=1)


def _drawn(stage: Stage, ends: NDArray[np.float64], radii: NDArray[np.float64], profile: str, edge: float) -> Image:
    """The union of strokes, of brightness 1."""
    picture = np.zeros(stage.shape, np.float32)
    paint_rods(Rods(ends, radii, np.ones(len(ends))), profile, edge, picture, union=True)
    return picture
