"""Options of `stemscan plan`, as the patterns declare them beside their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stemscan.errors import UsageError, remedy_for
from stemscan.plan.declared import field_texts
from stemscan.plan.value import PlanValue

__all__ = ["DeclaredOption", "Option", "declared_options", "pattern_from_options", "pattern_options"]

Patterns = Mapping[str, type[PlanValue]]


@dataclass(frozen=True)
class Option:
    """Option of `stemscan plan` by which a field is given; stands beside the field's type.

    Parameters
    ----------
    flag : str, optional
        As `--per-block`; made of the field's name unless given.
    default : object, optional
        Value that the command takes where neither it nor the field has one.
    read : callable, optional
        Makes the value from text, or raises ValueError; the field's type unless given.
    help : str, optional
        Text for the command line; that of the docstring unless given.
    tried : range, tuple of two float, or list
        Values that suit tests on grids of some dozen pixels: these whole numbers, any number between two, one of these.
    """

    flag: str = ""
    default: Any = None
    read: Callable[[str], Any] | None = None
    help: str = ""
    tried: Any = ()


@dataclass(frozen=True)
class DeclaredOption:
    """Option of one field of one pattern."""

    kind: str
    field: str
    flag: str
    option: Option
    default: Any
    type: type[Any]
    help: str


def pattern_options(patterns: Patterns) -> list[tuple[str, type[Any], str]]:
    """Flags, types and texts of the options of all patterns, those of one name together."""
    by_flag: dict[str, list[DeclaredOption]] = {}
    for kind in patterns:
        for one in declared_options(kind, patterns[kind]):
            by_flag.setdefault(one.flag, []).append(one)
    return [(flag, every[0].type, _help(every)) for flag, every in by_flag.items()]


def pattern_from_options(kind: str, given: Mapping[str, Any], patterns: Patterns) -> dict[str, Any]:
    """Make plain data of a pattern from the options that fit its kind.

    Parameters
    ----------
    kind : str
        Of the pattern.
    given : mapping
        Values by flag; None for an option that was not given.
    patterns : mapping
        All patterns by their kind.

    Raises
    ------
    UsageError
        When there is no such kind, an option does not belong to it, or one is missing or cannot be read.
    """
    if kind not in patterns:
        remedy = remedy_for(kind, patterns, "choose one of them")
        raise UsageError(f"--pattern: expected one of {', '.join(patterns)}, got {kind!r}; {remedy}")
    declared = {one.flag: one for one in declared_options(kind, patterns[kind])}
    for flag, value in given.items():
        if value is not None and flag not in declared:
            raise UsageError(f"{flag}: expected no such option with the pattern {kind}, got {value}; leave it out")
    return {"kind": kind, **{one.field: _value(one, given.get(one.flag)) for one in declared.values()}}


def _value(one: DeclaredOption, given: Any) -> Any:
    """Value of a field from its option."""
    value = one.default if given is None else given
    if value is None:
        raise UsageError(f"{one.flag}: expected a value with the pattern {one.kind}, got none; add {one.flag}")
    if one.option.read is None or not isinstance(value, str):
        return value
    try:
        return one.option.read(value)
    except ValueError as problem:
        raise UsageError(f"{one.flag}: {problem}") from problem


def declared_options(kind: str, pattern: type[PlanValue]) -> Iterator[DeclaredOption]:
    """Options that a pattern declares."""
    texts = field_texts(pattern)
    for name, field in pattern.model_fields.items():
        for option in field.metadata:
            if isinstance(option, Option):
                flag = option.flag or "--" + name.replace("_", "-")
                default = option.default if field.is_required() else field.default
                read_as: Any = str if option.read is not None else field.annotation
                yield DeclaredOption(kind, name, flag, option, default, read_as, option.help or texts[name])


def _help(every: list[DeclaredOption]) -> str:
    """Text of an option, after the patterns that it is for."""
    kinds: dict[str, list[str]] = {}
    for one in every:
        text = one.help if one.default is None else f"{one.help}. [default: {one.default:g}]"
        kinds.setdefault(text, []).append(one.kind)
    whole = "; ".join(f"{', '.join(names)}: {text}" for text, names in kinds.items())
    return whole if whole.endswith("]") else f"{whole}."
