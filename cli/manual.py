"""Manual page of the commands, in the man macros of roff, from the same declarations as their help.

`stemscan --man | man -l -` reads it; `make man` writes `build/man/stemscan.1` for packages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stemscan.cli.help import HelpPage, Panel, Row, help_page

__all__ = ["manual"]

_SECTION = 1


def manual(root: Any, context: Any, version: str) -> str:
    """Manual page of a group of commands.

    Parameters
    ----------
    context : typer.Context
        Of that group.
    version : str
        Of the package.
    """
    page = help_page(root, context)
    lines = [
        f'.TH {_text(context.command_path.upper())} {_SECTION} "" "{context.command_path} {version}" "User Commands"',
        ".SH NAME",
        f"{context.command_path} \\- {_text(page.paragraphs[0][:1].lower() + page.paragraphs[0][1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(page.usage)}",
        *_examples(page, ".SH EXAMPLES"),
    ]
    for panel in page.panels:
        lines += _panel(panel, ".SH")
    for path, one in _pages(root, context):
        lines += [f".SH {_text(path.upper())}", *_paragraphs(one), *_examples(one, ".SS Examples")]
        for panel in one.panels:
            lines += _panel(panel, ".SS")
    lines += [
        ".SH EXIT STATUS",
        *_rows(
            [
                Row("0", "Done."),
                Row("1", "Failed."),
                Row("2", "Used wrongly."),
                Row("130, 143, 129", "Ended by Ctrl-C, SIGTERM or SIGHUP."),
            ]
        ),
    ]
    return "\n".join(lines) + "\n"


def _pages(group: Any, context: Any) -> Iterator[tuple[str, HelpPage]]:
    """Pages of the commands of a group and, behind each group, of its commands."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context)
        yield inner.command_path, help_page(command, inner)
        if hasattr(command, "list_commands"):
            yield from _pages(command, inner)


def _paragraphs(page: HelpPage) -> Iterator[str]:
    """Usage and description."""
    yield f".B {_text(page.usage)}"
    for paragraph in page.paragraphs:
        yield from (".PP", _text(paragraph))


def _examples(page: HelpPage, heading: str) -> list[str]:
    """Examples as they are typed."""
    return [heading, ".EX", *(_text(line) for line in page.examples), ".EE"] if page.examples else []


def _panel(panel: Panel, macro: str) -> list[str]:
    """A panel below its heading."""
    title = panel.title.upper() if macro == ".SH" else panel.title
    return [f"{macro} {_text(title)}", *_rows(panel.rows)]


def _rows(rows: list[Row]) -> list[str]:
    """Entries with their terms in bold."""
    return [line for row in rows for line in (".TP", f".B {_text(row.term)}", _text(row.text))]


def _text(text: str) -> str:
    """Text whose backslashes, hyphens, quotes and leading dots roff leaves alone."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
