"""The worst that fitted columns do: columns that are none, columns that were missed, and the largest errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from stemscan.files.writing import write_file
from stemscan.recon.evaluation.images import loaded
from stemscan.recon.evaluation.scans import scanned
from stemscan.store.true_columns import DEFECTS
from stemscan.types import Floats, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from stemscan.recon.evaluation.cases import Case
    from stemscan.recon.evaluation.session import Evaluation

__all__ = ["Worst", "draw_limits", "worst_columns"]

_CASES: Final = 10
_OF_A_KIND: Final = 3
_HALF: Final = 40
_SMOOTH_PX: Final = 2.5
_ACROSS: Final = 5
_TILE: Final = 2.4
_DPI: Final = 110
_TRUE, _FOUND = "#56b4e9", "#d55e00"


class Worst(NamedTuple):
    """A column that was judged badly.

    Attributes
    ----------
    what : str
        In words.
    row, col : float
        Place in pixels.
    severity : float
        Error over its bound; infinite for false and missed columns.
    """

    case: Case
    what: str
    row: float
    col: float
    severity: float


def worst_columns(done: Evaluation) -> list[Worst]:
    """The ten worst columns of the fit to counts, in the cell of the pictures: false, missed, then errors."""
    cell = done.request.panel_cell(done.request.grid.noises[0])
    every: dict[str, list[Worst]] = {"false": [], "missed": [], "errors": []}
    for case in done.cases:
        found = done.cache.found(case) if case.contender.judged == "counts" and case.cell == cell else None
        if found is not None:
            _sort(case, found, every)
    kept = [worst for name in ("false", "missed") for worst in every[name][:_OF_A_KIND]]
    return [*kept, *sorted(every["errors"], key=lambda one: -one.severity)[: _CASES - len(kept)]]


def _sort(case: Case, found: Mapping[str, Floats], every: dict[str, list[Worst]]) -> None:
    """Add the columns of one scan."""
    judged = (found["seen"] > 0) & (found["inside"] > 0) & (found["defect"] != DEFECTS.index("vacancy"))
    for row, col in zip(found["false_row"].tolist(), found["false_col"].tolist(), strict=True):
        every["false"].append(Worst(case, "false", row, col, np.inf))
    off = np.stack([found[f"found_{name}"] - found[name] for name in ("row", "col")], axis=1)
    over = np.sqrt(((off / found["bound"][:, :2]) ** 2).sum(axis=1) / 2)
    for number in np.flatnonzero(judged).tolist():
        kind = DEFECTS[int(found["defect"][number])]
        place = (float(found["row"][number]), float(found["col"][number]))
        if np.isnan(over[number]):
            every["missed"].append(Worst(case, f"missed, {kind if kind != 'none' else 'regular'}", *place, np.inf))
        else:
            pm = 10 * float(np.hypot(*off[number]))
            words = f"{pm:.0f} pm off, {kind if kind != 'none' else 'regular'}"
            every["errors"].append(Worst(case, words, *place, float(over[number])))


def draw_limits(done: Evaluation, folder: Path) -> list[Path]:
    """Draw the ten worst columns as ``limits.png``: the specimen above, the smoothed counts below.

    Parameters
    ----------
    folder : Path
        The file is replaced.

    Returns
    -------
    list of Path
        That file, where there is anything to draw.
    """
    from matplotlib.figure import Figure

    worst = worst_columns(done)
    if not worst:
        return []
    lines = 2 * -(-len(worst) // _ACROSS)
    figure = Figure(figsize=(_TILE * _ACROSS, _TILE * 1.16 * lines), dpi=_DPI, facecolor="w", layout="constrained")
    axes = figure.subplots(lines, _ACROSS, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for number, one in enumerate(worst):
        line, across = 2 * (number // _ACROSS), number % _ACROSS
        found = done.cache.found(one.case)
        assert found is not None
        truth = loaded(one.case.image).fine
        _tile(axes[line, across], truth, one, found, f"{number + 1}. {one.what}\n{one.case.image.name}")
        _tile(axes[line + 1, across], _smoothed(one.case), one, found, "")
    path = folder / "limits.png"
    write_file(path, lambda place: figure.savefig(place), overwrite=True)
    return [path]


def _smoothed(case: Case) -> Image:
    """Counts over visits, both smoothed."""
    from scipy.ndimage import gaussian_filter

    inputs = scanned(case)
    counted, visits = (gaussian_filter(array.astype(np.float64), _SMOOTH_PX) for array in (inputs.S, inputs.V))
    return np.asarray(counted / np.maximum(visits, 1e-6), np.float32)


def _tile(ax: Axes, image: Image, one: Worst, found: Mapping[str, Floats], title: str) -> None:
    """A detail about a column, true places as rings and found ones as crosses."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=float(np.quantile(image, 0.999)), interpolation="nearest")
    there = found["defect"] != DEFECTS.index("vacancy")
    shown = there & (found["seen"] > 0)
    ax.plot(found["col"][shown], found["row"][shown], "o", mfc="none", mec=_TRUE, ms=8, mew=1.2)
    ax.plot(found["col"][~there], found["row"][~there], "s", mfc="none", mec=_TRUE, ms=8, mew=1.0)
    ax.plot(found["found_col"], found["found_row"], "+", color=_FOUND, ms=7, mew=1.2)
    ax.plot(found["false_col"], found["false_row"], "x", color=_FOUND, ms=7, mew=1.2)
    ax.set_xlim(one.col - _HALF, one.col + _HALF)
    ax.set_ylim(one.row + _HALF, one.row - _HALF)
    ax.set_title(title, fontsize=7.5, loc="left")
