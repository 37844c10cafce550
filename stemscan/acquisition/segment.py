"""The samples of one arming, held back until the range ended with as many as were armed.

A controller that lost a reading, or gave one too many, delivers every later sample with the counts of its neighbour,
and nothing in a batch shows it. Their number does, at the end of the range: what disagrees there is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stemscan.errors import UnprovenError
from stemscan.store.batch import SampleBatch, check_batch, head_of

__all__ = ["Segment"]


class Segment:
    """Outcome of samples start .. stop - 1.

    Parameters
    ----------
    keep : callable
        Takes batches that are proven, in order.
    until_proven : bool
        Hold batches back until the end; else they are kept as they come, as of a scan too long for that.
    """

    def __init__(self, start: int, stop: int, keep: Callable[[SampleBatch], None], *, until_proven: bool) -> None:
        self.start, self.stop, self.received = start, stop, start
        self._keep, self._until_proven = keep, until_proven
        self._waiting: list[SampleBatch] = []

    def add(self, batch: SampleBatch, dtypes: Sequence[np.dtype[Any]], *, actual: bool) -> None:
        """Check a batch as `check_batch` does, and hold it back or keep it."""
        try:
            check_batch(batch, self.received, self.stop, dtypes, actual=actual)
        except UnprovenError as problem:
            if batch.start != self.received:  # the controller knows which samples came
                raise
            raise UnprovenError(str(problem), proven=self.start) from None
        self.received += len(batch.counts)
        if self._until_proven:
            self._waiting.append(batch)
        else:
            self._keep(batch)

    def end(self, name: str) -> None:
        """Keep everything, at the end of the range.

        Raises
        ------
        UnprovenError
            When samples are missing, so that it is not known which.
        """
        if self.received != self.stop:
            raise UnprovenError(
                f"expected samples up to {self.stop} from {name}, got an end after {self.received}", proven=self.start
            )
        self.give(self.stop)

    def give(self, stop: int) -> None:
        """Keep what was held back of the samples before `stop`, and drop the rest."""
        waiting, self._waiting = self._waiting, []
        for batch in waiting:
            if batch.start < stop:
                self._keep(head_of(batch, stop))
        if self._until_proven:
            self.received = max(self.start, min(self.received, stop))
