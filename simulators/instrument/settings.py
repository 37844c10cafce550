"""Instrument: the settings of all effects of a virtual microscope, in a YAML file of its own.

Those that come with the package are named; a file of the user's own is read from its path. `chain` turns settings
into what is done to the samples of a scan.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from stemscan.arguments import described
from stemscan.errors import UsageError
from stemscan.files.shipped import ShippedFiles
from stemscan.files.yaml_model import expectation, key_path, shortened
from stemscan.hardware.profile_parts import Part, pairs
from stemscan.plan.yaml_text import normalised
from stemscan.simulators.instrument.beam_damage import BeamDamage
from stemscan.simulators.instrument.coils import Coils, Flyback
from stemscan.simulators.instrument.collection import KINDS, Scattering
from stemscan.simulators.instrument.contamination import Contamination
from stemscan.simulators.instrument.current import CurrentNoise
from stemscan.simulators.instrument.detectors import Detector
from stemscan.simulators.instrument.effect import MotionEffect
from stemscan.simulators.instrument.jitter import Jitter
from stemscan.simulators.instrument.mains import Mains
from stemscan.simulators.instrument.optics import ProbeSettings
from stemscan.simulators.instrument.stage_drift import StageDrift
from stemscan.store.record_parts import InstrumentRecord

__all__ = ["IDEAL", "TEMPLATE", "Instrument", "instrument_names", "instrument_of", "instrument_text"]

TEMPLATE: Final = "template"
"""Name of the instrument whose every key is explained, to begin one's own with."""

_BYTES_OF_TRANSFORMS: Final = 60


class Instrument(Part):
    """Effects of a virtual microscope; each is off unless it is given.

    Parameters
    ----------
    version : int
        Of this format: 1.
    scattering : Scattering
        For the angles of detectors.
    detectors : tuple of Detector
        A channel each.

    Raises
    ------
    UsageError
        When a key or value is none of an instrument.
    """

    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=64)] = "mine"
    description: str = ""
    probe: ProbeSettings = ProbeSettings()
    current: CurrentNoise = CurrentNoise()
    coils: Coils = Coils()
    flyback: Flyback = Flyback()
    jitter: Jitter = Jitter()
    mains: Mains = Mains()
    stage_drift: StageDrift = StageDrift()
    damage: BeamDamage = BeamDamage()
    contamination: Contamination = Contamination()
    scattering: Scattering = Scattering()
    detectors: Annotated[tuple[Detector, ...], BeforeValidator(pairs), Field(min_length=1, max_length=16)] = (
        Detector(),
    )

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        names = [one.name for one in self.detectors]
        if len(set(map(str.lower, names))) < len(names):
            raise ValueError(f"detectors: expected a name of its own for each, got {', '.join(names)}; name them apart")
        return self

    def __init__(self, /, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as problem:
            error: Any = problem.errors(include_url=False)[0]
            raise UsageError(
                f"instrument: {key_path(tuple(error['loc'])) or 'settings'}: expected {expectation(error)}, got "
                f"{shortened(error['input'])}; correct it"
            ) from problem

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # files are validated with their lines

    @property
    def motions(self) -> tuple[MotionEffect, ...]:
        """Effects that move the beam over the specimen without anyone knowing, those that are on."""
        motions: tuple[MotionEffect, ...] = (self.flyback, self.jitter, self.mains, self.stage_drift)
        return tuple(one for one in motions if not one.is_off)

    @property
    def counts_signal(self) -> bool:
        """Tell whether its one detector counts every electron of the specimen's signal."""
        return len(self.detectors) == 1 and self.detectors[0].is_ideal

    def seen_by(self, names: Sequence[str]) -> Instrument:
        """The same with detectors of those names, each with the faults that its one detector has.

        Raises
        ------
        UsageError
            When a name is unknown or given twice, or it has several detectors, or one with angles of its own.
        """
        unknown = next((name for name in names if name not in KINDS), None)
        if unknown is not None:
            raise UsageError(f"expected a detector of {', '.join(KINDS)}, got {unknown!r}; correct it")
        if not names or len(set(names)) < len(names):
            raise UsageError(f"expected each detector once, got {', '.join(names) or 'none'}; correct the list")
        if len(self.detectors) > 1 or not self.detectors[0].collection.is_off:
            own = ", ".join(one.name for one in self.detectors)
            raise UsageError(
                f"expected detectors by name, or an instrument with its own, got {', '.join(names)} and {own}; "
                "leave one out"
            )
        fields = self.detectors[0].model_dump(exclude_unset=True)
        seen = [Detector(**{**fields, "name": name, "collection": {"kind": name}}) for name in names]
        return self.model_copy(update={"detectors": tuple(seen)})

    @property
    def tracks(self) -> tuple[str, ...]:
        """Arrays of a store that hold what it did to each sample."""
        left = {
            "truth_trajectory": bool(self.motions),
            "truth_current": not self.current.is_off,
            "truth_fading": not self.damage.is_off,
            "truth_contamination": not self.contamination.is_off,
        }
        return tuple(name for name, is_there in left.items() if is_there)

    @property
    def bytes_a_pixel(self) -> int:
        """Memory for a pixel of the grid: maps of the specimen's history, and transforms for the probe."""
        maps = [not self.damage.is_off, self.damage.threshold_e_per_A2 > 0, not self.contamination.is_off]
        return 8 * sum(maps) + (0 if self.probe.is_off else _BYTES_OF_TRANSFORMS)

    @property
    def is_ideal(self) -> bool:
        """Tell whether it changes nothing."""
        return not self.settings()

    def settings(self) -> dict[str, Any]:
        """Plain data of all effects that are not off, numbers normalised."""
        data = self.model_dump(mode="json", exclude_defaults=True, exclude={"version", "name", "description"})
        effects = {key for key in data if key not in ("detectors", "scattering")}
        on = {key for key in effects if not getattr(self, key).is_off}
        if not self.counts_signal:
            on.add("detectors")
        if any(not one.collection.is_off for one in self.detectors):
            on.add("scattering")
        plain: dict[str, Any] = normalised({key: value for key, value in data.items() if key in on})
        return plain

    def record(self) -> InstrumentRecord | None:
        """As stores hold it; None for an ideal one."""
        settings = self.settings()
        if not settings:
            return None
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        return InstrumentRecord(name=self.name, sha256=digest, settings=settings, tracks=list(self.tracks))  # type: ignore[arg-type]


IDEAL: Final = Instrument(name="ideal")
"""Still, and counts every electron."""


_INSTRUMENTS: Final = ShippedFiles(__package__, "presets", "virtual instrument")
instrument_names, instrument_text = _INSTRUMENTS.names, _INSTRUMENTS.text


def instrument_of(instrument: Instrument | str | Path) -> Instrument:
    """An instrument: itself, by the name of one that comes with the package, whatever files there are, or from a file.

    Raises
    ------
    InputNotFoundError
        When there is none of that name, and no such file.
    UsageError
        When it is none of these, or the file is no instrument; with the key, what was expected and the line.
    """
    if isinstance(instrument, Instrument):
        return instrument
    if not isinstance(instrument, str | Path):
        raise UsageError(
            f"expected an instrument, its name or its file, got {described(instrument)}; give one such as 'drifting'"
        )
    return _INSTRUMENTS.model(Instrument, instrument, error=UsageError)
