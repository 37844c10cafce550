"""Help of commands: examples and options in panels, boxed on a terminal, plain elsewhere, and for the man page."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, NamedTuple

from typer.core import TyperCommand, TyperGroup

from stemscan.cli.options import GENERAL
from stemscan.cli.urls import HereOnly

__all__ = ["Command", "Group", "HelpPage", "Panel", "Row", "help_page"]

_WIDEST = 100
_NARROWEST = 40
_TERM = 26
"""Columns of the left side in plain text; longer terms have a line of their own."""


class Row(NamedTuple):
    """Entry of a panel."""

    term: str
    text: str


class Panel(NamedTuple):
    """Heading and its entries."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class HelpPage:
    """Help of one command, before it is laid out.

    Attributes
    ----------
    usage : str
        Command line in short.
    paragraphs : list of str
        Description, its first sentence alone first.
    examples : list of str
        Command lines, as they are typed.
    panels : list of Panel
        Arguments, commands, and options by their panels.
    """

    usage: str
    paragraphs: list[str]
    examples: list[str]
    panels: list[Panel]


def help_page(command: Any, context: Any) -> HelpPage:
    """Help of a command.

    Parameters
    ----------
    context : typer.Context
        Of that command.
    """
    parameters = [one for one in command.get_params(context) if not getattr(one, "hidden", False)]
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    usage = [context.command_path, "[OPTIONS]", *(_place(one) for one in arguments)]
    commands = list(_command_panels(command, context))
    if commands:
        usage.append("COMMAND ..." if not command.invoke_without_command or not context.parent else "[COMMAND ...]")
    panels = [Panel("Arguments", [Row(_place(one), _text(one)) for one in arguments])] if arguments else []
    panels += commands
    by_title: dict[str, list[Row]] = {}
    for one in parameters:
        if one.param_type_name == "option":
            title = getattr(one, "rich_help_panel", None) or GENERAL
            by_title.setdefault(title, []).append(Row(_flags(one), _text(one)))
    general = by_title.pop(GENERAL, [])
    panels += [Panel(title, rows) for title, rows in by_title.items()] + [Panel(GENERAL, general)]
    paragraphs = [" ".join(part.split()) for part in cleandoc(command.help or "").split("\n\n")]
    examples = [line for line in cleandoc(command.epilog or "").split("\n") if line]
    return HelpPage(" ".join(usage), paragraphs, examples, panels)


def _command_panels(command: Any, context: Any) -> Iterator[Panel]:
    """Commands of a group by their panels, in the order of the panels' first command."""
    by_title: dict[str, list[Row]] = {}
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        one = command.get_command(context, name)
        row = Row(name, cleandoc(one.help or "").split("\n")[0])
        by_title.setdefault(one.rich_help_panel or "Commands", []).append(row)
    for title, rows in by_title.items():
        yield Panel(title, rows)


def _place(argument: Any) -> str:
    """Argument as it is written in a command line."""
    name = argument.metavar or argument.name.upper()
    more = "" if argument.nargs == 1 or name.endswith("...") else "..."
    return f"{name}{more}" if argument.required else f"[{name.strip('[]')}{more}]"


def _flags(option: Any) -> str:
    """Flags of an option, short ones first, with the placeholder of its value."""
    flags = ", ".join(sorted([*option.opts, *option.secondary_opts], key=lambda flag: flag.startswith("--")))
    return flags if option.is_flag or not option.metavar else f"{flags} {option.metavar}"


def _text(parameter: Any) -> str:
    """Text of a parameter, with what is known of it in brackets: repeatable, required, default."""
    facts = []
    if getattr(parameter, "multiple", False):
        facts.append("[repeatable]")
    shown, default = parameter.show_default, parameter.default
    if isinstance(shown, str):
        facts.append(f"[default: {shown}]")
    elif shown and default is not None and default is not False and default not in ("", [], ()):
        facts.append(f"[default: {default:g}]" if isinstance(default, float) else f"[default: {default}]")
    if parameter.required and parameter.param_type_name == "option":
        facts.append("[required]")
    return " ".join([part for part in (parameter.help or "", *facts) if part])


def _laid_out(page: HelpPage) -> str:
    """The page as it is printed: with boxes and colours on a terminal that has them, else as plain text."""
    width = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))
    fancy = (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
    return _boxes(page, width) if fancy else _plain(page, width)


def _plain(page: HelpPage, width: int) -> str:
    """The page as plain text."""
    lines = textwrap.wrap(f"Usage: {page.usage}", width, subsequent_indent="       ")
    for paragraph in page.paragraphs:
        lines += ["", *textwrap.wrap(paragraph, width, initial_indent="  ", subsequent_indent="  ")]
    if page.examples:
        lines += ["", "Examples:", *(f"  {line}" for line in page.examples)]
    for panel in page.panels:
        term = min(_TERM, max(len(row.term) for row in panel.rows))
        lines += ["", f"{panel.title}:"]
        for row in panel.rows:
            text = textwrap.wrap(row.text, width - term - 4, break_long_words=False, break_on_hyphens=False) or [""]
            first = [f"  {row.term}"] if len(row.term) > term else []
            head = "" if first else row.term
            lines += [*first, *(f"  {start:<{term}}  {part}".rstrip() for start, part in _headed(head, text))]
    return "\n".join(lines)


def _headed(head: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    """Lines, the first one behind its head."""
    for number, line in enumerate(lines):
        yield (head if number == 0 else ""), line


def _boxes(page: HelpPage, width: int) -> str:
    """The page with boxes and colours."""
    from io import StringIO

    from rich.console import Console
    from rich.padding import Padding
    from rich.panel import Panel as Box
    from rich.table import Table
    from rich.text import Text

    console = Console(file=StringIO(), force_terminal=True, width=width, highlight=False)
    console.print(Text.assemble(("Usage: ", "bold yellow"), (page.usage, "bold")))
    for paragraph in page.paragraphs:
        console.print(Padding(Text(paragraph), (1, 2, 0, 2)))
    console.print()
    if page.examples:
        console.print(Box(Text("\n".join(page.examples), "green"), title="Examples", title_align="left", style="dim"))
    for panel in page.panels:
        table = Table.grid(padding=(0, 2), expand=True)
        widest = max(len(row.term) for row in panel.rows)
        table.add_column(style="bold cyan", no_wrap=widest <= _TERM + 2, max_width=_TERM + 2)
        table.add_column(ratio=1)
        for row in panel.rows:
            text = Text(row.text)
            text.highlight_regex(r"\[(choices|default|required|repeatable)[^\]]*\]", "dim")
            table.add_row(Text(row.term), text)
        console.print(Box(table, title=panel.title, title_align="left", border_style="dim"))
    return console.file.getvalue().rstrip()  # type: ignore[attr-defined,no-any-return]


class _Helpful:
    """Base of commands and groups: their help is laid out here."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Lay out the help of the command, as typer asks for it."""
        formatter.write(_laid_out(help_page(self, ctx)))


class Command(HereOnly, _Helpful, TyperCommand):
    """Command with help in panels."""


class Group(_Helpful, TyperGroup):
    """Group of commands with help in panels."""
