"""Every image of a folder through the whole chain, by every method: a table and a contact sheet.

    python -m benchmarks.real_images FOLDER -o OUT [--weights fshnet.safetensors] [--noise poisson eq5 published]

Each image is cut to its top left 512 x 512 corner, smoothed as in the FSHNet paper (`--smooth paper`), doubled by a
cubic and clipped to [0, 1]: that is the truth. It is scanned into a store (4 passes of 3 in 8 x 8, dose 10) with
Poisson counts and with equation 5, and reconstructed by every method; metrics are on the plan's grid. The spectral
oracle, which is given the truth's spectrum, stands beside them under Poisson noise.

The noise `published` is the protocol of the published code instead: equation 5 on the standardised image, no store; its
PSNRs are against the standardised 512 x 512 truth, before the non-local step.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from benchmarks.published import published_rows
from benchmarks.rows import Row, markdown, row_of
from stemscan.errors import StemscanError
from stemscan.plan import ScanPlan
from stemscan.recon.fourier_eb.spectral_oracle import spectral_oracle
from stemscan.recon.inputs import Inputs, load_inputs
from stemscan.recon.methods import METHODS, reconstruct
from stemscan.recon.reconstruction import Reconstruction
from stemscan.simulators.api import Specimen, load_specimen, resample_specimen
from stemscan.simulators.image_files import read_picture
from stemscan.simulators.session import simulate

SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".npy", ".dm3", ".dm4", ".emd", ".mrc", ".ser", ".hspy"}
CORNER = 512


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    folder: Path
    output: Path
    weights: Path | None
    noise: tuple[str, ...]
    methods: tuple[str, ...]
    images: tuple[str, ...]
    per_block: int
    dose: float


def options_of(arguments: list[str]) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the table and the contact sheets")
    parser.add_argument("--weights", type=Path, help="FSHNet weights; without them it is left out")
    parser.add_argument("--noise", nargs="+", default=["poisson", "eq5", "published"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--images", nargs="+", default=[], help="names without suffix; all by default")
    parser.add_argument("--per-block", type=int, default=3)
    parser.add_argument("--dose", type=float, default=10.0)
    given = parser.parse_args(arguments)
    return Options(
        given.folder,
        given.output,
        given.weights,
        tuple(given.noise),
        tuple(name for name in given.methods if given.weights is not None or not METHODS[name].needs_weights),
        tuple(given.images),
        given.per_block,
        given.dose,
    )


def truth_of(path: Path) -> Specimen:
    """The smoothed top left corner of an image, 512 x 512 or what there is of it."""
    rows, columns = read_picture(path).values.shape[:2]
    return load_specimen(path, (min(CORNER, rows), min(CORNER, columns)), fit="crop", smooth="paper")


def scan(fine: Specimen, options: Options, noise: str) -> Inputs:
    """Plan, simulate into a store, and read it back."""
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": options.per_block},
            "shape": list(fine.shape),
            "passes": 4,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": options.dose},
            "seed": 7,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        simulate(plan, fine, Path(folder) / "acq.zarr", noise=noise, seed=1)  # type: ignore[arg-type]
        return load_inputs(Path(folder) / "acq.zarr")


def reconstructions_of(inputs: Inputs, options: Options) -> list[Reconstruction]:
    """By every method asked for, FSHNet also without its non-local step, and the oracle under Poisson noise."""
    done = [
        reconstruct(inputs, name, weights=options.weights if METHODS[name].needs_weights else None)
        for name in options.methods
    ]
    if "fshnet" in options.methods:
        alone = reconstruct(inputs, "fshnet", weights=options.weights, nonlocal_step=False)
        done.append(replace(alone, method="fshnet, network alone"))
    if inputs.noise == "poisson" and inputs.truth is not None:
        image = spectral_oracle(inputs.S, inputs.V, inputs.electrons_per_sample, inputs.truth)
        done.append(Reconstruction(image=image, std=None, method="spectral oracle", settings={}, seconds=float("nan")))
    return done


def main(arguments: list[str]) -> None:
    """Run the chain on every image and write what came of it."""
    from stemscan.recon.pictures import contact_sheet

    options = options_of(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    files = [file for file in sorted(options.folder.iterdir()) if file.suffix.lower() in SUFFIXES]
    files = [file for file in files if not options.images or file.stem in options.images]
    rows: list[Row] = []
    for noise in options.noise:
        sheet = []
        for file in files:
            try:
                truth = truth_of(file)
            except StemscanError as problem:
                print(f"{file.name}: left out: {problem}", file=sys.stderr)
                continue
            if noise == "published":
                new = published_rows(file.stem, truth.signal, options.per_block, options.dose, options.weights)
            else:
                fine = resample_specimen(truth, (2 * truth.shape[0], 2 * truth.shape[1]))
                inputs = scan(fine, options, noise)
                done = reconstructions_of(inputs, options)
                new = [row_of(file.stem, noise, one, fine.signal) for one in done]
                sheet.append((file.stem, inputs, done))
            rows += new
            print(file.stem, noise, *(f"{row.method} {row.psnr_affine:.2f}" for row in new), file=sys.stderr)
        if sheet:
            contact_sheet(sheet, options.output / f"contact-{noise}.png", overwrite=True)
    write(rows, options.output)


def write(rows: list[Row], folder: Path) -> None:
    """The rows as CSV, their means as Markdown."""
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    text = markdown(rows)
    (folder / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main(sys.argv[1:])
