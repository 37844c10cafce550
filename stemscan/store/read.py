"""Reading an acquisition store, whole or not: what is in the record, the samples, and the pictures.

A store that is not complete is read as far as it was committed: its pictures are drawn from those samples, whatever
its `frames` and `visits` hold, and `warnings` says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StoreError, UsageError
from stemscan.store.batch import DetectorInfo
from stemscan.store.create import RootFile
from stemscan.store.files import Json
from stemscan.store.opening import check_progress, plan_and_layout, specs_of
from stemscan.store.record_parts import DigestsRecord, State
from stemscan.store.schema import Layout, Noise
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.digests import ChunkChecks

__all__ = ["StoreReader"]


class StoreReader:
    """What can be asked of a store. Made by `Acquisition.open`."""

    def __init__(self, root: RootFile) -> None:
        self._root = root
        self.path: Path = root.folder
        self.plan, self.layout = plan_and_layout(root.record, root.folder)
        check_progress(root.record, self.layout, root.folder)
        self._specs = specs_of(root.record, self.layout, root.folder)
        self._drawn: tuple[int, int, dict[str, NDArray[Any]]] = (-1, 0, {})
        self._checked: tuple[DigestsRecord, ChunkChecks] | None = None

    plan: ScanPlan | None
    """The plan; None for data measured elsewhere."""

    layout: Layout
    """Grid, samples of each pass, dose per sample, pixel size."""

    # ------------------------------------------------------------------ the record

    @property
    def state(self) -> State:
        """`acquiring`, `complete` or `aborted`."""
        return self._root.record.state

    @property
    def samples_committed(self) -> int:
        """Samples that are in the store for good."""
        return self._root.record.samples_committed

    @property
    def samples_armed(self) -> int:
        """Samples that may have been exposed."""
        return self._root.record.samples_armed

    @property
    def total_samples(self) -> int:
        """Samples of the whole scan, N."""
        return self.layout.total_samples

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.layout.shape

    @property
    def passes(self) -> int:
        """Number of passes, T."""
        return self.layout.passes

    @property
    def electrons_per_sample(self) -> float:
        """Dose per sample, lambda: expected detected electrons of one visit of a pixel with signal 1."""
        return self.layout.electrons_per_sample

    @property
    def pixel_size_nm(self) -> float | None:
        """Distance of neighbouring pixels in nanometres, where it is known."""
        return self.layout.pixel_size_nm

    @property
    def plan_digest(self) -> str | None:
        """Digest of the plan; None for data measured elsewhere."""
        return self._root.record.plan_digest

    @property
    def origin(self) -> str:
        """`acquired` from a plan, or `imported`."""
        return self._root.record.origin

    @property
    def noise(self) -> Noise:
        """Statistics of the counts: `poisson` or `eq5`."""
        return self._root.record.noise

    @property
    def seed(self) -> int | None:
        """Seed of the virtual detector; None for real ones."""
        return self._root.record.seed

    @property
    def detector(self) -> DetectorInfo:
        """Meaning of the counts of the first channel."""
        return self._root.record.detector

    @property
    def channels(self) -> tuple[DetectorInfo, ...]:
        """Meaning of the counts of each channel, with its name."""
        return tuple(channel.info() for channel in self._root.record.channels)

    @property
    def schema(self) -> int:
        """Of the store: 2, or 1 of early releases, which has no digests."""
        return self._root.record.schema_version

    @property
    def doubt(self) -> Json | None:
        """`proven`, the samples that are beyond doubt where not all committed are, and the `reason`; else None."""
        doubt = self._root.record.doubt
        return None if doubt is None else doubt.model_dump(mode="json")

    @property
    def specimen(self) -> Json | None:
        """Name, sha256 and record of a simulation's specimen."""
        specimen = self._root.record.specimen
        return None if specimen is None else specimen.model_dump(mode="json")

    @property
    def imported(self) -> Json | None:
        """What was recorded of data measured elsewhere."""
        imported = self._root.record.imported
        return None if imported is None else imported.model_dump(mode="json")

    @property
    def history(self) -> list[Json]:
        """Times, versions, interruptions; not part of the data."""
        return [dict(entry) for entry in self._root.record.history]

    @property
    def ledger(self) -> Json | None:
        """Times and electrons of the beam; None for data measured elsewhere and stores of early releases."""
        ledger = self._root.record.ledger
        return None if ledger is None else ledger.model_dump(mode="json")

    @property
    def stopped(self) -> Json | None:
        """Passes and samples after which a rule ended the acquisition, and the reason; None where all were made."""
        stopped = self._root.record.stopped
        return None if stopped is None else stopped.model_dump(mode="json")

    @property
    def coil_tau_ns(self) -> float | None:
        """Time constant in ns of the scan coils that the actual positions follow, where it is known."""
        return self._root.record.coil_tau_ns

    @property
    def coil_waits(self) -> str | None:
        """Digest of the waits before dwells that the actual positions follow; None where the beam did not wait."""
        return self._root.record.coil_waits

    @property
    def warnings(self) -> list[str]:
        """Warnings to a user of the data, one sentence each; empty for a complete store of this schema."""
        record, said = self._root.record, list[str]()
        if record.state != "complete":
            said.append(
                f"{self.path} is not complete ({self.state}): {self.samples_committed} of "
                f"{counted(self.total_samples, 'sample')} committed; frames and visits were drawn from those"
            )
        if record.doubt is not None:
            said.append(
                f"samples of {self.path} from {record.doubt.proven} on are in doubt ({record.doubt.reason}); resume it "
                "to expose them again"
            )
        if self.schema == 1:
            said.append(
                f"{self.path} is of schema 1, which has no digests: a changed record, or chunks of another place or "
                "store, cannot be noticed"
            )
        return said

    @property
    def arrays(self) -> tuple[str, ...]:
        """Paths of the arrays that the store has."""
        return tuple(self._specs)

    # ------------------------------------------------------------------ samples

    def counts(self, start: int = 0, stop: int | None = None, *, channel: int = 0) -> NDArray[Any]:
        """Raw counts of a channel of samples start .. stop - 1 in scan order, (n,) uint16, uint32 or float32.

        Raises
        ------
        UsageError
            When the range is not among the committed samples, or there is no such channel.
        StoreError
            When the data are damaged.
        """
        self._check_channel(channel)
        rows = self._rows("samples/counts", start, stop)
        return rows if rows.ndim == 1 else rows[:, channel]

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
        """Pixels (row, column) of samples start .. stop - 1 as commanded, (n, 2) int32; raises as `counts`."""
        return self._rows("samples/position", start, stop)

    def actual(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32] | None:
        """Positions where the beam really was, (n, 2) float32 in pixels; None where not known; raises as `counts`."""
        return self._rows("samples/actual", start, stop) if "samples/actual" in self._specs else None

    def _rows(self, name: str, start: int, stop: int | None) -> NDArray[Any]:
        """Committed elements of a sample array."""
        stop = self.samples_committed if stop is None else stop
        if not 0 <= start <= stop <= self.samples_committed:
            raise UsageError(
                f"expected 0 <= start <= stop <= {self.samples_committed} (committed samples), got start {start} and "
                f"stop {stop}"
            )
        if start == stop:
            return np.empty((0, *self._specs[name].shape[1:]), self._specs[name].dtype)
        from stemscan.store.arrays import ArrayReader

        with self._steady():
            return ArrayReader(self.path, self._specs[name], self._checks()).rows(start, stop)

    def _check_channel(self, channel: int) -> None:
        """Refuse a channel that is not there."""
        if not 0 <= channel < len(self._root.record.channels):
            raise UsageError(f"expected a channel of 0 .. {len(self._root.record.channels) - 1}, got {channel}")

    def _checks(self) -> ChunkChecks | None:
        """Digests that chunks must have, as the record states them now; None where the schema has none."""
        record = self._root.record
        if record.digests is None:
            return None
        if self._checked is None or self._checked[0] is not record.digests:
            from stemscan.store.digests import ChunkChecks

            self._checked = record.digests, ChunkChecks(self.path, self._specs, record)
        return self._checked[1]

    @contextmanager
    def _steady(self) -> Iterator[None]:
        """Tell a store that was replaced while it was read from a damaged one."""
        try:
            yield
        except StoreError as problem:
            raise self._root.explained(problem) from problem

    # ------------------------------------------------------------------ pictures

    def frames(self, *, channel: int = 0) -> NDArray[Any]:
        """Counts of a channel of each pass summed on the grid, (T, H, W), of the counts' type; zero where not visited.

        Raises
        ------
        UsageError
            When there is no such channel.
        StoreError
            When the data are damaged.
        """
        self._check_channel(channel)
        return self._picture("frames", channel)

    def visits(self) -> NDArray[Any]:
        """How many samples hit each pixel in each pass, (T, H, W) uint8 or uint16; raises as `frames`."""
        return self._picture("visits")

    def _picture(self, name: str, channel: int = 0) -> NDArray[Any]:
        """Frames or visits, read when the store is complete, else drawn."""
        from stemscan.store.arrays import ArrayReader, SampleReader
        from stemscan.store.pictures import draw_stack

        if self.state == "complete":
            with self._steady():
                stack = ArrayReader(self.path, self._specs[name], self._checks()).all()
            return stack if stack.ndim == 3 else stack[:, channel]
        committed = self.samples_committed
        if self._drawn[:2] != (committed, channel):
            with self._steady():
                samples = SampleReader(self.path, self._specs, self._checks(), channel)
                frames, visits = draw_stack(
                    samples,
                    self.layout,
                    committed=committed,
                    piece=samples.chunk,
                    counts=self._specs["frames"].dtype,
                    visits=self._specs["visits"].dtype,
                )
            frames.flags.writeable = visits.flags.writeable = False
            self._drawn = committed, channel, {"frames": frames, "visits": visits}
        return self._drawn[2][name]

    @cached_property
    def truth(self) -> NDArray[np.float32] | None:
        """The specimen's signal, (H, W) float32; None for measurements."""
        from stemscan.store.arrays import ArrayReader

        if "truth" not in self._specs:
            return None
        with self._steady():
            return ArrayReader(self.path, self._specs["truth"], self._checks()).all()

    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits, of the data: plan, meaning of the counts, committed samples.

        Does not depend on the history, on how often the acquisition was interrupted, or on the truth.
        """
        from stemscan.store.arrays import ArrayReader

        record = self._root.record.to_json()
        meaning = "channels" if self.schema > 1 else "detector"
        named = {name: record[name] for name in ("schema", "plan_digest", "imported", meaning, "noise")}
        digest = hashlib.sha256(json.dumps([named, self.samples_committed], sort_keys=True).encode())
        names = ["samples/counts", "samples/position" if self.plan is None else "", "samples/actual"]
        step = self._specs["samples/counts"].chunks[0]
        for name in (name for name in names if name in self._specs and self.samples_committed):
            with self._steady():
                reader = ArrayReader(self.path, self._specs[name], self._checks())
                for start in range(0, self.samples_committed, step):
                    rows = reader.rows(start, min(start + step, self.samples_committed))
                    digest.update(rows.astype(rows.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()
