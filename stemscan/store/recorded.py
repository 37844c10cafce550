"""The record of an open store as its readers see it: the part of an acquisition that needs no array."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stemscan.arguments import described
from stemscan.display import Rows, as_html, as_text
from stemscan.errors import UsageError
from stemscan.store.opening import OpenStore
from stemscan.store.root import RootFile
from stemscan.units import counted, format_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stemscan.store.files import Json
    from stemscan.store.record_parts import RecordPart

__all__ = ["RecordedAcquisition"]


class RecordedAcquisition:
    """The record of an acquisition; its attributes are listed at `stemscan.store.reader.Acquisition`."""

    def __init__(self, root: RootFile) -> None:
        if not isinstance(root, RootFile):
            raise UsageError(
                f"expected a store that Acquisition.open or stemscan.load opens, got {described(root)}; use one"
            )
        self._store = store = OpenStore(root)
        record, layout = root.record, store.layout
        self.path, self.plan, self.plan_digest = root.folder, store.plan, record.plan_digest
        self.layout, self.shape, self.passes = layout, layout.shape, layout.passes
        self.electrons_per_sample, self.pixel_size_nm = layout.electrons_per_sample, layout.pixel_size_nm
        self.total_samples = layout.total_samples
        self.samples_committed, self.samples_armed = record.samples_committed, record.samples_armed
        self.state, self.origin, self.schema = record.state, record.origin, record.schema_version
        self.noise, self.seed, self.detector = record.noise, record.seed, record.detectors[0]
        self.channels = record.detectors
        self.coil_tau_ns, self.coil_waits = record.coil_tau_ns, record.coil_waits
        self.specimen, self.imported = _plain(record.specimen), _plain(record.imported)
        self.known_columns = _plain(record.truth_columns)
        self.instrument, self.tracks = _plain(record.instrument), record.tracks
        self.doubt, self.ledger, self.stopped = _plain(record.doubt), _plain(record.ledger), _plain(record.stopped)
        self.follow = _plain(record.follow)
        self.history = [dict(entry) for entry in record.history]
        self.arrays, self.has_actual = tuple(store.specs), "samples/actual" in store.specs

    def __repr__(self) -> str:
        return as_text(self._title(), self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._rows())

    def _title(self) -> str:
        return f"Acquisition {str(self.path)!r}, {self.state}"

    def _rows(self) -> Rows:
        """Samples, grid, dose and specimen, for people."""
        specimen = "none recorded" if self.specimen is None else str(self.specimen["name"])
        return [
            ("samples", f"{format_count(self.samples_committed)} of {format_count(self.total_samples)}"),
            ("grid", f"{self.shape[0]} x {self.shape[1]} pixels, {counted(self.passes, 'pass')}"),
            ("pixel size", "unknown" if self.pixel_size_nm is None else f"{self.pixel_size_nm:g} nm"),
            ("dose per sample", f"{self.electrons_per_sample:g} e- detected at signal 1"),
            ("specimen", specimen),
        ]

    @property
    def bound_to(self) -> str:
        """SHA-256 of what the record says of its committed samples, by which a trajectory belongs to them."""
        from stemscan.store.drift import bound_to

        return bound_to(self._store.record)

    @property
    def warnings(self) -> list[str]:
        """Warnings to a user of the data, one sentence each; empty for a complete store of this schema."""
        warnings = list[str]()
        if self.state != "complete":
            warnings.append(
                f"{self.path} is not complete ({self.state}): {format_count(self.samples_committed)} of "
                f"{counted(self.total_samples, 'sample')} committed; frames and visits were drawn from those"
            )
        if self.doubt is not None:
            warnings.append(
                f"samples of {self.path} from {self.doubt['proven']} on are in doubt ({self.doubt['reason']}); resume "
                "it to expose them again"
            )
        if self.schema == 1:
            warnings.append(
                f"{self.path} is of schema 1, which has no digests: a changed record, or chunks of another place or "
                "store, cannot be noticed"
            )
        return warnings

    @cached_property
    def field_offsets(self) -> NDArray[np.float64]:
        """Offset of the field in each pass, (T, 2) float64: (row, column) in pixels from where the plan has it.

        Positions, `frames` and `visits` are on the grid as it was moved. All are 0 where no drift was followed; those
        of passes to come are that of the last one begun.
        """
        offsets = np.zeros((self.passes, 2))
        begun = [] if self.follow is None else self.follow["passes"]
        if begun:
            known = np.array([one["offset_px"] for one in begun])
            offsets[: len(known)], offsets[len(known) :] = known, known[-1]
        return offsets

    def channel_number(self, channel: int | str) -> int:
        """Number of a channel by its number or name.

        Raises
        ------
        UsageError
            When there is none such; the message names those there are.
        """
        names = [one.name.lower() for one in self.channels]
        text = str(channel).lower()
        if text in names:
            return names.index(text)
        if text.isdecimal() and int(text) < len(names):
            return int(text)
        known = ", ".join(f"{number} {one.name}" for number, one in enumerate(self.channels))
        raise UsageError(f"expected a channel of {str(self.path)!r} ({known}), got {str(channel)!r}; give one of these")


def _plain(part: RecordPart | None) -> Json | None:
    """Plain data of a part of the record."""
    return None if part is None else part.model_dump(mode="json")
