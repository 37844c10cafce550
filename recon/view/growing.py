"""A store followed while it grows: sums over its committed samples, brought up to date whenever its record changes.

Reader and writer share nothing but the store's files. What is wrong with the store is a sentence in `problem`, never an
error: a store may be replaced, damaged or deleted while it is looked at, and be sound again a moment later.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import StemscanError, StoreError, refusal
from stemscan.objects.path import ObjectPath
from stemscan.recon.pictures.scan_maps import Gathered, Spread
from stemscan.recon.view.levels import levels_of
from stemscan.runtime.memory import require_memory
from stemscan.store.reader import Acquisition

__all__ = ["DARKEST", "GrowingScan", "sentence_of"]

DARKEST: Final = -64
"""Electrons of the first bin of `GrowingScan.histogram`; readings of an analogue detector may be below 0."""

_BRIGHTEST: Final = 4096
_STRETCH: Final = 1 << 18
_LOOK_S: Final = 0.2
"""Longest time of one look: a long store that is caught up with shows itself in steps."""

_AGAIN_S: Final = 0.5
_BYTES_A_PIXEL: Final = 16
_RECENT: Final = 1 << 20
"""Most positions that are kept of the last second."""

_SECOND_NS: Final = 1_000_000_000
_PIECE: Final = 1 << 12
_SUMS: Final = ("sums", "visits", "pass_sums", "pass_visits")


class GrowingScan:
    """Sums over the samples of a store, from the first to the last committed one.

    Parameters
    ----------
    path : Path
        Folder of the store; it need not be there yet.
    channel : int or str
        Of the detectors.

    Attributes
    ----------
    acquisition : Acquisition or None
        The store as it was opened last; None before that.
    problem : str
        Why it cannot be read now, in a sentence; empty where it can.
    version : int
        Grows whenever anything of this changed.
    samples : int
        Number of samples in the sums.
    number : int
        Pass of the last of them, from 0.
    sums, pass_sums : ndarray of float32, (H, W)
        Electrons of all passes, and of pass `number`.
    visits, pass_visits : ndarray of uint32, (H, W)
        Samples likewise.
    reduced : dict of ndarray
        The same four by their names, summed up in blocks of the last level of `levels_of`.
    histogram : ndarray of int64, (n,)
        Samples by electrons in whole numbers, from `DARKEST` on; the last bin holds all above.
    """

    def __init__(self, path: Path, channel: int | str = 0) -> None:
        self.path = path
        self.acquisition: Acquisition | None = None
        self.problem = ""
        self.version = 0
        self._channel: int | str = channel
        self._seen: tuple[object, ...] | None = None
        self._failed_at = -_AGAIN_S
        self._old: tuple[object, ...] | None = None
        self._start_over((0, 0))

    def _start_over(self, shape: tuple[int, int]) -> None:
        """Forget all samples."""
        self.samples = self.number = 0
        self.sums, self.pass_sums = (np.zeros(shape, np.float32) for _ in range(2))
        self.visits, self.pass_visits = (np.zeros(shape, np.uint32) for _ in range(2))
        self._level = levels_of(shape) - 1
        small = tuple(-(-side >> self._level) for side in shape)
        self.reduced = {name: np.zeros(small, getattr(self, name).dtype) for name in _SUMS}
        self.histogram = np.zeros(_BRIGHTEST - DARKEST + 1, np.int64)
        self._moments: Gathered | None = None
        self._recent = deque[npt.NDArray[np.int32]]()
        self._track: list[npt.NDArray[np.float64]] = []

    @property
    def channel(self) -> int:
        """Number of the channel; 0 before the store is open."""
        return 0 if self.acquisition is None else self.acquisition.channel_number(self._channel)

    @property
    def ns_a_sample(self) -> float | None:
        """Time of a sample with all that the beam did for it, by the ledger or else the plan; None if neither is."""
        store = self.acquisition
        if store is None or store.plan is None:
            return None
        if store.ledger is None or not store.samples_committed:
            return float(store.plan.dwell_ns)
        spent = sum(store.ledger[name]["time_ns"] for name in ("dwell", "settle", "transit", "park"))
        return float(max(spent / store.samples_committed, 1.0))

    @property
    def spread(self) -> Spread | None:
        """Variance of counts against their mean; None where it cannot be known."""
        return None if self._moments is None else self._moments.spread()

    @property
    def recent(self) -> npt.NDArray[np.int32]:
        """Pixels (row, column) of the samples of the last second, (n, 2), the latest last."""
        pieces = list(self._recent)
        return np.concatenate(pieces) if pieces else np.empty((0, 2), np.int32)

    @property
    def track(self) -> npt.NDArray[np.float64]:
        """True offsets of a simulated beam, means of pieces of the scan: (n, 3) of sample, row and column in pixels."""
        return np.concatenate(self._track) if self._track else np.empty((0, 3))

    def look(self, limit: Callable[[Acquisition], int] | None = None) -> bool:
        """Take in what was committed since, as far as time allows, and tell whether anything changed.

        Parameters
        ----------
        limit : callable, optional
            Number of samples to show of an open store, where not all are wanted.
        """
        if self.problem and time.monotonic() < self._failed_at + _AGAIN_S:
            return False
        before = (self.problem, self.samples, self._seen)
        try:
            self._open()
            self._take_in(limit)
            self.problem = ""
        except (StemscanError, OSError, MemoryError) as problem:
            self.problem = sentence_of(problem)
            self._failed_at, self._seen = time.monotonic(), None
            if self.problem == before[0]:
                return False
        changed = (self.problem, self.samples, self._seen) != before
        self.version += changed
        return changed

    @property
    def behind(self) -> bool:
        """Tell whether the record was written since it was read."""
        return self._written() != self._seen

    def ignore_present(self) -> None:
        """Take a store that is there for one that is about to be replaced, and show nothing of it."""
        self._old = self._written()

    def _written(self) -> tuple[object, ...] | None:
        """Identity of the record as it was written last; None where there is none."""
        if isinstance(root := self.path / "zarr.json", ObjectPath):
            version = root.bucket.version(root.key)
            return None if version is None else tuple(version.items())
        try:
            found = os.stat(root)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _open(self) -> None:
        """Open the store again where its record was written since."""
        seen = self._written()
        if seen is not None and seen == self._seen:
            return
        if seen is not None and seen == self._old:
            raise StoreError(
                f"expected a new store at {str(self.path)!r}, got the one that it will replace; wait for it"
            )
        store = Acquisition.open(self.path)
        if self.acquisition is None or not self._goes_on(self.acquisition, store):
            require_memory(_BYTES_A_PIXEL * store.shape[0] * store.shape[1], "to show the scan")
            self._start_over(store.shape)
        self.acquisition, self._seen = store, seen

    def _goes_on(self, before: Acquisition, now: Acquisition) -> bool:
        """Tell whether the samples that were taken in are those that the store has."""
        known, more = before.history, now.history[len(before.history) :]
        return (
            now.history[: len(known)] == known
            and now.plan_digest == before.plan_digest
            and now.samples_committed >= self.samples
            and all(entry["event"] != "rewound" for entry in more)
        )

    def _take_in(self, limit: Callable[[Acquisition], int] | None) -> None:
        """Add samples until all are in, or the time is over."""
        store = self.acquisition
        assert store is not None
        wanted = store.samples_committed if limit is None else min(limit(store), store.samples_committed)
        if wanted < self.samples:
            self._start_over(store.shape)
        ends = time.monotonic() + _LOOK_S
        while self.samples < wanted:
            starts = store.layout.pass_starts
            self._begin_pass(bisect_right(starts, self.samples) - 1)
            stop = min(self.samples + _STRETCH, starts[self.number + 1], wanted)
            self._add(store, self.samples, stop)
            self.samples = stop
            if time.monotonic() >= ends:
                break

    def _begin_pass(self, number: int) -> None:
        """Clear the sums of one pass where another begins."""
        if number != self.number:
            self.number = number
            self.pass_sums.fill(0)
            self.pass_visits.fill(0)
            for name in _SUMS[2:]:
                self.reduced[name].fill(0)

    def _add(self, store: Acquisition, start: int, stop: int) -> None:
        """Add samples start .. stop - 1, of one pass."""
        positions = store.positions(start, stop)
        electrons = store.electrons(start, stop, channel=self.channel)
        rows, columns = store.shape
        if (positions < 0).any() or (positions >= (rows, columns)).any():
            raise StoreError(
                f"expected positions inside the grid {store.shape} in {str(store.path)!r}, got others; restore "
                "samples/position from a copy"
            )
        pixels = positions[:, 0].astype(np.int64) * columns + positions[:, 1]
        values = electrons.astype(np.float32)
        inside = positions >> self._level
        blocks = inside[:, 0].astype(np.int64) * self.reduced["sums"].shape[1] + inside[:, 1]
        for name in _SUMS:
            added = np.uint32(1) if name.endswith("visits") else values
            np.add.at(getattr(self, name).reshape(-1), pixels, added)
            if self._level:
                np.add.at(self.reduced[name].reshape(-1), blocks, added)
        bins = np.clip(np.rint(electrons), DARKEST, _BRIGHTEST).astype(np.int64) - DARKEST
        self.histogram += np.bincount(bins, minlength=len(self.histogram))
        if self.channel == 0:
            if self._moments is None:
                self._moments = Gathered.of(store)
            if self._moments is not None:
                self._moments.add(store, start, stop, pixels, electrons)
        if "truth_trajectory" in store.tracks:
            self._track.append(_true_offsets(store, start, stop, positions))
        self._keep_recent(positions)

    def _keep_recent(self, positions: npt.NDArray[np.int32]) -> None:
        """Keep the positions of the last second."""
        most = min(_RECENT, int(_SECOND_NS / (self.ns_a_sample or _SECOND_NS / _RECENT)) + 1)
        self._recent.append(positions[-most:])
        while sum(map(len, self._recent)) - len(self._recent[0]) >= most:
            self._recent.popleft()
        if (over := sum(map(len, self._recent)) - most) > 0:
            self._recent[0] = self._recent[0][over:]


def _true_offsets(
    store: Acquisition, start: int, stop: int, positions: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Pieces of a stretch as `GrowingScan.track` has them."""
    actual = store.actual(start, stop)
    offsets = store.track("truth_trajectory", start, stop).astype(np.float64) - (
        positions if actual is None else actual
    )
    edges = np.arange(0, stop - start, _PIECE)
    lengths = np.diff(np.append(edges, stop - start))
    means = np.add.reduceat(offsets, edges, axis=0) / lengths[:, None]
    return np.column_stack([start + edges + lengths / 2, means])


def sentence_of(problem: BaseException) -> str:
    """The fault, on one line."""
    words = refusal(problem) if isinstance(problem, OSError) and not isinstance(problem, StemscanError) else problem
    return " ".join(str(words).split()) or type(problem).__name__
