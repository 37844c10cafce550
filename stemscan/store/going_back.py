"""Going back in a store that is written: samples that are not to be trusted are doubted, or taken back."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from stemscan.errors import UsageError
from stemscan.runtime.failpoints import failpoint
from stemscan.store.held_store import HeldStore, ledger_of
from stemscan.store.record import event
from stemscan.store.record_parts import DoubtRecord, FollowRecord

if TYPE_CHECKING:
    from stemscan.store.record import StoreRecord

__all__ = ["RewindableStore"]


class RewindableStore(HeldStore):
    """A store that is written, and in which its writer can go back; made as `HeldStore`."""

    def rewind(self, samples: int, reason: str) -> None:
        """Take back committed samples, to be exposed again: what follows begins after the first `samples`.

        What was appended and not committed is dropped. The record says so: an entry `rewound` in the history, the
        number of samples taken back in the ledger. Its times stay, for those electrons met the specimen.

        Parameters
        ----------
        samples : int
            Committed samples to keep, 0 to `samples_committed`.
        reason : str
            Why the others are not to be trusted; one line.

        Raises
        ------
        UsageError
            When fewer are committed.
        StoreError, DiskSpaceError
            When the store cannot be written, or what is kept is damaged; nothing is taken back then.
        """
        chunks, committed = self._open_chunks(), self.samples_committed
        if not 0 <= samples <= committed:
            raise UsageError(f"expected to go back to 0 .. {committed} committed samples, got {samples}")
        failpoint("rewind:begin")
        self._armed = samples
        bound = chunks.rewound(samples)
        entry = event("rewound", samples_committed=committed, samples_kept=samples, reason=reason)
        back = committed - samples
        self._store.root.update(
            lambda record: {
                "samples_committed": samples,
                "doubt": None if record.doubt is None or record.doubt.proven >= samples else record.doubt,
                "ledger": ledger_of(record).counting(samples_taken_back=back) if back else record.ledger,
                "follow": self._moves_kept(record, samples),
                "history": [*record.history, entry],
                **bound,
            }
        )
        chunks.forget(samples)
        failpoint("rewind:recorded")

    def _moves_kept(self, record: StoreRecord, samples: int) -> FollowRecord | None:
        """Offsets of passes that were begun when so many samples were there; later ones follow from others."""
        if record.follow is None:
            return None
        begun = bisect_right(self.layout.pass_starts[:-1], samples)
        return record.follow.model_copy(update={"passes": record.follow.passes[:begun]})

    def mark_doubt(self, proven: int, reason: str) -> None:
        """Record, durably, that committed samples from `proven` on may belong to other positions than theirs.

        Until a resumption goes back to `proven`, readers say so, and the store cannot be completed. Of two doubts the
        one that begins earlier counts.

        Parameters
        ----------
        proven : int
            Samples that are beyond doubt, 0 to `samples_committed`.
        reason : str
            One line.

        Raises
        ------
        UsageError
            When fewer are committed.
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        self._open_chunks()
        committed = self.samples_committed
        if not 0 <= proven <= committed:
            raise UsageError(f"expected the number of samples beyond doubt to be 0 .. {committed}, got {proven}")
        entry = event("doubted", samples_committed=committed, samples_proven=proven, reason=reason)
        doubt = DoubtRecord(proven=proven, reason=reason)
        self._store.root.update(
            lambda record: {
                "doubt": doubt if record.doubt is None or record.doubt.proven > proven else record.doubt,
                "history": [*record.history, entry],
            }
        )
        failpoint("doubt:recorded")
