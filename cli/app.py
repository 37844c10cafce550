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
from stemscan.cli.help import Command, Group
from stemscan.cli.misuse import misuse
from stemscan.cli.options import GENERAL, option
from stemscan.errors import NO_THREAD, StemscanError, is_out_of_threads, refusal
from stemscan.runtime.openmp import wait_politely

__all__ = ["app", "run_command"]

EXAMPLES = """
stemscan plan -o plan.yaml --pixel-size 0.01nm
stemscan simulate plan.yaml "crystal:SrTiO3[001]" -o acq.zarr
stemscan recon acq.zarr -o image.tif
"""


class _Root(Group):
    """The group of all commands, by their jobs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, in the order of their jobs."""
        return [name for commands in _JOBS.values() for name in commands]


app = typer.Typer(
    name="stemscan",
    cls=_Root,
    epilog=EXAMPLES,
    invoke_without_command=True,
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


def _print_manual(context: typer.Context, wanted: bool) -> None:
    """Print the manual page and stop."""
    if wanted:
        from stemscan import __version__
        from stemscan.cli.manual import manual

        typer.echo(manual(context.command, context, __version__), nl=False)
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    man: Annotated[
        bool,
        option(
            "--man",
            panel=GENERAL,
            help="Print the manual page, for man -l -.",
            callback=_print_manual,
            is_eager=True,
        ),
    ] = False,
    version: Annotated[
        bool,
        option("--version", panel=GENERAL, help="Print the version and stop.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Plan, simulate, acquire and reconstruct sparse multi-pass STEM scans."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


_JOBS: dict[str, dict[str, tuple[Any, Any]]] = {
    "Plan and rehearse": {
        "plan": (plan, plan.app),
        "simulate": (simulate, simulate.simulate),
        "demo": (demo, demo.demo),
    },
    "Acquire": {
        "acquire": (acquire, acquire.acquire),
        "serve": (serve, serve.serve),
        "import": (importing, importing.import_data),
    },
    "Reconstruct and measure": {
        "recon": (recon, recon.recon),
        "columns": (columns, columns.columns),
        "drift": (drift, drift.drift),
        "calibrate": (calibrate, calibrate.calibrate),
        "methods": (methods, methods.methods),
    },
    "Look and check": {
        "info": (info, info.info),
        "view": (view, view.view),
        "watch": (watch, watch.watch),
        "verify": (verify, verify.verify),
    },
    "Train, compare and scale up": {
        "train": (train, train.train),
        "weights": (weights, weights.app),
        "evaluate": (evaluate, evaluate.evaluate),
        "campaign": (campaign, campaign.campaign),
    },
}
"""Commands by their job, in the order of a scan: the module that has the examples, and the command or its group."""


def _add_commands() -> None:
    """Give the application its commands."""
    for job, commands in _JOBS.items():
        for name, (module, command) in commands.items():
            if isinstance(command, typer.Typer):
                app.add_typer(command, name=name, rich_help_panel=job)
            else:
                app.command(name, cls=Command, rich_help_panel=job, epilog=module.EXAMPLES)(command)


_add_commands()


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
        return _fail(misuse(problem), 2)
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
