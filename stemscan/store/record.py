"""The record of a store: the `stemscan` attribute of its root, and what must agree between it and a resumption."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import Field, ValidationError

from stemscan import __version__
from stemscan.errors import StoreError, StoreMismatchError, UsageError
from stemscan.plan.yaml_text import normalised
from stemscan.store.batch import DetectorInfo, check_channels
from stemscan.store.files import Json
from stemscan.store.record_parts import (
    ArrayRecord,
    ChannelRecord,
    Count,
    DigestsRecord,
    DoubtRecord,
    FollowRecord,
    ImportedRecord,
    InstrumentRecord,
    LedgerRecord,
    RecordPart,
    SpecimenRecord,
    State,
    StoppedRecord,
    TrueColumnsRecord,
)
from stemscan.store.true_columns import FIELDS
from stemscan.types import NOISES, Noise

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.provenance import Provenance

__all__ = [
    "SCHEMA",
    "StoreRecord",
    "check_same",
    "event",
    "new_record",
    "plain_json",
    "record_digest",
]

SCHEMA: Final = 2
"""Written by this release; schema 1, without channels and digests, is read and gone on with."""


class StoreRecord(RecordPart):
    """The `stemscan` attribute of the root."""

    schema_version: Literal[1, 2] = Field(default=SCHEMA, alias="schema")
    origin: Literal["acquired", "imported"]
    state: State
    plan: Json | None
    plan_digest: str | None
    imported: ImportedRecord | None
    channels: Annotated[list[ChannelRecord], Field(min_length=1)]
    noise: Noise
    seed: int | None
    specimen: SpecimenRecord | None
    instrument: InstrumentRecord | None = None
    actual_positions: bool
    truth: bool
    truth_columns: TrueColumnsRecord | None = None
    coil_tau_ns: Annotated[float, Field(gt=0)] | None = None
    coil_waits: str | None = None
    arrays: dict[str, ArrayRecord] = Field(default_factory=dict)
    digests: DigestsRecord | None = None
    samples_armed: Count
    samples_committed: Count
    doubt: DoubtRecord | None = None
    follow: FollowRecord | None = None
    ledger: LedgerRecord | None = None
    stopped: StoppedRecord | None = None
    history: list[Json]

    @property
    def detectors(self) -> tuple[DetectorInfo, ...]:
        """Meaning of the counts of each channel."""
        return tuple(channel.info() for channel in self.channels)

    @property
    def tracks(self) -> tuple[str, ...]:
        """Truths that have a value for each sample, by array."""
        return () if self.instrument is None else tuple(self.instrument.tracks)

    def to_json(self) -> Json:
        """Plain data for the file, with its digest; without what early releases did not know, where there is none."""
        data: Json = self.model_dump(mode="json", by_alias=True)
        for name in ("truth_columns", "instrument", "coil_tau_ns", "coil_waits", "doubt", "follow"):
            if data[name] is None:
                del data[name]
        for name in ("samples_taken_back", "times_exposed_again", "field_moves"):
            if data["ledger"] is not None and not data["ledger"][name]:
                del data["ledger"][name]
        if self.schema_version == 1:
            data["detector"] = data.pop("channels")[0]
            del data["detector"]["name"], data["arrays"], data["digests"]
            return data
        return data | {"digest": record_digest(data)}

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        """Read the attribute; `where` names the file in errors.

        Raises
        ------
        StoreError
            When the schema is another one, a field is missing or of the wrong kind, or the digest is another one.
        """
        schema = data.get("schema") if isinstance(data, dict) else None
        if not isinstance(data, dict) or type(schema) is not int or schema not in (1, SCHEMA):
            raise StoreError(
                f"expected a stemscan store of schema 1 or {SCHEMA} in {where!r}, got schema {schema!r}; use the "
                "release of stemscan that wrote it"
            )
        data = dict(data)
        if schema == 1:
            data["channels"] = [data.pop("detector", None)]
        elif data.pop("digest", None) != record_digest(data):
            raise StoreError(
                f"expected in {where!r} the record that was written, got one that does not have its digest: it was "
                "changed; restore it from a copy"
            )
        try:
            record = cls.model_validate_json(json.dumps(data))
            check_channels(record.detectors)
            return record
        except UsageError as problem:
            raise StoreError(f"expected a sound record in {where!r}, got a damaged one: {problem}") from problem
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            name, reason = ".".join(str(part) for part in first["loc"]), first["msg"].lower()
            raise StoreError(
                f"expected a sound record in {where!r}, got {name!r} damaged ({reason}); restore it from a copy"
            ) from problem


def record_digest(data: Json) -> str:
    """SHA-256, 64 hexadecimal digits, of the canonical JSON of a record without its `digest`, numbers normalised."""
    rest = normalised({name: value for name, value in data.items() if name != "digest"})
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def plain_json(data: Mapping[str, object], name: str) -> Json:
    """A copy of a mapping as JSON would give it back.

    Raises
    ------
    UsageError
        When it holds what JSON cannot.
    """
    try:
        copy: Json = json.loads(json.dumps(dict(data), allow_nan=False))
    except (TypeError, ValueError) as problem:
        raise UsageError(
            f"expected {name} of plain data for JSON, got: {problem}; use str, int, float, list, dict"
        ) from (problem)
    return copy


def new_record(
    provenance: Provenance, *, plan: ScanPlan | None = None, imported: ImportedRecord | None = None
) -> StoreRecord:
    """The record of a store before its first sample: of a plan, or of data measured elsewhere.

    Raises
    ------
    UsageError
        When the noise model is unknown, channels cannot be told apart, or the specimen's record is no plain data.
    """
    specimen = provenance.specimen
    check_channels(provenance.channels)
    if provenance.noise not in NOISES:
        raise UsageError(f"expected noise {' or '.join(map(repr, NOISES))}, got {provenance.noise!r}")
    if specimen is not None:
        specimen = specimen.model_copy(update={"record": plain_json(specimen.record, "a specimen record")})
    return StoreRecord(
        origin="acquired" if imported is None else "imported",
        state="acquiring",
        plan=None if plan is None else plan.to_dict(),
        plan_digest=None if plan is None else plan.digest(),
        imported=imported,
        channels=[
            ChannelRecord(
                name=channel.name,
                unit=channel.unit,
                gain=float(channel.gain),
                offset=float(channel.offset),
                dtype=channel.dtype,
                largest=channel.largest,
                dead_share=channel.dead_share,
            )
            for channel in provenance.channels
        ],
        noise=provenance.noise,
        seed=None if provenance.seed is None else int(provenance.seed),
        specimen=specimen,
        instrument=provenance.instrument,
        actual_positions=provenance.actual_positions,
        truth=provenance.truth is not None,
        truth_columns=_columns(provenance),
        coil_tau_ns=None if provenance.coil_tau_ns is None else float(provenance.coil_tau_ns),
        coil_waits=provenance.coil_waits,
        follow=None if provenance.follow is None else FollowRecord(rule=plain_json(provenance.follow, "a follower")),
        samples_armed=0,
        samples_committed=0,
        ledger=LedgerRecord() if imported is None else None,
        history=[],
    )


def _columns(provenance: Provenance) -> TrueColumnsRecord | None:
    """Record of the specimen's columns; None where it knows none."""
    known = provenance.truth_columns
    if known is None or provenance.truth is None or not len(known):
        return None
    return TrueColumnsRecord(count=len(known), fields=list(FIELDS), classes=list(known.classes))


def event(name: str, session: Mapping[str, object] | None = None, **more: int | str) -> Json:
    """An entry of the history: what happened, when, by which versions."""
    extra = {} if session is None else {"session": plain_json(session, "a session")}
    versions = {package: version(package) for package in ("numpy", "zarr")}
    versions |= {"stemscan": __version__, "python": platform.python_version()}
    return {"event": name, "time": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions} | more | extra


def check_same(begun: StoreRecord, now: StoreRecord, path: Path) -> None:
    """Refuse to go on with a store that was begun with something else.

    Raises
    ------
    StoreMismatchError
        Naming what differs.
    """
    pairs: dict[str, tuple[object, object]] = {
        "plan": (_short(begun.plan_digest), _short(now.plan_digest)),
        "noise": (begun.noise, now.noise),
        "seed": (begun.seed, now.seed),
        "specimen": (_specimen(begun), _specimen(now)),
        "instrument": (_instrument(begun), _instrument(now)),
        "detector": (_detectors(begun.detectors), _detectors(now.detectors)),
        "coil lag in ns": (begun.coil_tau_ns or "none", now.coil_tau_ns or "none"),
        "waits of the beam before its dwells": (_short(begun.coil_waits), _short(now.coil_waits)),
        "following of drift": (_follows(begun), _follows(now)),
        "actual positions": (begun.actual_positions, now.actual_positions),
        "truth": (begun.truth, now.truth),
    }
    for name, (old, new) in pairs.items():
        if old != new:
            raise StoreMismatchError(
                f"expected the {name} with which {str(path)!r} was begun ({old}), got another ({new}); give the same, "
                "or choose another store"
            )


def _detectors(channels: tuple[DetectorInfo, ...]) -> str:
    """Detectors in words, other words for any others; the name of one alone does not matter."""
    words = list[str]()
    for one in channels:
        meaning = "electrons" if one.unit == "electron" else f"gain {one.gain!r}, offset {one.offset!r}"
        most = "" if one.largest is None else f" up to {one.largest}"
        blind = f", dead for {one.dead_share!r} of a dwell" if one.dead_share else ""
        words.append(f"{f'{one.name}: ' if len(channels) > 1 else ''}{meaning}, {one.dtype}{most}{blind}")
    return "; ".join(words)


def _specimen(record: StoreRecord) -> str:
    """The specimen's identity: its signal, not its name."""
    return "none" if record.specimen is None else _short(record.specimen.sha256)


def _instrument(record: StoreRecord) -> str:
    """The instrument's identity: its settings, not its name."""
    return "none" if record.instrument is None else _short(record.instrument.sha256)


def _follows(record: StoreRecord) -> str:
    """The rule by which drift is followed, in words."""
    if record.follow is None:
        return "none"
    words = (f"{name.replace('_', ' ')} {value}" for name, value in record.follow.rule.items() if value is not None)
    return ", ".join(words)


def _short(digest: str | None) -> str:
    """Enough of a digest for people."""
    return "none" if digest is None else digest[:12]
