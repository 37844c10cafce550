"""`stemscan recon`: from an acquisition store to an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, UrlOutputOption, choice, table, url
from stemscan.cli.completing import (
    complete_channels,
    complete_devices,
    complete_methods,
    complete_stores,
    complete_weights,
)
from stemscan.cli.options import DRIFTS, GRIDS, POSITIONS, argument, option, with_choices
from stemscan.recon.registry import DEFAULT_METHOD, PLUGINS, default_method, method_names, method_of
from stemscan.recon.weights import SHIPPED, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stemscan.recon.inputs.reading import Positions
    from stemscan.recon.method import Method
    from stemscan.store.reader import Acquisition

__all__ = ["EXAMPLES", "recon"]

EXAMPLES = """
stemscan recon acq.zarr -o image.tif
stemscan recon acq.zarr -o image.zarr --method fourier-eb
"""


def recon(
    store: Annotated[Path, argument("ACQ.zarr", "Acquisition store.", complete=complete_stores, callback=url)],
    output: UrlOutputOption,
    method: Annotated[
        str | None,
        option(
            panel="Everyday",
            help=with_choices("Method: an installed plug-in or a function in a file, too.", method_names()),
            metavar="NAME|FILE.py:FUNCTION",
            default=f"{DEFAULT_METHOD}; fshnet with --weights or --variant",
            complete=complete_methods,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        option(
            panel="Network",
            help=with_choices("Weights of a method that runs them: a file, or the name of shipped ones.", SHIPPED),
            metavar="FILE|NAME",
            default="the method's own",
            complete=complete_weights,
        ),
    ] = None,
    variant: Annotated[
        str | None,
        option(
            panel="Network",
            help="FSHNet of the shipped weights: full (ours) or paper (the architecture as published).",
            choices=VARIANTS,
            default="full",
        ),
    ] = None,
    device: Annotated[
        str,
        option(
            panel="Computer",
            help="Device of methods that run networks: auto, cpu, cuda or cuda:N.",
            metavar="NAME",
            complete=complete_devices,
        ),
    ] = "auto",
    threads: Annotated[
        int | None, option(panel="Computer", help="Threads at most.", metavar="N", default="all")
    ] = None,
    grid: Annotated[
        str,
        option(
            panel="Image",
            help="Grid of the image; native: the coarser one of a method that works on one.",
            choices=GRIDS,
        ),
    ] = "plan",
    positions: Annotated[
        str | None,
        option(
            panel="Image", help="Positions of the beam.", choices=POSITIONS, default="actual, where the store has them"
        ),
    ] = None,
    channel: Annotated[
        str | None,
        option(
            panel="Everyday",
            help=(
                "Detector of several; abf+haadf: the image of the first with the counts of both; all: the "
                "first with all others."
            ),
            metavar="NAME|N|all",
            default="the first",
            complete=complete_channels,
        ),
    ] = None,
    drift: Annotated[
        str,
        option(
            panel="Image", help="Drift to undo; auto: that of the store, or found where there is some.", choices=DRIFTS
        ),
    ] = "auto",
    settings: Annotated[
        list[str] | None,
        option(
            "--set",
            panel="Everyday",
            help="Setting of the method, as stemscan methods METHOD lists them.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        option(
            panel="Large frames",
            help="Memory for a frame larger than 2048 x 2048 pixels, which is made in tiles, as 2GiB.",
            metavar="SIZE",
            default="half of what is free",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        option(
            panel="Large frames",
            help="Address of a dask scheduler, whose workers make the tiles.",
            metavar="ADDRESS",
            default="this machine makes them",
        ),
    ] = None,
    resume: Annotated[
        bool, option("--resume", panel="Large frames", help="Go on with a large frame that was interrupted.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Reconstruct the specimen from a store.

    The image is written as .zarr, .tif, .ome.tif, .hspy, .zspy, .npy or .png, by the suffix of OUT.
    """
    from stemscan.recon.choice import in_tiles
    from stemscan.recon.joint.reading import chosen_channels
    from stemscan.recon.output.writing import check_destination
    from stemscan.recon.settings import parse_settings
    from stemscan.runtime.imports import load_torch_ahead, without_collector
    from stemscan.store.reader import Acquisition
    from stemscan.units import parse_bytes

    talk = Talk(quiet, as_json)
    method = method or default_method(with_weights=weights is not None or variant is not None)
    weights = _weights_of(variant, method, weights)
    chosen = method_of(method)
    asked = parse_settings(settings, chosen.settings(), "--set") if settings else {}
    talk.warn(PLUGINS.shadows(method))
    budget = None if memory is None else parse_bytes(memory)
    if overwrite or not (resume and output.exists()):
        check_destination(output, overwrite=overwrite)
    acquisition, wanted = Acquisition.open(store), 0 if channel is None else channel
    numbers, where = chosen_channels(acquisition, wanted), _positions(positions)
    if resume and not overwrite and output.exists():
        source = _source_wanted(acquisition, numbers, where)
        wanted_record = {"method": chosen.name, "source": source, "settings": asked, "factor": 1}
        if weights is None and grid == "plan" and _is_made(talk, output, wanted_record):
            return
        check_destination(output)
    tiled = grid == "plan" and in_tiles(chosen, acquisition.shape, weights)
    if scheduler is not None:
        _check_scheduler(scheduler, memory, chosen, acquisition, tiled)
    if chosen.uses_torch:
        load_torch_ahead()
    with without_collector():
        from stemscan.recon.drift.using import DRIFT_USES
    use = choice("--drift", drift, DRIFT_USES)
    place = _device(device) if chosen.uses_torch else "cpu"
    source = {"channel": wanted, "positions": where, "device": place, "drift": use}
    options = {"weights": weights, "device": device, "threads": threads, **asked}
    if tiled:
        tiles = {"memory": budget, "resume": resume, "overwrite": overwrite, "scheduler": scheduler}
        _in_tiles(talk, acquisition, chosen, output, source, options | tiles)
    else:
        _whole(talk, acquisition, chosen, output, source, {"grid": grid, **options}, overwrite)


