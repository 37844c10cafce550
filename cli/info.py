"""`stemscan info`: what a plan, its exports, a store or a reconstruction hold."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stemscan.cli.common import (
    JsonOption,
    OverwriteOption,
    QuietOption,
    Talk,
    check_picture,
    ledger_rows,
    stopped_rows,
    table,
    url,
)
from stemscan.cli.following import follow_rows
from stemscan.cli.options import argument, option
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.hardware.exporters.describe import Exported
    from stemscan.store.batch import DetectorInfo
    from stemscan.store.reader import Acquisition

__all__ = ["EXAMPLES", "info"]

EXAMPLES = """
stemscan info acq.zarr
stemscan info acq.zarr --png scan.png
"""

_MANY = 6
"""Classes of columns that are not named any more."""

Description = tuple[dict[str, Any], list[str]]

_PLACES = 5


def info(
    path: Annotated[Path, argument("PATH", "Plan file, export, store or reconstruction.", callback=url)],
    picture: Annotated[
        Path | None,
        option(
            "--png",
            panel="Everyday",
            help="Picture (PNG) of an acquisition: path, trajectory, counts, dose, damage, statistics.",
            metavar="FILE",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Describe a plan, an export, a store or a reconstruction."""
    from stemscan.files.opening import require_file
    from stemscan.recon.output.record import RECORDED, read_image_record

    talk = Talk(quiet, as_json)
    if picture is not None:
        check_picture(picture, overwrite=overwrite)
    if not path.is_dir():
        require_file(path, "a plan, an export, a store or a reconstruction")
    if path.suffix.lower() in RECORDED:
        data, lines = _reconstruction(path, read_image_record(path))
    elif path.is_dir():
        from stemscan.recon.output.zarr_image import is_reconstruction, read_record

        if (exported := _exported(path)) is not None:
            data, lines = _export(path, exported)
        else:
            data, lines = _reconstruction(path, read_record(path)) if is_reconstruction(path) else _store(path, talk)
    elif (exported := _exported(path)) is not None:
        data, lines = _export(path, exported)
    else:
        _refuse_numbers(path)
        data, lines = _plan(path, talk)
    if picture is not None:
        data["panels"] = _drawn(path, data, picture, talk, overwrite)
        lines.append(f"{picture}: {', '.join(data['panels'])}")
    talk.result(data, lines)


def _drawn(path: Path, data: dict[str, Any], picture: Path, talk: Talk, overwrite: bool) -> list[str]:
    """Draw a store; what its panels show."""
    from stemscan.errors import UsageError
    from stemscan.files.writing import write_file
    from stemscan.recon.pictures.scan import draw_scan
    from stemscan.store.reader import Acquisition

    if data["type"] != "acquisition":
        raise UsageError(
            f"--png: expected an acquisition store, got {str(path)!r}, a {data['type']}; plan check -o draws "
            "plans, and recon -o image.png reconstructions"
        )
    panels = list[str]()
    with talk.progress("drawing"):
        store = Acquisition.open(path)
        write_file(picture, lambda place: panels.extend(draw_scan(store, place)), overwrite=overwrite)
    return panels


def _refuse_numbers(path: Path) -> None:
    """Say that files of bare numbers hold no record, rather than that they are no plans."""
    if path.suffix.lower() in (".safetensors", ".csv"):
        from stemscan.errors import UsageError

        raise UsageError(
            f"expected a plan, a store or a reconstruction as .zarr, .tif or .png, got {str(path)!r}, which holds "
            "numbers without a record of what they are"
        )


def _exported(path: Path) -> Exported | None:
    """Contents in another program's format, if it is one."""
    if (path / "zarr.json").exists():
        return None  # before what is compiled is imported
    from stemscan.hardware.exporters.describe import describe_export

    return describe_export(path)


def _export(path: Path, exported: Exported) -> Description:
    """Contents of a file in another program's format."""
    files = [path] if path.is_file() else list(path.iterdir())
    size = sum(file.stat().st_size for file in files)
    data = {"type": "export", "format": exported.format, **exported.contents.facts, "size_bytes": size}
    rows = [("format", exported.format), *exported.contents.rows, ("size", counted(size, "byte"))]
    return data, [f"{path}: {exported.title}", *table(rows)]


def _plan(path: Path, talk: Talk) -> Description:
    """A plan's figures."""
    from stemscan.plan.scan_plan import ScanPlan

    plan = ScanPlan.load(path)
    with talk.progress("walking the path") as progress:
        summary = plan.summary(progress=progress)
    rows = [("pattern", _inline(plan.to_dict()["pattern"])), ("order", plan.order.kind), ("repeat", plan.repeat)]
    data = {"type": "plan", "plan": plan.to_dict(), **summary.to_dict()}
    return data, [f"{path}: scan plan", *table(rows), str(summary)]


