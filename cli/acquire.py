"""`stemscan acquire`: run a plan on a controller, real or virtual."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stemscan.cli.common import (
    JsonOption,
    OverwriteOption,
    QuietOption,
    Talk,
    UrlOutputOption,
    ledger_rows,
    stopped_rows,
    table,
    url,
)
from stemscan.cli.completing import complete_controllers, complete_plans, complete_rules, complete_specimens
from stemscan.cli.controllers import controller_usage, opened_controller, shadowed_controller
from stemscan.cli.following import follow_rows, follower_of, tell_moves, tell_room
from stemscan.cli.options import argument, option
from stemscan.cli.scan_rows import specimen_rows
from stemscan.cli.shared_options import takes
from stemscan.cli.virtual_options import VirtualOptions
from stemscan.cli.watching import PageOptions, page_settings, watched

if TYPE_CHECKING:
    from stemscan.acquisition.scan import ScanReport
    from stemscan.acquisition.stopping import StopRule
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.record_parts import SpecimenRecord

__all__ = ["EXAMPLES", "acquire"]

EXAMPLES = """
stemscan acquire plan.yaml -o acq.zarr --specimen "crystal:SrTiO3[001]"
stemscan acquire plan.yaml -o acq.zarr --controller obi://localhost:2224
stemscan acquire plan.yaml -o acq.zarr --controller replay:old.zarr --resume
"""


@takes(PageOptions, "page")
@takes(VirtualOptions, "virtual")
def acquire(
    plan: Annotated[Path, argument("PLAN", "Plan file.", complete=complete_plans, callback=url)],
    output: UrlOutputOption,
    *,
    controller: Annotated[
        str,
        option(
            panel="Everyday",
            help=f"Controller: {controller_usage()}, one of an installed package, or file.py:function.",
            metavar="NAME[:ADDRESS]",
            complete=complete_controllers,
        ),
    ] = "virtual",
    settings: Annotated[
        list[str] | None,
        option("--set", panel="Controller", help="Setting of a controller of another package.", metavar="NAME=VALUE"),
    ] = None,
    specimen: Annotated[
        str | None,
        option(
            panel="Everyday",
            help="virtual: image file, crystal:NAME or synthetic:SEED/INDEX.",
            metavar="SPECIMEN",
            complete=complete_specimens,
        ),
    ] = None,
    virtual: VirtualOptions,
    round_dwell: Annotated[
        bool,
        option(
            "--round-dwell",
            panel="Controller",
            help="obi: round the dwell time to one whose every reading the device averages.",
        ),
    ] = False,
    timeout: Annotated[
        str, option(panel="Controller", help="Longest silence of the controller before the scan ends.", metavar="TIME")
    ] = "30s",
    stop_when: Annotated[
        list[str] | None,
        option(
            panel="Between passes",
            help=(
                "End when psnr-gain=0.05dB is not reached, before max-dose=N (e-/A^2, or with e-/nm^2) is exceeded, or "
                "after passes=N of a plan with more."
            ),
            metavar="RULE",
            complete=complete_rules,
        ),
    ] = None,
    follow_drift: Annotated[
        bool,
        option(
            "--follow-drift", panel="Between passes", help="Move the field by the drift that the passes so far predict."
        ),
    ] = False,
    follow_limit: Annotated[
        str | None,
        option(
            panel="Between passes",
            help="Largest offset of the field, as 5nm or 100px.",
            metavar="LENGTH",
            default="as far as the controller goes",
        ),
    ] = None,
    image: Annotated[
        Path | None,
        option(
            callback=url,
            panel="Everyday",
            help=(
                "Image to reconstruct at the end, by fshnet: .zarr, .tif, .npy or .png; all is made ready "
                "before the scan."
            ),
            metavar="FILE",
        ),
    ] = None,
    watch: Annotated[
        bool,
        option(
            "--watch",
            panel="Page in the browser",
            help="Show the scan in a browser, with buttons that stop or park it.",
        ),
    ] = False,
    page: PageOptions,
    resume: Annotated[
        bool, option("--resume", panel="Everyday", help="Go on with an interrupted store, or begin it.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Acquire a plan with a controller into a store.

    Ctrl-C blanks the beam and keeps what came; --resume goes on from there.
    """
    from stemscan.acquisition.controllers import ControllerRequest
    from stemscan.acquisition.reports import provenance_of
    from stemscan.acquisition.scan import COMMIT_SAMPLES
    from stemscan.acquisition.session import run_session
    from stemscan.arguments import check_beginning
    from stemscan.errors import UsageError
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.view.beside import commit_samples_of
    from stemscan.store.create import check_place

    check_beginning(resume=resume, overwrite=overwrite)
    patience = _patience(timeout)
    talk = Talk(quiet, as_json)
    shown = page_settings(watch, page, output, overwrite=overwrite)
    scan_plan = ScanPlan.load(plan)
    rules = [_rule(text) for text in stop_when or []]
    if rules and scan_plan.passes == 1:
        talk.warn("--stop-when: rules end a scan between passes, and the plan has one pass")
    follower = follower_of(follow_drift, follow_limit, scan_plan, talk)
    device = {"round_dwell": round_dwell or None}
    others = {"specimen": specimen, "settings": settings or None, **device}
    request = ControllerRequest(
        scan_plan,
        options={name: value for name, value in others.items() if value is not None} | virtual.given(),
        timeout_s=patience,
        connect=not (resume and _is_complete(output)),
        warn=talk.warn,
    )
    talk.warn(shadowed_controller(controller))
    check_place(output, overwrite=overwrite, resume=resume)
    if image is not None:
        if image.resolve() == output.resolve():
            raise UsageError(f"--image: expected another path than the store's, got {str(image)!r} twice")
        _ready_for(image, scan_plan, talk, overwrite)
    with (
        watched(shown, talk) as requests,
        opened_controller(controller, request) as opened,
        talk.progress("acquiring") as progress,
        _noted(talk),
    ):
        if follower is not None and request.connect:
            tell_room(opened, scan_plan, talk)
        result = run_session(
            scan_plan,
            opened,
            output,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            stall_timeout=patience,
            stop_rules=rules,
            follower=follower,
            session={"controller": controller},
            requests=requests,
            commit_samples=COMMIT_SAMPLES if requests is None else commit_samples_of(scan_plan.dwell_ns),
        )
        scanned = provenance_of(opened).specimen
    seconds = None if image is None else _reconstructed(output, image, talk, overwrite)
    _report(talk, output, controller, scan_plan, result, scanned, image, seconds)


