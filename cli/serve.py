"""`stemscan serve`: a virtual device that speaks a real protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stemscan.cli.common import JsonOption, QuietOption, Talk, choice

__all__ = ["serve"]


def serve(
    plan: Annotated[Path, typer.Option(help="Plan whose samples are recognised.", show_default=False)],
    specimen: Annotated[
        str, typer.Option(help="Image file, crystal:NAME or synthetic:SEED/INDEX.", show_default=False)
    ],
    protocol: Annotated[str, typer.Option(help="obi: Open Beam Interface.")] = "obi",
    profile: Annotated[str, typer.Option(help="Controller profile: a name, or a file.")] = "obi",
    round_dwell: Annotated[bool, typer.Option("--round-dwell", help="As the client's --round-dwell.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the detector.")] = 1,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for a free one.")] = 0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen at addresses that other machines reach.")
    ] = False,
    idle_limit: Annotated[
        str, typer.Option(metavar="TIME", help="Drop a client that neither sends nor takes anything for so long.")
    ] = "600s",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve a virtual scan generator with a specimen until Ctrl-C."""
    import asyncio

    from stemscan.errors import UsageError
    from stemscan.hardware.obi.address import format_address
    from stemscan.hardware.profile import load_profile
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.runtime.interrupts import run_until_interrupted
    from stemscan.simulators.api import load_specimen
    from stemscan.simulators.obi.device import VirtualObiDevice
    from stemscan.simulators.obi.server import ObiServer, check_host
    from stemscan.types import SEEDS
    from stemscan.units import parse_seconds

    choice("--protocol", protocol, ("obi",))
    check_host(host, allow_remote=allow_remote)
    if not 0 <= seed < SEEDS:
        raise UsageError(f"--seed: expected 0 to 2**64 - 1, got {seed}")
    if not 0 <= port < 1 << 16:
        raise UsageError(f"--port: expected 0 to 65535, got {port}")
    idle_s = parse_seconds(idle_limit)
    talk = Talk(quiet, as_json)
    scan_plan = ScanPlan.load(plan)
    scanned = load_specimen(specimen, scan_plan.shape, pixel_size_nm=scan_plan.pixel_size_nm)
    device = VirtualObiDevice(scan_plan, load_profile(profile), scanned, seed=seed, round_dwell=round_dwell)
    server = ObiServer(device, tell=lambda message: talk.say([message]), warn=talk.warn, idle_s=idle_s)

    async def run() -> None:
        got = await server.start(host, port, allow_remote=allow_remote)
        data: dict[str, Any] = {"protocol": protocol, "host": host, "port": got, "specimen": scanned.name}
        talk.result(data, [f"{protocol}://{format_address(host, got)} serves {scanned.name}; Ctrl-C ends it"])
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop()

    run_until_interrupted(run())