def _check_scheduler(scheduler: str, memory: str | None, chosen: Method, acquisition: Acquisition, tiled: bool) -> None:
    """Refuse a cluster for what it cannot do."""
    from stemscan.errors import UsageError
    from stemscan.recon.evaluation.clients import require_distributed
    from stemscan.recon.large.hired import check_travels

    require_distributed()
    if memory is not None:
        raise UsageError(
            f"--memory: expected no --scheduler beside it, got {scheduler}; its workers have limits of their own"
        )
    if not tiled:
        rows, columns = acquisition.shape
        raise UsageError(
            f"--scheduler: expected a frame that is made in tiles, beyond 2048 x 2048 pixels, got {rows} x {columns} "
            f"by {chosen.name}; leave it out"
        )
    check_travels(chosen)


def _source_wanted(acquisition: Acquisition, numbers: Sequence[int], where: Positions | None) -> dict[str, Any]:
    """Source of a reconstruction that is wanted, as its record has it."""
    names = [acquisition.channels[number].name for number in numbers]
    source: dict[str, Any] = {"store_digest": acquisition.digest(), "merged": sorted(names[1:])}
    if len(acquisition.channels) > 1:
        source["channel"] = names[0]
    return source if where is None else source | {"positions": where}


def _is_made(talk: Talk, output: Path, wanted: Mapping[str, Any]) -> bool:
    """Tell whether the output is there already, and say so."""
    from stemscan.recon.large.to_file import is_made

    if not is_made(output, wanted):
        return False
    talk.result({"output": str(output), "made": False}, [f"{output}: is made already, nothing was done"])
    return True


def _in_tiles(
    talk: Talk, acquisition: Acquisition, chosen: Method, output: Path, source: dict[str, Any], options: dict[str, Any]
) -> None:
    """Reconstruct a large frame."""
    from stemscan.recon.large.opening import open_field
    from stemscan.recon.large.to_file import reconstruct_to_file

    with talk.progress("reading"):
        field = open_field(acquisition, **source)
    for warning in field.source["warnings"]:
        talk.warn(warning)
    with talk.progress(f"reconstructing by {chosen.name}") as progress:
        done, record = reconstruct_to_file(field, chosen, output, progress=progress, **options)
    std = done.totals.mean("std") if "std" in done.folder.names else None
    _tell(talk, output, field.source, record, [] if done.metrics is None else done.metrics.rows(), std, done.seconds)


