"""`stemscan demo`: the whole chain in a folder, ending with a picture and a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.completing import complete_specimens
from stemscan.cli.options import argument, option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.metrics import Metrics
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["EXAMPLES", "demo"]

EXAMPLES = """
stemscan demo
stemscan demo small --shape 256x256 --pixel-size 0.02nm
"""

Results = list[tuple["Reconstruction", "Metrics"]]

_FILES = ("plan.yaml", "acq.zarr", "panel.png", "metrics.csv")


def demo(
    folder: Annotated[Path, argument("FOLDER", "Folder to write into; made if its parent exists.")] = Path("demo"),
    specimen: Annotated[
        str,
        option(
            panel="Everyday",
            help="Specimen: image file, crystal:NAME or synthetic:SEED/INDEX.",
            metavar="SPECIMEN",
            complete=complete_specimens,
        ),
    ] = "crystal:SrTiO3[001]",
    shape: Annotated[
        str, option(panel="Everyday", help="Rows x columns of the scan grid.", metavar="ROWSxCOLUMNS")
    ] = "1024x1024",
    pixel_size: Annotated[
        str, option(panel="Everyday", help="Distance of neighbouring pixels, with its unit.", metavar="LENGTH")
    ] = "0.008nm",
    weights: Annotated[
        str | None,
        option(
            panel="Everyday",
            help="Other FSHNet weights than those shipped.",
            metavar="FILE|NAME",
            default="the shipped ones",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Plan, simulate and reconstruct a crystal by every method.

    The folder has a picture and a table of the methods in the end.
    """
    from stemscan.acquisition.session import run_session
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.inputs.reading import load_inputs
    from stemscan.recon.pictures.panel import panel
    from stemscan.simulators.session import virtual_microscope
    from stemscan.simulators.specimens.loading import load_specimen
    from stemscan.units import parse_length_nm, parse_shape

    talk = Talk(quiet, as_json)
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": list(parse_shape(shape)),
            "passes": 4,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10.0},
            "pixel_size_nm": parse_length_nm(pixel_size),
            "seed": 7,
        }
    )
    _check_folder(folder, overwrite)
    scanned = load_specimen(specimen, plan.shape, pixel_size_nm=plan.pixel_size_nm, fit="resample")
    _check_weights(weights)
    _make_folder(folder)
    talk.say([f"1. The plan: {folder / 'plan.yaml'}", str(plan.summary())])
    plan.save(folder / "plan.yaml", overwrite=overwrite)
    with talk.progress("scanning") as progress:
        microscope = virtual_microscope(plan, scanned)
        scan = run_session(plan, microscope, folder / "acq.zarr", overwrite=overwrite, progress=progress)
    for warning in scanned.warnings:
        talk.warn(warning)
    talk.say(["", f"2. The scan of {scanned.name}: {folder / 'acq.zarr'} ({scan.seconds:.2f} s)"])
    inputs = load_inputs(folder / "acq.zarr")
    results = _reconstruct_all(folder, inputs, scanned.signal, weights, talk)
    panel(
        inputs,
        [reconstruction for reconstruction, _ in results],
        inputs.truth,
        folder / "panel.png",
        metrics=[metrics for _, metrics in results],
        overwrite=overwrite,
    )
    _write_table(folder / "metrics.csv", results, overwrite)
    report = {
        "folder": str(folder),
        "methods": {
            done.method: {
                **metrics.to_dict(),
                "contradictions": len(done.contradictions),
                "seconds": done.seconds,
                "file": f"{done.method}.tif",
            }
            for done, metrics in results
        },
    }
    talk.result(report, _closing(folder, results))


def _check_weights(weights: str | None) -> None:
    """See that the weights can be used before anything is written."""
    if weights is not None:
        from stemscan.recon.weights import find_weights
        from stemscan.recon.weights.file import load_weights

        load_weights(find_weights(weights, "fshnet"))


