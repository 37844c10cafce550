"""Files of an evaluation beside rows.csv: tables, figures, rows.parquet, and the means for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from stemscan.files.writing import write_text
from stemscan.recon.evaluation.averages import KINDS
from stemscan.recon.evaluation.cases import percent
from stemscan.recon.evaluation.curves import draw_curves
from stemscan.recon.evaluation.panels import draw_panels
from stemscan.recon.evaluation.session import Evaluation, note_figures
from stemscan.recon.evaluation.tables import markdown
from stemscan.recon.output.parquet import write_parquet
from stemscan.runtime.durable import remove
from stemscan.units import counted

__all__ = ["means", "overview", "write_report"]


def write_report(done: Evaluation, folder: Path, commands: Sequence[str] = (), *, parquet: bool = False) -> list[Path]:
    """Write ``tables.md`` and the figures; those of an earlier report are replaced or taken away.

    Parameters
    ----------
    commands : sequence of str
        The command that made it, for the head of the tables.
    parquet : bool
        Write ``rows.parquet`` too; an earlier one never stays beside other rows.

    Returns
    -------
    list of Path
        Those written.

    Raises
    ------
    MissingDependencyError
        When Parquet is asked for and pyarrow is not installed.
    """
    tables, rows = folder / "tables.md", folder / "rows.parquet"
    remove(rows)
    if parquet:
        write_parquet(done.rows, rows)
    if done.request.of_columns:
        from stemscan.recon.evaluation.columns.limits import draw_limits
        from stemscan.recon.evaluation.columns.tables import columns_markdown

        write_text(tables, columns_markdown(done, commands), overwrite=True)
        figures = draw_limits(done, folder)
    else:
        write_text(tables, markdown(done, commands), overwrite=True)
        figures = [*draw_curves(done, folder), *draw_panels(done, folder)]
    note_figures(done, folder, [path.name for path in figures])
    return [*([rows] if parquet else []), tables, *figures]


def means(done: Evaluation) -> list[dict[str, Any]]:
    """Means over images as plain data, one entry for each set, noise, cell and contender; None where not defined."""
    if done.request.of_columns:
        from stemscan.recon.evaluation.columns.tables import columns_means

        return columns_means(done)
    fields = [name for kind in KINDS for name in (kind.psnr, kind.ssim) if name is not None]
    grid, entries = done.request.grid, []
    for name, noise, averages in done.groups():
        for ratio, dose, one in product(grid.samples_per_block, grid.doses, done.request.contenders):
            found = {key: averages.mean(one.label, ratio, dose, key) for key in [*fields, "seconds"]}
            values = {key: mean.value for key, mean in found.items() if mean is not None}
            where = {"set": name, "noise": noise, "samples_per_block": ratio, "dose": dose, "contender": one.label}
            if values:
                entries.append(where | {key: value if np.isfinite(value) else None for key, value in values.items()})
    return entries


def overview(done: Evaluation) -> list[str]:
    """Lines for people: the cell of the pictures, of each set and noise."""
    if done.request.of_columns:
        from stemscan.recon.evaluation.columns.tables import columns_overview

        return columns_overview(done)
    formats = {"psnr": "9.2f", "psnr_affine": "7.2f", "psnr_minmax": "8.2f", "ssim": "6.3f", "seconds": "8.2f"}
    width = max(len(one.label) for one in done.request.contenders)
    lines = [f"{counted(len(done.rows), 'case')}, {done.computed} computed now, {len(done.failures)} failed"]
    for name, noise, averages in done.groups():
        cell = done.request.panel_cell(noise)
        images, ratio = counted(averages.images, f"{name} image"), percent(cell.samples_per_block)
        lines += ["", f"{images}, {noise}, {ratio}, dose {cell.dose:g}:"]
        lines.append(f"  {'':<{width}} absolute  affine  min-max   SSIM  seconds")
        for one in done.request.contenders:
            means = [averages.mean(one.label, cell.samples_per_block, cell.dose, field) for field in formats]
            values = [math.nan if mean is None else mean.value for mean in means]
            if not all(map(math.isnan, values)):
                cells = [format(value, form) for value, form in zip(values, formats.values(), strict=True)]
                lines.append(f"  {one.label:<{width}}{' '.join(cells)}")
    return lines
