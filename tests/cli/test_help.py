"""Help of every command: examples that parse, options in panels, defaults and choices in one form, 80 columns."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer

from stemscan.cli import options
from stemscan.cli.app import app
from stemscan.cli.help import HelpPage, help_page
from tests.cli.conftest import Stemscan

Found = tuple[str, Any, Any]


def _commands(group: Any, context: Any) -> Iterator[Found]:
    """Every command below a group: its path, itself, its context."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context)
        yield inner.command_path, command, inner
        if hasattr(command, "list_commands"):
            yield from _commands(command, inner)


_ROOT: Any = typer.main.get_command(app)
_TOP = _ROOT.make_context("stemscan", [], resilient_parsing=True)
COMMANDS = [("stemscan", _ROOT, _TOP), *_commands(_ROOT, _TOP)]
every_command = pytest.mark.parametrize("path", [path for path, _, _ in COMMANDS])

_OTHER_DEFAULT = re.compile(r"\bby default\b|\bunless given\b|\bthe default\b|\(default\)|\((?:\d[\d.]*|all|none)\)")


def _of(path: str) -> Found:
    """A command by its path."""
    return next(found for found in COMMANDS if found[0] == path)


def _page(path: str) -> HelpPage:
    """Help of a command by its path."""
    _, command, context = _of(path)
    return help_page(command, context)


@every_command
def test_options_stand_in_panels_with_placeholders(path: str) -> None:
    _, command, context = _of(path)
    for one in command.get_params(context):
        if one.param_type_name != "option" or one.name in ("help", "install_completion", "show_completion"):
            continue
        assert one.rich_help_panel, f"{path} {one.opts[0]}: no panel"
        assert one.help, f"{path} {one.opts[0]}: no text"
        assert one.is_flag or one.metavar, f"{path} {one.opts[0]}: no placeholder"
        assert one.show_default is not False, f"{path} {one.opts[0]}: hides its default"


def _poor_text(text: str) -> str:
    """Fault of the text of an option; empty where there is none."""
    told = re.sub(r"\[(choices|default)[^\]]*\]", "", text)
    if _OTHER_DEFAULT.search(told):
        return "default in another form"
    return "not a noun or an imperative first" if re.match(r"(What|Which|Whether|How|Where)\b", text) else ""


def test_poor_texts_are_found() -> None:
    assert _poor_text("Seed of the detector (1).")
    assert _poor_text("Rows; the plan's unless given.")
    assert _poor_text("Which frame of a file.")
    assert not _poor_text("Samples (row, column) of a block, 1 to B^2. [default: 3]")


@every_command
def test_texts_have_one_form(path: str) -> None:
    rows = [row for panel in _page(path).panels for row in panel.rows]
    assert [f"{row.term}: {row.text}" for row in rows if _poor_text(row.text)] == []
    assert len({row.term for row in rows}) == len(rows)


@every_command
def test_examples_parse(path: str) -> None:
    examples = _page(path).examples
    assert examples
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        assert words.pop(0) == "stemscan"
        command, context = _ROOT, None
        while True:
            name = command.name or "stemscan"
            try:
                context = command.make_context(name, list(words), parent=context)
            except typer.Exit:
                break  # an option that prints and stops
            if not getattr(context, "_protected_args", None):
                break
            name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert example.startswith(path) or path in ("stemscan", "stemscan weights")


@every_command
def test_help_fits_80_columns_without_colours(stemscan: Stemscan, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = stemscan(*path.split()[1:], "--help")
    assert done.code == 0
    assert "\x1b" not in done.out
    assert [line for line in done.out.splitlines() if len(line) > 80] == []
    assert done.out.isascii()


def test_a_terminal_gets_boxes_and_no_color_does_not(stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "─ Everyday" in re.sub(r"\x1b\[[\d;]*m", "", stemscan("verify", "--help").out)
    monkeypatch.setenv("NO_COLOR", "1")
    assert stemscan("verify", "--help").out.isascii()


def test_plan_begins_with_ten_everyday_options() -> None:
    first = next(panel for panel in _page("stemscan plan").panels if panel.rows[0].term.startswith("-"))
    assert (first.title, len(first.rows)) == ("Everyday", 10)


def test_commands_are_listed_by_job() -> None:
    titles = [panel.title for panel in _page("stemscan").panels]
    assert "Commands" not in titles
    assert len(titles) == 6


def test_choices_are_those_of_the_library() -> None:
    from stemscan.hardware.exporters import FORMATS
    from stemscan.plan.scan_plan import Repeat
    from stemscan.recon.drift.using import DRIFT_USES
    from stemscan.recon.inputs.reading import Positions
    from stemscan.types import NOISES

    assert tuple(FORMATS) == options.EXPORTS
    assert options.NOISES == NOISES
    assert options.DRIFTS == DRIFT_USES
    assert get_args(Repeat) == options.REPEATS
    assert set(options.POSITIONS) == set(get_args(Positions))


def test_the_manual_has_every_command_and_option(stemscan: Stemscan) -> None:
    text = stemscan("--man").out
    for path, _, _ in COMMANDS[1:]:
        assert f".SH {path.upper()}" in text
        for panel in _page(path).panels:
            assert all(row.term.replace("-", "\\-").replace('"', "\\(dq") in text for row in panel.rows)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff reads the manual page")
def test_groff_has_no_complaint(stemscan: Stemscan) -> None:
    text = stemscan("--man").out
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-z"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
