"""Base of a plan and of all its parts: immutable values, whose broken rules are one `PlanError` wherever they are made.

A file, plain data and Python run through the same validation; only the words for what would have been right differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, Signature, signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError

from stemscan.arguments import described
from stemscan.errors import PlanError
from stemscan.plan.messages import Lines, plan_error

__all__ = ["PlanValue", "by_kind", "lists_as_tuples", "signature_of"]

Init = TypeVar("Init", bound=Callable[..., None])


class PlanValue(BaseModel):
    """Base of a plan and of all its parts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    example: ClassVar[Mapping[str, Any]] = {}
    """Keys and values of a valid one, for messages."""

    python_keys: ClassVar[Mapping[str, str]] = {}
    """Keys that the constructor takes beside those of files, and the ones that they stand for."""

    def __init__(self, /, *unnamed: Any, **fields: Any) -> None:
        """Make a value of keywords.

        Raises
        ------
        PlanError
            When a key or value is not one of this kind of value, or breaks a rule.
        """
        if unnamed:
            names = ", ".join(signature(type(self)).parameters)
            raise PlanError(
                f"{type(self).__name__}: expected keywords ({names}), got {described(unnamed[0])} without one; name it"
            )
        with _broken_rules(type(self), None):
            super().__init__(**self.plain_fields(fields))

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Show plain types in the help of a class that has no constructor of its own."""
        if cls.__init__ is PlanValue.__init__:
            cls.__signature__ = _plain_signature(cls)

    def __dir__(self) -> list[str]:
        """Names without those that are pydantic's own."""
        return [name for name in super().__dir__() if name.startswith("_") or name not in vars(BaseModel)]

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # parts are validated with the whole

    @classmethod
    def plain_fields(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Keys and values as files have them, of those that the constructor gets: plain numbers in place of numpy's."""
        return {name: _without_numpy(value) for name, value in fields.items()}

    @classmethod
    def model_validate(cls, obj: Any, *, lines: Lines | None = None, **options: Any) -> Self:
        """Make a value from plain data; errors as of the constructor, with the lines of a file where they are given."""
        with _broken_rules(cls, lines or {}):
            return super().model_validate(obj, **options)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Make a value from JSON; errors as of the constructor."""
        with _broken_rules(cls, {}):
            return super().model_validate_json(json_data, **options)

    def replace(self, **changes: Any) -> Self:
        """Make a changed copy, which is validated as a new value is.

        Parameters
        ----------
        **changes
            As for the constructor.

        Raises
        ------
        PlanError
            When the copy would break a rule.
        """
        return type(self)(**{**dict(self), **changes})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Make a changed copy as `replace` does; without pydantic's way around the rules."""
        return self.replace(**(update or {}))

    if not TYPE_CHECKING:  # where type checkers see frozen fields

        def __setattr__(self, name: str, value: Any = None) -> None:
            raise PlanError(
                f"expected {type(self).__name__} to stay as it is, got {name} changed; make a copy with "
                f"replace({name}=...)"
            )

        __delattr__ = __setattr__

    def __str__(self) -> str:
        return repr(self)

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Fields that are not at their defaults."""
        for name, field in type(self).model_fields.items():
            if getattr(self, name) != field.default:
                yield name, getattr(self, name)


def by_kind(base: type[Any]) -> dict[str, type[Any]]:
    """Classes below a base that have a kind, by it, in the order of the alphabet."""
    kind = base.model_fields["kind"]
    found = {} if kind.is_required() else {str(kind.default): base}
    for derived in base.__subclasses__():
        found |= by_kind(derived)
    return dict(sorted(found.items()))


def lists_as_tuples(value: Any) -> Any:
    """Let lists, as YAML and JSON give them, stand for tuples."""
    return tuple(map(lists_as_tuples, value)) if isinstance(value, list | tuple) else value


def _without_numpy(value: Any) -> Any:
    """Plain numbers, and lists of them, in place of numpy's."""
    if isinstance(value, list | tuple):
        return tuple(map(_without_numpy, value))
    return value.tolist() if hasattr(value, "tolist") else value


def _plain_signature(model: type[BaseModel]) -> Signature:
    """Keywords of a class with their types, without what validation and the command line add to these."""
    fields = {name: field for name, field in model.model_fields.items() if name != "kind" or field.is_required()}
    declared = SimpleNamespace(__annotations__={name: field.annotation for name, field in fields.items()})
    types = get_type_hints(declared)  # without annotations beside them
    empty = Parameter.empty
    return Signature(
        [
            Parameter(
                name, Parameter.KEYWORD_ONLY, default=empty if one.is_required() else one.default, annotation=hint
            )
            for (name, one), hint in zip(fields.items(), types.values(), strict=True)
        ]
    )


def signature_of(init: Init) -> Init:
    """Give a class the signature of an `__init__` without a body; what is missing or unknown breaks a rule too."""

    @wraps(init)
    def checked(self: PlanValue, /, *unnamed: Any, **fields: Any) -> None:
        PlanValue.__init__(self, *unnamed, **fields)

    checked.__pydantic_base_init__ = True  # type: ignore[attr-defined]
    return cast(Init, checked)


@contextmanager
def _broken_rules(model: type[PlanValue], lines: Lines | None) -> Iterator[None]:
    """Turn pydantic's errors into one sentence, for people who write Python or, with lines, files."""
    try:
        yield
    except ValidationError as problem:
        raise plan_error(problem, model, lines) from problem
