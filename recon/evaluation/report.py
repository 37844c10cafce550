"""Files of an evaluation beside rows.csv: tables, figures, rows.parquet, and the means for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stemscan.files.writing import write_text
from stemscan.recon.evaluation.averages import KINDS, Averages
from stemscan.recon.evaluation.curves import draw_curves
from stemscan.recon.evaluation.panels import draw_panels
from stemscan.recon.evaluation.session import Evaluation, note_figures
from stemscan.recon.evaluation.tables import markdown
from stemscan.recon.output.parquet import write_parquet
from stemscan.runtime.durable import remove

__all__ = ["means", "write_report"]


def write_report(done: Evaluation, folder: Path, commands: Sequence[str] = (), *, parquet: bool = False) -> list[Path]:
    """Write ``tables.md`` and the figures; those of an earlier report are replaced or taken away.

    Parameters
    ----------
    done : Evaluation
    folder : Path
    commands : sequence of str
        The command that made it, for the head of the tables.
    parquet : bool
        Whether to write ``rows.parquet`` too; an earlier one never stays beside other rows.

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
    write_text(tables, markdown(done, commands), overwrite=True)
    figures = [*draw_curves(done, folder), *draw_panels(done, folder)]
    note_figures(done, folder, [path.name for path in figures])
    return [*([rows] if parquet else []), tables, *figures]


def means(done: Evaluation) -> list[dict[str, Any]]:
    """Means over images as plain data, one entry for each set, noise, cell and contender; None where not defined.

    Parameters
    ----------
    done : Evaluation

    Returns
    -------
    list of dict
    """
    fields = [name for kind in KINDS for name in (kind.psnr, kind.ssim) if name is not None]
    grid, entries = done.request.grid, []
    for name in dict.fromkeys(image.set for image in done.request.images):
        for noise in grid.noises:
            averages = Averages(row for row in done.rows if row.set == name and row.noise == noise)
            for ratio in grid.samples_per_block:
                for dose in grid.doses:
                    for contender in done.request.contenders:
                        found = {key: averages.mean(contender.label, ratio, dose, key) for key in [*fields, "seconds"]}
                        values = {key: mean.value for key, mean in found.items() if mean is not None}
                        if not values:
                            continue
                        entries.append(
                            {
                                "set": name,
                                "noise": noise,
                                "samples_per_block": ratio,
                                "dose": dose,
                                "contender": contender.label,
                                **{key: value if np.isfinite(value) else None for key, value in values.items()},
                            }
                        )
    return entries
