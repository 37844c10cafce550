"""Settings of people's own files: YAML of one mapping, checked by a pydantic model, every mistake one sentence.

Plans have a page of their own for their errors (`stemscan.plan_errors`); training configurations and controller
profiles are read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stemscan.errors import InputNotFoundError, StemscanError
from stemscan.plan_errors import yaml_hint
from stemscan.strict_yaml import MAX_BYTES, YamlProblem, parse

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = ["model_from_file", "model_from_yaml"]

Model = TypeVar("Model", bound="BaseModel")


def model_from_yaml(model: type[Model], text: str, *, what: str, source: str, error: type[StemscanError]) -> Model:
    """Read the text of a file.

    Parameters
    ----------
    model : type
        Of pydantic; strict, without unknown keys.
    text : str
    what : str
        What such a file is called, for messages.
    source : str
        Name of the file, for messages.
    error : type
        Of the error that a mistake raises.

    Returns
    -------
    model

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
        raise error(f"{source}: {_sentence(problem, lines, what)}") from problem


def model_from_file(model: type[Model], path: Path, *, what: str, error: type[StemscanError]) -> Model:
    """Read a file; parameters and errors as `model_from_yaml`.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    error
        When it cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except FileNotFoundError as problem:
        raise InputNotFoundError(f"expected a {what}, got {str(path)!r}, which does not exist") from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path}: expected a readable text file in UTF-8, got: {problem}") from problem
    return model_from_yaml(model, text, what=what, source=str(path), error=error)


def _sentence(problem: ValidationError, lines: Mapping[tuple[str | int, ...], int], what: str) -> str:
    """The first of pydantic's errors: key, line, what was expected, what was there."""
    error: Any = sorted(problem.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")[0]
    location = tuple(error["loc"])
    if error["type"] == "value_error":
        key, colon, said = str(error["ctx"]["error"]).partition(": ")
        line = lines.get(tuple(key.split("."))) if colon else None
        return f"{key}{colon}{said}" if line is None else f"{key} (line {line}): {said}"
    key = ".".join(map(str, location)) or what
    line = next((lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in lines), None)
    where = f"{key} (line {line})" if line is not None else key
    if error["type"] == "extra_forbidden":
        return f"{where}: expected a key that a {what} has, got {key!r}; remove or correct it"
    if error["type"] == "missing":
        return f"{where}: expected this {'number' if isinstance(location[-1], int) else 'key'}, got none; add it"
    return f"{where}: expected {_expected(error)}, got {error['input']!r}{yaml_hint(error)}"


def _expected(error: Any) -> str:
    """What would have been right, in the words of YAML where pydantic has Python's."""
    kind = error["type"]
    if kind in ("model_type", "model_attributes_type"):
        return "a mapping of keys"
    if kind == "tuple_type":
        return "a list in brackets"
    if kind in ("too_short", "too_long"):
        short = kind == "too_short"
        return f"at {'least' if short else 'most'} {error['ctx']['min_length' if short else 'max_length']} of them"
    message: str = error["msg"].removeprefix("Input should be ")
    return message[0].lower() + message[1:]
