"""Quantities as typed, and the dose arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stemscan.errors import UsageError
from stemscan.plan.dose import area_dose, electrons_from_current
from stemscan.units import (
    format_duration,
    format_length,
    parse_area_dose,
    parse_current_pa,
    parse_decibel,
    parse_dwell_ns,
    parse_length_nm,
    parse_shape,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1us", 1000), ("1 \u00b5s", 1000), ("1\u03bcs", 1000), ("2.5ms", 2_500_000), ("1e-6s", 1000), (".5us", 500)],
)
def test_dwell(text: str, ns: int) -> None:
    assert parse_dwell_ns(text) == ns


@pytest.mark.parametrize(
    ("text", "nm"),
    [("0.01nm", 0.01), ("0.1A", 0.01), ("10pm", 0.01), ("1um", 1000.0), ("0.5Å", 0.05)]
    + [(f"0.02{mu}m", 20.0) for mu in "u\u00b5\u03bc"]
    + [(f"0.2{angstrom}", 0.02) for angstrom in ("\u212b", "\u00c5", "A\u030a", " angstrom", "Angstroms", "Ångström")]
    + [("2e-11m", 0.02), ("2e-11 metres", 0.02), ("20 picometers", 0.02), ("2e-8 mm", 0.02), ("0.02 nanometre", 0.02)],
)
def test_length(text: str, nm: float) -> None:
    assert parse_length_nm(text) == nm


@pytest.mark.parametrize(
    ("text", "dose"),
    [
        ("20", 20.0),
        (" 20 e-/A^2 ", 20.0),
        ("2e1e-/A^2", 20.0),
        ("20e-/\u212b^2", 20.0),
        ("20 e-/Å²", 20.0),
        ("20e-/Å^2", 20.0),
        ("2000 e-/nm^2", 20.0),
    ],
)
def test_area_dose_as_typed(text: str, dose: float) -> None:
    assert parse_area_dose(text) == dose


def test_decibel() -> None:
    assert parse_decibel("0.05dB") == parse_decibel(" 5e-2 dB ") == parse_decibel("0.05") == 0.05


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_area_dose, text) for text in ("", "0", "-3", "3dB", "1_0", "inf", "nan", "3 e-/A", "1 2", "3e-")),
        *((parse_decibel, text) for text in ("", "0dB", "-1", "3db", "1_0", "inf", "nan", "3e-/A^2", "1.2.3")),
        (parse_dwell_ns, "1"),
        (parse_dwell_ns, "1.5ns"),
        (parse_dwell_ns, "0us"),
        (parse_dwell_ns, "-1us"),
        (parse_dwell_ns, "us"),
        (parse_dwell_ns, "1 hour"),
        (parse_length_nm, "0.01"),
        (parse_length_nm, "0.01px"),
        (parse_length_nm, "1 M"),
        (parse_length_nm, "1/nm"),
        (parse_length_nm, "nan nm"),
        (parse_length_nm, "1e400000000nm"),
        (parse_current_pa, "3"),
        (parse_shape, "1024"),
        (parse_shape, "0x5"),
        (parse_shape, "axb"),
        (parse_shape, "-4x4"),
    ],
)
def test_bad_quantity_says_what_was_expected(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        parse(text)


def test_formats() -> None:
    assert format_duration(90) == "90.00 ns"
    assert format_duration(2 * 3600e9) == "2.000 h"
    assert format_length(1500) == "1.500 um"
    assert format_length(0) == "0 pm"


def test_current_of_one_electron_a_second() -> None:
    assert electrons_from_current(1.602176634e-7, 10**9) == pytest.approx(1.0)


def test_area_dose() -> None:
    assert area_dose(50.0, (5, 10), 0.1) == pytest.approx(1.0)
