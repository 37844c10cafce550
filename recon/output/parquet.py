"""Rows as a Parquet file, for pandas, polars, DuckDB and the like; needs the extra `stemscan[parquet]`.

The columns are those of ``rows.csv`` under the same names, with their types and all digits; null where a value is not
defined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from stemscan.errors import MissingDependencyError
from stemscan.files.writing import write_file
from stemscan.recon.evaluation.rows import Measured, Row

__all__ = ["require_pyarrow", "write_parquet"]

_TYPES = {"str": "string", "int": "int64", "float": "float64"}


def require_pyarrow() -> None:
    """See that Parquet files can be written.

    Raises
    ------
    MissingDependencyError
        When pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as problem:
        raise MissingDependencyError(
            'expected pyarrow for Parquet files, got none; pip install "stemscan[parquet]"'
        ) from problem


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write rows as a Parquet file; one that is there is replaced.

    Raises
    ------
    MissingDependencyError
        When pyarrow is not installed.
    StemscanError
        When the system refuses to write.
    """
    require_pyarrow()
    import pyarrow
    import pyarrow.parquet

    case = [(field.name, _type(field.type)) for field in fields(Row) if field.name != "measured"]
    found = [(field.name, _type(field.type)) for field in fields(Measured)]
    columns = {name: [getattr(row, name) for row in rows] for name, _ in case}
    columns |= {name: [_value(getattr(row.measured, name)) for row in rows] for name, _ in found}
    schema = pyarrow.schema([*case[:-1], *found, case[-1]])
    table = pyarrow.table(columns, schema=schema)
    write_file(path, lambda temporary: pyarrow.parquet.write_table(table, temporary), overwrite=True)


def _type(annotation: Any) -> str:
    """Name of the column's type for that of a field, whose annotation is text."""
    return _TYPES[str(annotation)]


def _value(value: Any) -> Any:
    """A value, None where it is not defined."""
    return None if isinstance(value, float) and math.isnan(value) else value
