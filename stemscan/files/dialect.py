"""Dialect of a text table: what separates the numbers of a line, and what their decimal sign is.

Every way of reading is tried on the first lines. One that is left decides; several that are left and give the same
numbers are one; others are refused, so that nothing is guessed. `1,2` is two columns, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["SEPARATORS", "Dialect", "Separator", "dialects_of", "fields_of", "is_number", "may_be_thousands"]

Separator = Literal["\t", ";", ",", "|", None]
SEPARATORS: Final[tuple[Separator, ...]] = ("\t", ";", "|", ",", None)
NAMES: Final[dict[Separator, str]] = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars", None: "blanks"}

_NUMBER = re.compile(r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_WITH_COMMA = re.compile(r".*\d,\d[^,]*", re.ASCII)
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class Dialect:
    """A way of reading.

    Attributes
    ----------
    separator : str or None
        None for blanks of any number.
    comma : bool
        True if a comma is the decimal sign.
    """

    separator: Separator
    comma: bool

    def __str__(self) -> str:
        """In words."""
        return f"{NAMES[self.separator]} between columns and decimal {'commas' if self.comma else 'points'}"


def dialects_of(lines: Sequence[str]) -> list[Dialect]:
    """The ways in which all lines are as many numbers as the first; those that differ in what they read.

    Parameters
    ----------
    lines : sequence of str
        Without names, comments and empty lines; at least one.
    """
    found: dict[tuple[tuple[str, ...], ...], Dialect] = {}
    for separator in SEPARATORS:
        if separator is not None and separator not in lines[0]:
            continue
        rows = [fields_of(line, separator) for line in lines]
        if any(len(row) != len(rows[0]) for row in rows):
            continue
        for comma in (False, True):
            if comma and len(rows[0]) == 1 and any("," in _QUOTED.sub("", line) for line in lines):
                continue  # two columns of which a line lacks one
            if all(is_number(field, comma=comma) for row in rows for field in row):
                numbers = tuple(tuple(str(number_of(field, comma=comma)) for field in row) for row in rows)
                found.setdefault(numbers, Dialect(separator, comma))
    readings = list(found.values())
    return [one for one in readings if one == Dialect(",", comma=False)] or readings


def fields_of(line: str, separator: Separator) -> list[str]:
    """The fields of a line, without blanks around them and quotes; an empty one at the end is none."""
    hidden = [quoted[1] for quoted in _QUOTED.finditer(line)]
    if hidden:
        line = _QUOTED.sub("\x00", line)
    fields = line.split() if separator is None else [field.strip() for field in line.split(separator)]
    if len(fields) > 1 and fields[-1] == "":
        del fields[-1]
    if not hidden:
        return fields
    texts = iter(hidden)
    return [re.sub("\x00", lambda _: next(texts), field).strip() for field in fields]


def is_number(field: str, *, comma: bool) -> bool:
    """Tell whether a field is a number with that decimal sign; a decimal comma has digits on both sides."""
    if "," in field:
        if not comma or "." in field or _WITH_COMMA.fullmatch(field) is None:
            return False
        field = field.replace(",", ".")
    elif comma and "." in field:
        return False
    return _NUMBER.fullmatch(field.replace("\u2212", "-")) is not None


def number_of(field: str, *, comma: bool) -> float:
    """The number."""
    return float((field.replace(",", ".") if comma else field).replace("\u2212", "-"))


def may_be_thousands(field: str) -> bool:
    """Tell whether a comma in a field may stand between thousands."""
    return _GROUPED.fullmatch(field) is not None
