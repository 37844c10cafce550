"""Curves: PSNR against sampling ratio, against dose, and against run time, a figure for each set and kind of noise.

A method keeps its colour and marker in all figures (`stemscan.recon.evaluation.styles`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.files.writing import write_file
from stemscan.recon.evaluation.averages import KINDS, Averages, Kind
from stemscan.recon.evaluation.cases import percent
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.point_names import name_points
from stemscan.recon.evaluation.printed import printed_figures
from stemscan.recon.evaluation.session import Evaluation
from stemscan.recon.evaluation.styles import styles_of
from stemscan.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_curves"]

_DPI: Final = 150
_PRINTED: Final = "#1a1a1a"


def draw_curves(done: Evaluation, folder: Path) -> list[Path]:
    """Write the figures of curves.

    Parameters
    ----------
    folder : Path
        Files there are replaced.

    Returns
    -------
    list of Path
        Those written: a curve needs two points at least.
    """
    grid = done.request.grid
    written = []
    for name, noise, averages in done.groups():
        title = f"{counted(averages.images, f'{name} image')}, noise {noise}, {counted(grid.passes, 'pass')}"
        figures: dict[str, Callable[[Evaluation, Averages, str, str], Figure]] = {"seconds": _against_seconds}
        if len(grid.samples_per_block) > 1:
            figures["ratio"] = _against_ratio
        if len(grid.doses) > 1:
            figures["dose"] = _against_dose
        for what, draw in figures.items():
            path = folder / f"psnr-{what}-{name}-{noise}.png"
            _save(draw(done, averages, noise, title), path)
            written.append(path)
    return written


def _save(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all."""
    write_file(path, lambda temporary: figure.savefig(temporary, format="png"), overwrite=True)


def _sheet(rows: int, title: str, below: str) -> tuple[Figure, Any]:
    """A figure with a row of axes for each kind of PSNR."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 0.6 + 4.2 * rows), dpi=_DPI, layout="constrained")
    axes = figure.subplots(rows, len(KINDS), squeeze=False, sharex=True)
    figure.suptitle(title, fontsize=11)
    for row in axes:
        for ax, kind in zip(row, KINDS, strict=True):
            ax.set_ylabel(f"{kind.name} PSNR [dB]")
            ax.grid(visible=True, color="0.9", lw=0.6)
            ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel(below)
    return figure, axes


def _legend(figure: Figure, ax: Axes) -> None:
    """One legend for all axes, below."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, max(1, len(labels))), fontsize=8.5)


def _shown(done: Evaluation, averages: Averages) -> list[Contender]:
    """Contenders with rows here; ablations have their table."""
    return [one for one in done.request.contenders if averages.has(one.label) and not one.is_ablation]


def _against_ratio(done: Evaluation, averages: Averages, noise: str, title: str) -> Figure:
    """PSNR against the sampling ratio, a row of axes for each dose."""
    grid = done.request.grid
    contenders, ratios = _shown(done, averages), sorted(grid.samples_per_block)
    name, printed = printed_figures(averages.set).curve(noise)
    styles = styles_of(contenders)
    figure, axes = _sheet(len(grid.doses), title, "sampling ratio of a pass")
    for row, dose in zip(axes, grid.doses, strict=True):
        for ax, kind in zip(row, KINDS, strict=True):
            for one in contenders:
                values = [_value(averages, one, ratio, dose, kind) for ratio in ratios]
                ax.plot(ratios, values, label=one.label, **styles[one.label])
            theirs = [printed[ratio, dose][0] if (ratio, dose) in printed else np.nan for ratio in ratios]
            if kind.name == "min-max" and not np.isnan(theirs).all():
                ax.plot(
                    ratios, theirs, color=_PRINTED, marker="+", lw=1, ls=(0, (1, 1)), label=f"{name}, paper's figures"
                )
            ax.set_xticks(ratios, [percent(ratio) for ratio in ratios], fontsize=8)
            ax.set_title(f"dose {dose:g}", fontsize=9, loc="left")
    _legend(figure, axes[0][-1])
    return figure


def _against_dose(done: Evaluation, averages: Averages, noise: str, title: str) -> Figure:
    """PSNR against the dose, at the ratio of the pictures."""
    grid = done.request.grid
    contenders, doses = _shown(done, averages), sorted(grid.doses)
    ratio = done.request.panel_cell(noise).samples_per_block
    styles = styles_of(contenders)
    figure, axes = _sheet(1, f"{title}, ratio {percent(ratio)}", "dose per sample [electrons]")
    for ax, kind in zip(axes[0], KINDS, strict=True):
        for one in contenders:
            ax.plot(
                doses,
                [_value(averages, one, ratio, dose, kind) for dose in doses],
                label=one.label,
                **styles[one.label],
            )
        ax.set_xscale("log")
        ax.set_xticks(doses, [f"{dose:g}" for dose in doses])
        ax.minorticks_off()
    _legend(figure, axes[0][-1])
    return figure


def _against_seconds(done: Evaluation, averages: Averages, noise: str, title: str) -> Figure:
    """PSNR against the median run time, at the cell of the pictures."""
    cell = done.request.panel_cell(noise)
    contenders = _shown(done, averages)
    styles = styles_of(contenders)
    figure, axes = _sheet(
        1, f"{title}, ratio {percent(cell.samples_per_block)}, dose {cell.dose:g}", "seconds per image"
    )
    names: list[dict[str, tuple[float, float]]] = []
    for ax, kind in zip(axes[0], KINDS, strict=True):
        points: dict[str, tuple[float, float]] = {}
        for one in sorted(contenders, key=lambda one: averages.median_seconds(one.label)):
            style = {**styles[one.label], "ls": "None", "ms": 8}
            style["marker"] = {"None": "d", ".": "x" if styles[one.label]["ls"] == ":" else "h"}.get(
                style["marker"], style["marker"]
            )
            value = _value(averages, one, cell.samples_per_block, cell.dose, kind)
            seconds = averages.median_seconds(one.label)
            ax.plot([seconds], [value], label=one.label, **style)
            if np.isfinite(value) and np.isfinite(seconds):
                points[one.label] = (seconds, value)
        ax.set_xscale("log")
        ax.margins(0.12)
        names.append(points)
    _legend(figure, axes[0][-1])
    figure.draw_without_rendering()  # where points lie on the sheet
    for ax, points in zip(axes[0], names, strict=True):
        name_points(ax, points)
    return figure


def _value(averages: Averages, contender: Contender, ratio: int, dose: float, kind: Kind) -> float:
    """A mean to draw; NaN where there is none."""
    mean = averages.mean(contender.label, ratio, dose, kind.psnr)
    return float("nan") if mean is None or not np.isfinite(mean.value) else mean.value
