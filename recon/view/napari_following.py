"""Layers of a store that grows, renewed in napari until it is complete or they are removed.

A thread adds what was committed to the arrays that the layers show; the thread of the window only draws again. napari
is not imported before it runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from stemscan.errors import StemscanError, StoreError
from stemscan.recon.view.growing import sentence_of
from stemscan.store.reader import Acquisition

__all__ = ["Growth", "follow"]

_LOOK_S: Final = 0.5
_STRETCH: Final = 1 << 18


class Growth:
    """Counts and visits of a store, in arrays that grow with it.

    Attributes
    ----------
    counts : list of ndarray, (T, H, W)
        Of each channel, by pass.
    visits : ndarray, (T, H, W)
    samples : int
        Number of samples in them.
    """

    def __init__(self, store: Acquisition) -> None:
        self.counts = [np.require(store.frames(channel=n), requirements="W") for n in range(len(store.channels))]
        self.visits = np.require(store.visits(), requirements="W")
        self.samples, self.complete = store.samples_committed, store.state == "complete"
        self._store, self._written = store, _written(store.path)

    @property
    def path(self) -> Path:
        """Folder of the store."""
        return self._store.path

    @property
    def newest(self) -> int:
        """Pass of the last sample, from 0."""
        return int(np.searchsorted(self._store.layout.pass_starts, max(self.samples, 1), side="left")) - 1

    def look(self) -> bool:
        """Add what was committed since, and tell whether there was anything.

        Raises
        ------
        StemscanError, OSError
            When the store cannot be read, or is another one by now.
        """
        written = _written(self._store.path)
        if written == self._written:
            return False
        store, before = Acquisition.open(self._store.path), self._store
        same = store.plan_digest == before.plan_digest and store.history[: len(before.history)] == before.history
        if not same or store.shape != before.shape or store.samples_committed < self.samples:
            raise StoreError(f"expected the store {str(store.path)!r} to grow, got another one; open it again")
        if any(entry["event"] == "rewound" for entry in store.history[len(before.history) :]):
            self._forget()
        while self.samples < store.samples_committed:
            self._add(store)
        self._store, self._written, self.complete = store, written, store.state == "complete"
        return True

    def _forget(self) -> None:
        """Begin anew."""
        for values in (*self.counts, self.visits):
            values.fill(0)
        self.samples = 0

    def _add(self, store: Acquisition) -> None:
        """Add a stretch of one pass."""
        starts, start = store.layout.pass_starts, self.samples
        number = int(np.searchsorted(starts, start, side="right")) - 1
        stop = min(start + _STRETCH, starts[number + 1], store.samples_committed)
        at = tuple(store.positions(start, stop).T)
        for channel, values in enumerate(self.counts):
            np.add.at(values[number], at, store.counts(start, stop, channel=channel))
        np.add.at(self.visits[number], at, np.ones(1, self.visits.dtype))
        self.samples = stop


def follow(growth: Growth) -> None:
    """Renew the layers that show these arrays in napari's present window; nothing where there is none."""
    napari: Any = sys.modules.get("napari")
    viewer = None if napari is None else napari.current_viewer()
    if viewer is not None:
        _Follower(viewer, growth)


class _Follower:
    """Keeps the layers of one store up to date, from the first that is shown to the last that is removed."""

    def __init__(self, viewer: Any, growth: Growth) -> None:
        from napari.qt.threading import create_worker

        self._viewer, self._growth, self._layers = viewer, growth, list[Any]()
        self._shown: int | None = None
        self._worker = create_worker(self._looks, _start_thread=False)
        self._worker.yielded.connect(self._renew)
        viewer.layers.events.inserted.connect(self._take)
        viewer.layers.events.removed.connect(self._drop)

    def _looks(self) -> Iterator[int | str | None]:
        """Look now and then, in a thread: gives the newest pass where there is more, or why it ends."""
        yield self._growth.newest
        while not self._growth.complete:
            time.sleep(_LOOK_S)
            try:
                grown = self._growth.look()
            except (StemscanError, OSError) as problem:
                yield sentence_of(problem)
                return
            yield self._growth.newest if grown else None  # None too lets a worker end that was told to

    def _take(self, event: Any) -> None:
        """Begin with a layer that shows one of the arrays."""
        shown = (*self._growth.counts, self._growth.visits)
        if any(event.value.data is values for values in shown):
            self._layers.append(event.value)
            if len(self._layers) == 1:
                self._worker.start()

    def _drop(self, event: Any) -> None:
        """Leave a layer that is removed; end with the last one."""
        if event.value in self._layers:
            self._layers.remove(event.value)
            if not self._layers:
                self._worker.quit()

    def _renew(self, news: int | str | None) -> None:
        """Draw again, and go on to a new pass where the last one was looked at; or say why it ends."""
        if isinstance(news, str):
            from napari.utils.notifications import show_warning

            show_warning(f"{self._growth.path} is not renewed any more: {news}")
        if not isinstance(news, int):
            return
        for layer in self._layers:
            _brighten(layer, news)
            layer.refresh()
        if self._shown in (None, self._viewer.dims.current_step[0]):
            self._viewer.dims.set_current_step(0, news)
        self._shown = news


def _brighten(layer: Any, number: int) -> None:
    """Widen limits of contrast that the newest pass goes beyond, where they were not changed by hand."""
    low, high = layer.contrast_limits
    most = float(layer.data[number].max())
    if layer.metadata.get("contrast") == [low, high] and most > high:
        layer.contrast_limits = layer.metadata["contrast"] = [low, most]


def _written(path: Path) -> tuple[int, int, int]:
    """Identity of the record as it was written last."""
    found = (path / "zarr.json").stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
