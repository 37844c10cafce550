"""`stemscan import`: bring sparse data measured elsewhere into a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stemscan.cli.common import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    QuietOption,
    Talk,
    choice,
    table,
)

if TYPE_CHECKING:
    from stemscan.recon.calibration.calibration import Calibration
    from stemscan.store.batch import DetectorInfo

__all__ = ["import_data"]


def import_data(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="FRAMES...",
            help="Frames (passes, rows, columns), values with --positions, or a table row,column,counts: npy, tif, "
            "csv, ...; of several detectors, a file for each.",
            show_default=False,
        ),
    ],
    output: OutputOption,
    dose: Annotated[
        float | None,
        typer.Option(
            help="Dose per sample: detected electrons at signal 1. Without it gain and dose are found from pixels that "
            "were visited again.",
            show_default=False,
        ),
    ] = None,
    dark: Annotated[
        Path | None,
        typer.Option(help="Without --dose: readings with the beam blanked, of any shape.", show_default=False),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Not zero where a frame was visited: npy, tif, png.", show_default=False)
    ] = None,
    positions: Annotated[
        Path | None,
        typer.Option(help="(row, column) of each value, whole or between pixels: npy, csv, txt.", show_default=False),
    ] = None,
    shape: Annotated[
        str | None, typer.Option(help="Rows x columns of the grid, with --positions or a table.", show_default=False)
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="What the columns of positions or a table are, where the file has no names: as x,y,counts or "
            '"row,column" or "x [nm],y [nm]".',
            show_default=False,
        ),
    ] = None,
    frame: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|N",
            help="Which signal of a file with several, or which frame; given again for the signals of more detectors.",
            show_default=False,
        ),
    ] = None,
    channel_axis: Annotated[
        int | None,
        typer.Option(metavar="N", help="Axis of detectors of an array of frames, from 0.", show_default=False),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of each detector (its file's), such as haadf; given again.", show_default=False),
    ] = None,
    pixel_size: Annotated[
        str | None, typer.Option(help="Distance of neighbouring pixels, with its unit.", show_default=False)
    ] = None,
    noise: Annotated[str, typer.Option(help="Statistics of the counts: poisson or eq5.")] = "poisson",
    gain: Annotated[
        list[float] | None,
        typer.Option(
            help="Numbers per electron, where the data are no counted electrons; once, or for each detector.",
            show_default=False,
        ),
    ] = None,
    offset: Annotated[
        list[float] | None,
        typer.Option(
            help="With --gain: number that a sample without electrons reads (0); once, or for each detector.",
            show_default=False,
        ),
    ] = None,
    dead_time: Annotated[
        list[float] | None,
        typer.Option(
            help="Of a detector that counts pulses: its dead time over the dwell time, such as 0.05 for 50 ns of 1 us; "
            "once, or for each detector.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring sparse data measured elsewhere into an acquisition store."""
    from stemscan.errors import UsageError
    from stemscan.files.arrays import read_array
    from stemscan.files.pixel_size import one_pixel_size
    from stemscan.store.importing.channels import channel_names, joined, read_channels
    from stemscan.store.importing.imported import import_samples
    from stemscan.store.provenance import Provenance
    from stemscan.types import NOISES
    from stemscan.units import counted, format_count, format_length, parse_length_nm, parse_shape

    talk = Talk(quiet, as_json)
    if not gain and offset:
        raise UsageError(
            f"--offset: expected --gain beside it, got {offset[0]:g} alone; add --gain (1 if the data count electrons)"
        )
    pixel_size_nm = None if pixel_size is None else parse_length_nm(pixel_size)
    channels = read_channels(
        data,
        frames=frame or [],
        axis=channel_axis,
        mask=mask,
        positions=positions,
        columns=columns,
        shape=None if shape is None else parse_shape(shape),
        pixel_size_nm=pixel_size_nm,
    )
    names = channel_names(data, frame or [], len(channels), name or [])
    detectors = _detectors(names, gain or [], offset or [], dead_time or [])
    found, samples = channels[0], joined(channels, names)
    for one, file in zip(channels, data, strict=False):
        for warning in one.warnings:
            talk.warn(f"{file}: {warning}")
    if found.left_out:
        talk.warn(f"columns that tell neither place, pass nor counts were not read: {', '.join(found.left_out)}")
    taken = found.pixel_size_nm is not None and pixel_size_nm is None
    if found.pixel_size_nm is not None:
        pixel_size_nm, warning = one_pixel_size(found.pixel_size_nm, pixel_size_nm)
        talk.warn(warning and f"{data[0]}: {warning}")
    calibrations: list[Calibration] = []
    if dose is None:
        from stemscan.recon.calibration.importing import found_dose

        with talk.progress("calibrating"):
            readings = None if dark is None else read_array(dark)
            detectors, dose, calibrations = found_dose(samples, detectors, dark=readings)
    elif dark is not None:
        raise UsageError(f"--dark: expected no --dose beside it, got {dose:g}; leave one out")
    if samples.left_out:
        talk.warn(f"left out {counted(samples.left_out, 'number')} other than zero where the mask says not visited")
    if noise == "poisson" and not gain and not samples.whole and not calibrations:
        talk.warn("not all numbers are whole, as counted electrons are; if they are detector units, add --gain")
    with talk.progress("importing"):
        store = import_samples(
            samples,
            output,
            electrons_per_sample=dose,
            pixel_size_nm=pixel_size_nm,
            provenance=Provenance(detectors, choice("--noise", noise, NOISES)),
            record={"source": ", ".join(file.name for file in data), "told apart by": found.told_apart_by},
            overwrite=overwrite,
        )
    ratio = store.total_samples / (store.passes * store.shape[0] * store.shape[1])
    report = {
        "store": str(output),
        "shape": list(store.shape),
        "passes": store.passes,
        "samples": store.total_samples,
        "sampling_ratio": ratio,
        "plan_digest": store.plan_digest,
        "pixel_size_nm": pixel_size_nm,
    }
    if samples.actual is not None:
        report["between_pixels_at_most_px"] = samples.furthest_px
    rows = [
        ("grid", f"{store.shape[0]} x {store.shape[1]} pixels, {counted(store.passes, 'pass')}"),
        ("samples", f"{format_count(store.total_samples)}, {100 * ratio:.4g} % a pass"),
    ]
    if len(names) > 1:
        report["channels"] = list(names)
        rows.insert(0, ("channels", ", ".join(names)))
    for label, made in zip(names, calibrations, strict=False):
        for warning in made.warnings:
            talk.warn(warning)
        of = "" if len(names) == 1 else f" of {label}"
        rows.append((f"gain{of}", f"{made.gain:.5g} +- {made.gain_error:.2g}, offset {made.offset:.4g}, found"))
    if calibrations:
        report["electrons_per_sample"] = dose
        report["calibrations"] = [one.to_dict() for one in calibrations]
        rows.append(("dose per sample", f"{dose:.4g} e-, found: signal 1 is where the image is brightest"))
    if found.notes:
        rows.append(("frames", ", ".join(found.notes)))
    if taken and pixel_size_nm is not None:
        rows.append(("pixel size", f"{format_length(pixel_size_nm)}, from the file"))
    if samples.actual is not None:
        rows.append(("positions", f"between pixels, kept; at most {samples.furthest_px:.3g} px from the nearest"))
    talk.result(report, [f"{output}: complete", *table(rows)])


def _detectors(
    names: tuple[str, ...], gains: list[float], offsets: list[float], dead_times: list[float]
) -> tuple[DetectorInfo, ...]:
    """A detector for each channel, of one gain, offset and dead time for all or one each."""
    from stemscan.errors import UsageError
    from stemscan.store.batch import DetectorInfo

    each = dict[str, list[float | None]]()
    for option, given in (("--gain", gains), ("--offset", offsets), ("--dead-time", dead_times)):
        if len(given) not in (0, 1, len(names)):
            raise UsageError(f"{option}: expected one, or one for each of {len(names)} detectors, got {len(given)}")
        each[option] = [given[min(at, len(given) - 1)] if given else None for at in range(len(names))]
    return tuple(
        DetectorInfo(
            "electron" if gain is None else "adu",
            1.0 if gain is None else gain,
            offset or 0.0,
            name=name,
            dead_share=blind or 0.0,
        )
        for name, gain, offset, blind in zip(names, *each.values(), strict=True)
    )
