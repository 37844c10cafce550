"""Synthetic specimens by seed and index: choices to scene, scene to picture, picture to specimen.

The picture is the sum of atomic columns seen by a probe, on a diffuse background, under whatever films the scene has;
it is brought to [0, 1] at the end. Everything follows from (seed, index) by counter-based random numbers, whichever
machine, order or process draws it. Sizes are in pixels, so that another shape shows a smaller or larger field at the
same scale; a given pixel size fixes the scale instead.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import SpecimenError, UsageError
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.probe import Probe
from stemscan.simulators.specimens.kinds import SYNTHETIC
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.simulators.specimens.synthetic.choices import Choices
from stemscan.simulators.specimens.synthetic.films import (
    add_contamination,
    add_diffuse,
    add_film,
    add_speckle,
    thickened,
)
from stemscan.simulators.specimens.synthetic.known import true_columns
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage, rotation
from stemscan.simulators.specimens.synthetic.materials import SPACING, Material
from stemscan.simulators.specimens.synthetic.scenes import first_material
from stemscan.simulators.specimens.synthetic.stamps import SyntheticProbe, probe_table, stamp
from stemscan.simulators.specimens.synthetic.strain import strained
from stemscan.simulators.specimens.synthetic.wide import VARIETIES, Maker, Variety, add_ground
from stemscan.types import SEEDS

__all__ = ["draw_synthetic", "parse_synthetic", "synthetic_specimen"]

PIXEL_SIZES_NM: Final = (0.001, 0.1)
_FINE: Final = 12.0
_ROUNDING = np.float32(2.0**16)


def parse_synthetic(spec: str) -> tuple[int, int, Variety]:
    """Seed, index and variety of ``synthetic:SEED/INDEX`` or ``synthetic:SEED/INDEX?variety=wide``.

    Returns
    -------
    variety : str
        In `VARIETIES`.

    Raises
    ------
    SpecimenError
        If it is not of this form.
    """
    form = rf"\s*(\d+)\s*/\s*(\d+)\s*(?:\?variety=({'|'.join(VARIETIES)})\s*)?"
    match = re.fullmatch(form, SYNTHETIC.without_word(spec), re.ASCII)
    if match is None:
        raise SpecimenError(
            f"expected synthetic:SEED/INDEX with two integers from 0, or that and ?variety=wide, got {spec!r}, "
            "write for example synthetic:1/0"
        )
    seed, index = int(match[1]), int(match[2])
    _check_numbers(seed, index)
    return seed, index, cast(Variety, match[3] or "usual")


def draw_synthetic(spec: str, shape: tuple[int, int], *, pixel_size_nm: float | None = None) -> Specimen:
    """Draw the synthetic specimen of a name, ``synthetic:SEED/INDEX``; errors as `parse_synthetic`."""
    seed, index, variety = parse_synthetic(spec)
    return synthetic_specimen(shape, seed=seed, index=index, variety=variety, pixel_size_nm=pixel_size_nm)


def synthetic_specimen(
    shape: tuple[int, int],
    *,
    seed: int,
    index: int,
    variety: Variety = "usual",
    pixel_size_nm: float | None = None,
) -> Specimen:
    """Draw a synthetic specimen.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, each at least 1.
    seed : int
        Names a set of specimens, 0 to 2**64 - 1.
    index : int
        Names the specimen in the set, 0 to 2**64 - 1.
    variety : {"usual", "wide"}
        Kinds that there are: `wide` has shapes that are no lattice, more defects, and uneven ground.
    pixel_size_nm : float, optional
        0.001 to 0.1 nm. Without it the nearest columns stand 6 to 40 pixels apart, and the pixel size is what follows.

    Returns
    -------
    Specimen
        Name ``synthetic:SEED/INDEX``, with ``?variety=wide`` behind it where it is wide; signal in multiples of 2**-16;
        the record holds every choice under ``choices``.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    _check_numbers(seed, index)
    if min(shape) < 1:
        raise UsageError(f"expected a grid of at least 1 x 1, got {' x '.join(map(str, shape))}")
    low, high = PIXEL_SIZES_NM
    if pixel_size_nm is not None and not low <= pixel_size_nm <= high:
        raise UsageError(
            f"expected a pixel size of {low:g} to {high:g} nm for a synthetic specimen, got {pixel_size_nm:g}, "
            "change the plan's or leave it out"
        )
    if variety not in VARIETIES:
        raise UsageError(f"expected a variety of {', '.join(VARIETIES)}, got {variety!r}")
    name = SYNTHETIC.named(f"{seed}/{index}" + (f"?variety={variety}" if variety != "usual" else ""))
    choices, kinds = Choices(seed, index), VARIETIES[variety]
    names = list(kinds)
    kind = choices.one_of("kind", names, [kinds[name][0] for name in names])
    material, stage = _scale(choices, kind, shape, pixel_size_nm)
    stage = replace(stage, wide=variety == "wide")
    field, sites = _drawn(choices, kind, kinds[kind][1], material, stage)
    signal, gain = _finished(choices, field, inverted=0.35 if stage.wide else 0.2)
    warnings = []
    if not SPACING[0] * 0.99 <= stage.spacing <= SPACING[1] * 1.01:
        warnings.append(
            f"the plan's pixels of {stage.pixel_size_nm:.4g} nm put the nearest columns of {name} "
            f"{stage.spacing:.3g} pixels apart, outside {SPACING[0]:g} to {SPACING[1]:g}"
        )
    step: dict[str, Any] = {
        "step": "synthesise",
        "seed": seed,
        "index": index,
        **({} if variety == "usual" else {"variety": variety}),
        "shape": list(shape),
        "pixel_size_nm": stage.pixel_size_nm,
        "pixel_size_from": "choice" if pixel_size_nm is None else "plan",
        "choices": choices.made,
    }
    record = {"source": "synthetic", "steps": [step], "warnings": warnings}
    return Specimen(signal, name, stage.pixel_size_nm, record, true_columns(sites, gain, stage.shape))


