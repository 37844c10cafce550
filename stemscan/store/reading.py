"""Arrays of an open store: samples, pictures drawn or read, the truth, and the digest of the data."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError
from stemscan.store.arrays import ArrayReader, SampleReader
from stemscan.store.opening import OpenStore
from stemscan.store.pictures import draw_stack

__all__ = ["check_channel", "data_digest", "drawn_pictures", "read_picture", "read_samples", "read_truth"]


def check_channel(store: OpenStore, channel: int) -> None:
    """Refuse a channel that is not there."""
    if not 0 <= channel < len(store.record.channels):
        raise UsageError(f"expected a channel of 0 .. {len(store.record.channels) - 1}, got {channel}")


def read_samples(store: OpenStore, name: str, start: int, stop: int | None) -> NDArray[Any]:
    """Committed elements start .. stop - 1 of an array of samples.

    Raises
    ------
    UsageError
        When the range is not among the committed samples.
    StoreError
        When the data are damaged.
    """
    committed, spec = store.record.samples_committed, store.specs[name]
    stop = committed if stop is None else stop
    if not 0 <= start <= stop <= committed:
        raise UsageError(
            f"expected 0 <= start <= stop <= {committed} (committed samples), got start {start} and stop {stop}"
        )
    if start == stop:
        return np.empty((0, *spec.shape[1:]), spec.dtype)
    with store.steady():
        return ArrayReader(store.folder, spec, store.checks()).rows(start, stop)


def read_picture(store: OpenStore, name: str, channel: int = 0) -> NDArray[Any]:
    """Frames or visits of a complete store, (T, H, W)."""
    with store.steady():
        stack = ArrayReader(store.folder, store.specs[name], store.checks()).all()
    return stack if stack.ndim == 3 else stack[:, channel]


def drawn_pictures(store: OpenStore, channel: int = 0) -> dict[str, NDArray[Any]]:
    """Frames and visits of a store that is not complete, (T, H, W), drawn from what is committed; read-only."""
    with store.steady():
        samples = SampleReader(store.folder, store.specs, store.checks(), channel)
        frames, visits = draw_stack(
            samples,
            store.layout,
            committed=store.record.samples_committed,
            piece=samples.chunk,
            counts=store.specs["frames"].dtype,
            visits=store.specs["visits"].dtype,
        )
    frames.flags.writeable = visits.flags.writeable = False
    return {"frames": frames, "visits": visits}


def read_truth(store: OpenStore) -> NDArray[np.float32]:
    """The specimen's signal, (H, W), of a store that has it."""
    with store.steady():
        return ArrayReader(store.folder, store.specs["truth"], store.checks()).all()


def data_digest(store: OpenStore) -> str:
    """SHA-256, 64 hexadecimal digits, of plan, meaning of the counts and committed samples."""
    record, committed = store.record.to_json(), store.record.samples_committed
    meaning = "channels" if store.record.schema_version > 1 else "detector"
    named = {name: record[name] for name in ("schema", "plan_digest", "imported", meaning, "noise")}
    digest = hashlib.sha256(json.dumps([named, committed], sort_keys=True).encode())
    names = ["samples/counts", "samples/position" if store.plan is None else "", "samples/actual"]
    step = store.specs["samples/counts"].chunks[0]
    for name in (name for name in names if name in store.specs and committed):
        with store.steady():
            reader = ArrayReader(store.folder, store.specs[name], store.checks())
            for start in range(0, committed, step):
                rows = reader.rows(start, min(start + step, committed))
                digest.update(rows.astype(rows.dtype.newbyteorder("<"), copy=False).data)
    return digest.hexdigest()
