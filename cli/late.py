"""Parts of commands that are known only once heavy modules are imported: options and texts, found when they are needed.

`stemscan --help` builds all commands, and must not wait for what one of them is about.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar

import typer
from typer.main import get_command

from stemscan.cli.help import Command, Group
from stemscan.cli.options import option

__all__ = ["LateCommand", "LateGroup", "late_options"]

_METAVARS = {int: "N", float: "NUMBER", str: "TEXT"}


def late_options(options: Iterable[tuple[str, type[Any], str, str]]) -> list[Any]:
    """Options whose values, None where they are not given, the command finds in `context.obj` by their flags.

    Parameters
    ----------
    options : iterable of (str, type, str, str)
        Flag, type of the value, text, panel of the help.
    """

    def receive() -> None:
        """Take nothing: typer reads the signature."""

    parameters = [
        inspect.Parameter(
            flag.lstrip("-").replace("-", "_"),
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                kind | None,
                option(
                    flag,
                    panel=panel,
                    help=text,
                    metavar=_METAVARS.get(kind, "VALUE"),
                    expose_value=False,
                    callback=_remember,
                ),
            ],
        )
        for flag, kind, text, panel in options
    ]
    receive.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    receive.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    alone = typer.Typer(add_completion=False)
    alone.command()(receive)
    return list(get_command(alone).params)


def _remember(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> None:
    """Keep the value of an option for the command."""
    context.ensure_object(dict)[parameter.opts[0]] = value


class _Late:
    """Base of groups and commands."""

    late_help: ClassVar[Mapping[str, Callable[[], str]]] = {}
    """Texts of options by their names."""

    def finished(self, parameters: list[Any]) -> list[Any]:
        """Give the parameters their texts."""
        for parameter in parameters:
            if parameter.name in self.late_help:
                parameter.help = self.late_help[parameter.name]()
        return parameters


class LateCommand(_Late, Command):
    """Command some of whose texts are found when it runs."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Parameters of the command, as the parser and the help ask for them."""
        found = super().get_params(ctx)
        return found if ctx.resilient_parsing else self.finished(found)  # not for completion, which must be quick


class LateGroup(_Late, Group):
    """Group some of whose options and texts are found when it runs."""

    late_parameters: ClassVar[Callable[[], list[Any]]]
    """Makes options."""

    behind: ClassVar[str]
    """Name of the parameter that they follow."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Parameters of the group, as the parser and the help ask for them."""
        parameters = super().get_params(ctx)
        at = 1 + [parameter.name for parameter in parameters].index(self.behind)
        return self.finished([*parameters[:at], *type(self).late_parameters(), *parameters[at:]])