def _whole(
    talk: Talk,
    acquisition: Acquisition,
    chosen: Method,
    output: Path,
    source: dict[str, Any],
    options: dict[str, Any],
    overwrite: bool,
) -> None:
    """Reconstruct a frame in memory."""
    from stemscan.recon.joint.reading import load_channels
    from stemscan.recon.needs import require_memory_for
    from stemscan.recon.output.writing import write_reconstruction
    from stemscan.runtime.imports import without_collector

    with talk.progress("reading"):
        inputs = load_channels(acquisition, **source)
    for warning in inputs.source["warnings"]:
        talk.warn(warning)
    compared = inputs.truth is not None and options["grid"] == "plan"
    require_memory_for(chosen, inputs.shape, output, compared=compared, device=options["device"])
    with talk.progress(f"reconstructing by {chosen.name}"):
        with without_collector():
            from stemscan.recon.metrics import compare
            from stemscan.recon.output.record import record_of
            from stemscan.recon.run import reconstruct

            chosen.load()
        done = reconstruct(inputs, chosen, **options)
    on_plan = done.factor == 1 and inputs.truth is not None
    metrics = compare(done.image, inputs.truth) if on_plan and inputs.truth is not None else None
    write_reconstruction(done, output, metrics=metrics, overwrite=overwrite)
    std = None if done.std is None else float(done.std.mean())
    _tell(
        talk,
        output,
        inputs.source,
        record_of(done, metrics),
        [] if metrics is None else metrics.rows(),
        std,
        done.seconds,
    )


def _tell(
    talk: Talk,
    output: Path,
    source: Mapping[str, Any],
    record: Mapping[str, Any],
    metrics: Sequence[tuple[str, str]],
    std: float | None,
    seconds: float,
) -> None:
    """Say what was made, from its source and record, metrics in words, mean standard deviation and time."""
    from stemscan.recon.contradiction.words import sentence

    height, width = record["shape"]
    rows = [("method", record["method"])]
    if source["positions"] == "actual":
        rows.append(("positions", "actual"))
    rows += _channel_rows(source)
    if (known := source.get("drift")) is not None:
        rows.append(("drift", f"{known['rms_px']:.3g} px RMS undone, {known['origin']}"))
    rows.append(("image", f"{height} x {width} pixels, float32"))
    if (tiles := record["settings"].get("tiles")) is not None:
        rows.append(("made in", f"{tiles['number']} tiles of {tiles['side']} x {tiles['side']} pixels"))
    if std is not None:
        rows.append(("standard deviation", f"{std:.3g} on average"))
    if record["contradictions"] is not None:
        rows.append(("contradictions", sentence(record["contradictions"]["count"])))
    rows += [*metrics, ("time", f"{seconds:.2f} s")]
    report = {"output": str(output), **record, "seconds": round(seconds, 4)}
    talk.result(report, [f"{output}:", *table(rows)])


def _channel_rows(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which of several channels was reconstructed, and what the others gave."""
    if "channel" not in source:
        return []
    rows = [("channel", str(source["channel"]))]
    for name, relation in source.get("merged", {}).items():
        share, slope = f"{100 * relation['weight']:.0f} % of the weight", f"{relation['slope']:.3g}"
        rows.append((f"with {name}", f"{share}; slope {slope} +- {relation['slope_error']:.2g}"))
    return rows


def _device(name: str) -> str:
    """The device; one that is named is looked at at once, which imports torch."""
    from stemscan.recon.devices import check_device

    return name if name in ("auto", "cpu") else check_device(name)


def _positions(text: str | None) -> Positions | None:
    """Positions to use, or None for those that there are."""
    if text is None:
        return None
    return "actual" if choice("--positions", text, ("actual", "commanded")) == "actual" else "commanded"


def _weights_of(variant: str | None, method: str, weights: str | None) -> str | None:
    """The weights of a variant, or those that were named."""
    from stemscan.errors import UsageError
    from stemscan.recon.weights import VARIANTS

    if variant is None:
        return weights
    if method != "fshnet" or weights is not None:
        beside = f"--method {method}" if method != "fshnet" else "--weights"
        raise UsageError(f"--variant: expected fshnet with shipped weights, got {beside} beside it; keep one")
    return VARIANTS[choice("--variant", variant, tuple(VARIANTS))]
