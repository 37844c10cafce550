"""A contact sheet: many images by many methods, a row an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stemscan.errors import ReconError
from stemscan.recon.pictures.colours import INK, grey_limits, to_rgb
from stemscan.recon.pictures.frames import DETAIL, cropped, frame_picture
from stemscan.recon.pictures.tiles import Layout, Tile, draw_rows, save_figure

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["contact_sheet"]

_TILE: Final = 1.5


def contact_sheet(
    rows: Sequence[tuple[str, Inputs, Sequence[Reconstruction]]],
    path: str | Path,
    *,
    caption: str = "",
    overwrite: bool = False,
) -> None:
    """Write many images by many methods as one PNG: a row an image; truth, a frame, reconstructions with their PSNR.

    Parameters
    ----------
    rows : sequence of (str, Inputs, sequence of Reconstruction)
        Name of the image, what was measured (with or without truth), and what was made of it on the plan's grid. Rows
        may differ in length and shape.
    path : str or Path
        A PNG.
    caption : str
        Written above everything.
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    ReconError
        When there is no row.
    InputNotFoundError, OutputExistsError
        As `stemscan.files.writing.check_output`.
    """
    if not rows:
        raise ReconError("expected at least one image for a contact sheet, got none; reconstruct something first")
    tiles = [_sheet_row(inputs, made) for _, inputs, made in rows]
    columns = max(len(row) for row in tiles)
    layout = Layout(columns, _TILE, _TILE, (0.34,) * len(tiles), top=0.3 if caption else 0.05)
    figure, axes = draw_rows(tiles, [name for name, _, _ in rows], layout, inset=None, size=6.5)
    if caption:
        figure.text(axes[0][0].get_position().x0, 1 - 0.14 / layout.size[1], caption, va="center", color=INK, size=8)
    save_figure(figure, path, overwrite=overwrite)


def _sheet_row(inputs: Inputs, reconstructions: Sequence[Reconstruction]) -> list[Tile]:
    """One row of a contact sheet; the truth's limits of grey hold for all of it."""
    truth = inputs.truth
    frame = Tile(cropped(frame_picture(inputs, 0)), "frame 1, detail" if max(inputs.shape) > DETAIL else "frame 1", " ")
    if truth is None:
        limits = grey_limits(reconstructions[0].image) if reconstructions else (0.0, 1.0)
        return [frame, *(Tile(to_rgb(made.image, limits), made.method, " ") for made in reconstructions)]
    from stemscan.recon.metrics import absolute_psnr

    limits = grey_limits(truth)
    scores = [f"{absolute_psnr(made.image, truth):.1f} dB" for made in reconstructions]
    images = [to_rgb(made.image, limits) for made in reconstructions]
    titles = [made.method for made in reconstructions]
    return [Tile(to_rgb(truth, limits), "truth", " "), frame, *map(Tile, images, titles, scores)]
