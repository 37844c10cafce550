"""Ordering and point defects of a grain's columns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.specimens.gaps import widest_gap
from stemscan.simulators.specimens.synthetic.choices import Choices, site_normals, site_uniforms
from stemscan.simulators.specimens.synthetic.lattice import NO_SITE, Sites, Stage, lattice_sites
from stemscan.simulators.specimens.synthetic.materials import Material
from stemscan.simulators.specimens.synthetic.splines import Spline

__all__ = ["exceptions", "ordered", "point_defects"]

_MASK = (1 << 24) - 1
_VACANT = 0.1
"""Share of a column that a vacancy leaves at most; what leaves more is a weaker column."""


def ordered(choices: Choices, sites: Sites) -> Sites:
    """Make every n-th row of cells brighter or darker, in a quarter of the grains: layered and ordered compounds."""
    if not choices.chance("ordered", 0.25):
        return sites
    period = choices.integer("ordering period", 2, 5)
    factors = np.array([choices.uniform(f"ordering factor {k}", 0.25, 1.0) for k in range(period)])
    shift = np.uint64(40 if choices.chance("ordering along a", 0.5) else 16)
    row = (sites.numbers >> shift) & np.uint64(_MASK)
    return sites.times(factors[(row % np.uint64(period)).astype(np.int64)])


def point_defects(choices: Choices, sites: Sites, nearest: float) -> Sites:
    """Vacancies, dopants and static displacements."""
    if choices.chance("vacancies", 0.5):
        share = choices.log_uniform("vacancy share", 0.001, 0.05)
        left = choices.uniform("vacancy remainder", 0.0, 0.7)
        hit = site_uniforms(choices.key("vacancy"), sites.numbers) < share
        sites = sites.times(np.where(hit, left, 1.0))
        sites = sites.marked("vacancy" if left < _VACANT else "substitution", hit)
    if choices.chance("dopants", 0.4):
        share = choices.log_uniform("dopant share", 0.0005, 0.1)
        factor = choices.log_uniform("dopant factor", 0.5, 2.2)
        hit = site_uniforms(choices.key("dopant"), sites.numbers) < share
        sites = sites.times(np.where(hit, factor, 1.0)).marked("substitution", hit & (sites.known[:, 2] == 0))
    spread = choices.log_uniform("occupancy spread", 0.01, 0.15)
    sites = sites.times(np.maximum(1.0 + spread * site_normals(choices.key("occupancy"), sites.numbers), 0.05))
    jitter = nearest * choices.log_uniform("static displacement", 0.004, 0.05)
    down, right = (jitter * site_normals(choices.key(f"displaced {way}"), sites.numbers) for way in ("down", "right"))
    return sites.displaced(down, right)


def exceptions(choices: Choices, sites: Sites, material: Material, origin: NDArray[np.float64], stage: Stage) -> Sites:
    """Displaced, missing, replaced and additional columns at the rates of alloys and damaged crystals, in most grains.

    They may be denser in places, as at clusters and damaged regions. A column has one of them, or what it had before.

    Parameters
    ----------
    choices : Choices
        Of the grain's exceptions.
    sites : Sites
        Columns of the grain.
    material : Material
        Lengths in pixels.
    origin : float64 (2,)
        Of the lattice.
    """
    if not choices.chance("any", 0.7):
        return sites
    density = _density(choices, stage)
    if choices.chance("displaced", 0.6):
        hit = _hit(choices, "displaced", sites, choices.log_uniform("displaced share", 0.01, 0.4), density)
        sites = _displaced(choices, sites, hit, material.nearest)
    if choices.chance("vacant", 0.5):
        hit = _hit(choices, "vacant", sites, choices.log_uniform("vacant share", 0.002, 0.1), density)
        sites = _without_shift(sites.times(np.where(hit, 0.0, 1.0)), hit).marked("vacancy", hit)
    if choices.chance("replaced", 0.5):
        hit = _hit(choices, "replaced", sites, choices.log_uniform("replaced share", 0.002, 0.3), density)
        factor = choices.log_uniform("replaced factor", 0.25, 2.5)
        sites = sites.times(np.where(hit, factor, 1.0)).marked("substitution", hit)
    if choices.chance("interstitial", 0.4):
        sites = _with_own_grain(sites, _interstitials(choices, material, origin, stage))
    return sites


def _density(choices: Choices, stage: Stage) -> Spline | None:
    """Random field by which exceptions are denser in places; None where they are even."""
    if not choices.chance("clustered", 0.4):
        return None
    cell = choices.log_uniform("cluster length", 3, 30) * stage.spacing
    return Spline.noise(choices.key("cluster"), stage.shape, cell, stage.margin)


def _hit(choices: Choices, name: str, sites: Sites, share: float, density: Spline | None) -> NDArray[np.bool_]:
    """Columns without a defect that an exception falls on."""
    shares = np.full(sites.rows.size, share)
    if density is not None:
        shares *= 0.2 + 3.0 * np.maximum(density.at(sites.rows, sites.columns), 0.0)
    return np.asarray((site_uniforms(choices.key(name), sites.numbers) < shares) & (sites.known[:, 2] == 0))


def _displaced(choices: Choices, sites: Sites, hit: NDArray[np.bool_], nearest: float) -> Sites:
    """Columns moved in any direction, by up to a third of their distance; 5 to 40 pm in most materials."""
    low = choices.log_uniform("least shift", 0.02, 0.1) * nearest
    high = choices.log_uniform("greatest shift", 0.1, 0.3) * nearest
    length = low + (high - low) * site_uniforms(choices.key("shift"), sites.numbers)
    angle = 2 * math.pi * site_uniforms(choices.key("direction"), sites.numbers)
    return sites.displaced(hit * length * np.sin(angle), hit * length * np.cos(angle)).marked("displaced", hit)


def _without_shift(sites: Sites, hit: NDArray[np.bool_]) -> Sites:
    """With columns that are missing at their sites."""
    return sites.displaced(*(-sites.known[:, :2] * hit[:, None]).T)


def _interstitials(choices: Choices, material: Material, origin: NDArray[np.float64], stage: Stage) -> Sites:
    """Columns in the widest gap of some cells."""
    share = choices.log_uniform("interstitial share", 0.005, 0.3)
    half = np.array(stage.shape) / 2.0 + stage.margin
    gap = widest_gap(material.columns, material.cell)
    sites = lattice_sites(material.cell, gap[None], np.ones(1), origin, half)
    sites = sites.where(site_uniforms(choices.key("interstitial"), sites.numbers) < share)
    sites = sites.times(choices.log_uniform("interstitial amount", 0.2, 1.0) * float(material.weights.max()))
    return replace(sites, numbers=sites.numbers | np.uint64(NO_SITE)).marked(
        "interstitial", np.full(sites.rows.size, True)
    )


def _with_own_grain(sites: Sites, more: Sites) -> Sites:
    """Columns of one grain put together; `Sites.joined` takes those of several."""
    known = np.concatenate([sites.known, more.known])
    return replace(Sites.joined([sites, more]), known=known)