def _check_numbers(seed: int, index: int) -> None:
    """Refuse a seed or index that is no 64-bit number."""
    for name, value in (("seed", seed), ("index", index)):
        if not 0 <= value < SEEDS:
            raise UsageError(f"expected a {name} from 0 to 2**64 - 1 for a synthetic specimen, got {value}")


def _scale(choices: Choices, kind: str, shape: tuple[int, int], pixel_size_nm: float | None) -> tuple[Material, Stage]:
    """The first material, in pixels and turned as it lies in the field, and the stage it sets the scale of."""
    gamma = choices.uniform("gamma", 1.4, 2.0)
    material = first_material(choices, kind, gamma, pixel_size_nm)
    material = replace(material, weights=material.weights / material.weights.max())
    fine = choices.chance("fine lattice", 0.3)
    spacing = choices.log_uniform("spacing", *((SPACING[0], _FINE) if fine else (_FINE, SPACING[1])))
    pixel = material.nearest / spacing if pixel_size_nm is None else pixel_size_nm
    pixel = float(f"{pixel:.9g}")
    aligned = choices.chance("aligned with the scan", 0.35)
    quarter = choices.integer("quarter turns", 0, 3) * math.pi / 2
    small = math.radians(choices.uniform("small angle", -4, 4))
    angle = quarter + small if aligned else choices.uniform("rotation", 0, 2 * math.pi)
    shear = choices.uniform("scan shear", -0.03, 0.03), choices.uniform("scan stretch", 0.97, 1.03)
    distortion = np.array([[shear[1], 0.0], [shear[0], 1.0]])
    scaled = material.scaled(1 / pixel).mapped(distortion @ rotation(angle))
    return scaled, Stage(shape, pixel, scaled.nearest)


