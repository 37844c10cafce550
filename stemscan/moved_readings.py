"""Readings that moved to other samples, for the faulty controller: one was lost, or came twice."""

from __future__ import annotations

import numpy as np

from stemscan.sample_block import SampleBlock

__all__ = ["MovedReadings", "with_reading"]


class MovedReadings:
    """The rest of a range after a reading was lost or added: later readings are those of other samples.

    Parameters
    ----------
    fault : {"lose", "add", "shift"}
        After a shift the last reading comes twice.
    start : int
        Sample of the first reading.
    """

    def __init__(self, fault: str, start: int) -> None:
        self._owes = fault == "shift"
        self._start = start
        self._readings = self._last = SampleBlock(start, np.empty(0))

    def take(self, block: SampleBlock | None, most: int) -> SampleBlock | None:
        """Segment that follows this block of the controller, or its end; None where nothing is left."""
        if block is not None:
            self._readings = _joined(self._readings, block)
        elif self._owes:
            self._owes, self._readings = False, _joined(self._readings, self._last)
        size = min(most, len(self._readings.counts))
        if not size:
            return None
        given, self._readings = _part(self._readings, 0, size), _part(self._readings, size, None)
        self._last = _part(given, size - 1, None)
        given = SampleBlock(self._start, given.counts, given.actual)
        self._start += size
        return given


def with_reading(block: SampleBlock, at: int, fault: str) -> SampleBlock:
    """A block in which a reading comes twice, or else is missing."""
    rest = at if fault == "add" else at + 1
    return _joined(_part(block, 0, at + (fault == "add")), _part(block, rest, None))


def _part(block: SampleBlock, start: int, stop: int | None) -> SampleBlock:
    """Some of the readings of a block."""
    actual = None if block.actual is None else block.actual[start:stop]
    return SampleBlock(block.start, block.counts[start:stop], actual)


def _joined(first: SampleBlock, second: SampleBlock) -> SampleBlock:
    """The readings of two blocks."""
    if not len(first.counts):
        return second
    actual = None
    if first.actual is not None and second.actual is not None:
        actual = np.concatenate([first.actual, second.actual])
    return SampleBlock(first.start, np.concatenate([first.counts, second.counts]), actual)
