"""Fields of a plan as people write them in Python: pairs, times and lengths with their units, orders by their names."""

from __future__ import annotations

from typing import Any, Final

from stemscan.errors import PlanError, UsageError
from stemscan.files.yaml_model import shortened
from stemscan.plan.messages import BrokenRule
from stemscan.units import parse_dwell_ns, parse_length_nm

__all__ = ["QUANTITIES", "as_shape", "in_file_units"]

QUANTITIES: Final = {"dwell": ("dwell_ns", parse_dwell_ns), "pixel_size": ("pixel_size_nm", parse_length_nm)}
"""Quantities that the constructor takes as text with a unit too: the key of plan files, and how the text is read."""

_LARGEST_SIDE: Final = 65536


def as_shape(value: Any) -> tuple[int, int]:
    """Rows and columns from a pair, or a list as YAML and JSON give it."""
    sides = tuple(value) if isinstance(value, list | tuple) else ()
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= _LARGEST_SIDE for side in sides):
        raise BrokenRule(
            "",
            f"expected [rows, columns], whole numbers from 1 to {_LARGEST_SIDE}, got {shortened(value)}; correct it",
        )
    return sides[0], sides[1]


def in_file_units(fields: dict[str, Any]) -> dict[str, Any]:
    """Keys and numbers of a plan file from the arguments of the constructor.

    Raises
    ------
    PlanError
        When a quantity is stated twice, or has no unit that fits.
    """
    for name, (key, parse_text) in QUANTITIES.items():
        value = fields.pop(name, None)
        if value is None:
            continue
        if fields.get(key) is not None:
            raise PlanError(f"{name}: expected {name} or {key}, got both; keep one")
        try:
            fields[key] = parse_text(value) if isinstance(value, str) else value
        except UsageError as problem:
            raise PlanError(f"{name}: {problem}") from problem
    if isinstance(fields.get("order"), str):
        fields["order"] = {"kind": fields["order"]}
    return fields
