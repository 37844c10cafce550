"""A named crystal as a specimen: structure, projection, probe and field of view put together."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final

from stemscan.errors import UsageError
from stemscan.simulators.instrument.probe import Probe, render_cell, render_field
from stemscan.simulators.specimens.crystal_names import parse_crystal
from stemscan.simulators.specimens.crystals import crystal_atoms
from stemscan.simulators.specimens.kinds import CRYSTAL
from stemscan.simulators.specimens.projection import project
from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["DEFAULT_PIXEL_NM", "Z_EXPONENT", "render_crystal"]

DEFAULT_PIXEL_NM: Final = 0.01
Z_EXPONENT: Final = 1.7
"""Exponent of the atomic number in the high-angle annular dark-field signal."""


def render_crystal(
    spec: str, shape: tuple[int, int], *, pixel_size_nm: float | None = None, probe: Probe | None = None
) -> Specimen:
    """Z-contrast image of a perfect crystal along a zone axis.

    The cell's origin stands at the centre of the field, ((rows - 1) / 2, (columns - 1) / 2); rows run downwards.
    The brightest column is 1, and how bright a place is does not depend on the size of the field.

    Parameters
    ----------
    spec : str
        ``crystal:NAME`` or ``crystal:NAME[uvw]``, see `parse_crystal`.
    shape : tuple of int
        Rows and columns.
    pixel_size_nm : float, optional
        0.01 nm where it is not known, which the record says.
    probe : Probe, optional

    Returns
    -------
    Specimen
        Its record holds crystal, zone axis, the lattice vector that points to the right, probe and exponent.

    Raises
    ------
    SpecimenError
        If the crystal or zone axis is unknown.
    UsageError
        If the pixel size is not a length above 0.
    """
    name, zone = parse_crystal(spec)
    warnings: list[str] = []
    pixel = DEFAULT_PIXEL_NM if pixel_size_nm is None else pixel_size_nm
    if not 0 < pixel < math.inf:
        raise UsageError(f"expected a pixel size above 0 nm, got {pixel:g}")
    probe = Probe() if probe is None else probe
    full_name = CRYSTAL.named(f"{name}[{_zone_text(zone)}]")
    if pixel_size_nm is None:
        warnings.append(f"the plan has no pixel size: {full_name} was drawn at {pixel:g} nm a pixel")
    if pixel > probe.fwhm_nm:
        warnings.append(
            f"pixels of {pixel:.4g} nm are coarser than the probe ({probe.fwhm_nm:.4g} nm): the lattice of "
            f"{full_name} is undersampled"
        )
    projection = project(crystal_atoms(name), zone, Z_EXPONENT)
    cell_image = render_cell(projection, probe)
    signal = render_field(cell_image, projection.cell, shape, pixel)
    step: dict[str, Any] = {
        "step": "render",
        "crystal": name,
        "zone_axis": list(zone),
        "right": list(projection.right),
        "pixel_size_nm": pixel,
        "pixel_size_from": "default" if pixel_size_nm is None else "plan",
        "z_exponent": Z_EXPONENT,
        "probe": asdict(probe),
    }
    return Specimen(signal, full_name, pixel, {"source": "crystal", "steps": [step], "warnings": warnings})


def _zone_text(zone: tuple[int, int, int]) -> str:
    """Indices as they are written: without separators where each has one digit."""
    return ("" if max(map(abs, zone)) < 10 else ",").join(map(str, zone))
