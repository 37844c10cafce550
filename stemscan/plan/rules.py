"""What of a plan must fit together: pattern with order, repetition and region; doses in range and within the limits.

Each rule raises a ValueError that begins with the key to blame.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from stemscan.plan.patterns import AreaPattern

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["OverLimit", "check_combination", "check_doses", "check_limits"]

_MOST_SAMPLES: Final = 2**32
_SMALLEST_DOSE: Final = 1e-100
_LARGEST_DOSE: Final = 1e100


class OverLimit(Exception):
    """Passes through pydantic unchanged, so that an exceeded limit keeps its own error class."""


def check_combination(plan: ScanPlan) -> None:
    """Refuse an order, a repetition or a region that the pattern does not have."""
    kind = plan.pattern.kind
    if plan.order.kind == "own" and plan.pattern.default_order != "own":
        raise ValueError(
            f"order.kind: expected the order own with patterns that are a way, got it with {kind}; choose another"
        )
    if plan.repeat == "exclusive" and not plan.pattern.exclusive:
        raise ValueError(f"repeat: expected independent with the pattern {kind}, got 'exclusive'; remove it")
    if plan.region is not None:
        by_area = isinstance(plan.pattern, AreaPattern)
        if by_area and plan.region.samples is not None:
            raise ValueError(f"region.samples: expected none with the pattern {kind}, got one; remove it")
        if not by_area and plan.region.samples is None:
            raise ValueError(
                f"region.samples: expected the number of samples of {kind} inside the region, got none; "
                "`stemscan plan` finds it"
            )
        if not 0 < plan.region.pixels_in(plan.shape) <= plan.shape[0] * plan.shape[1]:
            raise ValueError(
                "region: expected at least one pixel on the grid and no more than it has, got "
                f"{plan.region.pixels_in(plan.shape)}; correct the region"
            )
    if plan.samples_per_pass > _MOST_SAMPLES:
        raise ValueError(
            f"pattern: expected at most {_MOST_SAMPLES} samples in a pass, got {plan.samples_per_pass}; take fewer"
        )


def check_doses(plan: ScanPlan) -> None:
    """Refuse what overflows or vanishes in floating point, so that every figure of a plan is a number above 0."""
    try:
        total = plan.total_electrons / plan.dose.collection
        doses = [plan.electrons_per_sample, total, total if plan.dose_e_per_A2 is None else plan.dose_e_per_A2]
    except (OverflowError, ZeroDivisionError):
        doses = [math.inf]
    if not all(_SMALLEST_DOSE <= dose <= _LARGEST_DOSE for dose in doses):
        raise ValueError(
            f"dose: expected doses of {_SMALLEST_DOSE:g} to {_LARGEST_DOSE:g} electrons, a sample, in all and per "
            "square angstrom, got one beyond; correct the dose, the collection or the pixel size"
        )


def check_limits(plan: ScanPlan) -> None:
    """Refuse a plan above its own limit; one without a pixel size cannot have it."""
    limit = plan.limits.max_dose_e_per_A2
    if limit is None:
        return
    if plan.pixel_size_nm is None:
        raise ValueError("limits.max_dose_e_per_A2: expected a pixel_size_nm beside it, got none; state the pixel size")
    if plan.dose_e_per_A2 is not None and plan.dose_e_per_A2 > limit * (1 + 1e-9):
        raise OverLimit(
            f"limits.max_dose_e_per_A2: expected at most {limit:g} e-/A^2, got a plan of {plan.dose_e_per_A2:.6g} "
            "e-/A^2; lower the dose, the passes or the sampling ratio"
        )
