"""Pictures from tables of numbers in text, a row of pixels per line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stemscan.files.images import Signal
from stemscan.files.tables import read_table

__all__ = ["open_text"]


@contextmanager
def open_text(path: Path) -> Iterator[Sequence[Signal]]:
    """Open a table as a signal of one frame."""
    values = read_table(path).values
    yield [Signal(lambda _: (values, ()), (values.shape[0], values.shape[1]), values.nbytes)]
