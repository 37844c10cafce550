"""Arrays of an open store: samples, pictures drawn or read, the truth, and the digest of the data."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.arguments import whole_number
from stemscan.errors import UsageError
from stemscan.store.array_reader import ArrayReader, Chunks, SampleReader
from stemscan.store.opening import OpenStore
from stemscan.store.pictures import draw_stack
from stemscan.store.schema import counts_dtypes
from stemscan.store.true_columns import FIELDS, TrueColumns

__all__ = ["StoreArrays"]


class StoreArrays:
    """Reads the arrays of an open store, checked against its digests."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    def check_channel(self, channel: int) -> None:
        """Refuse a channel that is not there."""
        channels = len(self._store.record.channels)
        whole_number(channel, f"a channel of 0 .. {channels - 1}", 0, channels - 1)

    def counts(self, start: int, stop: int | None, channel: int) -> NDArray[Any]:
        """Committed counts start .. stop - 1 of a channel, of its own type; raises as `samples`."""
        self.check_channel(channel)
        rows, record = self.samples("samples/counts", start, stop), self._store.record
        if rows.ndim == 1 or len(record.channels) == 1:
            return rows.reshape(len(rows))
        if record.origin == "imported":
            return rows[:, channel].astype(record.channels[channel].dtype)
        return rows[:, channel].astype(counts_dtypes(record, self._store.layout)[channel])

    def samples(self, name: str, start: int, stop: int | None) -> NDArray[Any]:
        """Committed elements start .. stop - 1 of an array of samples.

        Raises
        ------
        UsageError
            When the range is not among the committed samples.
        StoreError
            When the data are damaged.
        """
        committed, spec = self._store.record.samples_committed, self._store.specs[name]
        stop = committed if stop is None else stop
        start, stop = (whole_number(one, "whole numbers of samples") for one in (start, stop))
        if not 0 <= start <= stop <= committed:
            raise UsageError(
                f"expected 0 <= start <= stop <= {committed} (committed samples), got start {start} and stop {stop}"
            )
        if start == stop:
            return np.empty((0, *spec.shape[1:]), spec.dtype)
        with self._store.steady():
            return self._reader(name).rows(start, stop)

    def picture(self, name: str) -> NDArray[Any]:
        """Frames or visits of a complete store, as the array."""
        return self._all(name)

    def region(self, name: str, rows: slice, columns: slice, kept: Chunks) -> NDArray[Any]:
        """Part of a picture or the truth, (..., rows, columns), of its whole chunks, those that were `kept` before too.

        Raises
        ------
        StoreError
            When the data are damaged.
        """
        with self._store.steady():
            return self._reader(name).region(rows, columns, kept)

    def drawn(self) -> dict[str, NDArray[Any]]:
        """Frames and visits of a store that is not complete, as the arrays, drawn from what is committed; read-only."""
        store = self._store
        with store.steady():
            samples = SampleReader(store.folder, store.specs, store.checks())
            pictures = draw_stack(samples, store.layout, store.specs, store.record.samples_committed)
        for picture in pictures.values():
            picture.flags.writeable = False
        return pictures

    def truth(self) -> NDArray[np.float32]:
        """The specimen's signal in each channel, (C, H, W), of a store that has it."""
        return self._all("truth").reshape(-1, *self._store.layout.shape)

    def truth_columns(self) -> TrueColumns | None:
        """The specimen's columns; None where they are not known, or a release wrote them that knew other fields."""
        known = self._store.record.truth_columns
        if known is None or not set(FIELDS) <= set(known.fields):
            return None
        values = self._all("truth_columns")[:, [known.fields.index(name) for name in FIELDS]]
        return TrueColumns(values, tuple(known.classes))

    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits, of plan, meaning of the counts and committed samples."""
        store = self._store
        record, committed = store.record.to_json(), store.record.samples_committed
        meaning = "channels" if store.record.schema_version > 1 else "detector"
        named = {name: record[name] for name in ("schema", "plan_digest", "imported", meaning, "noise")}
        if "follow" in record:
            named["offsets"] = [one["offset_px"] for one in record["follow"]["passes"]]
        digest = hashlib.sha256(json.dumps([named, committed], sort_keys=True).encode())
        names = ["samples/counts", "samples/position" if store.plan is None else "", "samples/actual"]
        step = store.specs["samples/counts"].chunks[0]
        for name in (name for name in names if name in store.specs and committed):
            with store.steady():
                reader = self._reader(name)
                for start in range(0, committed, step):
                    rows = reader.rows(start, min(start + step, committed))
                    digest.update(rows.astype(rows.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()

    def _reader(self, name: str) -> ArrayReader:
        """A reader of an array."""
        return ArrayReader(self._store.folder, self._store.specs[name], self._store.checks())

    def _all(self, name: str) -> NDArray[Any]:
        """A whole array."""
        with self._store.steady():
            return self._reader(name).all()
