"""Pixel sizes that files state, in nanometres for rows and for columns, and what cannot be one."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, Final

from stemscan.units import length_unit_nm

__all__ = ["PixelSize", "Sizes", "nanometres", "one_pixel_size", "pixel_size"]

PixelSize = tuple[float, float]
"""Distance of neighbouring rows and of neighbouring columns in nm."""

Sizes = tuple[PixelSize | None, tuple[str, ...]]
"""A pixel size, where it is known, and what should be reported of it."""

_NO_UNIT: Final = re.compile(r"(|-|pixels?|px|none|null|nan|undefined|unknown|inches \(default\))", re.IGNORECASE)
_RECIPROCAL: Final = re.compile(r"1\s*/|/\s*|.*\^?\s*-1\s*$|m?rad$|deg|°", re.IGNORECASE)
_SMALLEST_NM, _LARGEST_NM = 1e-5, 1e6
"""A hundredth of a picometre and a millimetre: no microscope's pixel lies outside."""


def nanometres(size: Any, unit: Any) -> float | None:
    """A length in nanometres; None where size or unit say nothing that can be one."""
    factor, number = length_unit_nm(_text(unit)), _number(size)
    if factor is None or number is None:
        return None
    return float(Fraction(repr(number)) * factor) or None


def one_pixel_size(stated: PixelSize, given: float | None) -> tuple[float | None, str]:
    """The pixel size to take of a file that states one, and what should be reported of it; empty for nothing.

    Parameters
    ----------
    stated : tuple of float
        For rows and columns in nm, of the file.
    given : float, optional
        By the user in nm; taken where it is.

    Examples
    --------
    >>> one_pixel_size((0.02, 0.02), None)
    (0.02, '')
    >>> one_pixel_size((0.02, 0.02), 0.03)
    (0.03, 'its pixel size is 0.02 nm, 0.03 nm was given and is taken')
    """
    down, across = stated
    if given is None and abs(down - across) > 1e-3 * across:
        return None, f"its pixels are {down:.4g} x {across:.4g} nm and not square: no pixel size taken"
    if given is not None and abs(given - across) > 0.01 * given:
        return given, f"its pixel size is {across:.4g} nm, {given:.4g} nm was given and is taken"
    return (across if given is None else given), ""


def pixel_size(rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Sizes:
    """The pixel size of two lengths with their units.

    Parameters
    ----------
    rows, columns : tuple
        Size and unit as the file has them, whatever their types.

    Returns
    -------
    size : tuple of float or None
        For rows and columns in nm; None where the file states none that can be one.
    warnings : tuple of str
        Why a size that is stated was not taken. Pixels, reciprocal lengths and angles are no lengths, and no warning.

    Examples
    --------
    >>> pixel_size((0.5, "Angstroms"), (50, "pm"))
    ((0.05, 0.05), ())
    >>> pixel_size((1, "furlong"), (1, "furlong"))[1]
    ("its unit of length, 'furlong', is not understood: its pixel size is taken as unknown",)
    """
    foreign = dict.fromkeys(_text(unit) for size, unit in (rows, columns) if _number(size) and _is_foreign(unit))
    if foreign:
        named = " and ".join(map(repr, foreign))
        return None, (f"its unit of length, {named}, is not understood: its pixel size is taken as unknown",)
    found = nanometres(*rows), nanometres(*columns)
    if found[0] is None or found[1] is None:
        one = found[0] or found[1]
        said = "its pixel size is stated in one direction only: taken as unknown"
        return None, (said,) if one and any(_number(size) is None for size, _ in (rows, columns)) else ()
    if not all(_SMALLEST_NM <= size <= _LARGEST_NM for size in (found[0], found[1])):
        stated = f"{_number(columns[0]):g} {_text(columns[1])}"
        return None, (f"its pixel size, stated as {stated}, is none of a microscope: taken as unknown",)
    return (found[0], found[1]), ()


def _text(unit: Any) -> str:
    """A unit as text."""
    return unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str("" if unit is None else unit)


def _number(size: Any) -> float | None:
    """A size as a number that can be one."""
    try:
        value = float(size)
    except (TypeError, ValueError):
        return None
    return value if 0 < value < math.inf else None


def _is_foreign(unit: Any) -> bool:
    """Tell whether a unit is one, and neither a length nor anything that needs no report."""
    text = _text(unit).strip().strip("[]()<>").strip("\0 ")
    if length_unit_nm(text) is not None or _NO_UNIT.fullmatch(text):
        return False
    return not _RECIPROCAL.match(text)
