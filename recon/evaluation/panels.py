"""Pictures of reconstructions: truth, one frame, every contender with an enlarged detail, and its error.

They are drawn by `stemscan.recon.pictures.panel` from the images that the cache keeps of the cases shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stemscan.recon.evaluation.cases import PUBLISHED, Case
from stemscan.recon.evaluation.images import loaded
from stemscan.recon.evaluation.rows import Measured, Row
from stemscan.recon.evaluation.run import normalised, published_draw, scanned
from stemscan.recon.evaluation.session import Evaluation
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import Metrics
from stemscan.recon.paper.contender import shifted_inputs
from stemscan.recon.paper.protocol import FACTOR
from stemscan.recon.pictures import panel
from stemscan.recon.reconstruction import Reconstruction

__all__ = ["draw_panels"]

Image = npt.NDArray[np.float32]


def draw_panels(done: Evaluation, folder: Path) -> list[Path]:
    """Write a panel of each image shown, for each kind of noise.

    Parameters
    ----------
    done : Evaluation
    folder : Path
        Files there are replaced.

    Returns
    -------
    list of Path
        Those written.
    """
    rows = {row.digest: row for row in done.rows}
    written = []
    for image in done.request.panel_images():
        for noise in done.request.grid.noises:
            cell = done.request.panel_cell(noise)
            cases = [case for case in done.cases if case.image == image and case.cell == cell]
            made = _reconstructions(done, cases, rows)
            if made:
                path = folder / f"panel-{image.name}-{noise}.png"
                _draw(cases[0], made, path)
                written.append(path)
    return written


def _reconstructions(
    done: Evaluation, cases: Sequence[Case], rows: dict[str, Row]
) -> list[tuple[Reconstruction, Metrics]]:
    """What the cache keeps of the contenders of one image in one cell."""
    found = []
    for case in cases:
        image = done.cache.image(case)
        measured = rows[case.digest].measured
        if image is None or measured.error:
            continue
        if case.cell.noise == PUBLISHED:
            image = _magnified(image)
        one = Reconstruction(image=image, std=None, method=case.contender.label, settings={}, seconds=measured.seconds)
        found.append((one, _metrics(measured)))
    return found


def _metrics(measured: Measured) -> Metrics:
    """The metrics of a row."""
    return Metrics(measured.psnr, measured.psnr_affine, measured.psnr_minmax, measured.ssim, measured.ssim_minmax)


def _magnified(image: Image) -> Image:
    """An image of half the resolution on the scan grid, each pixel twice in both directions."""
    return np.repeat(np.repeat(image, FACTOR, axis=0), FACTOR, axis=1)


def _draw(case: Case, made: Sequence[tuple[Reconstruction, Metrics]], path: Path) -> None:
    """One panel."""
    inputs, truth = _measured(case)
    panel(
        inputs,
        [one for one, _ in made],
        truth,
        path,
        metrics=[metrics for _, metrics in made],
        overwrite=True,
    )


def _measured(case: Case) -> tuple[Inputs, Image]:
    """Counts and truth of a case; under the published protocol on the scale of its truth."""
    if case.cell.noise != PUBLISHED:
        return scanned(case), loaded(case.image).fine
    drawn = published_draw(case)
    shifted = shifted_inputs(drawn, case.cell.dose).inputs
    inputs = replace(
        shifted,
        frames=shifted.frames * np.float32(case.cell.dose / shifted.electrons_per_sample),
        electrons_per_sample=case.cell.dose,
        pixel_size_nm=loaded(case.image).pixel_size_nm,
    )
    return inputs, _magnified(normalised(drawn.truth, drawn.truth))
