"""Settings of a method: read from the signature and docstring of its function, and checked against them."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from stemscan.errors import UsageError, remedy_for

__all__ = ["RESERVED", "Setting", "check_settings", "parse_settings", "plain", "settings_of"]

RESERVED: Final = frozenset({"source", "method", "threads", "grid", "drift"})
"""Names that `reconstruct` takes itself, and that no setting can have."""

_PASSED: Final = ("device", "weights")


class Setting(NamedTuple):
    """A setting of a method.

    Attributes
    ----------
    kind : str
        Its type as the signature has it; empty where that says nothing.
    default : object
        `inspect.Parameter.empty` where it must be given.
    text : str
        Its text in the docstring.
    hint : object
        The type itself; `Any` where it is not known.
    """

    name: str
    kind: str
    default: Any
    text: str
    hint: Any

    @property
    def required(self) -> bool:
        """Tell whether it has no default."""
        return self.default is inspect.Parameter.empty

    def __str__(self) -> str:
        kind = f": {self.kind}" if self.kind else ""
        return f"{self.name}{kind}" if self.required else f"{self.name}{kind} = {self.default!r}"


def settings_of(function: Callable[..., Any]) -> dict[str, Setting]:
    """Settings of a method's function, by name: every parameter after the first but device and weights.

    Examples
    --------
    >>> from stemscan.recon.classical.normalised_convolution import normconv
    >>> print(*settings_of(normconv).values())
    width: float | None = None
    """
    texts = _documented(function)
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    found = {}
    for one in list(inspect.signature(function).parameters.values())[1:]:
        if one.name not in _PASSED and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
            kind = "" if one.annotation is one.empty else _written(one.annotation)
            hint = _evaluated(one.annotation, scope)
            found[one.name] = Setting(one.name, kind, one.default, texts.get(one.name, ""), hint)
    return found


def check_settings(title: str, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Refuse a setting that a method does not have, a value of another type, and one that is missing.

    Parameters
    ----------
    title : str
        The method in messages: "method normconv".
    function : callable
        Of the method.

    Raises
    ------
    UsageError
    """
    known = settings_of(function)
    kinds = {one.kind for one in inspect.signature(function).parameters.values()}
    names = ", ".join(known) or "it has none"
    for name, value in settings.items():
        if name in known:
            _check_value(title, known[name], value)
        elif inspect.Parameter.VAR_KEYWORD not in kinds:
            remedy = remedy_for(name, known, "choose one of them" if known else "leave it out")
            raise UsageError(f"expected settings of {title} ({names}), got {name!r}; {remedy}")
    missing = next((one for one in known.values() if one.required and one.name not in settings), None)
    if missing is not None:
        raise UsageError(f"expected setting {missing.name} of {title}, got none; give a value")


def parse_settings(
    texts: Sequence[str], known: Mapping[str, Setting] = MappingProxyType({}), what: str = "a setting"
) -> dict[str, Any]:
    """Settings from NAME=VALUE, each value read as YAML, or as text where the setting's type wants that.

    Parameters
    ----------
    known : mapping of str to Setting
        Settings of the method.
    what : str
        Names the option in errors.

    Raises
    ------
    UsageError
        When one is written otherwise, or twice.

    Examples
    --------
    >>> parse_settings(["width=1.5", "windows=false", "rate=1e-3"])
    {'width': 1.5, 'windows': False, 'rate': 0.001}
    """
    settings: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"expected {what} as NAME=VALUE, got {text!r}; write for example windows=false")
        if name in RESERVED.union(_PASSED):
            raise UsageError(f"expected {what} to name a setting of the method, got {text!r}; give it as an option")
        if name in settings:
            raise UsageError(f"expected {what} once a name, got {name} twice; keep one")
        settings[name] = _read(name, value, known[name].hint if name in known else Any, what)
    return settings


def _read(name: str, text: str, hint: Any, what: str) -> Any:
    """A value from a text: of the readings that there are, the first that is of the setting's type."""
    from stemscan.files.strict_yaml import YamlProblem, looks_like_number, parse

    readings: list[Any] = []
    try:
        readings.append(parse(text)[0])
    except YamlProblem as problem:
        if not _fits(hint, text) or hint is Any:
            raise UsageError(
                f"expected {what} with a plain value for {name}, got {text!r}; write a number or word"
            ) from problem
    if text == text.strip().strip("\"'") and readings and looks_like_number(readings[0]):  # as 1e3, to YAML 1.1 a text
        number = float(text.replace("_", ""))
        readings = [number, *([int(number)] if number.is_integer() else [])]
    return next((one for one in readings if _fits(hint, one)), text if _fits(hint, text) else readings[0])


def _fits(hint: Any, value: Any) -> bool:
    """Tell whether a value is of a type; whatever it is where the type is the method's own."""
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        TypeAdapter(hint).validate_python(value, strict=True)
    except PydanticUserError:
        return True
    except ValidationError:
        return False
    return True


def plain(value: Any) -> Any:
    """Settings with the plain numbers of Python in the place of those of numpy.

    Examples
    --------
    >>> import numpy as np
    >>> plain({"width": np.float32(1.5), "sizes": [np.int64(3)]})
    {'width': 1.5, 'sizes': [3]}
    """
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return value.item() if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0 else value


def _check_value(title: str, setting: Setting, value: Any) -> None:
    """Refuse a value of another type."""
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        TypeAdapter(setting.hint).validate_python(value, strict=True)
    except PydanticUserError:
        return  # a type of the method's own
    except ValidationError as problem:
        expected = problem.errors()[0]["msg"].removeprefix("Input should be ")
        raise UsageError(f"expected setting {setting.name} of {title} to be {expected}, got {value!r}") from problem
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"expected setting {setting.name} of {title} to be finite, got {value!r}; give a number")


def _written(annotation: Any) -> str:
    """An annotation as it stands in the code."""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _evaluated(annotation: Any, scope: dict[str, Any]) -> Any:
    """The type of an annotation; `Any` where it names what is imported for type checkers alone."""
    if annotation is inspect.Parameter.empty:
        return Any
    try:
        return eval(annotation, scope) if isinstance(annotation, str) else annotation
    except Exception:  # noqa: BLE001 - other people's annotations
        return Any


def _documented(function: Callable[..., Any]) -> dict[str, str]:
    """Texts of the parameters in a numpydoc docstring, each on one line."""
    _, _, section = (inspect.getdoc(function) or "").partition("Parameters\n----------\n")
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in re.split(r"\n\S.*\n-+\n", section)[0].splitlines():
        if line[:1].strip():
            names = line.partition(" : ")[0].replace(" ", "").split(",")
        else:
            texts |= {name: f"{texts.get(name, '')} {line.strip()}".strip() for name in names}
    return texts
