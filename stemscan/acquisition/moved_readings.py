"""Readings that moved to other samples, for the faulty controller: one was lost, or came twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stemscan.store.batch import SampleBatch

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
        self._readings = self._last = SampleBatch(start, np.empty(0))

    def take(self, batch: SampleBatch | None, most: int) -> SampleBatch | None:
        """Segment that follows this batch of the controller, or its end; None where nothing is left."""
        if batch is not None:
            self._readings = _joined(self._readings, batch)
        elif self._owes:
            self._owes, self._readings = False, _joined(self._readings, self._last)
        size = min(most, len(self._readings.counts))
        if not size:
            return None
        given, self._readings = _part(self._readings, 0, size), _part(self._readings, size, None)
        self._last = _part(given, size - 1, None)
        given = replace(given, start=self._start)
        self._start += size
        return given


def with_reading(batch: SampleBatch, at: int, fault: str) -> SampleBatch:
    """A batch in which a reading comes twice, or else is missing."""
    rest = at if fault == "add" else at + 1
    return _joined(_part(batch, 0, at + (fault == "add")), _part(batch, rest, None))


def _part(batch: SampleBatch, start: int, stop: int | None) -> SampleBatch:
    """Some of the readings of a batch."""
    return replace(batch[start:stop], start=batch.start)


def _joined(first: SampleBatch, second: SampleBatch) -> SampleBatch:
    """The readings of two batches."""
    if not len(first.counts):
        return second
    actual, truths = None, None
    if first.actual is not None and second.actual is not None:
        actual = np.concatenate([first.actual, second.actual])
    if first.truths is not None and second.truths is not None:
        truths = {name: np.concatenate([values, second.truths[name]]) for name, values in first.truths.items()}
    return SampleBatch(first.start, np.concatenate([first.counts, second.counts]), actual, truths)
