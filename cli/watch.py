"""`stemscan watch`: a store in a browser, as it fills or as it filled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stemscan.cli.common import JsonOption, QuietOption, Talk
from stemscan.cli.watching import check_port

__all__ = ["watch"]


def watch(
    store: Annotated[Path, typer.Argument(help="Acquisition store, growing or finished.", show_default=False)],
    speed: Annotated[float, typer.Option(help="Finished store: seconds of the scan in a second of its replay.")] = 1.0,
    method: Annotated[str | None, typer.Option(help="Method of the image (fourier-eb, quick).")] = None,
    channel: Annotated[str, typer.Option(help="Number or name of the detector to show.")] = "0",
    threads: Annotated[
        int | None, typer.Option(help="Threads at most, for images (half of the processors).", show_default=False)
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for a free one.")] = 0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen at addresses that other machines reach.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show a store in a browser until Ctrl-C: counts, coverage, image, dose, drift; nothing is written."""
    from stemscan.errors import InputNotFoundError, UsageError
    from stemscan.recon.view.guards import check_listening, new_token
    from stemscan.recon.view.making import METHOD
    from stemscan.recon.view.replaying import FASTEST
    from stemscan.recon.view.showing import Shown, check_method, require_page, show_store
    from stemscan.runtime.interrupts import run_until_interrupted

    require_page()
    check_listening(host, allow_remote=allow_remote)
    if not 0 < speed <= FASTEST:
        raise UsageError(f"--speed: expected a number above 0, at most {FASTEST:g}, got {speed:g}")
    check_port(port)
    if not store.exists():
        raise InputNotFoundError(f"expected an acquisition store, got {str(store)!r}, which does not exist")
    if store.is_file():
        raise UsageError(f"expected an acquisition store, a folder, got {str(store)!r}, which is a file")
    check_method(method)
    talk = Talk(quiet, as_json)
    shown = Shown(store, host, port, new_token(), speed, channel, method or METHOD, threads)

    def told(address: str) -> None:
        talk.result({"store": str(store), "address": address}, [f"{store}: {address}", "Ctrl-C ends the page"])

    run_until_interrupted(show_store(shown, told))