def _store(path: Path, talk: Talk) -> Description:
    """Contents of a store, from its record alone."""
    from stemscan.store.reader import Acquisition
    from stemscan.units import format_count

    store = Acquisition.open(path)
    for warning in store.warnings:
        talk.warn(warning)
    data: dict[str, Any] = {
        "type": "acquisition",
        "schema": store.schema,
        "state": store.state,
        "doubt": store.doubt,
        "origin": store.origin,
        "samples_committed": store.samples_committed,
        "samples_armed": store.samples_armed,
        "total_samples": store.total_samples,
        "shape": list(store.shape),
        "passes": store.passes,
        "electrons_per_sample": store.electrons_per_sample,
        "pixel_size_nm": store.pixel_size_nm,
        "noise": store.noise,
        "detector_unit": store.detector.unit,
        "detector": asdict(store.detector),
        "channels": [asdict(channel) for channel in store.channels],
        "specimen": store.specimen,
        "instrument": store.instrument,
        "truth_columns": store.known_columns,
        "seed": store.seed,
        "plan_digest": store.plan_digest,
        "actual_positions": store.has_actual,
        "coil_tau_ns": store.coil_tau_ns,
        "coil_waits": store.coil_waits,
        "ledger": store.ledger,
        "stopped": store.stopped,
        "follow": store.follow,
        "drift": _drift(store),
        "history": store.history,
    }
    specimen = "none recorded" if store.specimen is None else str(store.specimen["name"])
    pixel = "unknown" if store.pixel_size_nm is None else f"{store.pixel_size_nm:g} nm"
    rows = [
        ("state", store.state),
        *_doubt_row(store),
        ("origin", store.origin),
        ("samples", f"{format_count(store.samples_committed)} of {format_count(store.total_samples)}"),
        ("grid", f"{store.shape[0]} x {store.shape[1]} pixels, {counted(store.passes, 'pass')}"),
        ("pixel size", pixel),
        ("dose per sample", f"{store.electrons_per_sample:g} e- detected at signal 1"),
        ("noise", store.noise),
        *_detector_rows(store.channels),
        ("specimen", specimen),
        ("plan digest", store.plan_digest or "none: imported data"),
    ]
    if data["actual_positions"]:
        rows.insert(-1, ("positions", "commanded and actual"))
    rows[-1:-1] = follow_rows(store)
    if data["drift"] is not None:
        rows.insert(-1, ("drift", f"{data['drift']['reason']}{'' if data['drift']['current'] else '; out of date'}"))
    if store.coil_tau_ns is not None:
        waits = "" if store.coil_waits is None else ", after the waits of a profile"
        rows.insert(-1, ("coil lag", f"{store.coil_tau_ns:g} ns{waits}"))
    if store.instrument is not None:
        rows.insert(-1, ("instrument", f"{store.instrument['name']}: {_inline_effects(store.instrument['settings'])}"))
    rows[-1:-1] = [*_columns_row(store.known_columns), *ledger_rows(store.ledger or {}), *stopped_rows(store)]
    return data, [f"{path}: acquisition store", *table(rows)]


def _inline_effects(settings: dict[str, Any]) -> str:
    """Names of the effects of an instrument."""
    return ", ".join(name.replace("_", " ") for name in settings)


def _drift(store: Acquisition) -> dict[str, Any] | None:
    """Drift that was found and kept; None where there is none."""
    if (stored := store.drift) is None:
        return None
    known = stored.trajectory
    numbers = {"rms_px": known.rms, "span_px": known.span, "std_px": known.rms_std}
    return {"samples": stored.samples, "current": stored.current, **numbers, **stored.provenance}


def _columns_row(columns: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Columns that the specimen knows; nothing where it knows none."""
    if columns is None:
        return []
    classes = columns["classes"]
    kinds = ", ".join(classes) if len(classes) < _MANY else counted(len(classes), "class", "classes")
    return [("true columns", f"{columns['count']:,} of {kinds}; vacancies count")]


def _doubt_row(store: Acquisition) -> list[tuple[str, str]]:
    """From which sample on, and why, the samples are in doubt; nothing where they are not."""
    if (doubt := store.doubt) is None:
        return []
    return [("in doubt", f"all samples after the first {doubt['proven']}: {doubt['reason']}")]


def _detector_rows(channels: tuple[DetectorInfo, ...]) -> list[tuple[str, str]]:
    """Meaning of each channel's numbers; nothing of a single one that counts every electron."""
    if len(channels) == 1 and channels[0].unit == "electron" and not channels[0].dead_share:
        return []
    rows = list[tuple[str, str]]()
    for number, one in enumerate(channels):
        words = f"adu, {one.gain:g} per electron, {one.offset:g} without electrons"
        name = "detector" if len(channels) == 1 else f"channel {number}"
        named = "" if len(channels) == 1 else f"{one.name}: "
        blind = f", dead for {100 * one.dead_share:.3g} % of a dwell after each" if one.dead_share else ""
        rows.append((name, named + ("counted electrons" if one.unit == "electron" else words) + blind))
    return rows


def _reconstruction(path: Path, record: dict[str, Any]) -> Description:
    """Contents of a reconstruction, from its record alone."""
    from stemscan.recon.contradiction.words import sentence

    told = dict(record)
    if found := record.get("contradictions"):
        told["contradictions"] = [sentence(found["count"]), *map(_place, found["places"][:_PLACES])]
    rows = [(str(name).replace("_", " "), _inline(value)) for name, value in told.items()]
    return {"type": "reconstruction", **record}, [f"{path}: reconstruction", *table(rows)]


def _place(place: list[Any]) -> str:
    """A contradiction, for people."""
    return "({}, {}) by {:+.1f} sd".format(*place)


def _inline(value: Any) -> str:
    """Plain data on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_inline(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_inline, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)
