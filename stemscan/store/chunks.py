"""The chunks of a store that is being written: samples, their digests, and pictures of passes that became whole.

Each part is made when it is first needed. What the record must say of the chunks is handed back to the writer, which
records it after them.
"""

from __future__ import annotations

from stemscan.path.scan_path import ScanPath
from stemscan.runtime.failpoints import failpoint
from stemscan.store.digest_table import DigestWriter
from stemscan.store.levels import draw_levels
from stemscan.store.opening import OpenStore
from stemscan.store.pictures import PictureWriter
from stemscan.store.record_parts import DigestsRecord
from stemscan.store.sample_writer import SampleWriter

__all__ = ["StoreChunks"]

Bound = dict[str, DigestsRecord]
"""Change of the record that binds digests; empty where the schema has none."""


class StoreChunks:
    """Chunks of a store, written.

    Parameters
    ----------
    path : ScanPath
        Of its plan.
    """

    def __init__(self, store: OpenStore, path: ScanPath) -> None:
        self._store, self._path = store, path
        self._samples: SampleWriter | None = None
        self._digests: DigestWriter | None = None
        self._pictures = PictureWriter(store.folder, store.specs, store.layout)

    @property
    def appended(self) -> int:
        """Samples received so far, committed or not."""
        return self._store.record.samples_committed if self._samples is None else self._samples.appended

    def samples(self) -> SampleWriter:
        """The writer of samples, which goes on after those that are committed."""
        if self._samples is None:
            self._samples = self._samples_after(self._store.record.samples_committed)
        return self._samples

    def flush(self) -> Bound:
        """Bring all samples that were appended, and their digests, to the disk."""
        samples = self.samples()
        samples.flush()
        failpoint("commit:synced")
        if (digests := self._digest_writer()) is not None:
            digests.flush()
            failpoint("commit:digests")
        return self._bound(samples.appended, samples.tail())

    def rewound(self, committed: int) -> Bound:
        """Drop what was appended, and find what the record has to say when fewer samples are committed."""
        self._samples = None
        return self._bound(committed, self._samples_after(committed).tail())

    def forget(self, committed: int) -> None:
        """Draw and digest anew what follows from samples beyond those committed."""
        self._pictures.rewind(committed)
        if self._digests is not None:
            self._digests.forget(committed)

    def draw(self) -> None:
        """Draw the passes that became whole."""
        if self._pictures.is_due(self._store.record.samples_committed):
            self._pictures.draw(self._store.record.samples_committed, self._digest_writer(), self._store.checks())

    def complete(self) -> Bound:
        """Draw passes that were not made as passes without a visit, and levels, and bind all pictures."""
        digests, bound = self._digest_writer(), self._store.record.digests
        self._pictures.draw_empty(digests)
        draw_levels(self._store.folder, self._store.specs, digests)
        if digests is None or bound is None:
            return {}
        return {"digests": bound.model_copy(update={"pictures": digests.pictures()})}

    def _samples_after(self, committed: int) -> SampleWriter:
        """A writer of samples that goes on after committed ones."""
        store = self._store
        digests, checks = self._digest_writer(), store.checks()
        return SampleWriter(store.folder, store.specs, self._path.positions, committed, digests, checks)

    def _digest_writer(self) -> DigestWriter | None:
        """The writer of digests; None where the schema has none."""
        if self._digests is None and self._store.record.digests is not None:
            self._digests = DigestWriter.resume(self._store.folder, self._store.specs, self._store.record)
        return self._digests

    def _bound(self, committed: int, tail: dict[str, str]) -> Bound:
        """The change of the record that binds the digests of so many samples."""
        digests, before = self._digest_writer(), self._store.record.digests
        if digests is None or before is None:
            return {}
        return {"digests": DigestsRecord(samples=digests.samples(committed), tail=tail, truth=before.truth)}
