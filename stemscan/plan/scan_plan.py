"""ScanPlan: what is visited, how often, in what order, and with what dose; an immutable, validated value.

A plan knows nothing of points: `ScanPath` expands it. Its file form is YAML (contract 1); its digest is
the SHA-256 of canonical JSON with defaults left out and numbers normalised, so that new fields with defaults never
change the digest of an old plan.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from stemscan.errors import DoseLimitError, PlanError, refusal
from stemscan.files.by_content import load_points
from stemscan.files.opening import require_file
from stemscan.files.strict_yaml import MAX_BYTES, YamlProblem, parse
from stemscan.files.writing import write_text
from stemscan.files.yaml_model import with_line
from stemscan.plan.dose import DoseSettings, Limits, area_dose
from stemscan.plan.messages import describe
from stemscan.plan.order import Order, OrderKind
from stemscan.plan.patterns import FAMILIES, AreaPattern, Pattern, PointList
from stemscan.plan.region import ImageRegion, Region
from stemscan.plan.rules import OverLimit, check_combination, check_doses, check_limits
from stemscan.plan.yaml_text import normalised, written

__all__ = ["Order", "OrderKind", "ScanPlan"]

Side = Annotated[int, Field(ge=1, le=65536)]
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
    def _possible(self) -> Self:
        """Refuse what cannot be, or exceeds the plan's own limits."""
        check_combination(self)
        check_doses(self)
        check_limits(self)
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
        """Tell whether a pass may visit a pixel several times."""
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
        plain: dict[str, Any] = normalised(data)
        return plain

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
        data["order"] = normalised(self.order.to_dict())
        return written({name: data[name] for name in type(self).model_fields if name in data})

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
        require_file(path, "a plan file", PlanError)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            plan = cls.from_yaml(raw.decode(), source=str(path))
        except UnicodeDecodeError as problem:
            raise PlanError(
                f"{path}: expected a text file in UTF-8, got other bytes at offset {problem.start}"
            ) from problem
        except OSError as problem:
            raise PlanError(f"{path}: expected a readable plan file, got: {refusal(problem)}") from problem
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
        except OverLimit as problem:
            raise DoseLimitError(with_line(str(problem), lines)) from problem
        except ValidationError as problem:
            raise PlanError(describe(problem, data, lines)) from problem


_ORDER_OF_PATTERN: dict[str, str] = {family.model_fields["kind"].default: family.default_order for family in FAMILIES}
