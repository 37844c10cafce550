"""A virtual Open Beam Interface device that now and then loses, adds or shifts a reading, as one with a slow host does.

Where it strikes and how follows from a seed and the number of readings that it gave since it was made, so that what is
exposed again is struck, or not, at other places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np

from stemscan.errors import UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.random import Stream, bounded, random_words
from stemscan.simulators.obi.device import VirtualObiDevice

__all__ = ["READING_FAULTS", "FaultyObiDevice", "ReadingFault", "StruckReading"]

ReadingFault = Literal["lose", "add", "shift", "hang"]

READING_FAULTS: Final[tuple[ReadingFault, ...]] = get_args(ReadingFault)
"""All kinds."""

_SPARED: Final = 2  # readings of a client's self-test, when no buffer is full


class StruckReading(NamedTuple):
    """A fault that happened, and the number of the reading at which it did."""

    fault: ReadingFault
    reading: int


class FaultyObiDevice(VirtualObiDevice):
    """A device with one fault in every stretch of so many readings.

    ======  ==========================================================================================
    fault   what happens
    ======  ==========================================================================================
    lose    a reading is lost, and those after it come one pixel early
    add     a reading comes twice, and those after it one pixel late
    shift   a reading is lost, and another comes too many after the next Synchronize
    hang    a reading is lost, and from the next Synchronize on nothing is answered until a client connects anew: a
            gateware that waits for the readings of all pixels before it answers
    ======  ==========================================================================================

    Parameters
    ----------
    *args, **options
        As of `VirtualObiDevice`.
    faults : sequence of str
        Kinds that may happen, each as likely as the others.
    every : int
        Readings of a stretch, at least 1; it strikes in the first half, so that faults are half a stretch apart.
    fault_seed : int
        0 to 2**64 - 1.

    Attributes
    ----------
    struck : list of StruckReading
        Faults so far.
    cancelled : int
        Pieces, from one Synchronize to the next, in which as many readings were lost as added: no number shows these.

    Raises
    ------
    UsageError
        On an unknown fault, a stretch without readings, or as `VirtualObiDevice`.
    """

    def __init__(
        self, *args: Any, faults: Sequence[ReadingFault], every: int, fault_seed: int = 0, **options: Any
    ) -> None:
        unknown = [fault for fault in faults if fault not in READING_FAULTS]
        if unknown or not faults or every < 1:
            raise UsageError(
                f"expected some of {', '.join(READING_FAULTS)} in stretches of at least 1 reading, got "
                f"{', '.join(faults) or 'none'} in stretches of {every}"
            )
        self.struck: list[StruckReading] = []
        self._faults, self._every, self._fault_seed = tuple(faults), every, fault_seed
        self._given = 0
        self._owed = self._waits = self._hangs = False
        self.cancelled = self._net = self._changes = 0
        super().__init__(*args, **options)

    def begin(self) -> None:
        """Forget what a client left, and answer again."""
        self._owed = self._waits = self._hangs = False
        self._net = self._changes = 0
        super().begin()

    def execute(self, command: obi.Command | obi.VectorPixels) -> bytes:
        """Do one command; what the device answers to it, with faults."""
        answer = super().execute(command)
        self._hangs |= self._waits and isinstance(command, obi.Synchronize)
        if self._hangs:
            return b""
        if isinstance(command, obi.Synchronize):
            self.cancelled += int(self._changes > 0 and self._net == 0)
            self._net = self._changes = int(self._owed)
            if self._owed:
                self._owed, answer = False, answer + bytes(self._size)
            return answer
        return self._spoilt(answer) if len(answer) > _SPARED * self._size else answer

    @property
    def _size(self) -> int:
        """Bytes of a reading."""
        return 1 if self._output is obi.Output.EIGHT_BIT else 2

    def _spoilt(self, answer: bytes) -> bytes:
        """Readings, with the faults that strike among them."""
        size = self._size
        first, self._given = self._given, self._given + len(answer) // size
        parts, done = [], 0
        for number in range(first // self._every, (self._given - 1) // self._every + 1):
            words = random_words(np.uint64(self._fault_seed), Stream.FAULT, np.uint64(number), 1)
            at = number * self._every + int(bounded(words[0], (self._every + 1) // 2))
            if not first <= at < self._given:
                continue
            fault = self._faults[int(bounded(words[1], len(self._faults)))]
            self.struck.append(StruckReading(fault, at))
            self._changes, self._net = self._changes + 1, self._net + (1 if fault == "add" else -1)
            here = (at - first) * size
            parts.append(answer[done:here])
            done = here if fault == "add" else here + size
            if fault == "add":
                parts.append(answer[here : here + size])
            self._owed |= fault == "shift"
            self._waits |= fault == "hang"
        return b"".join([*parts, answer[done:]])
