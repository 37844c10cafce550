"""The campaign file: YAML, validated like a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stemscan.errors import PlanError, UsageError
from stemscan.files.shipped import ShippedFiles
from stemscan.files.yaml_model import model_from_file, model_from_yaml, shortened
from stemscan.plan.dose import Dose
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.evaluation.campaign.entries import MOST, expanded, seeds_of

__all__ = ["Campaign", "Keep", "Reading", "template_text"]

Keep = Literal["acquisitions", "images"]
"""Outputs that a campaign may keep beside its tables."""

_WHAT: Final = "campaign"


def template_text() -> str:
    """A campaign file whose every key is explained, to begin one's own with."""
    return ShippedFiles(__package__, "templates", _WHAT).text("template")


def _as_tuple(value: object) -> object:
    """Let a list, as YAML gives it, stand for a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _items(key: str, read: Callable[[Any], Any]) -> BeforeValidator:
    """Read each item of a list; a mistake is told with the item's key."""

    def read_all(value: object) -> object:
        if not isinstance(value, list | tuple):
            return value  # which pydantic refuses
        return tuple(_read(f"{key}.{number}", read, item) for number, item in enumerate(value))

    return BeforeValidator(read_all)


def _read(key: str, read: Callable[[Any], Any], item: Any) -> Any:
    """Read one item."""
    try:
        return read(item)
    except PlanError as problem:
        inner, colon, rest = str(problem).partition(": ")
        place = key if inner == "plan" or not colon else f"{key}.{inner}"
        raise ValueError(f"{place}: {rest or problem}") from problem
    except ValueError as problem:
        raise ValueError(f"{key}: {problem}") from problem


def _plan(item: Any) -> str | ScanPlan:
    """Path of a plan file, or a plan."""
    if isinstance(item, str | ScanPlan):
        return item
    if isinstance(item, dict):
        return ScanPlan.model_validate(item, lines={})
    raise ValueError(f"expected the path of a plan file or the keys of a plan, got {shortened(item)}; correct it")


def _dose(item: Any) -> Dose:
    """Electrons per sample, or a dose as a plan states it."""
    if isinstance(item, Dose):
        return item
    return Dose.model_validate(item if isinstance(item, dict) else {"electrons_per_sample": item}, lines={})


def _specimen(item: Any) -> str:
    """A specimen as `stemscan simulate` takes it, perhaps with spans."""
    if not isinstance(item, str) or not item:
        raise ValueError(f"expected an image file, crystal:NAME or synthetic:SEED/INDEX, got {item!r}; correct it")
    next(expanded(item))
    return item


def _seeds(value: object) -> object:
    """Seeds in a tuple, spans written out."""
    listed = list(value) if isinstance(value, list | tuple) else [value]
    many = len(listed) > 1 or isinstance(value, list | tuple)
    spans = [_read(f"seeds.{number}" if many else "seeds", seeds_of, item) for number, item in enumerate(listed)]
    if sum(map(len, spans)) > MOST:
        raise ValueError(f"seeds: expected at most {MOST:,}, got {sum(map(len, spans)):,}; make several campaigns")
    return tuple(seed for span in spans for seed in span)


def _label(item: Any) -> str:
    """Name of an instrument, or text of a method."""
    if not isinstance(item, str) or not item.strip():
        raise ValueError(f"expected a name, got {shortened(item)}; correct it")
    return item


class Reading(BaseModel):
    """How image files become specimens; see `stemscan.simulators.specimens.loading.load_specimen`.

    Parameters
    ----------
    fit : {"error", "crop", "resample"}
    value_range : tuple of float or str, optional
        Values, or percentiles like "99.9%", that become 0 and 1.
    smooth : {"paper"}, optional
    median : int
        Median filters of `smooth`, 0 to 100.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    fit: Literal["error", "crop", "resample"] = "error"
    value_range: Annotated[tuple[float | str, float | str], BeforeValidator(_as_tuple)] | None = None
    smooth: Literal["paper"] | None = None
    median: Annotated[int, Field(ge=0, le=100)] = 1

    def given(self) -> dict[str, Any]:
        """Settings that are not at their defaults."""
        return self.model_dump(exclude_defaults=True)


class Campaign(BaseModel):
    """Specimens x plans x doses x instruments x seeds, each acquisition reconstructed by all methods.

    Parameters
    ----------
    version : int
        Of this format: 1.
    specimens : tuple of str
        Image files, ``crystal:NAME`` or ``synthetic:SEED/INDEX``; ``{1..100}`` stands for each number, ``*`` in the
        name of a file for any letters.
    plans : tuple of str or ScanPlan
        Plan files, or plans.
    doses : tuple of Dose
        Of plans, in place of their own where there are any; a number is electrons per sample.
    instruments : tuple of str
        Names or files of virtual instruments.
    seeds : tuple of int
        Of the detector, 0 to 2**64 - 1; ``1..100`` stands for all from the first to the last.
    paths : {"plan", "seed"}
        Seed of a scan's path: the plan's own, or the acquisition's, so that each repeat visits other pixels.
    noise : {"poisson", "eq5"}
    methods : tuple of str
        As ``stemscan evaluate --method`` takes them.
    task : {"images", "columns"}
        Figures of images, or those of columns too, of crystals.
    keep : tuple of {"acquisitions", "images"}

    Raises
    ------
    UsageError
        From `load` and `from_yaml`, with the key, what was expected, what was there and the line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    version: Literal[1]
    specimens: Annotated[tuple[str, ...], _items("specimens", _specimen), Field(min_length=1)]
    plans: Annotated[tuple[str | ScanPlan, ...], _items("plans", _plan), Field(min_length=1)]
    doses: Annotated[tuple[Dose, ...], _items("doses", _dose)] = ()
    instruments: Annotated[tuple[str, ...], _items("instruments", _label), Field(min_length=1)] = ("ideal",)
    seeds: Annotated[tuple[int, ...], BeforeValidator(_seeds), Field(min_length=1)] = (1,)
    paths: Literal["plan", "seed"] = "plan"
    noise: Literal["poisson", "eq5"] = "poisson"
    methods: Annotated[tuple[str, ...], _items("methods", _label)] = ()
    task: Literal["images", "columns"] = "images"
    keep: Annotated[tuple[Keep, ...], BeforeValidator(_as_tuple)] = ()
    reading: Reading = Reading()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("specimens", "plans", "doses", "instruments", "seeds", "methods", "keep"):
            values = getattr(self, name)
            if len(set(map(str, values))) < len(values):
                twice = next(value for number, value in enumerate(values) if value in values[:number])
                raise ValueError(f"{name}: expected each once, got {shortened(twice)} twice; remove one")
        if not (self.methods or "acquisitions" in self.keep or self.task == "columns"):
            raise ValueError("methods: expected a method, or acquisitions among keep, got neither; add one")
        return self

    @classmethod
    def from_yaml(cls, text: str, *, source: str = _WHAT) -> Self:
        """Read the text of a campaign file; `source` names it in errors."""
        return model_from_yaml(cls, text, what=_WHAT, source=source, error=UsageError)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a campaign file.

        Raises
        ------
        InputNotFoundError
            When there is no such file.
        UsageError
            When it is no campaign.
        """
        return model_from_file(cls, Path(path), what=_WHAT, error=UsageError)
