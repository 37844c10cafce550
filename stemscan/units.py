"""Quantities with units, as people type them and as people read them.

Characters that look the same are the same: both mus, both angstrom signs, letters of full width (Unicode's NFKC).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from fractions import Fraction

from stemscan.errors import UsageError

__all__ = [
    "counted",
    "format_count",
    "format_duration",
    "format_length",
    "length_unit_nm",
    "parse_area_dose",
    "parse_bytes",
    "parse_current_pa",
    "parse_decibel",
    "parse_dwell_ns",
    "parse_length_nm",
    "parse_seconds",
    "parse_shape",
    "parse_time_constant_ns",
]

_NUMBER = r"\s*([-+]?(?:\d{1,18}\.?\d{0,18}|\.\d{1,18})(?:[eE][-+]?\d{1,2})?)\s*"
_QUANTITY = re.compile(_NUMBER + r"([^\d\s]*)\s*")
_MAYBE_UNIT = re.compile(_NUMBER + r"((?:[^\d\s.+-]\S*)?)\s*")
_TIME_NS = {"ns": 1, "us": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_LENGTH_NM = {
    "pm": Fraction(1, 1000),
    "A": Fraction(1, 10),
    "Å": Fraction(1, 10),
    "nm": Fraction(1),
    "um": Fraction(1000),
    "μm": Fraction(1000),
    "mm": Fraction(10**6),
    "cm": Fraction(10**7),
    "m": Fraction(10**9),
}
_LENGTH_WORDS: dict[str, int | Fraction] = {
    r"met(er|re)s?": 10**9,
    r"centimet(er|re)s?": 10**7,
    r"millimet(er|re)s?": 10**6,
    r"micromet(er|re)s?|microns?": 10**3,
    r"nanomet(er|re)s?": 1,
    r"picomet(er|re)s?": Fraction(1, 1000),
    r"(angstr|ångstr)[oö]ms?|ang": Fraction(1, 10),
    r"inch(es)?": 25_400_000,
}
_AREA_DOSE = {"": Fraction(1), "e-/A^2": Fraction(1), "e-/Å^2": Fraction(1), "e-/nm^2": Fraction(1, 100)}
_BYTES = {f"{prefix}B": 1000**power for power, prefix in enumerate(("", "k", "M", "G", "T"))} | {
    f"{prefix}iB": 1024**power for power, prefix in enumerate(("K", "M", "G", "T"), 1)
}
_CURRENT_PA = {"fA": Fraction(1, 1000), "pA": Fraction(1), "nA": Fraction(1000)}


def _parse(text: str, units: Mapping[str, int | Fraction], what: str, example: str) -> Fraction:
    """Exact value of a positive quantity in the base unit."""
    match = _QUANTITY.fullmatch(_plain(text))
    factor = None if match is None else length_unit_nm(match[2]) if units is _LENGTH_NM else units.get(match[2])
    if match is None or factor is None:
        raise UsageError(f"expected {what} with a unit ({', '.join(units)}), got {text!r}; write it like {example}")
    value = Fraction(match[1]) * factor
    if value <= 0:
        raise UsageError(f"expected {what} above zero, got {text!r}")
    return value


def _plain(text: str) -> str:
    """Text with one character for those that look the same: the micro sign is a Greek mu, the angstrom sign an A."""
    return unicodedata.normalize("NFKC", text)


def parse_dwell_ns(text: str) -> int:
    """Dwell time in whole nanoseconds.

    Raises
    ------
    UsageError
        When the unit is missing or unknown, or the time is not a whole number of nanoseconds above zero.

    Examples
    --------
    >>> parse_dwell_ns("1.5us")
    1500
    """
    value = _parse(text, _TIME_NS, "a dwell time", "1us or 500ns")
    if value.denominator != 1:
        raise UsageError(f"expected a dwell time of whole nanoseconds, got {text!r}; round it")
    return int(value)


def parse_time_constant_ns(text: str) -> float:
    """Time constant in nanoseconds.

    Raises
    ------
    UsageError
        When the unit is missing or unknown, or the time is not above zero.

    Examples
    --------
    >>> parse_time_constant_ns("2.5us")
    2500.0
    """
    return float(_parse(text, _TIME_NS, "a time constant", "30us or 500ns"))


def length_unit_nm(unit: str) -> Fraction | None:
    """Nanometres in a unit of length: a symbol or an English word, as people and other programs write them.

    Takes both signs for micro and for angstrom, plurals, both spellings of metre, symbols of any case that cannot be
    meant otherwise, brackets, escapes such as ``\\u00B5m``, and the underscore of EMD files (``n_m``). None for
    whatever is no unit of length.

    Examples
    --------
    >>> [float(length_unit_nm(unit)) for unit in ("Angstroms", "n_m", "[um]")], length_unit_nm("1/nm")
    ([0.1, 1.0, 1000.0], None)
    """
    text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), unit)
    text = _plain(text).strip().strip("[]()").strip()
    text = re.sub(r"^([pnuμmc]?)_m$", r"\1m", text)
    if text in _LENGTH_NM:
        return _LENGTH_NM[text]
    lower = text.casefold()
    for symbol, factor in _LENGTH_NM.items():
        if lower == symbol.casefold() and text not in ("M", "Mm"):
            return factor
    return next((Fraction(nm) for word, nm in _LENGTH_WORDS.items() if re.fullmatch(word, lower)), None)


def parse_seconds(text: str) -> float:
    """Time in seconds.

    Raises
    ------
    UsageError
        When the unit is missing or unknown, or the time is not above zero.

    Examples
    --------
    >>> parse_seconds("12s"), parse_seconds("500ms")
    (12.0, 0.5)
    """
    return float(_parse(text, _TIME_NS, "a time", "12s or 500ms") / _TIME_NS["s"])


def parse_length_nm(text: str) -> float:
    """Length in nanometres.

    Raises
    ------
    UsageError
        When the unit is missing or unknown, or the length is not above zero.

    Examples
    --------
    >>> parse_length_nm("0.1A")
    0.01
    """
    return float(_parse(text, _LENGTH_NM, "a length", "0.01nm or 0.1A"))


def parse_current_pa(text: str) -> float:
    """Probe current in picoampere.

    Raises
    ------
    UsageError
        When the unit is missing or unknown, or the current is not above zero.

    Examples
    --------
    >>> parse_current_pa("0.03nA")
    30.0
    """
    return float(_parse(text, _CURRENT_PA, "a probe current", "30pA"))


def parse_area_dose(text: str) -> float:
    """Dose in electrons per square angstrom; without a unit, that is its unit.

    Raises
    ------
    UsageError
        When it is no number, the unit is unknown, or the dose is not above zero.

    Examples
    --------
    >>> parse_area_dose("200"), parse_area_dose("200 e-/A^2"), parse_area_dose("200e-/nm^2")
    (200.0, 200.0, 2.0)
    """
    match = _MAYBE_UNIT.fullmatch(_plain(text.replace("²", "^2")))
    if match is None or match[2] not in _AREA_DOSE:
        raise UsageError(f"expected a dose in e-/A^2 (or with a unit, e-/A^2 or e-/nm^2), got {text!r}")
    value = Fraction(match[1]) * _AREA_DOSE[match[2]]
    if value <= 0:
        raise UsageError(f"expected a dose above 0 e-/A^2, got {text!r}")
    return float(value)


def parse_decibel(text: str) -> float:
    """Decibels, with or without their unit.

    Raises
    ------
    UsageError
        When it is no number or has another unit, or is not above zero.

    Examples
    --------
    >>> parse_decibel("0.05dB")
    0.05
    """
    match = _MAYBE_UNIT.fullmatch(_plain(text))
    if match is None or match[2] not in ("", "dB"):
        raise UsageError(f"expected a number of decibels, got {text!r}; write it like 0.05dB")
    value = float(match[1])
    if value <= 0:
        raise UsageError(f"expected a number of decibels above 0, got {text!r}")
    return value


def parse_bytes(text: str) -> float:
    """Bytes of a size.

    Raises
    ------
    UsageError
        When the unit is missing or unknown, or the size is not above zero.

    Examples
    --------
    >>> parse_bytes("2GiB"), parse_bytes("500 MB")
    (2147483648.0, 500000000.0)
    """
    return float(_parse(text, _BYTES, "a size", "2GiB or 500MB"))


def parse_shape(text: str) -> tuple[int, int]:
    """Rows and columns.

    Raises
    ------
    UsageError
        When the text is not two whole numbers above zero.

    Examples
    --------
    >>> parse_shape("512x1024")
    (512, 1024)
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*[xX×,]\s*(\d{1,9})\s*", text)
    if match is None or not (int(match[1]) and int(match[2])):
        raise UsageError(f"expected a shape as rows x columns, got {text!r}; write it like 1024x1024")
    return int(match[1]), int(match[2])


