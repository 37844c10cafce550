"""Pictures from tables of numbers in text, a row of pixels a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stemscan.files.images import Signal
from stemscan.files.tables import read_text

__all__ = ["open_text"]


@contextmanager
def open_text(path: Path) -> Iterator[Sequence[Signal]]:
    """Open a table as a signal of one frame."""
    values = np.atleast_2d(read_text(path, "," if path.suffix.lower() == ".csv" else None))
    yield [Signal(lambda _: (values, ()), (values.shape[0], values.shape[1]), values.nbytes)]
