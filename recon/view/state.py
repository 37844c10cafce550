"""State of a growing scan as one message to a page, and the pictures of its sums."""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from stemscan.recon.view import facts
from stemscan.recon.view.charts import drift_of, moves_of
from stemscan.recon.view.facts import Expectations
from stemscan.recon.view.growing import GrowingScan
from stemscan.recon.view.images import Images
from stemscan.recon.view.levels import Layer, levels_of
from stemscan.recon.view.replaying import Replay
from stemscan.store.files import StoreLock
from stemscan.store.reader import Acquisition
from stemscan.units import counted, format_count

__all__ = ["State", "sum_layer"]

_SILENT_S: Final = 3.0
_RATE_S: Final = 10.0
_LINES: Final = 60


class State:
    """Facts of a scan, and how they changed while it was looked at."""

    def __init__(self, scan: GrowingScan, replay: Replay | None) -> None:
        self._scan, self._replay = scan, replay
        self._log = deque[list[str]](maxlen=_LINES)
        self._progress = deque[tuple[float, int]]()
        self._writer = (0.0, True)
        self._expected: tuple[int, Expectations | None] = (0, None)
        self.ended = ""
        """Why the acquisition that this page belongs to is over; empty while it goes on."""

    def say(self, words: str) -> None:
        """Write a line into the page's log."""
        self._log.append([datetime.now(UTC).isoformat(timespec="seconds"), words])

    def replayed(self, store: Acquisition) -> int:
        """Number of samples to show of a store, by the clock of a replay."""
        if self._replay is None or (length := self._scan.ns_a_sample) is None or store.state == "acquiring":
            return store.samples_committed
        return self._replay.samples(length, store.samples_committed)

    def facts(self, images: Images) -> dict[str, Any]:
        """Plain data of all that a page shows but its pictures."""
        scan, store = self._scan, self._scan.acquisition
        message: dict[str, Any] = {"version": scan.version, "problem": scan.problem, "ended": self.ended}
        message |= {"log": list(self._log), "path": str(scan.path), "name": scan.path.name}
        if store is None:
            return message
        message |= facts.fixed_facts(store) | facts.progress_of(scan)
        message |= {
            "words": self._words(store),
            "seconds_left": self._seconds_left(store),
            "levels": levels_of(store.shape),
            "dose": facts.dose_of(store, scan.samples),
            "counts": facts.counts_of(scan, self._expectations(images)),
            "spread": facts.spread_of(scan),
            "beam": facts.path_of(scan),
            "drift": drift_of(scan) | {"found": images.found.get("drift")},
            "moves": moves_of(store),
            "log": (facts.log_of(store) + list(self._log))[-_LINES:],
            "image": self._image(images),
            "columns": images.found.get("columns"),
            "quality": sorted(images.quality.items()),
            "replay": self._replay_facts(store),
        }
        return message

    def _expectations(self, images: Images) -> Expectations | None:
        """Electrons that the newest image expects, worked out once."""
        image = images.layers.get("image")
        if image is None:
            return None
        if images.version != self._expected[0]:
            self._expected = images.version, facts.expectations(self._scan, image.values)
        return self._expected[1]

    def _image(self, images: Images) -> dict[str, Any]:
        """The newest image, what is in the making, and what went wrong."""
        return images.facts | {
            "version": images.version,
            "pictures": list(images.layers),
            "busy": images.busy,
            "problem": images.problem,
        }

    def _replay_facts(self, store: Acquisition) -> dict[str, Any] | None:
        """The clock of a replay; None where there is none."""
        length = self._scan.ns_a_sample
        if self._replay is None or length is None or store.state == "acquiring":
            return None
        return self._replay.facts(length, store.samples_committed)

    def _words(self, store: Acquisition) -> str:
        """State of the store, in a sentence."""
        some = f"{format_count(store.samples_committed)} of {counted(store.total_samples, 'sample')}"
        if store.state == "complete":
            early = "" if store.stopped is None else f", ended early: {store.stopped['reason']}"
            return f"complete{early}"
        if store.state == "aborted":
            return f"stopped after {some}; acquire --resume goes on"
        if self._is_written():
            return "being acquired"
        return f"cut short after {some}: no program here is writing it; acquire --resume goes on"

    def _is_written(self) -> bool:
        """Tell whether a store is being written, asked seldom and only when it is silent."""
        now = time.monotonic()
        if self._progress and now - self._progress[-1][0] < _SILENT_S:
            return True
        if now - self._writer[0] > 1.0:
            self._writer = now, StoreLock.is_held(self._scan.path)
        return self._writer[1] or self._scan.behind  # by one who was done before the lock was asked for

    def _seconds_left(self, store: Acquisition) -> float | None:
        """Time until the last sample, at the pace of the last seconds, or else of the plan; None where it is over."""
        now, there = time.monotonic(), store.samples_committed
        if self._progress and there < self._progress[-1][1]:
            self._progress.clear()
        if not self._progress or there > self._progress[-1][1]:
            self._progress.append((now, there))
        while len(self._progress) > 2 and now - self._progress[0][0] > _RATE_S:
            self._progress.popleft()
        if store.state != "acquiring" or store.plan is None:
            return None
        left, (since, before) = store.total_samples - there, self._progress[0]
        if there > before:
            return left * (self._progress[-1][0] - since) / (there - before)
        return left * (self._scan.ns_a_sample or 0.0) / 1e9


def sum_layer(scan: GrowingScan, name: str) -> Layer:
    """Picture of a scan's sums: "raw", "pass", "visits" or "path".

    Raises
    ------
    LookupError
        When there is no such picture.
    """
    small = scan.reduced
    if name == "raw":
        return Layer(scan.sums, scan.visits, "grey", reduced=(small["sums"], small["visits"]))
    if name == "pass":
        return Layer(scan.pass_sums, scan.pass_visits, "grey", reduced=(small["pass_sums"], small["pass_visits"]))
    if name == "visits":
        return Layer(scan.visits, None, "visits", (0.0, float(scan.visits.max(initial=1))), (small["visits"], None))
    if name == "path":
        recent = scan.recent
        age = np.zeros(scan.visits.shape, np.float32)
        age[recent[:, 0], recent[:, 1]] = np.linspace(0.01, 1, len(recent), dtype=np.float32)
        return Layer(age, (age > 0).astype(np.uint8), "viridis", (0.0, 1.0))
    raise LookupError(f"no picture {name!r}")
