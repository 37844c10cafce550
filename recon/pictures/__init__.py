"""Pictures of a whole chain (`panel`) and of many images by many methods (`contact_sheet`), as PNG.

A panel shows the truth, one frame, the coverage, and every reconstruction above its error, all on common scales, each
with a magnified detail, so that both the lattice and the single samples can be seen. Unvisited pixels of frames and
coverage have a colour of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.pictures.colours import (
    INK,
    QUIET,
    coverage_colours,
    grey_limits,
    signed_colours,
    signed_limit,
    to_rgb,
)
from stemscan.recon.pictures.tiles import (
    Layout,
    Tile,
    add_frame,
    add_legend,
    add_scale_bar,
    detail,
    draw_rows,
    save_figure,
)
from stemscan.units import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.metrics import Metrics
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["contact_sheet", "frame_picture", "panel"]

Image = npt.NDArray[Any]

_TILE: Final = 2.5
_SHEET_TILE: Final = 1.5
_MOST_COLUMNS: Final = 4
_CROP: Final = 188
_INSET: Final = 96


def panel(
    inputs: Inputs,
    reconstructions: Sequence[Reconstruction],
    truth: Image | None,
    path: str | Path,
    *,
    metrics: Sequence[Metrics] | None = None,
    overwrite: bool = False,
) -> None:
    """Write the picture of a whole chain: what was there, what was measured, what was made of it.

    Parameters
    ----------
    inputs : Inputs
    reconstructions : sequence of Reconstruction
        On the plan's grid; at least one.
    truth : ndarray, (H, W), or None
        The specimen's signal; without it there are neither errors nor metrics.
    path : str or Path
        A PNG.
    metrics : sequence of Metrics, optional
        One for each reconstruction; computed when not given.
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    ReconError
        When there is no reconstruction, or one of another shape.
    InputNotFoundError, OutputExistsError
        As `stemscan.files.writing.check_output`.
    """
    if not reconstructions or any(made.image.shape != inputs.shape for made in reconstructions):
        shapes = [made.image.shape for made in reconstructions]
        raise ReconError(f"expected reconstructions of shape {inputs.shape}, got {shapes}; make them with grid='plan'")
    if truth is not None and metrics is None:
        from stemscan.recon.metrics import compare

        metrics = [compare(made.image, truth) for made in reconstructions]
    limits = grey_limits(reconstructions[0].image if truth is None else truth)
    images = [
        Tile(to_rgb(made.image, limits), made.method, _measures(metrics[i] if metrics else None))
        for i, made in enumerate(reconstructions)
    ]
    errors, largest = _errors(reconstructions, truth)
    lines = -(-len(images) // _MOST_COLUMNS)
    columns = max(3, -(-len(images) // lines))
    measured, legend = _measured(inputs, truth, limits, columns)
    rows, labels = [measured], ["measured" if truth is None else "true and measured"]
    for start in range(0, len(images), columns):
        rows.append(images[start : start + columns])
        labels.append("reconstructed")
        if errors:
            rows.append(errors[start : start + columns])
            labels.append("error")
    layout = _layout(inputs.shape, columns, labels)
    figure, axes = draw_rows(rows, labels, layout, inset=_INSET)
    if truth is not None:
        add_frame(axes[0][0], inputs.shape, _CROP)
    _annotate(figure, layout, inputs, limits, largest if errors else None)
    coverage = 1 if truth is None else 2
    add_legend(figure, layout, 0, coverage, legend)
    for column, tile in enumerate(measured):
        if column != coverage:
            add_scale_bar(figure, axes[0][column], tile.rgb.shape[1], inputs.pixel_size_nm)
    save_figure(figure, path, overwrite=overwrite)


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
    layout = Layout(columns, _SHEET_TILE, _SHEET_TILE, (0.34,) * len(tiles), top=0.3 if caption else 0.05)
    figure, _ = draw_rows(tiles, [name for name, _, _ in rows], layout, inset=None, size=6.5)
    if caption:
        figure.text(layout.place(0, 0)[0], 1 - 0.14 / layout.size[1], caption, va="center", color=INK, size=8)
    save_figure(figure, path, overwrite=overwrite)


def _sheet_row(inputs: Inputs, reconstructions: Sequence[Reconstruction]) -> list[Tile]:
    """One row of a contact sheet; the truth's limits of grey hold for all of it."""
    truth = inputs.truth
    frame = Tile(_crop(frame_picture(inputs, 0)), "frame 1, detail" if max(inputs.shape) > _CROP else "frame 1", " ")
    if truth is None:
        limits = grey_limits(reconstructions[0].image) if reconstructions else (0.0, 1.0)
        return [frame, *(Tile(to_rgb(made.image, limits), made.method, " ") for made in reconstructions)]
    from stemscan.recon.metrics import absolute_psnr

    limits = grey_limits(truth)
    scores = [f"{absolute_psnr(made.image, truth):.1f} dB" for made in reconstructions]
    images = [to_rgb(made.image, limits) for made in reconstructions]
    titles = [made.method for made in reconstructions]
    return [Tile(to_rgb(truth, limits), "truth", " "), frame, *map(Tile, images, titles, scores)]


