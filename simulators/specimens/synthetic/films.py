"""Smooth layers over a picture: thickness, diffuse background, films, contamination, speckle."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from stemscan.runtime.compiled import compiled
from stemscan.simulators.specimens.synthetic.choices import Choices
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage
from stemscan.simulators.specimens.synthetic.regions import choose_line
from stemscan.simulators.specimens.synthetic.scenes import Film
from stemscan.simulators.specimens.synthetic.splines import Spline
from stemscan.types import Image

__all__ = ["add_contamination", "add_diffuse", "add_film", "add_speckle", "thickened"]


def thickened(choices: Choices, sites: Sites, stage: Stage) -> Sites:
    """Let the foil's thickness vary, and columns grow brighter with it until they saturate.

    A column of strength w (per thickness, 1 the strongest) at a place of relative thickness t shows
    (1 - exp(-s w t)) / (1 - exp(-s)): linear for small s, saturated for large.

    Parameters
    ----------
    sites : Sites
        Amounts are strengths.

    Returns
    -------
    Sites
        Amounts are peak heights.
    """
    thickness = np.ones(sites.rows.size)
    if choices.chance("wedge", 0.6):
        angle = choices.uniform("wedge angle", 0, 2 * math.pi)
        normal = (math.cos(angle), math.sin(angle))
        slope = choices.log_uniform("wedge", 0.05, 0.85)
        thickness -= slope * np.clip(0.5 + 0.5 * sites.along(normal) / stage.reach(normal), 0, 1)
    if choices.chance("bumps", 0.6):
        cell = choices.log_uniform("bump length", 6, 60) * stage.spacing
        height = choices.log_uniform("bump height", 0.02, 0.3)
        noise = Spline.noise(choices.key("bump"), stage.shape, cell, stage.margin)
        thickness *= 1.0 + height * noise.at(sites.rows, sites.columns)
    if choices.chance("step", 0.12):
        line = choose_line(choices.under("step"), stage)
        thickness *= np.where(line.of(sites) > 0, choices.uniform("step height", 0.3, 0.9), 1.0)
    np.maximum(thickness, 0.1, out=thickness)
    saturation = choices.log_uniform("saturation", 0.05, 3.0)
    heights = (1.0 - np.exp(-saturation * thickness * sites.amounts)) / (1.0 - math.exp(-saturation))
    return replace(sites, amounts=heights)


def add_diffuse(choices: Choices, sites: Sites, stage: Stage, field: Image) -> None:
    """Background that follows the local density of columns: far tails and diffuse scattering."""
    level = choices.log_uniform("background", 0.05, 1.2)
    reach = choices.uniform("background reach", 2.5, 6.0) * stage.spacing
    density = Spline.deposit(sites.rows, sites.columns, sites.amounts, stage.shape, max(reach, 4.0))
    _add(density.on_grid(stage.shape), np.float32(level * stage.spacing**2), np.float32(-np.inf), field)


def add_film(film: Film, field: Image) -> None:
    """A smooth layer, everywhere or beyond a line."""
    if film.line is None:
        field += np.float32(film.level)
        return
    rows, columns = (np.arange(size) - (size - 1) / 2 for size in field.shape)
    beyond = film.line.beyond(rows[:, None], columns[None, :])
    beyond = np.clip(0.5 + beyond / (2 * film.edge), 0, 1)
    field += (film.level * (beyond * beyond * (3 - 2 * beyond))).astype(np.float32)


def add_contamination(choices: Choices, stage: Stage, field: Image) -> None:
    """Patches of something on the surface, in a third of the specimens."""
    if not choices.chance("contamination", 0.35):
        return
    amount = np.float32(choices.log_uniform("contamination amount", 0.05, 0.8))
    threshold = np.float32(choices.uniform("contamination threshold", -0.5, 1.8))
    cell = choices.log_uniform("contamination length", 4, 40) * stage.spacing
    patches = Spline.noise(choices.key("contamination"), stage.shape, cell).on_grid(stage.shape)
    fine = Spline.noise(choices.key("contamination detail"), stage.shape, cell / 3).on_grid(stage.shape)
    patches += np.float32(0.3) * fine
    _add(patches, amount, threshold, field)


def add_speckle(choices: Choices, stage: Stage, field: Image) -> None:
    """Granularity of amorphous surface layers: random, fine, in part stronger where the picture is bright."""
    if not choices.chance("speckle", 0.8):
        return
    amount = choices.log_uniform("speckle amount", 0.01, 0.4)
    grain = choices.log_uniform("speckle grain", 2.0, 5.0)
    share = choices.uniform("speckle with brightness", 0, 1)
    noise = Spline.noise(choices.key("speckle"), stage.shape, grain).on_grid(stage.shape)
    step = max(1, math.isqrt(field.size) // 128)
    some = field[::step, ::step].astype(np.float64)
    middle = max(float(some.mean()), 1e-6)
    _speckle(noise, np.float32(amount * float(some.std())), np.float32(share), np.float32(middle), field)


@compiled()
def _add(values: Image, amount: np.float32, threshold: np.float32, field: Image) -> None:
    """Add what exceeds a threshold (all of it where the threshold is minus infinity), times an amount."""
    rows, columns = field.shape
    base = max(threshold, np.float32(-1e30))
    everything = threshold == -np.inf
    for row in range(rows):
        for column in range(columns):
            value = values[row, column]
            if everything:
                field[row, column] += amount * value
            elif value > base:
                field[row, column] += amount * (value - base)


@compiled()
def _speckle(noise: Image, amount: np.float32, share: np.float32, middle: np.float32, field: Image) -> None:
    """Add noise whose deviation is amount * ((1 - share) + share * sqrt(field / middle))."""
    rows, columns = field.shape
    for row in range(rows):
        for column in range(columns):
            value = max(field[row, column], np.float32(0.0))
            part = (np.float32(1.0) - share) + share * np.sqrt(value / middle)
            field[row, column] += amount * part * noise[row, column]