def _ready_for(image: Path, plan: ScanPlan, talk: Talk, overwrite: bool) -> None:
    """Check where the image is to go, and let the reconstruction have its first, slow seconds."""
    from stemscan.recon.output.writing import check_destination

    check_destination(image, overwrite=overwrite)
    with talk.progress("getting ready to reconstruct"):
        from stemscan.recon.prompt import make_ready

        make_ready(plan.shape, image, passes=plan.passes)


def _reconstructed(store: Path, image: Path, talk: Talk, overwrite: bool) -> float:
    """Write the image of a store; the seconds that it took."""
    from stemscan.recon.prompt import reconstruct_store

    began = time.perf_counter()
    with talk.progress("reconstructing"):
        reconstruct_store(store, image, overwrite=overwrite)
    return time.perf_counter() - began


@contextmanager
def _noted(talk: Talk) -> Iterator[None]:
    """Tell the notes of an error or interruption, such as that the controller failed to blank the beam."""
    try:
        yield
    except BaseException as problem:
        for note in getattr(problem, "__notes__", ()):
            talk.warn(note)
        raise


def _is_complete(output: Path) -> bool:
    """Tell whether a store is there that needs no controller any more."""
    from stemscan.errors import StemscanError
    from stemscan.store.reader import Acquisition

    try:
        return Acquisition.open(output).state == "complete"
    except StemscanError:
        return False


def _patience(text: str) -> float:
    """Longest silence in seconds."""
    from stemscan.acquisition.timed_controller import check_seconds
    from stemscan.errors import UsageError
    from stemscan.units import parse_seconds

    try:
        seconds = parse_seconds(text)
        check_seconds(seconds)
    except UsageError as problem:
        raise UsageError(f"--timeout: {problem}") from None
    return seconds


def _rule(text: str) -> StopRule:
    """A rule that ends an acquisition."""
    from stemscan.acquisition.stopping import AfterPasses, MaxDose
    from stemscan.errors import UsageError
    from stemscan.units import parse_area_dose, parse_decibel

    name, equals, value = text.partition("=")
    if name not in ("psnr-gain", "max-dose", "passes") or not equals:
        raise UsageError(f"--stop-when: expected psnr-gain=0.05dB, max-dose=NUMBER or passes=NUMBER, got {text!r}")
    try:
        if name == "max-dose":
            return MaxDose(parse_area_dose(value))
        if name == "passes":
            return AfterPasses(_whole(value), f"passes: an end after {value.strip()} was asked for")
        from stemscan.recon.stopping import PsnrGain

        return PsnrGain(parse_decibel(value))
    except UsageError as problem:
        raise UsageError(f"--stop-when {name}: {problem}") from None


def _whole(text: str) -> int:
    """A whole number."""
    from stemscan.errors import UsageError

    try:
        return int(text)
    except ValueError:
        raise UsageError(f"expected a whole number, got {text!r}; give one such as 4") from None


def _report(
    talk: Talk,
    output: Path,
    controller: str,
    plan: ScanPlan,
    result: ScanReport,
    scanned: SpecimenRecord | None,
    image: Path | None,
    image_seconds: float | None,
) -> None:
    """Report what was done."""
    from stemscan.store.reader import Acquisition
    from stemscan.units import counted, format_count

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
        "times_unproven": result.unproven,
        "pauses": result.pauses,
        "paused_seconds": result.paused_seconds,
        "stopped": store.stopped,
        "follow": store.follow,
        "ledger": ledger,
        "seconds": result.seconds,
        "image": None if image is None else str(image),
        "image_seconds": image_seconds,
    }
    rows = [
        ("controller", controller),
        *specimen_rows(scanned),
        ("samples", f"{format_count(result.resumed_from + result.samples)} of {format_count(plan.total_samples)}"),
    ]
    if result.resumed_from:
        rows.append(
            ("resumed after", f"{counted(result.resumed_from, 'sample')}; {format_count(result.samples)} more now")
        )
    if result.unproven:
        often = counted(result.unproven, "time")
        rows.append(("unproven", f"{often}, as readings were lost or added: exposed again, and right now"))
    rows += follow_rows(store)
    rows += ledger_rows(ledger)
    if result.pauses:
        pauses = counted(result.pauses, "time")
        rows.append(("paused", f"{pauses}, {result.paused_seconds:.2f} s, for the store to keep up"))
    rows += stopped_rows(store)
    rows.append(("time", f"{result.seconds:.2f} s"))
    if image_seconds is not None:
        rows.append(("image", f"{image}, {image_seconds:.2f} s after the scan"))
    talk.result(data, [f"{output}: complete", *table(rows)])
    tell_moves(store, talk)
