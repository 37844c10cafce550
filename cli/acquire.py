"""`stemscan acquire`: run a plan on a controller, real or virtual."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stemscan.cli.common import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    QuietOption,
    Talk,
    choice,
    ledger_rows,
    stopped_rows,
    table,
)

if TYPE_CHECKING:
    from stemscan.controller import ScanController
    from stemscan.plan import ScanPlan
    from stemscan.stopping import StopRule

__all__ = ["acquire"]


def acquire(
    plan: Annotated[Path, typer.Argument(help="Plan file.", show_default=False)],
    output: OutputOption,
    controller: Annotated[
        str, typer.Option(metavar="virtual|obi://HOST:PORT|replay:STORE", help="What exposes the samples.")
    ] = "virtual",
    specimen: Annotated[
        str | None,
        typer.Option(help="virtual: image file, crystal:NAME or synthetic:SEED/INDEX.", show_default=False),
    ] = None,
    noise: Annotated[str | None, typer.Option(help="virtual: poisson (default) or eq5.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="virtual: seed of the detector (1).", show_default=False)] = None,
    coil_tau: Annotated[
        str | None,
        typer.Option(help="virtual: time constant with which the beam lags, with its unit.", show_default=False),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="obi: controller profile (obi).", show_default=False)
    ] = None,
    round_dwell: Annotated[
        bool, typer.Option("--round-dwell", help="obi: dwell a time of which the device averages every reading.")
    ] = False,
    detector: Annotated[
        str | None,
        typer.Option(
            metavar="GAIN,OFFSET",
            help="obi: numbers per electron, and the number without electrons, of an analogue detector.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Longest silence of the controller in seconds.")] = 30.0,
    stop_when: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="psnr-gain=0.05dB or max-dose=N (e-/A^2, or with e-/nm^2): end between passes; may be given again.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted store, or begin it.")] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Acquire a plan with a controller into a store; Ctrl-C blanks the beam and keeps what came."""
    from stemscan.acquire_session import acquire_into
    from stemscan.errors import UsageError
    from stemscan.plan import ScanPlan
    from stemscan.timed_controller import check_seconds

    if resume and overwrite:
        raise UsageError("expected --resume or --overwrite, got both; keep one")
    check_seconds(timeout)
    talk = Talk(quiet, as_json)
    scan_plan = ScanPlan.load(plan)
    rules = [_rule(text) for text in stop_when or []]
    if rules and scan_plan.passes == 1:
        talk.warn("--stop-when: rules end a scan between passes, and the plan has one pass")
    options = {"specimen": specimen, "noise": noise, "seed": seed, "coil_tau": coil_tau}
    remote = {"profile": profile, "round_dwell": round_dwell or None, "detector": detector}
    with (
        _opened(controller, scan_plan, options, remote, timeout) as (opened, identity),
        talk.progress("acquiring") as progress,
        _noted(talk),
    ):
        result = acquire_into(
            scan_plan,
            opened,
            output,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            stall_timeout=timeout,
            stop_rules=rules,
            session={"controller": controller},
            **identity,
        )
    _tell(talk, output, controller, scan_plan, result)


@contextmanager
def _noted(talk: Talk) -> Iterator[None]:
    """Tell the notes of an error or interruption, such as that the controller failed to blank the beam."""
    try:
        yield
    except BaseException as problem:
        for note in getattr(problem, "__notes__", ()):
            talk.warn(note)
        raise


@contextmanager
def _opened(
    controller: str, plan: ScanPlan, virtual: dict[str, Any], remote: dict[str, Any], timeout: float
) -> Iterator[tuple[ScanController, dict[str, Any]]]:
    """The controller that was asked for, and what the store is told of its data; closed in the end."""
    from stemscan.errors import UsageError

    kind, colon, where = controller.partition(":")
    if kind not in ("virtual", "obi", "replay") or (kind == "virtual" and colon) or (kind == "replay" and not where):
        raise UsageError(f"--controller: expected virtual, obi://HOST:PORT or replay:STORE, got {controller!r}")
    for allowed, options in (("virtual", virtual), ("obi", remote)):
        wrong = next((name for name, value in options.items() if value is not None and kind != allowed), None)
        if wrong is not None:
            flag = "--" + wrong.replace("_", "-")
            raise UsageError(f"{flag}: expected no such option with the controller {controller}, got one; leave it out")
    if kind == "virtual":
        opened, identity = _virtual(plan, **virtual)
    elif kind == "obi":
        opened, identity = _obi(controller, timeout=timeout, **remote), {}
    else:
        opened, identity = _replay(where), {}
    try:
        yield opened, identity
    finally:
        opened.close()


