"""Options that several commands share, declared once as the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, get_type_hints

__all__ = ["Shared", "takes"]


@dataclass(frozen=True)
class Shared:
    """Base of shared options: each field is an option, annotated as a parameter of a command; None if not given."""

    def given(self) -> dict[str, Any]:
        """Options that were given, by name."""
        return {part.name: value for part in fields(self) if (value := getattr(self, part.name)) not in (None, [])}


def takes(shared: type[Shared], parameter: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take shared options, in the place of one of its parameters.

    Parameters
    ----------
    shared : type
        Dataclass of the options.
    parameter : str
        Name of the command's parameter that gets them.
    """
    hints = get_type_hints(shared, include_extras=True)
    options = [
        inspect.Parameter(part.name, inspect.Parameter.KEYWORD_ONLY, default=part.default, annotation=hints[part.name])
        for part in fields(shared)
    ]

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        merged: list[inspect.Parameter] = []
        for one in own:
            merged += options if one.name == parameter else [one.replace(kind=inspect.Parameter.KEYWORD_ONLY)]

        @wraps(command)
        def run(**values: Any) -> None:
            chosen = shared(**{one.name: values.pop(one.name) for one in options})
            command(**values, **{parameter: chosen})

        run.__signature__ = inspect.Signature(merged)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in merged}
        return run

    return wrap
