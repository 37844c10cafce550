"""`stemscan watch`: a store in a browser, as it fills or as it filled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from stemscan.cli.common import JsonOption, QuietOption, Talk, url
from stemscan.cli.completing import complete_channels, complete_methods, complete_stores
from stemscan.cli.options import argument, option
from stemscan.cli.watching import check_port

__all__ = ["EXAMPLES", "watch"]

EXAMPLES = """
stemscan watch acq.zarr
stemscan watch acq.zarr --speed 10
"""


def watch(
    store: Annotated[
        Path, argument("STORE", "Acquisition store, growing or finished.", complete=complete_stores, callback=url)
    ],
    speed: Annotated[
        float,
        option(
            panel="Everyday",
            help="Seconds of the scan in a second of the replay of a finished store.",
            metavar="NUMBER",
        ),
    ] = 1.0,
    method: Annotated[
        str | None,
        option(
            panel="Image",
            help="Method of the image.",
            metavar="NAME",
            default="fourier-eb, quick",
            complete=complete_methods,
        ),
    ] = None,
    channel: Annotated[
        str,
        option(
            panel="Image", help="Detector to show, by name or number.", metavar="NAME|N", complete=complete_channels
        ),
    ] = "0",
    threads: Annotated[
        int | None,
        option(panel="Image", help="Threads at most, for images.", metavar="N", default="half of the processors"),
    ] = None,
    host: Annotated[str, option(panel="Network", help="Address to listen at.", metavar="HOST")] = "127.0.0.1",
    port: Annotated[int, option(panel="Network", help="Port; 0 takes a free one.", metavar="PORT")] = 0,
    allow_remote: Annotated[
        bool, option("--allow-remote", panel="Network", help="Listen at addresses that other machines reach.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show a store in a browser as it fills, until Ctrl-C.

    Counts, coverage, image, dose and drift; a finished store is replayed. Nothing is written.
    """
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
