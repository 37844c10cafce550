"""`stemscan serve`: a virtual device that speaks a real protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from stemscan.cli.common import JsonOption, QuietOption, Talk, choice
from stemscan.cli.completing import complete_profiles, complete_specimens
from stemscan.cli.options import PROTOCOLS, option

__all__ = ["EXAMPLES", "serve"]

EXAMPLES = """
stemscan serve --plan plan.yaml --specimen "crystal:SrTiO3[001]" --port 2224
"""


def serve(
    plan: Annotated[Path, option(panel="Everyday", help="Plan whose samples are recognised.", metavar="PLAN")],
    specimen: Annotated[
        str,
        option(
            panel="Everyday",
            help="Specimen: image file, crystal:NAME or synthetic:SEED/INDEX.",
            metavar="SPECIMEN",
            complete=complete_specimens,
        ),
    ],
    protocol: Annotated[
        str, option(panel="Device", help="Protocol; obi: Open Beam Interface.", choices=PROTOCOLS)
    ] = "obi",
    profile: Annotated[
        str, option(panel="Device", help="Controller profile.", metavar="NAME|FILE", complete=complete_profiles)
    ] = "obi",
    round_dwell: Annotated[
        bool, option("--round-dwell", panel="Device", help="Round dwell times, as the client's --round-dwell does.")
    ] = False,
    seed: Annotated[int, option(panel="Device", help="Seed of the detector.", metavar="N")] = 1,
    host: Annotated[str, option(panel="Network", help="Address to listen at.", metavar="HOST")] = "127.0.0.1",
    port: Annotated[int, option(panel="Network", help="Port; 0 takes a free one.", metavar="PORT")] = 0,
    allow_remote: Annotated[
        bool, option("--allow-remote", panel="Network", help="Listen at addresses that other machines reach.")
    ] = False,
    idle_limit: Annotated[
        str, option(panel="Network", help="Silence after which a client is dropped.", metavar="TIME")
    ] = "600s",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve a virtual scan device on a port until Ctrl-C.

    It speaks the Open Beam Interface, so that any client of that can scan the specimen.
    """
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