def _virtual(
    plan: ScanPlan, specimen: str | None, noise: str | None, seed: int | None, coil_tau: str | None
) -> tuple[ScanController, dict[str, Any]]:
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
    return virtual_microscope(plan, specimen, noise=chosen, seed=1 if seed is None else seed, coil_tau_ns=tau)


def _obi(
    address: str, profile: str | None, round_dwell: bool | None, detector: str | None, timeout: float
) -> ScanController:
    """A device of the Open Beam Interface."""
    from stemscan.hardware.obi.address import parse_address
    from stemscan.hardware.obi.controller import ObiController
    from stemscan.hardware.profile import load_profile

    host, port = parse_address(address)
    info = None if detector is None else _detector(detector)
    return ObiController(
        host, port, load_profile(profile or "obi"), detector=info, timeout=timeout, round_dwell=bool(round_dwell)
    )


def _detector(text: str) -> Any:
    """A detector from GAIN,OFFSET."""
    from stemscan.errors import UsageError
    from stemscan.sample_block import DetectorInfo

    try:
        gain, offset = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--detector: expected two numbers as GAIN,OFFSET, got {text!r}") from None
    return DetectorInfo(unit="adu", gain=gain, offset=offset)


def _replay(store: str) -> ScanController:
    """The samples of a store once more."""
    from stemscan.replay import ReplayController

    return ReplayController(store)


def _rule(text: str) -> StopRule:
    """A rule that ends an acquisition."""
    from stemscan.errors import UsageError
    from stemscan.stopping import MaxDose
    from stemscan.units import parse_area_dose, parse_decibel

    name, equals, value = text.partition("=")
    if name not in ("psnr-gain", "max-dose") or not equals:
        raise UsageError(f"--stop-when: expected psnr-gain=0.05dB or max-dose=NUMBER, got {text!r}")
    try:
        if name == "max-dose":
            return MaxDose(parse_area_dose(value))
        from stemscan.recon.stopping import PsnrGain

        return PsnrGain(parse_decibel(value))
    except UsageError as problem:
        raise UsageError(f"--stop-when {name}: {problem}") from None


def _tell(talk: Talk, output: Path, controller: str, plan: ScanPlan, result: Any) -> None:
    """What was done."""
    from stemscan.store import Acquisition
    from stemscan.units import format_count

    store = Acquisition.open(output)
    ledger = store.ledger or {}
    data = {
        "store": str(output),
        "controller": controller,
        "samples": result.samples,
        "total_samples": plan.total_samples,
        "samples_committed": store.samples_committed,
        "resumed_from": result.resumed_from,
        "exposed_twice_at_most": result.exposed_twice_at_most,
        "pauses": result.pauses,
        "paused_seconds": result.paused_seconds,
        "stopped": store.stopped,
        "ledger": ledger,
        "seconds": result.seconds,
    }
    rows = [
        ("controller", controller),
        ("samples", f"{format_count(result.samples)} of {format_count(plan.total_samples)}"),
    ]
    if result.resumed_from:
        rows.append(("resumed after", f"{format_count(result.resumed_from)} samples"))
    rows += ledger_rows(ledger)
    if result.pauses:
        rows.append(("paused", f"{result.pauses} times, {result.paused_seconds:.2f} s, for the store to keep up"))
    rows += stopped_rows(store)
    rows.append(("time", f"{result.seconds:.2f} s"))
    talk.result(data, [f"{output}: complete", *table(rows)])
