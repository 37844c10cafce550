"""The controllers of `stemscan acquire`, opened as its options say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stemscan.cli.common import Talk, choice

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["opened_controller"]


@contextmanager
def opened_controller(
    controller: str,
    plan: ScanPlan,
    virtual: dict[str, Any],
    remote: dict[str, Any],
    waiting: dict[str, Any],
    talk: Talk,
) -> Iterator[ScanController]:
    """The controller that was asked for, closed in the end.

    Parameters
    ----------
    controller : str
        virtual, obi://HOST:PORT or replay:STORE.
    plan : ScanPlan
    virtual, remote : dict
        Options of the virtual microscope and of a device, None where not given.
    waiting : dict
        Timeout in seconds, and whether to connect, of a device.
    talk : Talk
        For warnings.

    Raises
    ------
    UsageError
        When the controller is unknown, or has no such option.
    StemscanError
        When it cannot be opened.
    """
    from stemscan.errors import UsageError

    kind, colon, where = controller.partition(":")
    if kind not in ("virtual", "obi", "replay") or (kind == "virtual" and colon) or (kind == "replay" and not where):
        raise UsageError(f"--controller: expected virtual, obi://HOST:PORT or replay:STORE, got {controller!r}")
    of_kind = {"virtual": virtual, "obi": remote}.get(kind, {})
    for options in (virtual, remote):
        wrong = next((name for name, value in options.items() if value is not None and name not in of_kind), None)
        if wrong is not None:
            flag = "--" + wrong.replace("_", "-")
            raise UsageError(f"{flag}: expected no such option with the controller {controller}, got one; leave it out")
    if kind == "virtual":
        opened = _virtual(plan, talk, **virtual)
    elif kind == "obi":
        opened = _obi(controller, plan, talk, **remote, **waiting)
    else:
        opened = _replay(where)
    try:
        yield opened
    finally:
        opened.close()


def _virtual(
    plan: ScanPlan,
    talk: Talk,
    specimen: str | None,
    noise: str | None,
    seed: int | None,
    coil_tau: str | None,
    profile: str | None,
) -> ScanController:
    """The virtual microscope."""
    from stemscan.errors import UsageError
    from stemscan.simulators.session import virtual_microscope
    from stemscan.units import parse_time_constant_ns

    if specimen is None:
        raise UsageError("expected --specimen beside the virtual controller, got none; add one such as crystal:SrTiO3")
    chosen: Any = choice("--noise", noise or "poisson", ("poisson", "eq5"))
    if seed is not None and not 0 <= seed < 2**64:
        raise UsageError(f"--seed: expected 0 to 2**64 - 1, got {seed}")
    tau = None if coil_tau is None else parse_time_constant_ns(coil_tau)
    chosen_seed = 1 if seed is None else seed
    microscope = virtual_microscope(plan, specimen, noise=chosen, seed=chosen_seed, coil_tau_ns=tau, profile=profile)
    for warning in microscope.specimen.warnings:
        talk.warn(warning)
    return microscope


def _obi(
    address: str,
    plan: ScanPlan,
    talk: Talk,
    *,
    coil_tau: str | None,
    profile: str | None,
    round_dwell: bool | None,
    detector: str | None,
    timeout: float,
    connect: bool,
) -> ScanController:
    """A device of the Open Beam Interface."""
    from stemscan.hardware.coil_lag import CoilLag
    from stemscan.hardware.lagged_controller import LaggedController
    from stemscan.hardware.obi.address import parse_address
    from stemscan.hardware.obi.controller import ObiController
    from stemscan.hardware.preflight.findings import dwell_findings
    from stemscan.hardware.profile import load_profile
    from stemscan.hardware.program import Program
    from stemscan.units import parse_time_constant_ns

    host, port = parse_address(address)
    info = None if detector is None else _detector(detector)
    known, whole = load_profile(profile or "obi"), bool(round_dwell)
    program = Program(plan, known, round_dwell=whole)
    tau = None if coil_tau is None else parse_time_constant_ns(coil_tau)
    if tau is not None:  # what is wrong with it is said before the device is opened
        CoilLag(tau).run_in(plan.shape, program.quantisation.dwell_ns)
    for finding in dwell_findings(program.quantisation):
        talk.warn(finding.text)
    device = ObiController(host, port, known, detector=info, timeout=timeout, round_dwell=whole, connect=connect)
    return device if tau is None else LaggedController(device, program, tau)


def _detector(text: str) -> Any:
    """A detector from GAIN,OFFSET."""
    from stemscan.errors import UsageError
    from stemscan.store.batch import DetectorInfo

    try:
        gain, offset = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--detector: expected two numbers as GAIN,OFFSET, got {text!r}") from None
    return DetectorInfo(unit="adu", gain=gain, offset=offset)


def _replay(store: str) -> ScanController:
    """The samples of a store once more."""
    from stemscan.acquisition.replay import ReplayController

    return ReplayController(store)
