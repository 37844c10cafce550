"""Grains: a material's lattice over the whole field with its ordering and defects, and atoms without order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.specimens.synthetic.choices import Choices, site_normals, site_uniforms
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage, lattice_sites, rotation
from stemscan.simulators.specimens.synthetic.materials import Material
from stemscan.simulators.specimens.synthetic.point_defects import exceptions, ordered, point_defects

__all__ = ["disordered", "grow"]


def grow(choices: Choices, material: Material, stage: Stage, *, origin: NDArray[np.float64] | None = None) -> Sites:
    """Fill the field and its margin with a material and give it ordering and point defects.

    Parameters
    ----------
    choices : Choices
        Of this grain.
    material : Material
        Lengths in pixels.
    origin : float64 (2,), optional
        Place of the cell's corner in pixels from the centre; chosen where it is not given.
    """
    if origin is None:
        origin = np.array([choices.uniform("origin a", 0, 1), choices.uniform("origin b", 0, 1)]) @ material.cell
    half = np.array(stage.shape) / 2.0 + stage.margin
    sites = lattice_sites(material.cell, material.columns @ material.cell, material.weights, origin, half)
    sites = point_defects(choices, ordered(choices, sites), material.nearest)
    return exceptions(choices.under("exceptions"), sites, material, origin, stage) if stage.wide else sites


def disordered(choices: Choices, stage: Stage, spacing: float, layers: int) -> Sites:
    """Atoms without order: `layers` jittered square lattices of different orientation, of amounts about 1 / layers."""
    parts = []
    for layer in range(layers):
        inner = choices.under(f"layer {layer}")
        cell = spacing * rotation(1.1 * layer).T
        origin = np.array([inner.uniform("origin a", 0, 1), inner.uniform("origin b", 0, 1)]) @ cell
        half = np.array(stage.shape) / 2.0 + stage.margin
        sites = lattice_sites(cell, np.zeros((1, 2)), np.ones(1), origin, half)
        jitter = [0.35 * spacing * site_normals(inner.key(way), sites.numbers) for way in ("down", "right")]
        spread = 0.4 + 1.2 * site_uniforms(inner.key("amount"), sites.numbers)
        parts.append(sites.moved(*jitter).times(spread / layers))
    return Sites.joined(parts).unordered()
