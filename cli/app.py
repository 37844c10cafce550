"""The `stemscan` command: puts the commands together and turns every error into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from stemscan.cli import (
    acquire,
    calibrate,
    campaign,
    columns,
    demo,
    drift,
    evaluate,
    importing,
    info,
    methods,
    plan,
    recon,
    serve,
    simulate,
    train,
    verify,
    view,
    watch,
    weights,
)
from stemscan.cli.common import one_sentence
from stemscan.errors import NO_THREAD, StemscanError, is_out_of_threads, refusal
from stemscan.runtime.openmp import wait_politely

__all__ = ["app", "run_command"]

app = typer.Typer(
    name="stemscan",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_INTERRUPTED = 130

# Typer names no base class of its errors: it is that of BadParameter, whichever click it was built on.
_WrongUse: Any = typer.BadParameter.__mro__[2]


def _print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from stemscan import __version__

        typer.echo(f"stemscan {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Plan, simulate, acquire and reconstruct sparse multi-pass STEM scans."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


app.add_typer(plan.app, name="plan")
app.command("simulate")(simulate.simulate)
app.command("acquire")(acquire.acquire)
app.command("recon")(recon.recon)
app.command("methods")(methods.methods)
app.command("calibrate")(calibrate.calibrate)
app.command("columns")(columns.columns)
app.command("drift")(drift.drift)
app.command("import")(importing.import_data)
app.command("info")(info.info)
app.command("verify")(verify.verify)
app.command("view")(view.view)
app.command("watch")(watch.watch)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("campaign")(campaign.campaign)
app.add_typer(weights.app, name="weights")


def run_command(arguments: list[str]) -> int:
    """Run the command line and return the exit code, all errors told.

    Raises
    ------
    KeyboardInterrupt
        When a signal asked to stop.
    """
    wait_politely()
    try:
        os.getcwd()
    except OSError:
        return _fail("expected a working folder, got one that was deleted; go to another", 1)
    try:
        code = app(arguments, prog_name="stemscan", standalone_mode=False)
        if sys.stdout is not None:  # None where the caller closed it
            sys.stdout.flush()
    except _WrongUse as problem:
        return _fail(_misuse(problem), 2)
    except typer.Abort as problem:
        raise KeyboardInterrupt from problem
    except StemscanError as problem:
        return _fail(one_sentence(str(problem) or type(problem).__name__), problem.exit_code)
    except BrokenPipeError:
        if sys.stderr is not None:
            sys.stderr.close()
        return 1
    except OSError as problem:
        return _fail(one_sentence(_refusal(problem)), 1)
    except MemoryError as problem:
        return _fail(_too_little_memory(problem), 1)
    except RuntimeError as problem:  # by which Python says that there is no thread, and torch that there is no memory
        if is_out_of_threads(problem):
            return _fail(NO_THREAD, 1)
        if type(problem).__name__ != "OutOfMemoryError" and "can't allocate memory" not in str(problem):
            raise
        return _fail(_too_little_memory(problem), 1)
    if code == _INTERRUPTED:  # into which typer turns it
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _misuse(problem: Any) -> str:
    """Fault that typer found in the command, and where to read what is right."""
    message = one_sentence(problem.format_message()).rstrip(".")
    context = getattr(problem, "ctx", None)
    return message if context is None else f"{message}; see {context.command_path} --help"


def _refusal(problem: OSError) -> str:
    """Refusal of the system in words."""
    wanted = "to write the result" if problem.filename is None else f"to open {str(problem.filename)!r}"
    return f"expected {wanted}, got: {refusal(problem)}"


def _too_little_memory(problem: Exception) -> str:
    """Advice where memory does not suffice."""
    return one_sentence(f"expected enough memory, got too little ({problem}); take a smaller grid or batch")


def _fail(message: str, code: int) -> int:
    """Say what went wrong on stderr, where there is one."""
    with suppress(OSError):
        typer.echo(f"error: {message}", err=True)
    return code
