"""Settings of people's own files: YAML of one mapping, checked by a pydantic model, every mistake one sentence.

Plans have a page of their own for their errors (`stemscan.plan.messages`); training configurations and controller
profiles are read here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from stemscan.errors import StemscanError, remedy_for
from stemscan.files.opening import require_file
from stemscan.files.strict_yaml import MAX_BYTES, YamlProblem, looks_like_number, parse

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = [
    "expectation",
    "key_path",
    "model_from_file",
    "model_from_yaml",
    "shortened",
    "values_in",
    "with_line",
    "with_place",
    "yaml_hint",
]

Model = TypeVar("Model", bound="BaseModel")

_MOST_DIGITS = 10**15


def model_from_yaml(model: type[Model], text: str, *, what: str, source: str, error: type[StemscanError]) -> Model:
    """Read the text of a file.

    Parameters
    ----------
    model : type
        Of pydantic; strict, without unknown keys.
    what : str
        Name of such a file, for messages.
    source : str
        Name of the file, for messages.
    error : type
        Of the error that a mistake raises.

    Raises
    ------
    error
        With source, key, line, what was expected and what was there.
    """
    from pydantic import ValidationError

    try:
        data, lines = parse(text)
    except YamlProblem as problem:
        raise error(f"{source}: {problem}") from problem
    if not isinstance(data, dict):
        raise error(f"{source}: expected a mapping, the keys of a {what}, got {type(data).__name__}; see an example")
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        raise error(f"{source}: {_sentence(problem, lines, what, model)}") from problem


def model_from_file(model: type[Model], path: Path, *, what: str, error: type[StemscanError]) -> Model:
    """Read a file; parameters and errors as `model_from_yaml`.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    error
        When it cannot be read, or holds something else.
    """
    require_file(path, f"a {what}", error)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path}: expected a readable text file in UTF-8, got: {problem}") from problem
    return model_from_yaml(model, text, what=what, source=str(path), error=error)


def _sentence(
    problem: ValidationError, lines: Mapping[tuple[str | int, ...], int], what: str, model: type[BaseModel]
) -> str:
    """The first of pydantic's errors: key, line, what was expected, what was there."""
    error: Any = sorted(problem.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")[0]
    location = tuple(error["loc"])
    if error["type"] == "value_error":
        return with_line(str(error["ctx"]["error"]), lines)
    key = key_path(location) or what
    where = with_place(key, location, lines)
    if error["type"] == "extra_forbidden":
        name, known = str(location[-1]), _keys_at(model, location[:-1])
        keys = f"one of {', '.join(known)}" if known else f"a key that a {what} has"
        return f"{where}: expected {keys}, got {name!r}; {remedy_for(name, known, 'remove or correct it')}"
    if error["type"] == "missing":
        return f"{where}: expected this {'number' if isinstance(location[-1], int) else 'key'}, got none; add it"
    return f"{where}: expected {expectation(error)}, got {shortened(error['input'])}{yaml_hint(error)}"


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> tuple[str, ...]:
    """Keys that are known at a place; none where several kinds of values may stand there."""
    for part in location:
        if not isinstance(part, int):
            field = model.model_fields.get(part)
            found = () if field is None else values_in(field.annotation)
            if len(found) != 1:
                return ()
            model = found[0]
    return tuple(model.model_fields)


def values_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    """Classes of values that an annotation allows, wherever they stand in it."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(found for part in get_args(annotation) for found in values_in(part))


def key_path(location: tuple[str | int, ...]) -> str:
    """Keys from the outermost in, with points between them; one that no line can hold in quotes."""
    return ".".join(str(part) if str(part).isprintable() else repr(part) for part in location)


def with_line(message: str, lines: Mapping[tuple[str | int, ...], int]) -> str:
    """Put the line into a message that begins with the key to blame, as those of rules over several keys do."""
    key, colon, rest = message.partition(": ")
    location = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
    return with_place(key, location, lines) + colon + rest


def with_place(key: str, location: tuple[str | int, ...], lines: Mapping[tuple[str | int, ...], int]) -> str:
    """A key with the line on which it stands, or that of what it would stand in."""
    line = next((lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in lines), None)
    return f"{key} (line {line})" if line is not None else key


def expectation(error: Any) -> str:
    """Expectation, from one of pydantic's errors, in the words of YAML where pydantic has Python's."""
    kind, limits = error["type"], error.get("ctx", {})
    if kind in ("model_type", "model_attributes_type"):
        return "a mapping of keys"
    if kind == "tuple_type":
        return "a list in brackets"
    for bound, words in (("min_length", "at least"), ("max_length", "at most")):
        if bound in limits:
            unit = "character" if kind.startswith("string") else "item"
            return f"{words} {limits[bound]} {unit}{'' if limits[bound] == 1 else 's'}"
    message = str(error["msg"]).removeprefix("Input should be ").removeprefix("Input should have ")
    return message[0].lower() + message[1:]


def shortened(value: object) -> str:
    """A value as it was given, cut to a length that fits a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def yaml_hint(error: Any) -> str:
    """Remedy for a value; explains the number that YAML reads as text."""
    value = error["input"]
    number = float(str(value).replace("_", "")) if looks_like_number(value) else math.nan
    if math.isfinite(number) and error["type"] in ("float_type", "int_type"):
        return f", which YAML 1.1 reads as text; write it without quotes, as {_yaml_number(number)}"
    return "; correct it"


def _yaml_number(number: float) -> str:
    """A number as YAML 1.1 reads it: whole numbers in digits, else a point and a signed exponent."""
    if number.is_integer() and abs(number) < _MOST_DIGITS:
        return str(int(number))
    mantissa, letter, exponent = repr(number).partition("e")
    return mantissa + (".0" if letter and "." not in mantissa else "") + letter + exponent
