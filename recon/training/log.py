"""The history of a run: metrics.csv, a row a step that was logged, and its picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stemscan.errors import TrainingError
from stemscan.files.writing import write_file, write_text

__all__ = ["History"]

_CSV: Final = "metrics.csv"
_PICTURE: Final = "metrics.png"


class History:
    """Numbers by step. Held whole, for it is short, and written whole, so that no interruption leaves half a line.

    Parameters
    ----------
    folder : Path
        Of the run.
    until : int
        Rows of later steps, which a run that is resumed will make again, are dropped.

    Raises
    ------
    TrainingError
        When the table that is there was changed and cannot be read.
    """

    def __init__(self, folder: Path, until: int) -> None:
        self._folder = folder
        self.rows: list[dict[str, float]] = []
        path = folder / _CSV
        if until and path.is_file():
            try:
                with path.open(newline="", encoding="utf-8") as file:
                    read = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
                self.rows = [row for row in read if row["step"] <= until]
            except (ValueError, KeyError, TypeError, csv.Error) as problem:
                raise TrainingError(
                    f"expected the table of a run, got {str(path)!r}, which is damaged or something else; put it back, "
                    "or take it away and lose its rows"
                ) from problem

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Note the numbers of a step, beside those already noted for it."""
        if self.rows and self.rows[-1]["step"] == step:
            self.rows[-1].update(values)
        else:
            self.rows.append({"step": step, **values})

    def write(self) -> None:
        """Write the table, if there is anything in it."""
        if not self.rows:
            return
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({name: _shown(value) for name, value in row.items()})
        write_text(self._folder / _CSV, text.getvalue(), overwrite=True)

    def draw(self) -> None:
        """Write the picture: one diagram a number, against the step."""
        names = [name for name in dict.fromkeys(name for row in self.rows for name in row) if name != "step"]
        if names:
            write_file(self._folder / _PICTURE, lambda path: _draw(self.rows, names, path), overwrite=True)

    def last(self, name: str) -> float:
        """The latest number of this name; NaN where there is none."""
        return next((row[name] for row in reversed(self.rows) if name in row), math.nan)


def _shown(value: float) -> str:
    """All digits of a number; whole numbers as such."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _draw(rows: list[dict[str, float]], names: list[str], path: Path) -> None:
    """Draw one diagram a name."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(5 * columns, 3.2 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    for number, name in enumerate(names):
        axis = figure.add_subplot(lines, columns, number + 1)
        points = [(row["step"], row[name]) for row in rows if name in row]
        axis.plot(*zip(*points, strict=True), lw=1, marker="." if len(points) < 60 else None)
        axis.set(title=name, xlabel="step")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
