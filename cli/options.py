"""Declaration of options and arguments: one form of text, panel, choices, default and completion for all commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import typer

__all__ = [
    "DRIFTS",
    "EXPORTS",
    "FITS",
    "GENERAL",
    "GRIDS",
    "NOISES",
    "POSITIONS",
    "PROTOCOLS",
    "REPEATS",
    "SMOOTHS",
    "TASKS",
    "argument",
    "option",
    "with_choices",
]

GENERAL = "General"
"""Panel of the options that all commands share; the last one."""

NOISES = ("poisson", "eq5")
REPEATS = ("independent", "exclusive")
POSITIONS = ("actual", "commanded")
DRIFTS = ("auto", "off", "stored")
EXPORTS = ("abtem", "csv", "de-freescan", "fei-stream", "fei-stream-12", "nexus", "npy", "odemis", "py4dstem")
FITS = ("error", "crop", "resample")
"""Choices that stand in modules of the library which take long to import; a test compares them."""

SMOOTHS = ("paper",)
GRIDS = ("plan", "native")
PROTOCOLS = ("obi",)
TASKS = ("images", "columns")
"""Choices of commands alone."""

Completer = Callable[..., list[str]]


def option(
    *flags: str,
    panel: str,
    help: str = "",
    metavar: str | None = None,
    choices: Iterable[str] = (),
    default: str | None = None,
    complete: Completer | None = None,
    **more: Any,
) -> Any:
    """Option of a command, for `Annotated`.

    Parameters
    ----------
    *flags : str
        As `--output`; made of the parameter's name unless given.
    panel : str
        Heading under which the help lists it.
    help : str
        Text: a noun or an imperative, without default and choices.
    metavar : str, optional
        Placeholder of its value.
    choices : iterable of str
        Values that it takes; shown in the help and completed.
    default : str, optional
        Default in words, where the parameter's own is None.
    complete : callable, optional
        Completer of a value where it has no choices, see `stemscan.cli.completing`.
    **more
        Further arguments of `typer.Option`.
    """
    values = tuple(choices)
    if values:
        metavar = metavar or "NAME"
        complete = complete or _completer(values)
    return typer.Option(
        *flags,
        help=with_choices(help, values),
        metavar=metavar,
        rich_help_panel=panel,
        show_default=default if default is not None else True,
        autocompletion=complete,
        **more,
    )


def argument(metavar: str, help: str, *, complete: Completer | None = None, **more: Any) -> Any:
    """Argument of a command, for `Annotated`."""
    return typer.Argument(metavar=metavar, help=help, autocompletion=complete, **more)


def with_choices(text: str, values: Sequence[str]) -> str:
    """Text of an option with the values that it takes."""
    return f"{text} [choices: {', '.join(values)}]" if values else text


def _completer(values: Sequence[str]) -> Completer:
    """Completer of fixed values."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete
