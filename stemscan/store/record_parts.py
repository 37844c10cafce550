"""Parts of the record of a store, as its JSON has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from stemscan.store.batch import DetectorInfo
from stemscan.store.files import Json

if TYPE_CHECKING:
    from stemscan.store.ledger import BeamTime, BeamTimes

__all__ = [
    "ArrayRecord",
    "BeamTimeRecord",
    "ChannelRecord",
    "Count",
    "DigestsRecord",
    "DoubtRecord",
    "FollowRecord",
    "ImportedRecord",
    "InstrumentRecord",
    "LedgerRecord",
    "PassMoveRecord",
    "RecordPart",
    "SpecimenRecord",
    "State",
    "StoppedRecord",
    "TrueColumnsRecord",
]

State = Literal["acquiring", "complete", "aborted"]
Count = Annotated[int, Field(ge=0)]


class RecordPart(BaseModel):
    """Part of the record: strict; fields of later releases stay, without being understood."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False, populate_by_name=True)


class ImportedRecord(RecordPart):
    """Stand-in for a plan, of data measured elsewhere."""

    shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    samples_per_pass: list[Count]
    electrons_per_sample: Annotated[float, Field(gt=0)]
    pixel_size_nm: Annotated[float, Field(gt=0)] | None
    record: Json


class SpecimenRecord(RecordPart):
    """Ground truth of a simulation: its name, the digest of its signal, and what was done to it."""

    name: str
    sha256: str
    record: Json

    @property
    def pixel_size_nm(self) -> float | None:
        """The specimen's pixel size where it was taken, because the plan has none; not the plan's business."""
        size = self.record.get("pixel_size_taken_nm")
        return float(size) if isinstance(size, int | float) and 0 < size < math.inf else None


class InstrumentRecord(RecordPart):
    """Simulated instrument: its name, the digest of its settings, these, and what is known of each sample.

    `tracks` are names in `stemscan.store.schema.TRACKS`.
    """

    name: str
    sha256: str
    settings: Json
    tracks: list[Literal["truth_trajectory", "truth_current", "truth_fading", "truth_contamination"]]


class ChannelRecord(RecordPart):
    """A channel of the counts: `DetectorInfo` as stored."""

    name: str = "detector"
    unit: Literal["electron", "adu"]
    gain: float
    offset: float
    dtype: Literal["uint16", "uint32", "float32"]
    largest: Annotated[int, Field(ge=1)] | None = None
    dead_share: Annotated[float, Field(ge=0)] = 0.0

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> Json:
        """Plain data; without largest number and dead time where there are none, as in early releases."""
        data: Json = handler(self)
        if self.largest is None:
            del data["largest"]
        if not self.dead_share:
            del data["dead_share"]
        return data

    def info(self) -> DetectorInfo:
        """The public form."""
        return DetectorInfo(self.unit, self.gain, self.offset, self.dtype, self.name, self.largest, self.dead_share)


class ArrayRecord(RecordPart):
    """Type and chunks of an array."""

    dtype: str
    chunks: list[Annotated[int, Field(ge=1)]]


class DigestsRecord(RecordPart):
    """Binding of the array `digests` to the record; see `stemscan.store.digests`."""

    samples: str
    tail: dict[str, str] = {}
    pictures: str | None = None
    truth: str | None = None


class DoubtRecord(RecordPart):
    """From which committed sample on the counts may belong to other positions, and why."""

    proven: Count
    reason: str


class BeamTimeRecord(RecordPart):
    """Time of one kind, of it with the beam on, and the incident electrons of that."""

    time_ns: Count = 0
    exposed_ns: Count = 0
    electrons: Annotated[float, Field(ge=0)] = 0.0

    def plus(self, time: BeamTime, rate: float) -> BeamTimeRecord:
        """With more time, at `rate` electrons per exposed nanosecond."""
        exposed = self.exposed_ns + time.exposed_ns
        return BeamTimeRecord(time_ns=self.time_ns + time.time_ns, exposed_ns=exposed, electrons=exposed * rate)


class LedgerRecord(RecordPart):
    """Ledger of the beam for the committed samples, and how many may have been exposed more than once."""

    dwell: BeamTimeRecord = BeamTimeRecord()
    settle: BeamTimeRecord = BeamTimeRecord()
    transit: BeamTimeRecord = BeamTimeRecord()
    park: BeamTimeRecord = BeamTimeRecord()
    samples_exposed_again_at_most: Count = 0
    times_exposed_again: Count = 0
    samples_taken_back: Count = 0
    field_moves: Count = 0

    def counting(self, **numbers: int) -> LedgerRecord:
        """With more in some of its numbers of samples or times."""
        return self.model_copy(update={name: getattr(self, name) + more for name, more in numbers.items()})

    def plus(self, times: BeamTimes, rate: float) -> LedgerRecord:
        """With what the beam did besides, at `rate` incident electrons per exposed nanosecond."""
        return self.model_copy(
            update={
                name: getattr(self, name).plus(getattr(times, name), rate)
                for name in ("dwell", "settle", "transit", "park")
            }
        )


class TrueColumnsRecord(RecordPart):
    """Columns that the specimen knows: how many, their fields in order, and the names of their kinds."""

    count: Annotated[int, Field(ge=1)]
    fields: Annotated[list[str], Field(min_length=1)]
    classes: list[str]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the array `truth_columns`."""
        return self.count, len(self.fields)


class PassMoveRecord(RecordPart):
    """Move of the field before a pass: (row, column) in pixels from where the plan has it."""

    offset_px: tuple[float, float]
    wanted_px: tuple[float, float]
    std_px: Annotated[float, Field(ge=0)] | None = None
    held: str = ""

    @property
    def short_px(self) -> float:
        """Distance between the offset that was wanted and the one that there is."""
        return math.dist(self.offset_px, self.wanted_px)


class FollowRecord(RecordPart):
    """Drift that was followed: by what rule, and the offset of each pass that was begun."""

    rule: Json
    passes: list[PassMoveRecord] = []


class StoppedRecord(RecordPart):
    """Reason why an acquisition is complete before the plan's last pass."""

    passes: Annotated[int, Field(ge=1)]
    samples: Annotated[int, Field(ge=1)]
    reason: str
