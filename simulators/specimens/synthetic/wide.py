"""The varieties of synthetic specimens: the usual one, and a wide one with much that is no lattice.

The wide variety has the usual kinds with defects at the rates of alloys and damaged crystals and with disturbed
boundaries, shapes without columns, and crystals that shapes lie on or cut. All of it may lie on uneven ground.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from stemscan.simulators.specimens.synthetic.choices import Choices
from stemscan.simulators.specimens.synthetic.grains import grow
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage
from stemscan.simulators.specimens.synthetic.materials import Material
from stemscan.simulators.specimens.synthetic.scenes import KINDS, Scene
from stemscan.simulators.specimens.synthetic.shapes import shapes
from stemscan.simulators.specimens.synthetic.splines import Spline
from stemscan.types import Image

__all__ = ["VARIETIES", "Maker", "Variety", "add_ground"]

Variety = Literal["usual", "wide"]
Maker = Callable[[Choices, Material, Stage], Scene]

_LATTICES: Final = 0.4
"""Share of the usual kinds in the wide variety."""


def _shapes_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """Shapes alone."""
    none = Sites(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.uint64))
    return Scene(none, picture=shapes(choices, stage))


def _on_crystal_scene(choices: Choices, material: Material, stage: Stage) -> Scene:
    """A crystal that shapes lie on, or whose columns end where they are."""
    sites = grow(choices.under("grain 0"), material, stage)
    picture = shapes(choices, stage)
    if choices.chance("cut", 0.5):
        threshold = choices.uniform("cut level", 0.2, 0.6) * float(np.abs(picture).max())
        sites = sites.where(~_covered(sites, np.abs(picture) > threshold))
        left = choices.log_uniform("shape amount", 0.02, 1.0)
    else:
        left = choices.log_uniform("shape amount", 0.1, 1.5)
    return Scene(sites, picture=picture * np.float32(-left if choices.chance("dark shapes", 0.4) else left))


def _covered(
    sites: Sites, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Columns that a mask covers; outside of the field it goes on as at its border."""
    places = ((sites.rows, mask.shape[0]), (sites.columns, mask.shape[1]))
    rows, columns = (np.clip(np.rint(at + (size - 1) / 2).astype(int), 0, size - 1) for at, size in places)
    return np.asarray(mask[rows, columns])


VARIETIES: Final[Mapping[Variety, Mapping[str, tuple[float, Maker]]]] = MappingProxyType(
    {
        "usual": KINDS,
        "wide": {kind: (_LATTICES * share, maker) for kind, (share, maker) in KINDS.items()}
        | {"shapes": (0.4, _shapes_scene), "shapes on a crystal": (0.2, _on_crystal_scene)},
    }
)
"""Kinds of each variety: the share of each, and what puts it together."""


def add_ground(choices: Choices, stage: Stage, field: Image) -> None:
    """Uneven ground beneath a picture of the wide variety, in most of them: a ramp and smooth hills."""
    if not choices.chance("uneven ground", 0.6):
        return
    step = max(1, math.isqrt(field.size) // 128)
    height = choices.log_uniform("ground height", 0.05, 1.5) * float(field[::step, ::step].std())
    cell = choices.log_uniform("ground length", 80, 600)
    field += np.float32(height) * Spline.noise(choices.key("ground"), stage.shape, cell).on_grid(stage.shape)
    angle = choices.uniform("ramp angle", 0, 2 * math.pi)
    normal = (math.cos(angle), math.sin(angle))
    rows, columns = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in stage.shape)
    ramp = (rows[:, None] * normal[0] + columns[None, :] * normal[1]) / stage.reach(normal)
    field += np.float32(height * choices.uniform("ramp", 0.0, 1.5)) * ramp
