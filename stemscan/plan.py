"""ScanPlan: what is visited, how often, in what order, and with what dose; an immutable, validated value.

A plan knows nothing of points: `stemscan.path.ScanPath` expands it. Its file form is YAML (contract 1); its digest is
the SHA-256 of canonical JSON with defaults left out and numbers normalised, so that new fields with defaults never
change the digest of an old plan.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from stemscan.dose import DoseSettings, Limits, area_dose
from stemscan.errors import DoseLimitError, InputNotFoundError, PlanError
from stemscan.files import write_text
from stemscan.files_by_content import load_points
from stemscan.orders.model import Order, OrderKind
from stemscan.patterns import FAMILIES, AreaPattern, Pattern, PointList
from stemscan.plan_errors import describe
from stemscan.region import ImageRegion, Region
from stemscan.strict_yaml import MAX_BYTES, YamlProblem, parse

__all__ = ["Order", "OrderKind", "ScanPlan"]

Side = Annotated[int, Field(ge=1, le=65536)]
_MOST_SAMPLES = 2**32
_SMALLEST_DOSE, _LARGEST_DOSE = 1e-100, 1e100
REQUIRED_IN_FILES = ("version", "pattern", "shape", "passes", "dwell_ns", "dose", "seed")


def _as_pair(value: object) -> object:
    """Let a list of two, as YAML and JSON give it, stand for the pair."""
    return tuple(value) if isinstance(value, list) else value


class ScanPlan(BaseModel):
    """A declarative description of a sparse multi-pass scan.

    Parameters
    ----------
    version : int
        Version of the plan format: 1.
    pattern : Pattern
        Which pixels one pass visits.
    shape : tuple of int
        Rows and columns of the scan grid, 1 to 65536 each.
    passes : int
        Traversals T of the field of view, 1 to 256.
    repeat : str
        `independent`: each pass draws anew and passes may meet; `exclusive`: a pixel is visited again only after
        all others of its block (of the grid, for patterns without blocks); not for patterns that draw each pass
        alone.
    region : Region, optional
        Part of the grid to which the scan keeps.
    order : Order, optional
        Order of visits; the pattern's own unless given.
    dwell_ns : int
        Dwell time of a sample in nanoseconds.
    dose : DoseSettings
        Dose of a sample.
    pixel_size_nm : float, optional
        Distance of neighbouring pixels in nanometres; unknown when left out.
    seed : int
        Drives the path, 0 to 2**64 - 1.
    limits : Limits
        Bounds beyond which the plan refuses itself.

    Raises
    ------
    pydantic.ValidationError
        From the constructor; `from_dict`, `from_yaml` and `load` turn it into `PlanError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    version: Literal[1] = 1
    pattern: Pattern
    shape: Annotated[tuple[Side, Side], BeforeValidator(_as_pair)]
    passes: Annotated[int, Field(ge=1, le=256)]
    region: Region | None = None
    repeat: Literal["independent", "exclusive"] = "independent"
    order: Order
    dwell_ns: Annotated[int, Field(ge=1, le=10**12)]
    dose: DoseSettings
    pixel_size_nm: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _pattern_order(cls, data: Any) -> Any:
        """Fill in the pattern's own order, so that leaving it out and naming it are the same plan."""
        if isinstance(data, dict) and data.get("order") is None:
            pattern = data.get("pattern")
            kind = pattern.get("kind") if isinstance(pattern, dict) else getattr(pattern, "kind", None)
            order = _ORDER_OF_PATTERN.get(kind) if isinstance(kind, str) else None
            return {**data, "order": Order.model_validate({"kind": order or "raster"})}
        return data

    @model_validator(mode="after")
    def _pattern_can(self) -> Self:
        """Refuse an order, a repetition or a region that the pattern does not have."""
        kind = self.pattern.kind
        if self.order.kind == "own" and self.pattern.default_order != "own":
            raise ValueError(
                f"order.kind: expected the order own with patterns that are a way, got it with {kind}; choose another"
            )
        if self.repeat == "exclusive" and not self.pattern.exclusive:
            raise ValueError(f"repeat: expected independent with the pattern {kind}, got 'exclusive'; remove it")
        if self.region is not None:
            by_area = isinstance(self.pattern, AreaPattern)
            if by_area and self.region.samples is not None:
                raise ValueError(f"region.samples: expected none with the pattern {kind}, got one; remove it")
            if not by_area and self.region.samples is None:
                raise ValueError(
                    f"region.samples: expected the number of samples of {kind} inside the region, got none; "
                    "`stemscan plan` finds it"
                )
            if not 0 < self.region.pixels_in(self.shape) <= self.shape[0] * self.shape[1]:
                raise ValueError(
                    "region: expected at least one pixel on the grid and no more than it has, got "
                    f"{self.region.pixels_in(self.shape)}; correct the region"
                )
        if self.samples_per_pass > _MOST_SAMPLES:
            raise ValueError(
                f"pattern: expected at most {_MOST_SAMPLES} samples in a pass, got {self.samples_per_pass}; take fewer"
            )
        return self

    @model_validator(mode="after")
    def _finite_doses(self) -> Self:
        """Refuse what overflows or vanishes in floating point, so that every figure of a plan is a number above 0."""
        try:
            total = self.total_electrons / self.dose.collection
            doses = [self.electrons_per_sample, total, total if self.dose_e_per_A2 is None else self.dose_e_per_A2]
        except (OverflowError, ZeroDivisionError):
            doses = [math.inf]
        if not all(_SMALLEST_DOSE <= dose <= _LARGEST_DOSE for dose in doses):
            raise ValueError(
                f"dose: expected doses of {_SMALLEST_DOSE:g} to {_LARGEST_DOSE:g} electrons, a sample, in all and per "
                "square angstrom, got one beyond; correct the dose, the collection or the pixel size"
            )
        return self

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        limit = self.limits.max_dose_e_per_A2
        if limit is None:
            return self
        if self.pixel_size_nm is None:
            raise ValueError(
                "limits.max_dose_e_per_A2: expected a pixel_size_nm beside it, got none; state the pixel size"
            )
        if self.dose_e_per_A2 is not None and self.dose_e_per_A2 > limit * (1 + 1e-9):
            raise _OverLimit(
                f"limits.max_dose_e_per_A2: expected at most {limit:g} e-/A^2, got a plan of {self.dose_e_per_A2:.6g} "
                "e-/A^2; lower the dose, the passes or the sampling ratio"
            )
        return self

    # ------------------------------------------------------------------ what follows from the fields

    @property
    def samples_per_pass(self) -> int:
        """Samples of each pass."""
        if self.region is None:
            return self.pattern.samples_per_pass(self.shape)
        if isinstance(self.pattern, AreaPattern):
            return self.pattern.samples_in(self.region.pixels_in(self.shape))
        return self.region.samples or 0

    @property
    def total_samples(self) -> int:
        """Samples of all passes."""
        return self.passes * self.samples_per_pass

    @property
    def repeats_pixels(self) -> bool:
        """Whether a pass may visit a pixel several times."""
        return self.pattern.repeats_pixels

    @property
    def sampling_ratio(self) -> float:
        """Samples of one pass per pixel of the grid, k; where no pass repeats a pixel, the visited fraction."""
        return self.samples_per_pass / (self.shape[0] * self.shape[1])

    @property
    def electrons_per_sample(self) -> float:
        """Dose per sample, lambda: expected detected electrons of one visit of a pixel with signal 1."""
        return self.dose.per_sample(self.dwell_ns, self.total_samples)

    @property
    def total_electrons(self) -> float:
        """Total dose, Lambda: detected electrons over all samples at signal 1."""
        return self.electrons_per_sample * self.total_samples

    @property
    def dose_e_per_A2(self) -> float | None:
        """Mean dose over the field of view, or the plan's region, in incident electrons per square angstrom.

        None without a pixel size.
        """
        if self.pixel_size_nm is None:
            return None
        area = self.shape if self.region is None else (self.region.pixels_in(self.shape), 1)
        return area_dose(self.total_electrons / self.dose.collection, area, self.pixel_size_nm)

    # ------------------------------------------------------------------ forms

    def to_dict(self) -> dict[str, Any]:
        """Plain data with defaults left out and numbers normalised; `from_dict` is the inverse."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        data["version"] = self.version
        data["pattern"] = {"kind": self.pattern.kind, **data["pattern"]}
        if self.region is not None:
            data["region"] = {"kind": self.region.kind, **data["region"]}
        if self.order.kind == self.pattern.default_order:
            del data["order"]
        normalised: dict[str, Any] = _normalise(data)
        return normalised

    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits, of the canonical JSON of `to_dict`, names of files left out."""
        data = self.to_dict()
        for part in ("pattern", "region"):
            data.get(part, {}).pop("file", None)
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_yaml(self) -> str:
        """The plan as the text of a plan file, in the order of the fields."""
        data = self.to_dict()
        data["order"] = _normalise(self.order.to_dict())
        ordered = {name: _for_yaml(data[name]) for name in type(self).model_fields if name in data}
        return str(yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, width=120))

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Make a plan from plain data.

        Raises
        ------
        PlanError
            When a key or value is not one of a plan; `DoseLimitError` when the plan exceeds its own limit.
        """
        return cls._validated(data, {})

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "plan") -> Self:
        """Read the text of a plan file; `source` names it in errors.

        Raises
        ------
        PlanError
            When the text is not a plan; the message names the key, the value, what was expected and the line.
        """
        try:
            data, lines = parse(text)
            return cls._validated(data, lines, required=REQUIRED_IN_FILES)
        except YamlProblem as problem:
            raise PlanError(f"{source}: {problem}") from problem
        except PlanError as problem:
            raise type(problem)(f"{source}: {problem}") from problem.__cause__

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a plan file.

        Raises
        ------
        InputNotFoundError
            When there is no such file, or a file that the plan names is not there.
        PlanError
            When the file is not a plan, or a file that it names holds something else than it states.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            plan = cls.from_yaml(raw.decode(), source=str(path))
        except FileNotFoundError as problem:
            raise InputNotFoundError(f"expected a plan file, got {str(path)!r}, which does not exist") from problem
        except UnicodeDecodeError as problem:
            raise PlanError(
                f"{path}: expected a text file in UTF-8, got other bytes at offset {problem.start}"
            ) from problem
        except OSError as problem:
            raise PlanError(f"{path}: expected a readable plan file, got: {problem.strerror}") from problem
        plan.check_files(path.parent)
        return plan

    def check_files(self, folder: Path) -> None:
        """Refuse a plan whose list or mask, found from `folder`, is missing or not what the plan states.

        Raises
        ------
        InputNotFoundError, DataError, PlanError
            Naming the file.
        """
        if isinstance(self.pattern, PointList):
            load_points(self.pattern.file, self.pattern.sha256, self.shape, folder, samples=self.pattern.samples)
        if isinstance(self.region, ImageRegion):
            self.region.mask(self.shape, folder)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the plan file; whole or not at all.

        Raises
        ------
        OutputExistsError
            When the file is there and `overwrite` is false.
        InputNotFoundError
            When the parent folder does not exist.
        """
        write_text(Path(path), self.to_yaml(), overwrite=overwrite)

    @classmethod
    def _validated(cls, data: Any, lines: dict[tuple[str | int, ...], int], required: tuple[str, ...] = ()) -> Self:
        """Validate plain data, turning pydantic's errors into one sentence."""
        if not isinstance(data, dict):
            raise PlanError(
                f"expected a mapping with the keys {', '.join(REQUIRED_IN_FILES)}, got "
                f"{'nothing' if data is None else type(data).__name__}"
            )
        missing = [key for key in required if key not in data]
        if missing and set(data) <= set(cls.model_fields):  # an unknown key is likely the missing one, mistyped
            raise PlanError(f"expected the key {', '.join(missing)}, got a plan without; add it")
        try:
            return cls.model_validate(data)
        except _OverLimit as problem:
            raise DoseLimitError(str(problem)) from problem
        except ValidationError as problem:
            raise PlanError(describe(problem, data, lines)) from problem


class _OverLimit(Exception):
    """Passes through pydantic unchanged, so that an exceeded limit keeps its own error class."""


_ORDER_OF_PATTERN: dict[str, str] = {family.model_fields["kind"].default: family.default_order for family in FAMILIES}


def _normalise(value: Any) -> Any:
    """Write whole numbers as integers, so that 10 and 10.0 are the same plan."""
    if isinstance(value, dict):
        return {key: _normalise(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normalise(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


class _Dumper(yaml.SafeDumper):
    """Writes the small mappings of a plan on one line each."""


class _Inline(dict):  # type: ignore[type-arg]
    """A mapping that is written on one line."""


_Dumper.add_representer(
    _Inline, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)
_Dumper.add_representer(
    list, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def _for_yaml(value: Any) -> Any:
    """Mark inner mappings as one-line ones."""
    return _Inline({key: _for_yaml(item) for key, item in value.items()}) if isinstance(value, dict) else value
