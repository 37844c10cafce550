"""A scan controller that delivers the samples of an acquisition store once more, for tests and trials."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.acquisition.armed_range import ArmedRange
from stemscan.acquisition.following import Offset, Prediction
from stemscan.acquisition.scan_controller import Capabilities
from stemscan.acquisition.stopping import AfterPasses
from stemscan.errors import ControllerError
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.record_parts import InstrumentRecord, SpecimenRecord

if TYPE_CHECKING:
    from stemscan.acquisition.following import DriftFollower
    from stemscan.acquisition.stopping import StopRule
    from stemscan.path.scan_path import ScanPath

__all__ = ["ReplayController"]

_PIECE: Final = 1 << 18


@dataclass(frozen=True)
class _AsRecorded:
    """Moves of the field that were made already."""

    record: Mapping[str, object]
    passes: Sequence[Mapping[str, Any]]

    def __call__(self, acquisition: Acquisition, passes: int) -> Prediction:
        """Offset that was asked for; the last one beyond the end, where there is no sample to be replayed."""
        move = self.passes[min(passes, len(self.passes) - 1)]
        row, column = move["wanted_px"]
        return Prediction((row, column), std=move["std_px"], held=move["held"])


class ReplayController:
    """Delivers what a store holds, sample for sample, with the actual positions where it has them.

    Of a store that ends early it delivers what was committed when it was opened, as far as that is beyond doubt, and
    fails at the next sample, as a microscope does that breaks down there. Where a rule ended the acquisition,
    `stop_rules` end the replay.

    Parameters
    ----------
    source : Acquisition, str or Path
        The store, or its folder; it is only read.

    Raises
    ------
    InputNotFoundError, StoreError
        When there is no store, or a damaged one.
    ControllerError
        When the store has no plan, as data measured elsewhere.
    """

    def __init__(self, source: Acquisition | str | Path) -> None:
        self._store = Acquisition.open(source) if isinstance(source, str | Path) else source
        if self._store.plan is None:
            raise ControllerError(
                f"expected a store with a plan to replay, got {str(self._store.path)!r}, which was imported; "
                "simulate or acquire one"
            )
        doubt = self._store.doubt
        self._committed = self._store.samples_committed if doubt is None else int(doubt["proven"])
        self._actual = self._store.has_actual
        self._piece: SampleBatch | None = None
        self._range = ArmedRange()

    @property
    def source(self) -> Path:
        """Folder of the store."""
        return self._store.path

    @property
    def provenance(self) -> Provenance:
        """Noise, seed, specimen, instrument, truth and coil lag of the source."""
        source = self._store
        return Provenance(
            noise=source.noise,
            seed=source.seed,
            specimen=None if source.specimen is None else SpecimenRecord(**source.specimen),
            instrument=None if source.instrument is None else InstrumentRecord(**source.instrument),
            truth=source.truth if len(source.channels) == 1 else source.truths,
            truth_columns=source.truth_columns,
            coil_tau_ns=source.coil_tau_ns,
            coil_waits=source.coil_waits,
        )

    @property
    def stop_rules(self) -> tuple[StopRule, ...]:
        """Rules for `acquire` that end the replay where a rule ended the source, for the same reason."""
        stopped = self._store.stopped
        return () if stopped is None else (AfterPasses(stopped["passes"], stopped["reason"]),)

    @property
    def follower(self) -> DriftFollower | None:
        """Moves of the field as the source has them; None where it stayed."""
        known = self._store.follow
        return None if known is None else _AsRecorded(known["rule"], known["passes"])

    def move_field(self, path: ScanPath, number: int, offset: Offset) -> Offset:
        """Offset of a pass in the source, whatever is asked for."""
        del path, offset
        row, column = self._store.field_offsets[number]
        return float(row), float(column)

    @property
    def capabilities(self) -> Capabilities:
        """Any range of the store's plan."""
        return Capabilities(
            name=f"the replay of {self._store.path}",
            max_batch=_PIECE,
            actual_positions=self._actual,
            resumable=True,
            moves_field=self._store.follow is not None,
        )

    @property
    def detector(self) -> DetectorInfo:
        """That of the store."""
        return self._store.detector

    @property
    def channels(self) -> tuple[DetectorInfo, ...]:
        """Those of the store."""
        return self._store.channels

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready for samples start .. stop - 1; what was armed before is dropped.

        Raises
        ------
        ControllerError
            If the path is of another plan than the store's, or the range is not inside it.
        """
        digest, wanted = str(self._store.plan_digest), path.plan.digest()
        if digest != wanted:
            raise ControllerError(
                f"expected a path of plan {digest[:12]}, of which {str(self._store.path)!r} is, got one of "
                f"{wanted[:12]}; replay a store of that plan"
            )
        self._range.arm(path, start, stop)

    def start(self) -> None:
        """Begin to deliver the armed range."""
        self._range.start()

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next 1 .. max_samples samples; None when the armed range was delivered.

        Raises
        ------
        ControllerError
            When the store ends before the armed range does.
        """
        return self._range.read(max_samples, self._batch)

    @property
    def reached(self) -> int:
        """The first sample of the range armed last that was not delivered since."""
        return self._range.reached

    def abort(self) -> None:
        """Drop the armed range."""
        self._range.drop()

    def close(self) -> None:
        """Nothing to release; it can be armed again."""
        self.abort()

    def _batch(self, path: ScanPath, start: int, stop: int) -> SampleBatch:
        """Samples from `start` to at most `stop`, from one piece of the store, which stays in memory."""
        if start >= self._committed:
            raise ControllerError(
                f"expected samples up to {stop} in {str(self._store.path)!r}, got {self._committed} committed "
                "beyond doubt; acquire the rest there first"
            )
        first = start // _PIECE * _PIECE
        if self._piece is None or self._piece.start != first:
            last, store = min(first + _PIECE, self._committed), self._store
            truths = {name: store.track(name, first, last) for name in store.tracks} or None
            counts = [store.counts(first, last, channel=number) for number in range(len(store.channels))]
            together = np.stack(counts, axis=1) if len(counts) > 1 else counts[0]
            self._piece = SampleBatch(first, together, store.actual(first, last), truths)
        return copy.deepcopy(self._piece[start - first : stop - first])
