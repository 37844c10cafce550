"""ScanPlan: what is visited, how often, in what order, and with what dose; an immutable, validated value.

A plan knows nothing of points: `ScanPath` expands it. Its file form is YAML (contract 1); its digest is
the SHA-256 of canonical JSON with defaults left out and numbers normalised, so that new fields with defaults never
change the digest of an old plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from stemscan.display import as_html, as_text
from stemscan.errors import PlanError
from stemscan.files.yaml_model import shortened
from stemscan.named import import_named
from stemscan.plan.dose import NO_LIMITS, Dose, Limits, area_dose, collection_text
from stemscan.plan.fields import QUANTITIES, as_shape, in_file_units
from stemscan.plan.forms import PlanForms
from stemscan.plan.largest import largest_dose
from stemscan.plan.order import Order, OrderKind
from stemscan.plan.patterns import PATTERNS, Pattern
from stemscan.plan.region import Region
from stemscan.plan.rules import check_doses, check_order, check_region, check_samples
from stemscan.plan.value import signature_of
from stemscan.plan.yaml_text import normalised
from stemscan.units import counted, format_duration, format_length

if TYPE_CHECKING:
    from stemscan.plan.summary import PlanSummary

__all__ = ["ScanPlan"]

Progress = Callable[[int, int], None]
Repeat = Literal["independent", "exclusive"]


class ScanPlan(PlanForms):
    """A declarative description of a sparse multi-pass scan.

    In Python, `dwell` and `pixel_size` take the place of `dwell_ns` and `pixel_size_nm`: text with a unit, or a
    number in ns and in nm.

    Parameters
    ----------
    version : int
        Version of the plan format: 1.
    pattern : Pattern
        Pixels that one pass visits.
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
    order : Order or str, optional
        Order of visits; the pattern's own unless given. In Python a kind without settings may be named.
    dwell_ns : int
        Dwell time of a sample in nanoseconds.
    dose : Dose
        Dose of a sample.
    pixel_size_nm : float, optional
        Distance of neighbouring pixels in nanometres; unknown when left out.
    seed : int
        Drives the path, 0 to 2**64 - 1.
    limits : Limits, optional
        Bounds beyond which the plan refuses itself.

    Raises
    ------
    PlanError
        When a key or value is not one of a plan; `DoseLimitError` when the plan exceeds its own limit.

    Examples
    --------
    >>> from stemscan.plan.patterns.block_random import BlockRandom
    >>> plan = ScanPlan(
    ...     pattern=BlockRandom(block=8, samples_per_block=3), shape=(256, 256), passes=4, dwell="1us",
    ...     dose=Dose(electrons_per_sample=10), pixel_size="0.02nm", seed=7,
    ... )
    >>> plan
    ScanPlan
      incident dose  assumes collection 1, the default: every incident electron is detected at signal 1
      grid           256 x 256 pixels of 20.00 pm
      pattern        BlockRandom(block=8, samples_per_block=3)
      passes         4 of 3,072 samples
      order          serpentine-blocks
      dwell time     1.000 us
      dose           10 e- per sample, 1.229e+05 e- in all, 46.87 e-/A^2
      seed           7
    >>> round(plan.replace(passes=2).dose_e_per_A2, 3)
    23.437
    """

    required_in_files = ("version", "pattern", "shape", "passes", "dwell_ns", "dose", "seed")
    python_keys: ClassVar = {name: key for name, (key, _) in QUANTITIES.items()}

    version: Literal[1] = 1
    pattern: Pattern
    shape: Annotated[tuple[int, int], BeforeValidator(as_shape)]
    passes: Annotated[int, Field(ge=1, le=256)]
    region: Region | None = None
    repeat: Repeat = "independent"
    order: Order
    dwell_ns: Annotated[int, Field(ge=1, le=10**12)]
    dose: Dose
    pixel_size_nm: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    limits: Limits = NO_LIMITS

    @signature_of
    def __init__(
        self,
        *,
        pattern: Pattern,
        shape: tuple[int, int],
        passes: int,
        dose: Dose,
        seed: int,
        dwell: str | int | None = None,
        dwell_ns: int | None = None,
        pixel_size: str | float | None = None,
        pixel_size_nm: float | None = None,
        order: Order | OrderKind | None = None,
        repeat: Repeat = "independent",
        region: Region | None = None,
        limits: Limits = NO_LIMITS,
        version: Literal[1] = 1,
    ) -> None:
        """Make a plan; parameters and errors as of the class."""

    @classmethod
    def plain_fields(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Keys and values as plan files have them, of those that the constructor gets."""
        return in_file_units(super().plain_fields(fields))

    @model_validator(mode="before")
    @classmethod
    def _pattern_order(cls, data: Any) -> Any:
        """Fill in the pattern's own order, so that leaving it out and naming it are the same plan."""
        if isinstance(data, dict) and data.get("order") is None:
            pattern = data.get("pattern")
            kind = pattern.get("kind") if isinstance(pattern, dict) else getattr(pattern, "kind", None)
            known = PATTERNS.get(kind) if isinstance(kind, str) else None
            order = "raster" if known is None else known.default_order
            return {**data, "order": Order.model_validate({"kind": order})}
        return data

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Refuse what cannot be, or exceeds the plan's own limits."""
        check_order(self.pattern, self.order, self.repeat)
        if self.region is not None:
            check_region(self.pattern, self.region, self.shape)
        check_samples(self.samples_per_pass)
        check_doses(self._doses())
        self.limits.check(self.dose_e_per_A2, self.dose, self.dwell_ns)
        return self

    # ------------------------------------------------------------------ what follows from the fields

    @property
    def samples_per_pass(self) -> int:
        """Samples of each pass."""
        if self.region is None:
            return self.pattern.samples_per_pass(self.shape)
        return self.pattern.samples_in_region(self.region, self.shape)

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

    def _doses(self) -> list[float]:
        """Doses of a sample, in all and per area, where that is known; infinity where one overflows."""
        try:
            total = self.total_electrons / self.dose.collection
            return [self.electrons_per_sample, total, total if self.dose_e_per_A2 is None else self.dose_e_per_A2]
        except (OverflowError, ZeroDivisionError):
            return [math.inf]

    # ------------------------------------------------------------------ copies and looks

    def replace(self, **changes: Any) -> Self:
        """Make a changed copy, which is validated as a new plan is.

        An order that is the old pattern's own gives way to that of a new pattern.

        Parameters
        ----------
        **changes
            As for the constructor.

        Raises
        ------
        PlanError
            When the copy would break a rule.
        """
        kept = dict(self)
        if self.order.kind == self.pattern.default_order:
            del kept["order"]
        for name, (key, _) in QUANTITIES.items():
            if name in changes:
                del kept[key]
        return type(self)(**{**kept, **changes})

    def at_largest_dose(self, max_dose_e_per_A2: float) -> Self:
        """Make a copy with this limit and all the dose that it allows, exactly.

        Electrons a sample or in all are raised or lowered, however many they are; a probe current stays, and the dwell
        becomes the longest in whole nanoseconds.

        Parameters
        ----------
        max_dose_e_per_A2 : float
            Mean dose over the field of view, or the plan's region, in incident electrons per square angstrom.

        Raises
        ------
        PlanError
            Without a pixel size, or when one nanosecond of the current is too much.
        """
        limits = Limits(max_dose_e_per_A2=max_dose_e_per_A2)
        free = self.replace(limits=NO_LIMITS)
        if free.pixel_size_nm is None:
            raise PlanError("pixel_size_nm: expected a pixel size beside a largest dose, got none; state it")

        def reached(changes: dict[str, Any]) -> float:
            return free.replace(**changes).dose_e_per_A2 or 0.0

        changes = largest_dose(free.dose, free.dwell_ns, max_dose_e_per_A2, reached)
        return free.replace(**changes, limits=limits)

    def summary(self, *, progress: Progress | None = None) -> PlanSummary:
        """Sum up what the plan will cost and cover; expands it once, in batches.

        Parameters
        ----------
        progress : callable, optional
            Called with (samples done, samples in all).

        Returns
        -------
        PlanSummary
            Printed, what `stemscan plan` prints.
        """
        summary: PlanSummary = import_named("stemscan.path.summary:summarise")(self, progress=progress)
        return summary

    def _rows(self) -> list[tuple[str, str]]:
        """Names and values for people."""
        rows, columns = self.shape
        pixels = "" if self.pixel_size_nm is None else f" of {format_length(self.pixel_size_nm)}"
        area = "" if self.dose_e_per_A2 is None else f", {self.dose_e_per_A2:.4g} e-/A^2"
        sample = f"{self.electrons_per_sample:.4g} e- per sample, {self.total_electrons:.4g} e- in all"
        optional = {
            "repeat": self.repeat if self.repeat != "independent" else None,
            "region": None if self.region is None else shortened(self.region),
            "limits": repr(self.limits) if self.limits != NO_LIMITS else None,
        }
        return [
            ("incident dose", collection_text(self.dose.collection)),
            ("grid", f"{rows} x {columns} pixels{pixels}"),
            ("pattern", repr(self.pattern)),
            ("passes", f"{self.passes} of {counted(self.samples_per_pass, 'sample')}"),
            ("order", shortened(self.order) if self.order.settle else self.order.kind),
            ("dwell time", format_duration(self.dwell_ns)),
            ("dose", sample + area),
            *((name, text) for name, text in optional.items() if text is not None),
            ("seed", str(self.seed)),
        ]

    def __repr__(self) -> str:
        return as_text("ScanPlan", self._rows())

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return as_html("ScanPlan", self._rows())

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

    def file_dict(self) -> dict[str, Any]:
        """Plain data as a plan file states it, the order always among it."""
        return {**self.to_dict(), "order": normalised(self.order.to_dict())}

    def check_files(self, folder: Path) -> None:
        """Refuse a plan whose list or mask, found from `folder`, is missing or not what the plan states.

        Raises
        ------
        InputNotFoundError, DataError, PlanError
            Naming the file.
        """
        self.pattern.check_file(self.shape, folder)
        if self.region is not None:
            self.region.check_file(self.shape, folder)
