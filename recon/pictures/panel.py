"""The panel: a picture of a whole chain.

It shows the truth, one frame, the coverage, and every reconstruction above its error, all on common scales, each with a
magnified detail, so that both the lattice and the single samples can be seen. Unvisited pixels of frames and coverage
have a colour of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

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
from stemscan.recon.pictures.frames import DETAIL, cropped, frame_picture
from stemscan.recon.pictures.tiles import (
    SMALL,
    Layout,
    Tile,
    add_frame,
    add_legend,
    add_scale_bar,
    draw_rows,
    inches_from,
    save_figure,
)
from stemscan.types import Array
from stemscan.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.metrics import Metrics
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["panel"]

_TILE: Final = 2.5
_MOST_COLUMNS: Final = 4
_INSET: Final = 96
_BAR: Final = (0.45, -0.23, 1.6, 0.11)  # left, bottom, width and height of the colour scale, in inches from a tile


def panel(
    inputs: Inputs,
    reconstructions: Sequence[Reconstruction],
    truth: Array | None,
    path: str | Path,
    *,
    metrics: Sequence[Metrics] | None = None,
    overwrite: bool = False,
) -> None:
    """Write the picture of a whole chain: what was there, what was measured, what was made of it.

    Parameters
    ----------
    reconstructions : sequence of Reconstruction
        On the plan's grid; at least one.
    truth : ndarray, (H, W), or None
        The specimen's signal; without it there are neither errors nor metrics.
    path : str or Path
        A PNG.
    metrics : sequence of Metrics, optional
        One for each reconstruction; computed when not given.
    overwrite : bool
        True if what is there may be replaced.

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
        add_frame(axes[0][0], inputs.shape, DETAIL)
    caption = axes[0][0].get_position().x0, 1 - 0.15 / layout.size[1]
    figure.text(*caption, _caption(inputs, limits), va="center", color=INK, size=8)
    if errors:
        _add_colour_scale(axes[-1][0], largest)
    coverage = 1 if truth is None else 2
    add_legend(axes[0][coverage], legend)
    for column, tile in enumerate(measured):
        if column != coverage:
            add_scale_bar(axes[0][column], tile.rgb.shape[1], inputs.pixel_size_nm)
    save_figure(figure, path, overwrite=overwrite)


def _measured(
    inputs: Inputs, truth: Array | None, limits: tuple[float, float], columns: int
) -> tuple[list[Tile], list[tuple[str, tuple[int, int, int]]]]:
    """The first row: truth, a frame, coverage, and all frames where there is room."""
    inputs = inputs.whole
    first = 100 * np.count_nonzero(inputs.visits[0]) / inputs.V.size
    covered = 100 * np.count_nonzero(inputs.V) / inputs.V.size
    coverage, legend = coverage_colours(inputs.V)
    part = ", detail" if max(inputs.shape) > DETAIL else ""
    tiles = [] if truth is None else [Tile(to_rgb(truth, limits), "truth", "the specimen's signal")]
    tiles += [
        Tile(cropped(frame_picture(inputs, 0)), f"frame 1 of {inputs.T}{part}", f"{first:.3g} % of pixels visited"),
        Tile(cropped(coverage), f"visits, all passes{part}", f"{covered:.3g} % of pixels visited"),
    ]
    if len(tiles) < columns:
        tiles.append(Tile(cropped(frame_picture(inputs)), f"counts, all passes{part}", "mean of each pixel's samples"))
    return tiles, legend


def _measures(metrics: Metrics | None) -> str:
    """Metrics of a reconstruction in one line."""
    if metrics is None:
        return " "
    ssim = "" if np.isnan(metrics.ssim) else f", SSIM {metrics.ssim:.2f}"
    return f"PSNR {metrics.psnr:.1f} dB (affine {metrics.psnr_affine:.1f}){ssim}"


def _errors(reconstructions: Sequence[Reconstruction], truth: Array | None) -> tuple[list[Tile], float]:
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


def _caption(inputs: Inputs, limits: tuple[float, float]) -> str:
    """Size, passes, dose and limits of grey, in one line."""
    rows, columns = inputs.shape
    dose = inputs.electrons_per_sample * inputs.samples / inputs.V.size
    size = "" if inputs.pixel_size_nm is None else f" of {inputs.pixel_size_nm:g} nm"
    return (
        f"{rows} × {columns} pixels{size}, {counted(inputs.T, 'pass')}, "
        f"{inputs.electrons_per_sample:g} electrons per sample at signal 1, {dose:.3g} per pixel; "
        f"grey from {limits[0]:.2g} to {limits[1]:.2g}"
    )


def _add_colour_scale(ax: Axes, largest: float) -> None:
    """The colours of errors up to the largest, below a tile."""
    bar = ax.inset_axes(_BAR, transform=inches_from(ax))
    bar.imshow(signed_colours(np.linspace(-largest, largest, 256)[None, :], largest), aspect="auto")
    bar.set_axis_off()
    words = (-0.03, f"−{largest:g}", "right", INK), (1.03, f"+{largest:g}", "left", INK)
    for x, word, side, colour in (*words, (1.34, "error: reconstruction − truth", "left", QUIET)):
        bar.text(x, 0.5, word, transform=bar.transAxes, va="center", ha=side, color=colour, size=SMALL)
