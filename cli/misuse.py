"""Faults that typer finds in a command line, in words: what is missing or mistyped, and an example of what is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stemscan.cli.common import one_sentence
from stemscan.errors import remedy_for

__all__ = ["misuse"]

_NUMBERS = (
    ("Input should be a valid integer, unable to parse string as an integer", "expected a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "expected a number"),
)


def misuse(problem: Any) -> str:
    """One sentence about a fault that typer found."""
    context = getattr(problem, "ctx", None)
    message = one_sentence(problem.format_message()).rstrip(".")
    if context is None:
        return message
    path = context.command_path
    if (flag := getattr(problem, "option_name", None)) is not None and message.startswith("No such option"):
        return f"expected options of {path}, got {flag}; {_other_option(flag, context)}"
    if message.startswith("No such command"):
        name = next((word for word in message.split("'")[1:2]), "")
        return f"expected a command of {path}, got {name!r}; {_other_command(name, context)}"
    if message.startswith("Missing"):
        return f"expected {_missing(problem, message)}, got none; {_example(context)}"
    if "extra argument" in message:
        return f"expected no further argument, got {message.rpartition('(')[2].rstrip(')')}; {_example(context)}"
    for python, words in _NUMBERS:
        message = message.replace(python, words)
    return f"{message}; see {path} --help"


def _missing(problem: Any, message: str) -> str:
    """Missing argument or option, as it is written."""
    parameter = getattr(problem, "param", None)
    if parameter is None:
        return "a command" if "command" in message else "an argument"
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return " or ".join(sorted(parameter.opts, key=len)) + f" {parameter.metavar or ''}".rstrip()


def _example(context: Any) -> str:
    """An example of the command, and where there are more."""
    first = next((line for line in (context.command.epilog or "").split("\n") if line), "")
    return f"write for example {first}" if first else f"see {context.command_path} --help"


def _other_option(flag: str, context: Any) -> str:
    """Advice where a command has no such option: a similar one of it, or the commands that have it."""
    own = [name for one in context.command.get_params(context) for name in one.opts if name.startswith("--")]
    similar = [name for name in own if name.startswith(flag)]
    if len(similar) == 1:
        return f"did you mean {similar[0]!r}?"
    root = context.find_root()
    if others := sorted(path for path, names in _options(root.command, root) if flag in names):
        return f"{flag} belongs to {', '.join(others)}"
    return remedy_for(flag, own, f"see {context.command_path} --help")


def _options(group: Any, context: Any) -> Iterator[tuple[str, set[str]]]:
    """Commands below a group, with their options."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context, resilient_parsing=True)
        yield inner.command_path, {flag for one in command.get_params(inner) for flag in one.opts}
        if hasattr(command, "list_commands"):
            yield from _options(command, inner)


def _other_command(name: str, context: Any) -> str:
    """Advice where there is no such command: a similar one, or the option that takes a file."""
    commands = context.command.list_commands(context)
    if context.info_name == "plan" and "." in name:
        return f"write a plan by {context.command_path} -o {name}"
    return remedy_for(name, commands, f"choose one of {', '.join(commands)}")
