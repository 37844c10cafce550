"""Options of a crystal's name, ``crystal:NAME[uvw]?key=value&key=value``: its defects, its probe, how it lies.

An option is one entry of `OPTIONS`, which names where its value belongs and how it is read.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from stemscan.errors import SpecimenError, UsageError
from stemscan.simulators.instrument.probe import Probe
from stemscan.simulators.specimens.defects import Defects
from stemscan.units import parse_length_nm

__all__ = ["OPTIONS", "Crystalline", "parse_options", "split_options"]


@dataclass(frozen=True)
class Crystalline:
    """Picture of a crystal: all but structure, zone axis and grid.

    Parameters
    ----------
    background : float
        Uniform signal beneath the columns, 0 to 1; what is left of the range is the columns'.
    turn_deg : float
        By how much the crystal is turned counterclockwise.
    edge : float
        Share of the field's width that the crystal fills, from the left, above 0; 1 is all of it, and beyond.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    probe: Probe = field(default_factory=Probe)
    defects: Defects = field(default_factory=Defects)
    background: float = 0.0
    turn_deg: float = 0.0
    edge: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.background < 1 and math.isfinite(self.turn_deg) and 0 < self.edge <= 1):
            raise UsageError(
                "expected a background from 0 to below 1, a turn in degrees and an edge above 0 to 1, got "
                f"{self.background:g}, {self.turn_deg:g} and {self.edge:g}; correct them"
            )


class Option(NamedTuple):
    """An option: part and field that it sets, how its value is read, and what it means."""

    part: str
    field: str
    read: Callable[[str], Any]
    meaning: str


def _shift(text: str) -> tuple[float, float]:
    """Least and greatest length of ``5pm-40pm``, or one length for both."""
    least, dash, most = text.partition("-")
    return parse_length_nm(least), parse_length_nm(most if dash else least)


OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        "displaced": Option("defects", "displaced", float, "share of columns that are displaced"),
        "shift": Option("defects", "shift_nm", _shift, "by how much, as 5pm-40pm"),
        "vacancies": Option("defects", "vacancies", float, "share of columns that are missing"),
        "substitutions": Option("defects", "substitutions", float, "share of columns that are replaced"),
        "interstitials": Option("defects", "interstitials", float, "share of cells with a column more"),
        "strength": Option("defects", "strength", float, "height of a replaced column, and of one more, over usual"),
        "seed": Option("defects", "seed", int, "seed of the defects"),
        "probe": Option("probe", "fwhm_nm", parse_length_nm, "full width at half maximum of the probe's core"),
        "tail": Option("probe", "tail", float, "share of the intensity in the probe's tail"),
        "reach": Option("probe", "tail_nm", parse_length_nm, "width of that tail"),
        "source": Option("probe", "source_nm", parse_length_nm, "full width at half maximum of the source's image"),
        "tilt": Option("probe", "tilt_nm", parse_length_nm, "length over which a tilt spreads a column's atoms"),
        "direction": Option("probe", "tilt_deg", float, "degrees of that, counterclockwise from the right"),
        "background": Option("", "background", float, "signal beneath the columns"),
        "edge": Option("", "edge", float, "share of the width that the crystal fills, from the left"),
        "turn": Option("", "turn_deg", float, "degrees by which the crystal is turned counterclockwise"),
    }
)
"""Every option of a crystal's name."""


def split_options(spec: str) -> tuple[str, str]:
    """The name of a crystal and its options, without the question mark between them."""
    name, _, options = spec.partition("?")
    return name, options


def parse_options(text: str) -> Crystalline:
    """Read options, ``key=value&key=value``.

    Parameters
    ----------
    text : str
        May be empty.

    Raises
    ------
    SpecimenError
        If an option is unknown, stands twice or has no value of its kind.

    Examples
    --------
    >>> parse_options("displaced=0.2&seed=7&turn=3").defects.displaced
    0.2
    """
    found: dict[str, dict[str, Any]] = {"probe": {}, "defects": {}, "": {}}
    for part in filter(None, text.split("&")):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        option = OPTIONS.get(key)
        if option is None or not equals:
            raise SpecimenError(_unknown(key))
        if option.field in found[option.part]:
            raise SpecimenError(f"expected each option of a crystal once, got {key!r} twice; drop one")
        try:
            found[option.part][option.field] = option.read(value)
        except (ValueError, UsageError) as problem:
            raise SpecimenError(f"expected a value of {key} ({option.meaning}), got {value!r}: {problem}") from problem
    try:
        return Crystalline(Probe(**found["probe"]), Defects(**found["defects"]), **found[""])
    except UsageError as problem:
        raise SpecimenError(f"expected options of a crystal, got {text!r}: {problem}") from problem


def _unknown(key: str) -> str:
    """Message on an option that there is not."""
    close = difflib.get_close_matches(key, OPTIONS, n=1)
    hint = f"did you mean {close[0]}? Known" if close else "known"
    return f"expected options of a crystal as key=value&key=value, got {key!r}; {hint} are {', '.join(OPTIONS)}"