def _drawn(
    choices: Choices, kind: str, maker: Maker, material: Material, stage: Stage
) -> tuple[NDArray[np.float32], Sites]:
    """The picture before it is brought to [0, 1], and its columns with the heights of their peaks in it."""
    scene = maker(choices, material, stage)
    sites = thickened(choices, strained(choices, scene.sites, stage), stage)
    probe = _probe(choices)
    field = np.zeros(stage.shape, np.float32)
    table = probe_table(probe, stage.pixel_size_nm, stage.spacing * (0.6 if kind == "amorphous" else 1.0))
    centre = ((stage.shape[0] - 1) / 2, (stage.shape[1] - 1) / 2)
    stamp(sites.rows + centre[0], sites.columns + centre[1], sites.amounts, table, field)
    add_diffuse(choices, sites, stage, field)
    for film in scene.films:
        add_film(film, field)
    if scene.picture is not None:
        field += scene.picture
    if stage.wide:
        add_ground(choices, stage, field)
        field -= min(float(field.min()), 0.0)  # speckle follows the brightness, which is not negative
    add_contamination(choices, stage, field)
    add_speckle(choices, stage, field)
    middle = table.shape[2] // 2
    return field, sites.times(float(table[0, 0, middle, middle]))


def _probe(choices: Choices) -> SyntheticProbe:
    """Choose a probe."""
    one = choices.under("probe")
    width = one.uniform("fwhm_nm", 0.07, 0.16)
    profile = Probe(width, one.uniform("tail", 0.2, 0.75), width * one.uniform("tail width", 0.8, 2.0))
    return SyntheticProbe(profile, one.uniform("stretch", 1.0, 1.25), one.uniform("angle", 0, math.pi))


def _finished(choices: Choices, field: NDArray[np.float32], *, inverted: float) -> tuple[NDArray[np.float32], float]:
    """Contrast, black and white level, and the gain of all that; a picture without contrast becomes half bright."""
    turned = choices.chance("inverted", inverted)
    headroom = choices.uniform("headroom", 0.0, 1.0)
    white = choices.uniform("white level", 0.5, 1.0) if choices.chance("saturated", 0.15) else 1.0
    black = choices.uniform("black level", 0.0, 0.15) if choices.chance("cut", 0.15) else 0.0
    offset = choices.uniform("offset", 0.0, 0.25) if choices.chance("raised", 0.35) else 0.0
    signal = np.empty_like(field)
    low, high = _range(field, headroom)
    if high <= low:
        signal.fill(0.5)
        return signal, 0.0
    bottom, top = low + black * (high - low), low + white * (high - low)
    _level(field, np.float32(bottom), np.float32(1 / (top - bottom)), np.float32(offset), turned, signal)
    return signal, (1 - offset) / (top - bottom) * (-1 if turned else 1)


def _range(field: NDArray[np.float32], headroom: float) -> tuple[float, float]:
    """Values that become black and white: the extremes, but none far outside what all but 0.1 % of the pixels show."""
    step = max(1, math.isqrt(field.size) // 256)
    some = np.sort(field[::step, ::step], axis=None)
    beyond = some.size // 1000
    dark, bright = float(some[beyond]), float(some[-1 - beyond])
    room = headroom * (bright - dark)
    return max(float(field.min()), dark - room), min(float(field.max()), bright + room)


@compiled()
def _level(
    field: NDArray[np.float32],
    bottom: np.float32,
    scale: np.float32,
    offset: np.float32,
    inverted: bool,
    signal: NDArray[np.float32],
) -> None:
    """Scale, clip, invert, raise, and round to multiples of 2**-16."""
    one = np.float32(1.0)
    rows, columns = field.shape
    for row in range(rows):
        for column in range(columns):
            value = min(max((field[row, column] - bottom) * scale, np.float32(0.0)), one)
            if inverted:
                value = one - value
            value = offset + (one - offset) * value
            signal[row, column] = min(np.rint(value * _ROUNDING) / _ROUNDING, one)
