"""Pictures of reconstructions: truth, one frame, every contender with an enlarged detail, and its error.

They are drawn by `stemscan.recon.pictures.panel.panel` from the images that the cache keeps of the cases shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stemscan.recon.evaluation.cases import Case
from stemscan.recon.evaluation.rows import Measured, Row
from stemscan.recon.evaluation.scans import scans_of
from stemscan.recon.evaluation.session import Evaluation
from stemscan.recon.metrics import Metrics
from stemscan.recon.pictures.panel import panel
from stemscan.recon.reconstruction import Reconstruction

__all__ = ["draw_panels"]


def draw_panels(done: Evaluation, folder: Path) -> list[Path]:
    """Write a panel of each image shown, for each kind of noise.

    Parameters
    ----------
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
    """Cached results of the contenders of one image in one cell."""
    found = []
    for case in cases:
        image = done.cache.image(case)
        measured = rows[case.digest].measured
        if image is None or measured.error:
            continue
        image = scans_of(case.cell.noise).on_scan_grid(image)
        one = Reconstruction(image=image, std=None, method=case.contender.label, settings={}, seconds=measured.seconds)
        found.append((one, _metrics(measured)))
    return found


def _metrics(measured: Measured) -> Metrics:
    """The metrics of a row."""
    return Metrics(measured.psnr, measured.psnr_affine, measured.psnr_minmax, measured.ssim, measured.ssim_minmax)


def _draw(case: Case, made: Sequence[tuple[Reconstruction, Metrics]], path: Path) -> None:
    """One panel."""
    inputs, truth = scans_of(case.cell.noise).pictured(case)
    panel(
        inputs,
        [one for one, _ in made],
        truth,
        path,
        metrics=[metrics for _, metrics in made],
        overwrite=True,
    )