def _make_folder(folder: Path) -> None:
    """Make the folder if it is not there."""
    from stemscan.errors import StemscanError

    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        from stemscan.errors import refusal

        raise StemscanError(f"expected to make the folder {str(folder)!r}, got: {refusal(problem)}") from problem


def _check_folder(folder: Path, overwrite: bool) -> None:
    """See that the folder can be made, or that nothing in it is overwritten unasked."""
    from stemscan.files.writing import check_output
    from stemscan.recon.registry import ready_methods

    if not folder.is_dir():
        check_output(folder, overwrite=False)
        return
    for name in (*_FILES, *(f"{method}.tif" for method in ready_methods())):
        check_output(folder / name, overwrite=overwrite)


def _reconstruct_all(
    folder: Path, inputs: Inputs, truth: NDArray[np.float32], weights: str | None, talk: Talk
) -> Results:
    """Reconstruct by every method that has what it needs, and write each image."""
    from stemscan.recon.metrics import compare
    from stemscan.recon.output.writing import write_reconstruction
    from stemscan.recon.registry import ready_methods
    from stemscan.recon.run import reconstruct

    names = ready_methods()
    results: Results = []
    with talk.progress("reconstructing") as progress:
        for number, name in enumerate(names):
            progress(number, len(names))
            done = reconstruct(inputs, name, weights=weights if name == "fshnet" else None)
            metrics = compare(done.image, truth)
            write_reconstruction(done, folder / f"{name}.tif", metrics=metrics, overwrite=True)
            results.append((done, metrics))
    return results


def _write_table(path: Path, results: Results, overwrite: bool) -> None:
    """Metrics and times as CSV."""
    from stemscan.files.writing import write_text

    lines = ["method,psnr_db,psnr_affine_db,psnr_minmax_db,ssim,ssim_minmax,contradictions,seconds"]
    for done, metrics in results:
        values = (metrics.psnr, metrics.psnr_affine, metrics.psnr_minmax, metrics.ssim, metrics.ssim_minmax)
        numbers = (f"{value:.4f}" for value in values)
        lines.append(",".join([done.method, *numbers, str(len(done.contradictions)), f"{done.seconds:.3f}"]))
    write_text(path, "\n".join(lines) + "\n", overwrite=overwrite)


def _closing(folder: Path, results: Results) -> list[str]:
    """Results, the files that hold them, and suggestions for what to try next."""
    lines = [
        "",
        "3. Reconstructions, PSNR in dB:",
        "",
        "  method       absolute  affine  min-max   SSIM  contradicted  seconds",
    ]
    lines += [
        f"  {done.method:<12} {metrics.psnr:8.2f} {metrics.psnr_affine:7.2f} {metrics.psnr_minmax:8.2f} "
        f"{metrics.ssim:6.3f} {len(done.contradictions):13,} {done.seconds:8.2f}"
        for done, metrics in results
    ]
    lines += ["", "contradicted: places where the counts contradict the image", "", f"Files in {folder}/:"]
    lines += table(
        [
            ("panel.png", "truth, one frame, coverage, reconstructions and their errors: look at it"),
            ("metrics.csv", "the table above"),
            ("plan.yaml", "what was scanned: edit it and scan again"),
            ("acq.zarr", "what came back: counts in scan order, frames, visits, truth"),
            ("METHOD.tif", "each reconstruction, its standard deviation and contradiction, 32-bit with pixel size"),
        ]
    )
    lines += ["", "Next:"]
    lines.append(f"  stemscan info {folder / 'acq.zarr'}")
    lines.append(
        f"  stemscan simulate {folder / 'plan.yaml'} YOUR_IMAGE.tif -o mine.zarr --fit resample --smooth paper"
    )
    lines.append("  stemscan recon mine.zarr -o mine.png")
    lines.append("  stemscan demo more --specimen synthetic:1/6 --overwrite   # another specimen")
    return lines
