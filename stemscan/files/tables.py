"""Tables of numbers in text files: csv and txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["read_text"]


def read_text(path: Path, delimiter: str | None) -> npt.NDArray[Any]:
    """Read numbers in lines, below a line of column names if there is one."""
    with path.open(encoding="utf-8-sig") as file:
        lines = [line for line in file if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) > 1 and _are_names(lines[0].split(delimiter), lines[1].split(delimiter)):
        del lines[0]
    if not lines:
        raise ValueError("no numbers")
    values = np.asarray(np.loadtxt(lines, delimiter=delimiter, ndmin=2))
    return values[:, 0] if values.shape[1] == 1 else values


def _are_names(first: list[str], second: list[str]) -> bool:
    """Whether the first line of a text file names the columns of the second."""

    def is_number(field: str) -> bool:
        try:
            float(field)
        except ValueError:
            return False
        return True

    return len(first) == len(second) and not any(map(is_number, first))
