"""`stemscan import`: bring sparse data measured elsewhere into a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stemscan.cli.common import (
    JsonOption,
    OverwriteOption,
    QuietOption,
    Talk,
    UrlOutputOption,
    choice,
    table,
)
from stemscan.cli.options import NOISES, argument, option

if TYPE_CHECKING:
    from stemscan.recon.calibration.calibration import Calibration
    from stemscan.store.batch import DetectorInfo

__all__ = ["EXAMPLES", "import_data"]

EXAMPLES = """
stemscan import frames.npy --mask mask.npy --dose 10 -o acq.zarr
stemscan import table.csv --shape 512x512 --dose 10 -o acq.zarr
stemscan import frames.tif --dose 10 --gain 120 --offset 30 -o acq.zarr
"""


def import_data(
    data: Annotated[
        list[Path],
        argument(
            "FRAMES...",
            (
                "Frames (passes, rows, columns), values with --positions, or a table row,column,counts: npy, "
                "tif, csv, ...; of several detectors, a file for each."
            ),
        ),
    ],
    output: UrlOutputOption,
    dose: Annotated[
        float | None,
        option(
            panel="Everyday",
            help="Dose per sample: detected electrons at signal 1.",
            metavar="NUMBER",
            default="found from pixels visited again, with the gain",
        ),
    ] = None,
    dark: Annotated[
        Path | None,
        option(panel="Detector", help="Readings with the beam blanked, of any shape, without --dose.", metavar="FILE"),
    ] = None,
    mask: Annotated[
        Path | None,
        option(
            panel="Everyday",
            help="Image that is not zero where a frame was visited: npy, tif, png; or 'all', of full scans.",
            metavar="FILE",
        ),
    ] = None,
    positions: Annotated[
        Path | None,
        option(
            panel="Everyday",
            help="(row, column) of each value, whole or between pixels: npy, csv, txt.",
            metavar="FILE",
        ),
    ] = None,
    shape: Annotated[
        str | None,
        option(
            panel="Everyday", help="Rows x columns of the grid, with --positions or a table.", metavar="ROWSxCOLUMNS"
        ),
    ] = None,
    columns: Annotated[
        str | None,
        option(
            panel="File",
            help=(
                "Names of the columns of positions or a table whose file has none: as x,y,counts or "
                '"row,column" or "x [nm],y [nm]".'
            ),
            metavar="NAMES",
        ),
    ] = None,
    frame: Annotated[
        list[str] | None,
        option(panel="File", help="Signal of a file with several, or frame; once for each detector.", metavar="NAME|N"),
    ] = None,
    channel_axis: Annotated[
        int | None,
        option(panel="File", help="Axis of detectors of an array of frames, from 0.", metavar="N", default="none"),
    ] = None,
    name: Annotated[
        list[str] | None,
        option(panel="Detector", help="Name of each detector, as haadf.", metavar="NAME", default="its file's"),
    ] = None,
    pixel_size: Annotated[
        str | None,
        option(
            panel="Everyday",
            help="Distance of neighbouring pixels, with its unit.",
            metavar="LENGTH",
            default="the file's",
        ),
    ] = None,
    noise: Annotated[str, option(panel="Detector", help="Statistics of the counts.", choices=NOISES)] = "poisson",
    gain: Annotated[
        list[float] | None,
        option(
            panel="Detector",
            help="Numbers per electron, where the data are no counted electrons; once, or for each detector.",
            metavar="NUMBER",
            default="1",
        ),
    ] = None,
    offset: Annotated[
        list[float] | None,
        option(
            panel="Detector",
            help="Number that a sample without electrons reads, with --gain; once, or for each detector.",
            metavar="NUMBER",
            default="0",
        ),
    ] = None,
    dead_time: Annotated[
        list[float] | None,
        option(
            panel="Detector",
            help=(
                "Dead time over dwell time of a detector that counts pulses, as 0.05 for 50 ns of 1 us; once,"
                " or for each detector."
            ),
            metavar="NUMBER",
            default="0",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring sparse data measured elsewhere into a store.

    Frames need a mask, positions or NaN where nothing was visited; without --dose, it is found with the gain.
    """
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
        ("samples", f"{format_count(store.total_samples)}, {100 * ratio:.4g} % per pass"),
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
    for flag, given in (("--gain", gains), ("--offset", offsets), ("--dead-time", dead_times)):
        if len(given) not in (0, 1, len(names)):
            raise UsageError(f"{flag}: expected one, or one for each of {len(names)} detectors, got {len(given)}")
        each[flag] = [given[min(at, len(given) - 1)] if given else None for at in range(len(names))]
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
