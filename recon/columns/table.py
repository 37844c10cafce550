"""The table of columns: one row each, in pixels and, where they are known, nanometres and electrons.

Positions are (row, column) from the centre of the top left pixel. A standard deviation counts all that was fitted as
unknown: neighbours, background and profile. Empirical-Bayes estimates stand in columns of their own (`eb_...`).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.arguments import file_path
from stemscan.display import as_html, as_text
from stemscan.errors import UsageError
from stemscan.files.writing import write_file

__all__ = ["FIELDS", "ColumnTable", "check_table_name", "write_table"]

FIELDS: dict[str, str] = {
    "kind": "column, empty (a lattice site without one) or added (a column at no site of a lattice)",
    "row": "position, px",
    "col": "position, px",
    "amplitude": "height above the background, on the absolute scale",
    "background": "background at the column, on the absolute scale",
    "row_std": "standard deviation, px",
    "col_std": "standard deviation, px",
    "amplitude_std": "standard deviation",
    "background_std": "standard deviation",
    "class": "0 is the brightest class",
    "lattice": "number of the lattice, -1 for none",
    "site_i": "index of the site along the lattice's first translation",
    "site_j": "index of the site along its second translation",
    "site_row": "where the column would stand by its neighbours, px",
    "site_col": "where the column would stand by its neighbours, px",
    "displacement_row": "position less site, px",
    "displacement_col": "position less site, px",
    "displacement_row_std": "standard deviation, px",
    "displacement_col_std": "standard deviation, px",
    "llr_absent": "ln likelihood ratio of the column as fitted against none",
    "llr_class": "ln likelihood ratio of its class against the most likely other one",
    "llr_added": "ln likelihood ratio of a further column beside it against none",
    "p_displaced": "probability that its displacement is an exception",
    "eb_row": "empirical-Bayes position, px",
    "eb_col": "empirical-Bayes position, px",
    "eb_row_std": "standard deviation, px",
    "eb_col_std": "standard deviation, px",
    "eb_amplitude": "empirical-Bayes amplitude",
    "eb_amplitude_std": "standard deviation",
}
"""Name and meaning of each field, in order."""

_LENGTHS = ("row", "col", "site_row", "site_col", "displacement_row", "displacement_col", "eb_row", "eb_col")


@dataclass(frozen=True, eq=False, repr=False)
class ColumnTable:
    """Columns of a scan.

    Attributes
    ----------
    values : dict of str to ndarray, each (n,)
        One array a field of `FIELDS`; NaN where a value is not defined.
    shape : (int, int)
        Rows and columns of the grid.
    note : str
        Why the table is empty, or an empty text.
    settings : dict
        Profiles, classes, lattices: JSON types only.
    """

    values: dict[str, npt.NDArray[Any]]
    shape: tuple[int, int]
    electrons_per_sample: float
    pixel_size_nm: float | None
    note: str
    settings: dict[str, Any]

    def _rows(self) -> list[tuple[str, str]]:
        """Numbers of columns, for people."""
        if self.note:
            return [("columns", f"none: {self.note}")]
        empty = self.of_kind("empty")
        kinds = [int(((self["class"] == number) & ~empty).sum()) for number in range(len(self.settings["classes"]))]
        pixels = "" if self.pixel_size_nm is None else f" of {self.pixel_size_nm:g} nm"
        return [
            ("columns", f"{int((~empty).sum()):,}, by class {', '.join(map(str, kinds))}"),
            ("empty sites", f"{int(empty.sum()):,}"),
            ("lattices", str(len(self.settings["lattices"]))),
            ("grid", f"{self.shape[0]} x {self.shape[1]} pixels{pixels}"),
            ("fields", ", ".join(self.fields())),
        ]

    def __repr__(self) -> str:
        return as_text("ColumnTable", self._rows())

    def _repr_html_(self) -> str:
        return as_html("ColumnTable", self._rows())

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the table as CSV or Parquet, by the suffix; errors as of `write_table`."""
        place = file_path(path, "a table")
        write_table(self, place, overwrite=overwrite)
        return place

    def __len__(self) -> int:
        return len(self.values["row"])

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.values[name]

    def of_kind(self, kind: str) -> npt.NDArray[np.bool_]:
        """Tell which rows are of a kind."""
        return np.asarray(self.values["kind"] == kind)

    def fields(self) -> dict[str, npt.NDArray[Any]]:
        """All fields, with lengths in nm (`..._nm`) where the pixel size is known and amplitudes in electrons."""
        out = dict(self.values)
        if self.pixel_size_nm is not None:
            for name in _LENGTHS:
                for field in (name, f"{name}_std"):
                    if field in self.values:
                        out[f"{field}_nm"] = self.values[field] * self.pixel_size_nm
        for name in ("amplitude", "background", "amplitude_std", "background_std"):
            out[f"{name}_electrons"] = self.values[name] * self.electrons_per_sample
        return out


def check_table_name(path: Path) -> None:
    """Refuse a name of a table that is neither .csv nor .parquet.

    Raises
    ------
    UsageError
    MissingDependencyError
        When Parquet is asked for and pyarrow is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise UsageError(f"expected a table .csv or .parquet, got {path.name!r}; choose one of the two")
    if suffix == ".parquet":
        from stemscan.recon.output.parquet import require_pyarrow

        require_pyarrow()


def write_table(table: ColumnTable, path: Path, *, overwrite: bool = False) -> None:
    """Write a table as CSV or Parquet, by the suffix; all digits are kept, empty (null) where not defined.

    Raises
    ------
    UsageError, MissingDependencyError
        As `check_table_name`.
    OutputExistsError, InputNotFoundError
        When the file is there and may not be overwritten, or its folder is missing.
    """
    check_table_name(path)
    fields = table.fields()
    writer = _write_csv if path.suffix.lower() == ".csv" else _write_parquet
    write_file(path, lambda place: writer(fields, place), overwrite=overwrite)


def _write_csv(fields: dict[str, npt.NDArray[Any]], path: Path) -> None:
    """Write with a line of names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(fields)
        out.writerows(zip(*(_texts(values) for values in fields.values()), strict=True))


def _texts(values: npt.NDArray[Any]) -> list[str]:
    """Values as text that reads back the same; empty for NaN."""
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    return ["" if value != value else repr(value) for value in values.tolist()]


def _write_parquet(fields: dict[str, npt.NDArray[Any]], path: Path) -> None:
    """Write by pyarrow."""
    import pyarrow
    import pyarrow.parquet

    arrays = {name: pyarrow.array(values, from_pandas=True) for name, values in fields.items()}
    pyarrow.parquet.write_table(pyarrow.table(arrays), path)
