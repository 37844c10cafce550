"""Scenes of synthetic specimens: the kinds, with the share of each, and how each is put together of grains.

A kind takes choices, the first material and the stage, and returns a scene: columns, and smooth films between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.specimens.synthetic.choices import Choices, site_normals
from stemscan.simulators.specimens.synthetic.grains import disordered, grow
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage, rotation, without_neighbours
from stemscan.simulators.specimens.synthetic.materials import Material, choose_material, choose_sheet
from stemscan.simulators.specimens.synthetic.regions import Line, choose_line, facets, voronoi
from stemscan.simulators.specimens.synthetic.splines import Spline
from stemscan.simulators.specimens.synthetic.strain import dislocated
from stemscan.types import Image

__all__ = ["KINDS", "Film", "Scene", "first_material"]


@dataclass(frozen=True)
class Film:
    """A smooth layer without columns.

    Parameters
    ----------
    level : float
        Brightness; 1 is the strongest column.
    line : Line or None
        Edge; the film lies on the side of the normal, or everywhere.
    edge : float
        Width of its edge in pixels.
    """

    level: float
    line: Line | None = None
    edge: float = 1.0


@dataclass(frozen=True)
class Scene:
    """Columns and films of a specimen, and a picture of what has none, to be added."""

    sites: Sites
    films: list[Film] = field(default_factory=list)
    picture: Image | None = None


def single_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """One crystal, at times with dislocations."""
    sites = grow(choices.under("grain 0"), material, stage)
    return Scene(dislocated(choices, sites, material.cell, stage))


def boundary_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """Two grains, twins, domains turned by a quarter, or several grains."""
    variant = choices.one_of("boundary", ("tilt", "twin", "domain", "polycrystal"), (4, 3, 2, 1))
    if variant == "polycrystal":
        return Scene(_polycrystal(choices, material, stage))
    if variant == "twin":
        return Scene(_twin(choices, material, stage))
    line = choose_line(choices, stage)
    turn = math.pi / 2 if variant == "domain" else math.radians(choices.uniform("misorientation", 3, 45))
    gap = choices.uniform("gap", 0.5, 1.0) * material.nearest
    first = grow(choices.under("grain 0"), material, stage)
    second = grow(choices.under("grain 1"), material.mapped(rotation(turn)), stage)
    second = second.times(choices.uniform("second grain", 0.6, 1.0))
    sites = _met([first.where(line.of(first) < 0), second.where(line.of(second) > 0)], gap)
    return Scene(_weakened(choices, sites, line, stage))


def interface_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """Two crystals that meet, a superlattice, or slabs of crystal and of smooth material."""
    variant = choices.one_of("interface", ("crystals", "superlattice", "slabs"), (4, 4, 3))
    maker = {"crystals": _two_crystals, "superlattice": _superlattice, "slabs": _slabs}[variant]
    return maker(choices, material, stage)


def particle_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """One to three faceted particles, thicker in the middle, in vacuum or on a thin film."""
    parts: list[Sites] = []
    earlier: list[list[Line]] = []
    for number in range(choices.integer("particles", 1, 3)):
        one = choices.under(f"particle {number}")
        turn = one.uniform("rotation", 0, 2 * math.pi)
        lines, radius = facets(one, stage)
        sites = grow(one, material.mapped(rotation(turn)), stage)
        depth = _depth(lines, sites)
        for other in earlier:
            depth = np.where(_depth(other, sites) > -0.5 * material.nearest, -1.0, depth)
        dome = np.clip(depth / (one.uniform("dome", 0.1, 1.0) * radius), 0.0, 1.0)
        parts.append(sites.times(np.sqrt(dome * (2.0 - dome) + 0.02)).where(depth > 0))
        earlier.append(lines)
    films = [Film(choices.log_uniform("support", 0.01, 0.4))] if choices.chance("on a support", 0.6) else []
    return Scene(Sites.joined(parts), films)


def sheet_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """A two-dimensional material with holes, a second layer or a mirrored part, and adsorbed atoms."""
    sites = grow(choices.under("grain 0"), material, stage)
    if choices.chance("mirrored part", 0.25):
        sites = _twin(choices, material, stage)
    if choices.chance("second layer", 0.25):
        turn = math.radians(choices.uniform("twist", 0, 30))
        upper = grow(choices.under("layer 1"), material.mapped(rotation(turn)), stage)
        sites = Sites.joined([sites, upper.where(_patches(choices, "layer edge", upper, stage, 40, 0.0))])
    if choices.chance("holes", 0.3):
        threshold = choices.uniform("hole threshold", 1.2, 2.6)
        sites = sites.where(~_patches(choices, "hole", sites, stage, 9, threshold))
    if choices.chance("adsorbed atoms", 0.6):
        added = disordered(choices.under("adsorbed"), stage, 1.2 * material.nearest, 1)
        threshold = choices.uniform("adsorbed threshold", 0.6, 2.2)
        added = added.where(_patches(choices, "adsorbed", added, stage, 14, threshold))
        sites = Sites.joined([sites, added.times(choices.log_uniform("adsorbed amount", 0.1, 1.2))])
    return Scene(sites)


def amorphous_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """Atoms without order, at times with an edge to vacuum or under a smooth film."""
    layers = choices.integer("layers", 1, 5)
    sites = disordered(choices.under("atoms"), stage, material.nearest, layers)
    films: list[Film] = []
    if choices.chance("edge", 0.5):
        line = choose_line(choices, stage)
        level = choices.log_uniform("beyond the edge", 0.02, 1.5)
        sites = sites.times(np.where(line.of(sites) > 0, choices.uniform("rest beyond the edge", 0.0, 0.6), 1.0))
        if choices.chance("bright beyond the edge", 0.5):
            films.append(Film(level, line, choices.log_uniform("edge width", 0.2, 4) * stage.spacing))
    if choices.chance("smooth film", 0.5):
        films.append(Film(choices.log_uniform("smooth film level", 0.1, 3)))
    return Scene(sites, films)


KINDS: Final[dict[str, tuple[float, Callable[[Choices, Material, Stage], Scene]]]] = {
    "single crystal": (0.35, single_scene),
    "boundary": (0.25, boundary_scene),
    "interface": (0.15, interface_scene),
    "particle": (0.10, particle_scene),
    "sheet": (0.10, sheet_scene),
    "amorphous": (0.05, amorphous_scene),
}
"""Share of each kind, and what puts it together."""


def _met(parts: list[Sites], gap: float) -> Sites:
    """Grains put together; columns nearer than `gap` pixels to those of an earlier grain are left out."""
    whole = parts[0]
    for part in parts[1:]:
        whole = Sites.joined([whole, without_neighbours(part, whole, gap)])
    return whole


def _weakened(choices: Choices, sites: Sites, line: Line, stage: Stage) -> Sites:
    """A dark or thinned band along a boundary, in a part of them; disturbed columns there in the wide variety."""
    sites = _disturbed(choices, sites, line, stage) if stage.wide else sites
    if not choices.chance("weak boundary", 0.4):
        return sites
    depth = choices.uniform("boundary depth", 0.1, 0.9)
    width = choices.log_uniform("boundary width", 1, 6) * stage.spacing
    return sites.times(1.0 - depth * np.exp(-((line.of(sites) / width) ** 2)))


def _disturbed(choices: Choices, sites: Sites, line: Line, stage: Stage) -> Sites:
    """Displaced columns along a boundary, in half of them."""
    if not choices.chance("disturbed boundary", 0.5):
        return sites
    width = choices.log_uniform("disturbed width", 1, 6) * stage.spacing
    most = choices.log_uniform("disturbance", 0.03, 0.2) * stage.spacing
    near = np.exp(-((line.of(sites) / width) ** 2)) * (sites.known[:, 2] == 0)
    moved = [most * near * site_normals(choices.key(f"disturbed {way}"), sites.numbers) for way in ("down", "right")]
    return sites.displaced(*moved).marked("displaced", near > 0.3)


def _twin(choices: Choices, material: Material, stage: Stage) -> Sites:
    """A crystal and its mirror image across a line of columns, or a mirrored lamella between two such lines."""
    steps = choices.one_of("twin plane", ((1, 0), (0, 1), (1, 1), (1, -1)))
    along = steps[0] * material.cell[0] + steps[1] * material.cell[1]
    along = along / math.hypot(*along)
    normal = (float(along[1]), float(-along[0]))
    line = choose_line(choices, stage, angle=math.atan2(normal[1], normal[0]), wavy=False)
    normal = line.normal
    across = np.array(normal)
    mirrored = material.mapped(np.eye(2) - 2 * np.outer(across, across))
    origin = across * line.offset
    spacing = abs(float(np.linalg.det(material.cell))) / float(np.linalg.norm(steps @ material.cell))
    width = spacing * choices.integer("lamella", 3, 20) if choices.chance("lamella only", 0.3) else math.inf
    first = grow(choices.under("grain 0"), material, stage, origin=origin)
    second = grow(choices.under("grain 1"), mirrored, stage, origin=origin)
    parts = [first.where(line.of(first) < -1e-6), second.where((line.of(second) >= -1e-6) & (line.of(second) < width))]
    if width < math.inf:
        third = grow(choices.under("grain 2"), material, stage, origin=origin + 2 * width * across)
        parts.append(third.where(line.of(third) >= width))
    return _met(parts, 0.8 * material.nearest)


def _polycrystal(choices: Choices, material: Material, stage: Stage) -> Sites:
    """Three to six grains."""
    seeds = voronoi(choices, stage, choices.integer("grains", 3, 6))
    gap = choices.uniform("gap", 0.5, 1.0) * material.nearest
    parts = []
    for number in range(len(seeds)):
        one = choices.under(f"grain {number}")
        turned = material.mapped(rotation(one.uniform("rotation", 0, 2 * math.pi)))
        sites = grow(one, turned, stage).times(one.uniform("brightness", 0.6, 1.0))
        apart = np.stack([np.hypot(sites.rows - row, sites.columns - column) for row, column in seeds])
        own = apart[number].copy()
        apart[number] = math.inf
        parts.append(sites.where(own < apart.min(axis=0)))
    return _met(parts, gap)


def _two_crystals(choices: Choices, material: Material, stage: Stage) -> Scene:
    """A crystal on another one, or on one with the same lattice and other elements."""
    coherent = choices.chance("coherent", 0.5)
    if coherent:
        second = _recoloured(choices, material)
        angle = _normal_of_row(choices, material)
    else:
        gamma = choices.made["gamma"]
        second = choose_material(choices.under("second"), gamma, stage.pixel_size_nm).scaled(1 / stage.pixel_size_nm)
        turn = _angle(material.cell[0]) - _angle(second.cell[0])
        second = second.mapped(rotation(turn))
        angle = _angle(material.cell[0]) + math.pi / 2
    line = choose_line(choices, stage, angle=angle)
    origin = np.zeros(2) if coherent else None
    first_sites = grow(choices.under("grain 0"), material, stage, origin=origin)
    second_sites = grow(choices.under("grain 1"), second, stage, origin=origin)
    rough = choices.log_uniform("roughness", 0.02, 3) * stage.spacing
    key = choices.key("rough")
    below = line.of(first_sites) + rough * site_normals(key, first_sites.numbers)
    above = line.of(second_sites) + rough * site_normals(key, second_sites.numbers)
    gap = 0.9 * stage.spacing if coherent else choices.uniform("gap", 0.5, 1.0) * stage.spacing
    sites = _met([first_sites.where(below < 0), second_sites.where(above >= 0)], gap)
    return Scene(_weakened(choices, sites, line, stage))


def _superlattice(choices: Choices, material: Material, stage: Stage) -> Scene:
    """Layers of two compositions on one lattice."""
    second = _recoloured(choices, material)
    angle = _normal_of_row(choices, material)
    normal = (math.cos(angle), math.sin(angle))
    first_sites = grow(choices.under("grain 0"), material, stage, origin=np.zeros(2))
    second_sites = grow(choices.under("grain 0"), second, stage, origin=np.zeros(2))
    period = choices.log_uniform("period", 3, 40) * stage.spacing
    share = choices.uniform("share of the second", 0.2, 0.8)
    rough = choices.log_uniform("roughness", 0.02, 2) * stage.spacing
    place = first_sites.along(normal) + rough * site_normals(choices.key("rough"), first_sites.numbers)
    phase = place / period + choices.uniform("phase", 0, 1)
    inside = phase - np.floor(phase) < share
    return Scene(replace(first_sites, amounts=np.where(inside, second_sites.amounts, first_sites.amounts)))


def _slabs(choices: Choices, material: Material, stage: Stage) -> Scene:
    """A crystal beside smooth or disordered material, in one or two steps, darker or brighter than it, or vacuum."""
    sites = grow(choices.under("grain 0"), material, stage)
    angle = _normal_of_row(choices, material) if choices.chance("along a row", 0.7) else None
    line = choose_line(choices, stage, angle=angle)
    parts = [sites.where(line.of(sites) < 0).times(choices.log_uniform("crystal", 0.15, 1.0))]
    edge = choices.log_uniform("edge width", 0.1, 4) * stage.spacing
    films = [Film(choices.log_uniform("slab level", 0.02, 1.5), line, edge)]
    if choices.chance("disordered slab", 0.4):
        loose = disordered(choices.under("slab"), stage, 1.1 * material.nearest, 2)
        parts.append(loose.where(line.of(loose) > 0).times(choices.log_uniform("disorder", 0.1, 0.6)))
    if choices.chance("third slab", 0.5):
        further = Line(line.normal, line.offset + choices.log_uniform("slab width", 2, 30) * stage.spacing)
        films.append(Film(choices.log_uniform("third level", 0.1, 3), further, edge))
    return Scene(Sites.joined(parts), films)


def _recoloured(choices: Choices, material: Material) -> Material:
    """The same lattice with other elements: the brightness of each column multiplied."""
    factors = [choices.log_uniform(f"column {n} times", 0.25, 1.6) for n in range(material.weights.size)]
    return replace(material, weights=material.weights * np.array(factors))


def _normal_of_row(choices: Choices, material: Material) -> float:
    """Direction across a dense row of columns."""
    row = material.cell[choices.integer("row of the interface", 0, 1)]
    return _angle(row) + math.pi / 2


def _angle(vector: NDArray[np.float64]) -> float:
    """Direction of a (down, right) vector in radians, as `rotation` turns."""
    return math.atan2(float(vector[1]), float(vector[0]))


def _depth(lines: list[Line], sites: Sites) -> NDArray[np.float64]:
    """Distance of columns from a particle's edges; negative outside."""
    depth = np.full(sites.rows.size, math.inf)
    for line in lines:
        np.minimum(depth, -line.of(sites), out=depth)
    return depth


def _patches(
    choices: Choices, name: str, sites: Sites, stage: Stage, cells: float, threshold: float
) -> NDArray[np.bool_]:
    """Columns in patches of the size of so many columns where a random field exceeds a threshold."""
    field = Spline.noise(choices.key(name), stage.shape, cells * stage.spacing, stage.margin)
    return field.at(sites.rows, sites.columns) > threshold


def first_material(choices: Choices, kind: str, gamma: float, pixel_size_nm: float | None) -> Material:
    """The material that sets the scale of a specimen of this kind, in nm."""
    if kind == "sheet":
        return choose_sheet(choices.under("crystal"), gamma)
    return choose_material(choices.under("crystal"), gamma, pixel_size_nm)
