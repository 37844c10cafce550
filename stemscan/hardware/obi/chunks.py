"""A program in the pieces in which it is sent: so short that an abort acts soon.

Every piece ends with a blanked step: a device that gets nothing more for a while (underrun), or answers a Synchronize
(11 ADC cycles), holds its last code, and does so with the beam blanked. That is a step of the program where it has
blanked ones, else one more on the spot. The last piece ends with the beam parked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from stemscan.hardware.program import Program, Steps
from stemscan.store.ledger import BeamTime, BeamTimes

__all__ = ["LARGEST_CHUNK", "approach", "chunks", "joined", "parking_times"]

LARGEST_CHUNK: Final = 1 << 13
"""Steps of the longest piece, parking aside: so few that little is exposed again where its readings are not proven."""

_CHUNK_NS: Final = 20_000_000


def chunks(program: Program, start: int, stop: int) -> Iterator[Steps]:
    """The steps of samples start .. stop - 1, about 20 ms at a time, and parking after the last.

    Parameters
    ----------
    start, stop : int
        0 <= start <= stop <= number of samples.

    Yields
    ------
    Steps
        At least one.
    """
    rest: Steps | None = None
    for steps in program.batches(start, stop):
        batch = steps if rest is None else joined(rest, steps)
        last = bool(batch.sample[-1] == stop - 1)
        ends = np.cumsum(batch.dwell) * program.profile.dwell.quantum_ns
        at, rest = 0, None
        while at < len(batch) and rest is None:
            done = int(ends[at - 1]) if at else 0
            end = max(int(np.searchsorted(ends, done + _CHUNK_NS)), at + 1)
            end = min(end, at + LARGEST_CHUNK)
            if end < len(batch) or not last:
                cut = _behind_blanked(batch, at, end)
                rest = _part(batch, cut, end) if cut < end == len(batch) else None
                end = cut
            part = _part(batch, at, end)
            # Parking in one piece with what is before it: the beam must not wait for it on the last sample.
            yield joined(part, program.parking() if last and end == len(batch) else _blanked_end(part, program))
            at = end


def approach(program: Program, x: int, y: int) -> Steps:
    """Blanked steps that let the beam settle between the park position and a code."""
    parking, profile = program.parking(), program.profile
    quanta = 0
    if profile.settle is not None:
        codes = np.hypot(float(x - parking.x[0]), float(y - parking.y[0]))
        wait = profile.settle.wait_ns(np.array([codes / program.quantisation.codes_per_pixel]))
        quanta = int(np.ceil(wait[0] / profile.dwell.quantum_ns))
    pieces = -(-quanta // profile.dwell.largest)
    dwell = np.full(pieces, profile.dwell.largest, np.int64)
    dwell[-1:] = max(quanta - (pieces - 1) * profile.dwell.largest, profile.dwell.smallest)
    return Steps(
        np.full(pieces, x, np.int32),
        np.full(pieces, y, np.int32),
        dwell,
        np.full(pieces, True),
        np.full(pieces, -1, np.int64),
    )


def parking_times(program: Program) -> BeamTimes:
    """Moves from the park position to a program's first sample, and to park once; all of it blanked."""
    first, quantum = program.steps(0, 1), program.profile.dwell.quantum_ns
    coming = approach(program, int(first.x[0]), int(first.y[0]))
    return BeamTimes(
        settle=BeamTime(int(coming.dwell.sum()) * quantum), park=BeamTime(int(program.parking().dwell.sum()) * quantum)
    )


def _behind_blanked(steps: Steps, at: int, end: int) -> int:
    """End of a piece that is to end with a blanked step: behind the last of them, or at `end` without any."""
    blanked = np.flatnonzero(steps.blanked[at:end])
    return at + int(blanked[-1]) + 1 if blanked.size else end


def _blanked_end(steps: Steps, program: Program) -> Steps:
    """A blanked step at the place of the last one, none where that one is blanked."""
    last = slice(len(steps) if steps.blanked[-1] else len(steps) - 1, len(steps))
    number = len(steps.sample[last])
    return Steps(
        steps.x[last],
        steps.y[last],
        np.full(number, program.profile.dwell.smallest, np.int64),
        np.full(number, True),
        np.full(number, -1, np.int64),
    )


def _part(steps: Steps, start: int, stop: int) -> Steps:
    """Steps start .. stop - 1 of some."""
    cut = slice(start, stop)
    return Steps(steps.x[cut], steps.y[cut], steps.dwell[cut], steps.blanked[cut], steps.sample[cut])


def joined(first: Steps, second: Steps) -> Steps:
    """Steps, and others after them."""
    return Steps(
        np.concatenate([first.x, second.x]),
        np.concatenate([first.y, second.y]),
        np.concatenate([first.dwell, second.dwell]),
        np.concatenate([first.blanked, second.blanked]),
        np.concatenate([first.sample, second.sample]),
    )
