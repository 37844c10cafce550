"""Wishes of `stemscan plan`: the precision that a scan is to have, and on which specimen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stemscan.cli.common import Talk, table
from stemscan.cli.plan_dose import StatedDose

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.columns.precision import ClassPrecision
    from stemscan.recon.columns.wish import Choice, WishedPlan

__all__ = ["WishOptions", "fulfil", "read_wish", "wish_lines", "wish_report"]


@dataclass(frozen=True)
class WishOptions:
    """A wish as its options state it.

    Attributes
    ----------
    specimen : str
        Of which columns are to be known.
    name : str or None
        Class of columns.
    """

    precision_nm: float
    specimen: str
    name: str | None


def read_wish(want: str | None, on: str | None, name: str | None) -> WishOptions | None:
    """The wish of the options; None where there is none.

    Raises
    ------
    UsageError
        When one is missing or cannot be read.
    """
    from stemscan.errors import UsageError
    from stemscan.units import parse_length_nm

    if want is None:
        for option, value in (("--on", on), ("--class", name)):
            if value is not None:
                raise UsageError(f"{option}: expected --want beside it, got none; add the precision, as --want 5pm")
        return None
    if on is None:
        raise UsageError('--want: expected a specimen beside it, got none; add one, as --on "crystal:SrTiO3[001]"')
    return WishOptions(parse_length_nm(want), on, name)


def fulfil(
    wish: WishOptions,
    plan: ScanPlan,
    stated: StatedDose,
    given: Mapping[str, Any],
    max_dose: float | None,
    talk: Talk,
) -> WishedPlan:
    """Change what the options of a plan leave open so that the wish comes true.

    Parameters
    ----------
    plan : ScanPlan
        Without limits.
    given : mapping
        Options of the pattern, and the passes, by their flags; None where they were not given.
    max_dose : float, optional
        Limit of the plan.
    """
    from stemscan.errors import UsageError
    from stemscan.plan.options import declared_options
    from stemscan.recon.columns.precision import KnownColumns, scene_shape
    from stemscan.recon.columns.wish import Wish, plan_for
    from stemscan.simulators.api import load_specimen
    from stemscan.simulators.specimens.kinds import kind_of

    if plan.pixel_size_nm is None:
        raise UsageError("--want: expected --pixel-size beside it, got none; add it")
    pattern = plan.pattern
    free: list[Choice] = [] if stated.fixed else ["dose"]
    flags = [one.flag for one in declared_options(pattern.kind, type(pattern)) if one.field == pattern.ratio_field]
    if flags and given.get(flags[0]) is None:
        free.append("ratio")
    if given["--passes"] is None and not free:
        free.append("passes")
    if not free:
        raise UsageError(
            "--want: expected the dose, the sampling ratio or the passes to be left open, got all of them; leave one "
            "out"
        )
    unknown = (
        f"--on: expected a specimen that knows its columns, got {wish.specimen!r}; name one as crystal:SrTiO3[001] or "
        "synthetic:0/1"
    )
    if kind_of(wish.specimen) is None:
        raise UsageError(unknown)
    specimen = load_specimen(wish.specimen, scene_shape(plan), pixel_size_nm=plan.pixel_size_nm)
    for warning in specimen.warnings:
        talk.warn(warning)
    if specimen.columns is None:
        raise UsageError(unknown)
    known = KnownColumns.of(specimen.signal, specimen.columns)
    with talk.progress("weighing plans") as progress:
        wished = Wish(wish.precision_nm, wish.name)
        return plan_for(wished, plan, known, free=free, max_dose_e_per_A2=max_dose, progress=progress)


def wish_report(wish: WishOptions, made: WishedPlan) -> dict[str, Any]:
    """A wish and what was predicted, for JSON."""
    return {
        "want_nm": wish.precision_nm,
        "on": wish.specimen,
        "class": made.judged.name,
        "position_nm": made.position_nm,
        "surely_found": made.judged.surely_found,
        "classes": [
            {
                "class": one.name,
                "position_nm": one.position_px * (made.plan.pixel_size_nm or 0.0),
                "amplitude": one.amplitude,
                "significance": one.significance,
                "surely_found": one.surely_found,
            }
            for one in made.classes
        ],
    }


def wish_lines(wish: WishOptions, made: WishedPlan) -> list[str]:
    """A wish and what was predicted, for people."""
    from stemscan.units import format_length

    finer = made.position_nm < 0.9 * wish.precision_nm
    reason = "; less dose would miss some of its columns" if finer and made.judged.significance < 8 else ""
    title = f"{format_length(wish.precision_nm)} per axis for {made.judged.name} of {wish.specimen}{reason}"
    return table([("wish", title), *((f"  {one.name}", _precision(one, made)) for one in made.classes)])


def _precision(one: ClassPrecision, made: WishedPlan) -> str:
    """Precision that was predicted of a class."""
    from stemscan.units import format_length

    size = f"{format_length(one.position_px * (made.plan.pixel_size_nm or 0.0))} per axis predicted"
    return size if one.surely_found else f"{size}, where found: too weak to be found surely at this dose"
