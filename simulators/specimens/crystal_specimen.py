"""A named crystal as a specimen: structure, projection, probe, defects and field of view put together."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError
from stemscan.runtime.roomy import bands
from stemscan.simulators.instrument.probe import CellImage, Probe, add_profiles, render_cell, render_field
from stemscan.simulators.specimens.crystal_names import parse_crystal
from stemscan.simulators.specimens.crystal_options import Crystalline, parse_options, split_options
from stemscan.simulators.specimens.crystals import crystal_atoms
from stemscan.simulators.specimens.defects import Defects, place_columns
from stemscan.simulators.specimens.kinds import CRYSTAL
from stemscan.simulators.specimens.projection import Z_EXPONENT, Projection, project
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.store.true_columns import TrueColumns

__all__ = ["DEFAULT_PIXEL_NM", "render_crystal", "reweighted"]

DEFAULT_PIXEL_NM: Final = 0.01
_MARGIN_NM: Final = 1.5


def render_crystal(
    spec: str,
    shape: tuple[int, int],
    *,
    pixel_size_nm: float | None = None,
    probe: Probe | None = None,
    defects: Defects | None = None,
    exponent: float = Z_EXPONENT,
) -> Specimen:
    """Z-contrast image of a crystal along a zone axis, perfect or with defects that are asked for.

    The cell's origin stands at the centre of the field, ((rows - 1) / 2, (columns - 1) / 2); rows run downwards.
    The brightest place of the perfect crystal is 1, and how bright a place is does not depend on the size of the field;
    where defects make a place brighter, the whole field is scaled down.

    Parameters
    ----------
    spec : str
        ``crystal:NAME``, ``crystal:NAME[uvw]`` (see `parse_crystal`), and ``?key=value&key=value`` behind it (see
        `stemscan.simulators.specimens.crystal_options.OPTIONS`).
    shape : tuple of int
        Rows and columns.
    pixel_size_nm : float, optional
        0.01 nm where it is not known, which the record says.
    probe : Probe, optional
        In place of the name's.
    defects : Defects, optional
        In place of the name's.
    exponent : float
        Of the atomic number in a column's weight.

    Returns
    -------
    Specimen
        It knows its columns. Its record holds crystal, zone axis, the lattice vector that points to the right, probe,
        defects and exponent.

    Raises
    ------
    SpecimenError
        If the crystal, zone axis or an option is unknown.
    UsageError
        If the pixel size is not a length above 0.
    """
    base, options = split_options(spec)
    name, zone = parse_crystal(base)
    picture = parse_options(options)
    picture = replace(picture, probe=probe or picture.probe, defects=defects or picture.defects)
    pixel = DEFAULT_PIXEL_NM if pixel_size_nm is None else pixel_size_nm
    if not 0 < pixel < math.inf:
        raise UsageError(f"expected a pixel size above 0 nm, got {pixel:g}")
    full_name = CRYSTAL.named(f"{name}[{_zone_text(zone)}]" + (f"?{options}" if options else ""))
    projection = project(crystal_atoms(name), zone, exponent)
    right = projection.right
    turned = replace(projection, cell=projection.cell @ _turn(picture.turn_deg))
    cell_image = render_cell(turned, picture.probe)
    signal = render_field(cell_image.values, turned.cell, shape, pixel)
    columns = _with_defects(picture, turned, cell_image, pixel, signal)
    step: dict[str, Any] = {
        "step": "render",
        "crystal": name,
        "zone_axis": list(zone),
        "right": list(right),
        "pixel_size_nm": pixel,
        "pixel_size_from": "default" if pixel_size_nm is None else "plan",
        "z_exponent": exponent,
        "probe": asdict(picture.probe),
        "defects": asdict(picture.defects) | {"shift_nm": list(picture.defects.shift_nm)},
        "background": picture.background,
        "turn_deg": picture.turn_deg,
        "edge": picture.edge,
    }
    warnings = _warnings(full_name, pixel, picture.probe, stated=pixel_size_nm is not None)
    record = {"source": "crystal", "steps": [step], "warnings": warnings}
    return Specimen(signal, full_name, pixel, record, columns)


def reweighted(specimen: Specimen, exponent: float) -> NDArray[np.float32]:
    """Signal of a specimen whose atoms weigh by another power of their number; as it is where atoms are not known."""
    steps = specimen.record.get("steps", ())
    if specimen.record.get("source") != "crystal" or len(steps) != 1 or steps[0]["z_exponent"] == exponent:
        return specimen.signal
    size = steps[0]["pixel_size_nm"]
    return render_crystal(specimen.name, specimen.shape, pixel_size_nm=size, exponent=exponent).signal


def _turn(degrees: float) -> NDArray[np.float64]:
    """Matrix that turns (right, up) vectors, one a row, counterclockwise."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, s], [-s, c]])


def _with_defects(
    picture: Crystalline, projection: Projection, cell: CellImage, pixel: float, signal: NDArray[np.float32]
) -> TrueColumns:
    """Put defects and background into the image of the perfect crystal; its columns in the field."""
    shape = (signal.shape[0], signal.shape[1])
    placed = place_columns(projection, picture.defects, shape, pixel, margin_nm=_MARGIN_NM, edge=picture.edge)
    peak = cell.unit * picture.probe.peak()
    if len(placed.heights):
        add_profiles(picture.probe, placed.places, placed.heights * peak, pixel, signal)
        for _, band in bands(signal):
            np.maximum(band, np.float32(0), out=band)
    scale = (1 - picture.background) / max(1.0, max(float(band.max()) for _, band in bands(signal)))
    if scale != 1:
        for _, band in bands(signal):
            band *= np.float32(scale)
            band += np.float32(picture.background)
            np.minimum(band, np.float32(1), out=band)
    columns = placed.columns
    fields = {**columns.fields(), "amplitude": columns["amplitude"] * peak * scale}
    return TrueColumns.of(columns.classes, **fields).within(shape)


def _warnings(name: str, pixel: float, probe: Probe, *, stated: bool) -> list[str]:
    """Sentences on the pixel size."""
    warnings = []
    if not stated:
        warnings.append(f"the plan has no pixel size: {name} was drawn at {pixel:g} nm per pixel")
    if pixel > probe.fwhm_nm:
        warnings.append(
            f"pixels of {pixel:.4g} nm are coarser than the probe ({probe.fwhm_nm:.4g} nm): the lattice of "
            f"{name} is undersampled"
        )
    return warnings


def _zone_text(zone: tuple[int, int, int]) -> str:
    """Indices as they are written: without separators where each has one digit."""
    return ("" if max(map(abs, zone)) < 10 else ",").join(map(str, zone))
