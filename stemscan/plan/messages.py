"""One sentence for a value that pydantic refuses: the key, the value, what was expected, the line, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stemscan.errors import DoseLimitError, PlanError, remedy_for
from stemscan.files.yaml_model import (
    expectation,
    key_path,
    shortened,
    values_in,
    with_place,
    yaml_hint,
)

__all__ = ["BrokenLimit", "BrokenRule", "Lines", "kind_of", "plan_error"]

Location = tuple[str | int, ...]
Lines = Mapping[Location, int]
Value = type[BaseModel]


class BrokenRule(ValueError):
    """A rule over several keys is broken.

    Parameters
    ----------
    key : str
        The key to blame, as seen from the value that has the rule; empty for the value itself.
    message : str
        Expectation, value and remedy: "expected ..., got ...; do ...".
    """

    error: ClassVar[type[PlanError]] = PlanError

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class BrokenLimit(BrokenRule):
    """A plan exceeds the dose limit that it sets itself."""

    error = DoseLimitError


def plan_error(problem: ValidationError, model: Value, lines: Lines | None = None) -> PlanError:
    """Describe the first of pydantic's errors in one sentence and count the others.

    Parameters
    ----------
    problem : pydantic.ValidationError
        From validation.
    model : type
        The class that was validated.
    lines : mapping, optional
        Line of each path of keys, empty for plain data; None where the value was made in Python.

    Returns
    -------
    PlanError
        Of the class that the broken rule asks for.
    """
    errors = sorted(problem.errors(include_url=False), key=lambda error: error["type"] != "extra_forbidden")
    sentence, kind = _sentence(errors[0], model, lines)
    more = len(errors) - 1
    return kind(sentence + (f" (and {more} more)" if more else ""))


def kind_of(value: Value) -> str:
    """The kind by which a class is told from its like."""
    kind: str = value.model_fields["kind"].default
    return kind


def _place(model: Value, location: Location) -> tuple[Location, tuple[Value, ...]]:
    """Keys of a location, without the kinds that pydantic puts between them, and the classes that may stand there."""
    keys: list[str | int] = []
    here: tuple[Value, ...] = (model,)
    for part in location:
        if len(here) > 1:
            here = tuple(value for value in here if kind_of(value) == part)
            continue
        keys.append(part)
        field = here[0].model_fields.get(str(part)) if here else None
        here = () if field is None else values_in(field.annotation)
    return tuple(keys), here


def _sentence(error: ErrorDetails, model: Value, lines: Lines | None) -> tuple[str, type[PlanError]]:
    """Describe one error, and tell its class."""
    rule = error.get("ctx", {}).get("error")
    location, values = _place(model, error["loc"])
    if isinstance(rule, BrokenRule):
        blamed = (*location, *(rule.key.split(".") if rule.key else ()))
        return f"{_where(blamed, model, lines)}: {rule}", rule.error
    return f"{_where(location, model, lines)}: {_fault(error, model, values, lines)}", BrokenRule.error


def _where(location: Location, model: Value, lines: Lines | None) -> str:
    """A key, with the line on which it stands in a file."""
    if lines is None:
        return key_path(location) or model.__name__
    return with_place(key_path(location) or "plan", location, lines)


def _fault(error: ErrorDetails, model: Value, values: tuple[Value, ...], lines: Lines | None) -> str:
    """Expectation, value and remedy."""
    in_python = lines is None
    found = shortened(error["input"])
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(str(error["loc"][-1]), _place(model, error["loc"][:-1])[1][0], in_python)
        case "missing":
            other = [name for name, key in _python_keys(model).items() if in_python and error["loc"] == (key,)]
            return f"expected this key{f' or {other[0]}' if other else ''}, got none; add it"
        case "tuple_type" if in_python:
            return f"expected a tuple or list, got {found}; correct it"
        case "union_tag_invalid":
            kinds = [kind_of(value) for value in values]
            remedy = remedy_for(str(error["ctx"]["tag"]), kinds, "correct it")
            return f"expected kind to be one of {error['ctx']['expected_tags']}, got {found}; {remedy}"
        case "literal_error":
            choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            return f"expected {error['ctx']['expected']}, got {found}; {remedy_for(found, choices, 'correct it')}"
        case "union_tag_not_found" if isinstance(error["input"], Mapping):
            return f"expected a mapping with a kind, one of {', '.join(map(kind_of, values))}, got {found}; add it"
        case "model_type" | "model_attributes_type" | "union_tag_not_found" if values:
            return f"expected {_example(values, in_python)}, got {found}; correct it"
    return f"expected {expectation(error)}, got {found}{'; correct it' if in_python else yaml_hint(error)}"


def _unknown_key(key: str, value: Value, in_python: bool) -> str:
    """Keys that are known at this place, and the one that a mistyped key resembles."""
    fields = value.model_fields.items()
    known = [name for name, field in fields if name != "kind" or field.is_required() or not in_python]
    if in_python:
        known += _python_keys(value)
    names = f"{'one of ' if len(known) > 1 else ''}{', '.join(known) or 'no key'}"
    return f"expected {names}, got {key!r}; {remedy_for(key, known, 'remove or correct it')}"


def _python_keys(value: Value) -> Mapping[str, str]:
    """Keys that the constructor of a class takes beside those of files, and the ones that they stand for."""
    keys: Mapping[str, str] = getattr(value, "python_keys", {})
    return keys


def _example(values: tuple[Value, ...], in_python: bool) -> str:
    """A valid value, as Python or YAML has it."""
    value = values[0]
    keys: Mapping[str, Any] = getattr(value, "example", {})
    if in_python:
        return f"a value such as {value.__name__}({', '.join(f'{key}={one!r}' for key, one in keys.items())})"
    kind = {"kind": kind_of(value)} if len(values) > 1 else {}
    return f"a mapping such as {{{', '.join(f'{key}: {one}' for key, one in {**kind, **keys}.items())}}}"
