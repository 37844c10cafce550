"""Clock of a finished store: how many of its samples were there at each moment of its scan, faster or slower."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

__all__ = ["FASTEST", "Replay"]

FASTEST: Final = 1e6
"""Largest speed."""

_STEP_S: Final = 0.1
"""Time between two steps: samples come in pieces, as from a scan."""


class Replay:
    """Position in the time of a scan.

    Parameters
    ----------
    speed : float
        Seconds of the scan in a second, above 0.
    clock : callable
        Seconds.
    """

    def __init__(self, speed: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.speed, self.paused = speed, False
        self._clock = clock
        self._at = 0.0
        self._since = clock()

    @property
    def seconds(self) -> float:
        """Time of the scan at this moment."""
        gone = 0.0 if self.paused else math.floor((self._clock() - self._since) / _STEP_S + 1e-6) * _STEP_S
        return self._at + gone * self.speed

    def samples(self, ns_a_sample: float, total: int) -> int:
        """Number of samples at this moment, of which there are `total`; the clock stands still at the end."""
        there = int(self.seconds * 1e9 / ns_a_sample + 1e-6)
        if there >= total:
            self.go_to(total * ns_a_sample / 1e9)
        return min(there, total)

    def go_to(self, seconds: float) -> None:
        """Go to a time of the scan."""
        self._at, self._since = max(seconds, 0.0), self._clock()

    def set(self, *, speed: float | None = None, paused: bool | None = None) -> None:
        """Change the speed, stop or go on."""
        self.go_to(self.seconds)
        self.speed = self.speed if speed is None else min(max(speed, 1 / FASTEST), FASTEST)
        self.paused = self.paused if paused is None else paused

    def facts(self, ns_a_sample: float, total: int) -> dict[str, Any]:
        """Position, end, speed, for a page."""
        end = total * ns_a_sample / 1e9
        return {"at": min(self.seconds, end), "end": end, "speed": self.speed, "paused": self.paused}
