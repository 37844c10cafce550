"""`stemscan columns`: from an acquisition store to a table of atomic columns with their errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stemscan.cli.common import JsonOption, OutputOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.completing import complete_stores
from stemscan.cli.options import NOISES, argument, option

if TYPE_CHECKING:
    from stemscan.recon.columns.table import ColumnTable

__all__ = ["EXAMPLES", "columns"]

EXAMPLES = """
stemscan columns acq.zarr -o columns.csv --png columns.png
stemscan columns image.dm4 -o columns.csv --dose 2000
"""


def columns(
    source: Annotated[
        Path,
        argument(
            "ACQ.zarr|IMAGE",
            (
                "Acquisition store; or, with --dose, an image or frames of which every pixel was visited: "
                "tif, npy, dm4, emd, ..."
            ),
            complete=complete_stores,
        ),
    ],
    output: OutputOption,
    image: Annotated[
        Path | None,
        option(
            panel="Candidates",
            help="Reconstruction of the same store whose peaks are the first candidates.",
            metavar="RECON.zarr",
            default="fourier-eb, computed",
            complete=complete_stores,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        option(
            "--png",
            panel="Everyday",
            help="Picture (PNG) of the columns over the image that they make, or that of --image.",
            metavar="FILE",
        ),
    ] = None,
    dose: Annotated[
        float | None,
        option(
            panel="Image instead of a store",
            help="Electrons that a pixel of signal 1 counts in a frame.",
            metavar="NUMBER",
        ),
    ] = None,
    pixel_size: Annotated[
        str | None,
        option(
            panel="Image instead of a store",
            help="Distance of neighbouring pixels, with its unit.",
            metavar="LENGTH",
            default="the file's",
        ),
    ] = None,
    gain: Annotated[
        float | None,
        option(
            panel="Image instead of a store",
            help="Numbers per electron, where it does not count electrons; of relative intensity 1 / dose.",
            metavar="NUMBER",
            default="1",
        ),
    ] = None,
    offset: Annotated[
        float | None,
        option(
            panel="Image instead of a store",
            help="Number that a pixel without electrons reads, with --gain.",
            metavar="NUMBER",
            default="0",
        ),
    ] = None,
    frame: Annotated[
        str | None,
        option(
            panel="Image instead of a store",
            help="Signal or frame of a file with several.",
            metavar="NAME|N",
            default="the only one",
        ),
    ] = None,
    noise: Annotated[
        str | None,
        option(panel="Image instead of a store", help="Statistics of the counts.", choices=NOISES, default="poisson"),
    ] = None,
    threads: Annotated[
        int | None, option(panel="Computer", help="Threads at most.", metavar="N", default="all")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit atomic columns to counts: a table with errors.

    The table (.csv, .parquet) has positions, amplitudes, sites and doubts of the columns of a store, or of an image
    of known dose.
    """
    from stemscan.files.writing import check_output, write_file
    from stemscan.recon.columns.find import find_and_draw, find_columns
    from stemscan.recon.columns.sources import inputs_of
    from stemscan.recon.columns.table import check_table_name, write_table
    from stemscan.recon.output.zarr_image import read_reconstruction
    from stemscan.recon.threads import limit_threads
    from stemscan.units import parse_length_nm

    talk = Talk(quiet, as_json)
    check_table_name(output)
    check_output(output, overwrite=overwrite)
    if picture is not None:
        _check_picture(picture)
        check_output(picture, overwrite=overwrite)
    inputs = inputs_of(
        source,
        dose,
        pixel_size_nm=None if pixel_size is None else parse_length_nm(pixel_size),
        gain=gain,
        offset=offset,
        noise=noise,
        frame=frame,
    )
    for warning in inputs.source["warnings"]:
        talk.warn(warning)
    with limit_threads(threads), talk.progress("fitting columns"):
        given = read_reconstruction(image).image if image else None
        found, drawn = (find_columns(inputs, given), None) if picture is None else find_and_draw(inputs, given)
    write_table(found, output, overwrite=overwrite)
    if picture is not None and drawn is not None:
        from stemscan.recon.columns.picture import draw_columns

        shown, over = (drawn, "the image they make") if given is None else (given, "the image given")
        write_file(picture, lambda place: draw_columns(found, shown, place, over=over), overwrite=overwrite)
    report = _report(found)
    talk.result({"output": str(output), **report}, [f"{output}:", *table(_rows(found, report))])


def _check_picture(path: Path) -> None:
    """Refuse a picture that is not PNG."""
    from stemscan.errors import UsageError

    if path.suffix.lower() != ".png":
        raise UsageError(f"--png: expected a name that ends in .png, got {path.name!r}; name it so")


def _report(found: ColumnTable) -> dict[str, Any]:
    """The table in numbers."""
    import numpy as np

    from stemscan.recon.columns.picture import doubtful, surely_empty

    empty = found.of_kind("empty")
    return {
        "columns": int((~empty).sum()),
        "empty_sites": int(empty.sum()),
        "surely_empty": int(surely_empty(found).sum()),
        "in_doubt": int((doubtful(found) & ~empty).sum()),
        "displaced": int((np.nan_to_num(found["p_displaced"]) > 0.5).sum()),
        "note": found.note,
        **found.settings,
    }


def _rows(found: ColumnTable, report: dict[str, Any]) -> list[tuple[str, str]]:
    """The table in words."""
    import numpy as np

    if found.note:
        return [("columns", f"0: {found.note}")]
    rows = [("columns", str(report["columns"]))]
    for number, kind in enumerate(report["classes"]):
        mine = (found["class"] == number) & ~found.of_kind("empty")
        error = float(np.median(np.hypot(found["row_std"][mine], found["col_std"][mine]))) / np.sqrt(2)
        size = "" if found.pixel_size_nm is None else f", {1000 * error * found.pixel_size_nm:.2g} pm"
        share = f"{int(mine.sum())} of amplitude {kind['amplitude']:.3g}"
        rows.append((f"class {number}", f"{share}, position known to {error:.2g} px{size} per axis"))
    rows.append(("lattices", str(len(report["lattices"]))))
    sure = f", of which {report['surely_empty']} surely (llr_class below -5)" if report["empty_sites"] else ""
    rows.append(("empty sites", f"{report['empty_sites']}{sure}"))
    rows.append(("displaced", f"{report['displaced']} with a probability above one half"))
    rows.append(("in doubt", str(report["in_doubt"])))
    return rows