def frame_picture(inputs: Inputs, frame: int | None = None) -> npt.NDArray[np.uint8]:
    """Picture of one frame, or of the mean of all samples: grey where visited, `UNVISITED` elsewhere.

    Parameters
    ----------
    inputs : Inputs
    frame : int, optional
        Number of the pass; all passes when not given.

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    inputs = inputs.whole
    if frame is None:
        counts, visits = inputs.S, inputs.V
    else:
        counts, visits = inputs.frames[frame] / inputs.electrons_per_sample, inputs.visits[frame].astype(np.float32)
    visited = visits > 0
    means = np.divide(counts, visits, out=np.zeros_like(counts), where=visited)
    low, high = grey_limits(means, visited)
    return to_rgb(means, (min(low, 0.0), high), visited)


def _measured(
    inputs: Inputs, truth: Image | None, limits: tuple[float, float], columns: int
) -> tuple[list[Tile], list[tuple[str, tuple[int, int, int]]]]:
    """The first row: truth, a frame, coverage, and all frames where there is room."""
    inputs = inputs.whole
    first = 100 * np.count_nonzero(inputs.visits[0]) / inputs.V.size
    covered = 100 * np.count_nonzero(inputs.V) / inputs.V.size
    coverage, legend = coverage_colours(inputs.V)
    part = ", detail" if max(inputs.shape) > _CROP else ""
    tiles = [] if truth is None else [Tile(to_rgb(truth, limits), "truth", "the specimen's signal")]
    tiles += [
        Tile(_crop(frame_picture(inputs, 0)), f"frame 1 of {inputs.T}{part}", f"{first:.3g} % of pixels visited"),
        Tile(_crop(coverage), f"visits, all passes{part}", f"{covered:.3g} % of pixels visited"),
    ]
    if len(tiles) < columns:
        tiles.append(Tile(_crop(frame_picture(inputs)), f"counts, all passes{part}", "mean of each pixel's samples"))
    return tiles, legend


def _crop(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The detail of a picture in which single pixels must be seen; a small picture whole."""
    return rgb[detail(rgb.shape, _CROP)]


def _measures(metrics: Metrics | None) -> str:
    """What there is to say about a reconstruction, in one line."""
    if metrics is None:
        return " "
    ssim = "" if np.isnan(metrics.ssim) else f", SSIM {metrics.ssim:.2f}"
    return f"PSNR {metrics.psnr:.1f} dB (affine {metrics.psnr_affine:.1f}){ssim}"


def _errors(reconstructions: Sequence[Reconstruction], truth: Image | None) -> tuple[list[Tile], float]:
    """Pictures of the errors on a common scale, and its end."""
    if truth is None:
        return [], 0.0
    errors = [made.image - truth for made in reconstructions]
    largest = signed_limit(errors)
    return [Tile(signed_colours(error, largest)) for error in errors], largest


def _layout(shape: tuple[int, int], columns: int, labels: Sequence[str]) -> Layout:
    """Sizes for a grid's shape."""
    height = float(np.clip(_TILE * shape[0] / shape[1], 0.2 * _TILE, 1.6 * _TILE))
    heads = [0.36] + [{"reconstructed": 0.36, "error": 0.06}[label] for label in labels[1:]]
    heads[1] += 0.24  # the legend of the first row
    return Layout(columns, _TILE, height, tuple(heads), top=0.3, bottom=0.36 if "error" in labels else 0.1)


def _annotate(
    figure: Figure, layout: Layout, inputs: Inputs, limits: tuple[float, float], largest: float | None
) -> None:
    """What was measured, above; colour scales, below."""
    rows, columns = inputs.shape
    dose = inputs.electrons_per_sample * inputs.samples / inputs.V.size
    size = "" if inputs.pixel_size_nm is None else f" of {inputs.pixel_size_nm:g} nm"
    said = (
        f"{rows} × {columns} pixels{size}, {counted(inputs.T, 'pass')}, "
        f"{inputs.electrons_per_sample:g} electrons a sample at signal 1, {dose:.3g} a pixel; "
        f"grey from {limits[0]:.2g} to {limits[1]:.2g}"
    )
    left = layout.place(0, 0)[0]
    figure.text(left, 1 - 0.15 / layout.size[1], said, va="center", color=INK, size=8)
    width, height = layout.size
    if largest is None:
        return
    ramp = signed_colours(np.linspace(-largest, largest, 256)[None, :], largest)
    at = layout.place(len(layout.heads) - 1, 0)
    bar = figure.add_axes((at[0] + 0.45 / width, 0.13 / height, 1.6 / width, 0.11 / height))
    bar.imshow(ramp, aspect="auto")
    bar.set_axis_off()
    ends = (at[0] + 0.4 / width, f"−{largest:g}", "right"), (at[0] + 2.1 / width, f"+{largest:g}", "left")
    for x, label, side in ends:
        figure.text(x, 0.185 / height, label, va="center", ha=side, color=INK, size=7.5)
    said = "error: reconstruction − truth"
    figure.text(at[0] + 2.6 / width, 0.185 / height, said, va="center", color=QUIET, size=7.5)
