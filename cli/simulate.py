"""`stemscan simulate`: scan a virtual specimen by a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stemscan.cli.common import JsonOption, OutputOption, OverwriteOption, QuietOption, Talk, choice, table

__all__ = ["simulate"]


def simulate(
    plan: Annotated[Path, typer.Argument(help="Plan file.", show_default=False)],
    specimen: Annotated[
        str,
        typer.Argument(help="Image file, crystal:NAME or synthetic:SEED/INDEX.", show_default=False),
    ],
    output: OutputOption,
    noise: Annotated[str, typer.Option(help="poisson, or eq5 for equation 5 of the FSHNet paper.")] = "poisson",
    seed: Annotated[int, typer.Option(help="Seed of the detector.")] = 1,
    coil_tau: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time constant of the scan coils, like 30us: the beam lags, and the store says where it was (none).",
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Controller profile for whose settle times and flyback the beam waits (none).",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted store, or begin it.")] = False,
    fit: Annotated[
        str, typer.Option(help="Image of another shape than the plan's: error, crop (top left) or resample.")
    ] = "error",
    value_range: Annotated[
        str | None,
        typer.Option(
            "--range", help="LO,HI: values, or percentiles like 0.1%,99.9%, that become 0 and 1.", show_default=False
        ),
    ] = None,
    smooth: Annotated[
        str | None,
        typer.Option(
            help="paper: Gaussian and median filter, so that a noisy image can serve as truth.", show_default=False
        ),
    ] = None,
    median: Annotated[
        int | None, typer.Option(help="How many median filters --smooth applies (1).", show_default=False)
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option(
            metavar="N|NAME", help="Which frame of a file with several: from 0, or by name.", show_default=False
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Scan a virtual specimen by a plan and write the acquisition store."""
    from stemscan.acquisition.session import run_session
    from stemscan.errors import UsageError
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.simulators.session import virtual_microscope
    from stemscan.store.create import check_place
    from stemscan.units import counted, format_count, parse_time_constant_ns

    if resume and overwrite:
        raise UsageError("expected --resume or --overwrite, got both; keep one")
    if not 0 <= seed < 2**64:
        raise UsageError(f"--seed: expected 0 to 2**64 - 1, got {seed}")
    if median is not None and smooth is None:
        raise UsageError(f"--median: expected --smooth beside it, got {median} alone; add --smooth paper")
    talk = Talk(quiet, as_json)
    scan_plan = ScanPlan.load(plan)
    check_place(output, overwrite=overwrite, resume=resume)
    microscope = virtual_microscope(
        scan_plan,
        specimen,
        noise=choice("--noise", noise, ("poisson", "eq5")),  # type: ignore[arg-type]
        seed=seed,
        coil_tau_ns=None if coil_tau is None else parse_time_constant_ns(coil_tau),
        profile=profile,
        fit=choice("--fit", fit, ("error", "crop", "resample")),
        value_range=_range(value_range),
        smooth=None if smooth is None else choice("--smooth", smooth, ("paper",)),
        median=1 if median is None else median,
        frame=frame,
    )
    with talk.progress("scanning") as progress:
        result = run_session(scan_plan, microscope, output, resume=resume, overwrite=overwrite, progress=progress)
    scanned = microscope.specimen
    for warning in scanned.warnings:
        talk.warn(warning)
    data: dict[str, Any] = {
        "store": str(output),
        "specimen": scanned.name,
        "specimen_sha256": scanned.sha256,
        "specimen_record": scanned.record,
        "samples": result.samples,
        "total_samples": scan_plan.total_samples,
        "resumed_from": result.resumed_from,
        "exposed_twice_at_most": result.exposed_twice_at_most,
        "seconds": result.seconds,
    }
    rows = [
        ("specimen", scanned.name),
        *_read_as(scanned.record),
        *_taken_size(scanned.record),
        ("samples", f"{format_count(result.samples)} of {format_count(scan_plan.total_samples)}"),
    ]
    if result.resumed_from:
        rows.append(("resumed after", counted(result.resumed_from, "sample")))
    if result.exposed_twice_at_most:
        rows.append(("exposed twice", f"at most {counted(result.exposed_twice_at_most, 'sample')}"))
    rows.append(("time", f"{result.seconds:.2f} s"))
    talk.result(data, [f"{output}: complete", *table(rows)])


def _read_as(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Changes that the reader of a picture made to it: turned, inverted, summed."""
    notes = [note for step in record.get("steps", []) for note in step.get("notes", [])]
    return [("picture", ", ".join(notes))] if notes else []


def _taken_size(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The pixel size that was taken from the specimen; nothing where the plan has one or none is known."""
    size = record.get("pixel_size_taken_nm")
    return [] if size is None else [("pixel size", f"{size:g} nm, as the specimen has it; the plan has none")]


def _range(text: str | None) -> tuple[float | str, float | str] | None:
    """Two numbers or percentiles, as LO,HI."""
    from stemscan.errors import UsageError

    if text is None:
        return None
    try:
        low, high = (part.strip() if part.strip().endswith("%") else float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--range: expected two numbers or percentiles as LO,HI, got {text!r}") from None
    return low, high
