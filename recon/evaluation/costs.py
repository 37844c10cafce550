"""Cost of the cases of an evaluation, so that the time that is left is told from the first of them on.

What a method takes is told by its declaration at first, relative to the others, and by its cases as they are done.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from stemscan.recon.evaluation.cases import Case

__all__ = ["Costs"]

_AROUND = 1.0
"""Cost of a scan and of the measures, in that of `Method.cost`."""

_SECONDS = 1e-6
"""Of a cost of 1 and a pixel, until a case is done."""


class Costs:
    """Seconds of cases that are done and that are left.

    Parameters
    ----------
    cases : iterable of Case
        All that are to be run, each once.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        self._left: dict[str, float] = defaultdict(float)
        self._done: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, float] = defaultdict(float)
        for case in cases:
            self._left[case.contender.label] += _cost(case)

    def done(self, case: Case, seconds: float) -> None:
        """Take a case that is done; its method took so many seconds, not a number where it failed."""
        label, cost = case.contender.label, _cost(case)
        self._left[label] -= cost
        self._done[label] += cost
        self._seconds[label] += cost * self._pace() if math.isnan(seconds) else seconds + _around(case)

    @property
    def share(self) -> float:
        """Share of the seconds that is done, from 0 to 1."""
        spent, pace = sum(self._seconds.values()), self._pace()
        left = sum(
            cost * (self._seconds[label] / self._done[label] if self._done[label] else pace)
            for label, cost in self._left.items()
            if cost > 0
        )
        return spent / (spent + left) if spent + left > 0 else 1.0

    def _pace(self) -> float:
        """Seconds of a cost of 1, from all that is done."""
        done = sum(self._done.values())
        return sum(self._seconds.values()) / done if done else _SECONDS


def _cost(case: Case) -> float:
    """Cost of a case by the declaration of its method."""
    return math.prod(case.image.shape) * (case.contender.find().cost + _AROUND)


def _around(case: Case) -> float:
    """Seconds of a case around its method."""
    return math.prod(case.image.shape) * _AROUND * _SECONDS
