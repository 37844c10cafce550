"""Parts that all commands share: options, output, progress, and the way from an error to an exit code."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from stemscan.cli.options import GENERAL, option
from stemscan.cli.progress import Progress, Report, shown_progress
from stemscan.display import columns as table

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = [
    "JsonOption",
    "OutputOption",
    "OverwriteOption",
    "QuietOption",
    "Talk",
    "UrlOutputOption",
    "check_picture",
    "choice",
    "ledger_rows",
    "one_sentence",
    "stopped_rows",
    "table",
    "url",
]

Choice = TypeVar("Choice", bound=str)

_stdouts: list[Any] = []
"""Stdout of the command that runs, where JSON alone may go there."""


@contextmanager
def _prints_on_stderr() -> Iterator[None]:
    """Send what plug-ins and libraries print to stderr."""
    _stdouts.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _stdouts.pop()


def _json_alone(context: typer.Context, as_json: bool) -> bool:
    """Keep stdout for the result."""
    if as_json:
        context.with_resource(_prints_on_stderr())
    return as_json


JsonOption = Annotated[
    bool,
    option("--json", panel=GENERAL, help="Print the result as JSON on stdout.", is_eager=True, callback=_json_alone),
]


def _silence(quiet: bool) -> bool:
    """Let the library's warnings go unsaid, before a command imports what may warn."""
    if quiet:
        from stemscan.errors import StemscanWarning

        warnings.filterwarnings("ignore", category=StemscanWarning)
    return quiet


QuietOption = Annotated[
    bool,
    option(
        "--quiet",
        "-q",
        panel=GENERAL,
        help="Print nothing but errors (and JSON, if asked for).",
        is_eager=True,
        callback=_silence,
    ),
]


def url(given: Path | None) -> Path | None:
    """Callback of a path that may be a URL; all other paths are of this machine (`stemscan.cli.urls`)."""
    from stemscan.errors import UsageError
    from stemscan.objects.path import as_path

    if given is not None and str(path := as_path(given)).startswith("memory://"):
        raise UsageError(
            f"expected a path, or a URL of s3:// or gs://, got {str(path)!r}, which ends with this command; use it in "
            "Python"
        )
    return None if given is None else path


OverwriteOption = Annotated[bool, option("--overwrite", panel=GENERAL, help="Replace the output if it is there.")]
OutputOption = Annotated[
    Path, option("--output", "-o", panel="Everyday", help="File or store to write.", metavar="OUT")
]
UrlOutputOption = Annotated[
    Path,
    option("--output", "-o", panel="Everyday", help="File or store to write, or its URL.", metavar="OUT", callback=url),
]


def one_sentence(text: str) -> str:
    """A message on one line."""
    return " ".join(text.split())


def choice(flag: str, value: str, values: Sequence[Choice]) -> Choice:
    """The value of an option, if it is one of those that the option takes.

    Raises
    ------
    UsageError
        If it is not.
    """
    if (found := next((one for one in values if one == value), None)) is not None:
        return found
    from stemscan.errors import UsageError, remedy_for

    remedy = remedy_for(value, values, "choose one of them")
    raise UsageError(f"{flag}: expected one of {', '.join(values)}, got {value!r}; {remedy}")


@dataclass(frozen=True)
class Talk:
    """Output of a command: to people on stderr and stdout, or to programs as JSON on stdout.

    Parameters
    ----------
    quiet : bool
        Say nothing to people.
    as_json : bool
        Print the result as JSON and nothing else on stdout.
    """

    quiet: bool = False
    as_json: bool = False

    def result(self, data: dict[str, Any], lines: Sequence[str]) -> None:
        """Print a command's result: `data` as JSON, or `lines` for people."""
        if self.as_json:
            with redirect_stdout(_stdouts[-1] if _stdouts else sys.stdout):
                typer.echo(json.dumps(data, indent=2, allow_nan=False, default=str))
        else:
            self.say(lines)

    def say(self, lines: Sequence[str]) -> None:
        """Tell people what was done so far."""
        if not (self.quiet or self.as_json):
            for line in lines:
                typer.echo(line)

    def warn(self, message: str) -> None:
        """Say something that the user should know, on stderr; nothing where the message is empty."""
        if message and not self.quiet:
            typer.echo(f"warning: {message}", err=True)

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """Show how far some work is: see `stemscan.cli.progress`; silent for JSON and where the command is quiet.

        Yields
        ------
        callable
            Takes (done, in all).
        """
        with self.live_progress(what) as report:
            yield lambda done, total: report(done, total, None)

    @contextmanager
    def live_progress(self, what: str) -> Iterator[Report]:
        """Show how far some work is, with the latest numbers beside it; silent as `progress` is.

        Yields
        ------
        callable
            Takes (done, in all, numbers by name).
        """
        if self.quiet or self.as_json:
            yield lambda done, total, numbers: None
            return
        with shown_progress(what) as report:
            yield report


def check_picture(path: Path, *, overwrite: bool) -> None:
    """Refuse a file of --png that is none, before anything slow is done.

    Raises
    ------
    UsageError, InputNotFoundError, OutputExistsError
        When its name does not end in .png, its folder is missing, or it is there.
    """
    from stemscan.errors import UsageError
    from stemscan.files.writing import check_output

    if path.suffix.lower() != ".png":
        raise UsageError(f"--png: expected a name that ends in .png, got {path.name!r}; name it so")
    check_output(path, overwrite=overwrite)


def ledger_rows(ledger: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Ledger of the beam for people: times and incident electrons."""
    from stemscan.units import counted, format_duration

    rows = []
    for name in ("dwell", "settle", "transit", "park"):
        entry = ledger.get(name, {})
        if entry.get("time_ns"):
            rows.append((name, f"{format_duration(entry['time_ns'])}, {entry['electrons']:.4g} e- incident"))
    if again := ledger.get("samples_exposed_again_at_most"):
        times = ledger.get("times_exposed_again")
        often = f", {counted(times, 'time')} in all" if times else ""
        rows.append(("exposed again", f"at most {counted(again, 'sample')}{often}"))
    return rows


def stopped_rows(store: Acquisition) -> list[tuple[str, str]]:
    """Why an acquisition ended before its last pass, for people; nothing where it did not."""
    from stemscan.units import counted

    if (stopped := store.stopped) is None:
        return []
    return [("stopped", f"after {stopped['passes']} of {counted(store.passes, 'pass')}: {stopped['reason']}")]