def format_duration(ns: float) -> str:
    """A duration for people.

    Examples
    --------
    >>> format_duration(196_608_000), format_duration(90e9)
    ('196.6 ms', '1.500 min')
    """
    for limit, divisor, unit in (
        (1e3, 1, "ns"),
        (1e6, 1e3, "us"),
        (1e9, 1e6, "ms"),
        (60e9, 1e9, "s"),
        (3600e9, 60e9, "min"),
    ):
        if ns < limit:
            return f"{_four(ns / divisor)} {unit}"
    return f"{_four(ns / 3600e9)} h"


def format_length(nm: float) -> str:
    """A length for people.

    Examples
    --------
    >>> format_length(10.24), format_length(0.01)
    ('10.24 nm', '10.00 pm')
    """
    if nm < 0.1:
        return f"{_four(nm * 1000)} pm"
    return f"{_four(nm)} nm" if nm < 1000 else f"{_four(nm / 1000)} um"


def format_count(count: int) -> str:
    """A whole number with thin groups of thousands.

    Examples
    --------
    >>> format_count(196608)
    '196,608'
    """
    return f"{count:,}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number of things, the noun in the singular for one.

    Parameters
    ----------
    noun : str
        In the singular.
    plural : str, optional
        Plural, where it is not made by an s, or es behind a hiss.

    Examples
    --------
    >>> counted(1, "pass"), counted(2, "pass"), counted(196608, "sample"), counted(0, "axis", "axes")
    ('1 pass', '2 passes', '196,608 samples', '0 axes')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{format_count(number)} {plural or noun + ('es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's')}"


def _four(value: float) -> str:
    """Four significant digits without exponent."""
    digits = 3 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{max(0, min(digits, 12))}f}"
