"""Rules over several keys of a plan: pattern with order, repetition and region; doses in range."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stemscan.plan.messages import BrokenRule
from stemscan.plan.order import Order
from stemscan.plan.patterns import PatternBase
from stemscan.plan.region import RegionBase

__all__ = ["check_doses", "check_order", "check_region", "check_samples"]

_MOST_SAMPLES: Final = 2**32
_SMALLEST_DOSE: Final = 1e-100
_LARGEST_DOSE: Final = 1e100


def check_order(pattern: PatternBase, order: Order, repeat: str) -> None:
    """Refuse an order or a repetition that the pattern does not have."""
    if order.kind == "own" and pattern.default_order != "own":
        raise BrokenRule(
            "order.kind",
            f"expected the order own with patterns that are a way, got it with {pattern.kind}; choose another",
        )
    if repeat == "exclusive" and not pattern.exclusive:
        raise BrokenRule("repeat", f"expected independent with the pattern {pattern.kind}, got 'exclusive'; remove it")


def check_region(pattern: PatternBase, region: RegionBase, shape: tuple[int, int]) -> None:
    """Refuse a region off the grid, or whose number of samples is not stated where it must be."""
    if pattern.by_area and region.samples is not None:
        raise BrokenRule("region.samples", f"expected none with the pattern {pattern.kind}, got one; remove it")
    if not pattern.by_area and region.samples is None:
        raise BrokenRule(
            "region.samples",
            f"expected the number of samples of {pattern.kind} inside the region, got none; `stemscan plan` finds it",
        )
    if not 0 < (pixels := region.pixels_in(shape)) <= shape[0] * shape[1]:
        raise BrokenRule(
            "region",
            f"expected at least one pixel on the grid and no more than it has, got {pixels}; correct the region",
        )


def check_samples(samples_per_pass: int) -> None:
    """Refuse a pass that is too long to be numbered."""
    if samples_per_pass > _MOST_SAMPLES:
        raise BrokenRule(
            "pattern", f"expected at most {_MOST_SAMPLES} samples in a pass, got {samples_per_pass}; take fewer"
        )


def check_doses(doses: Iterable[float]) -> None:
    """Refuse what overflows or vanishes in floating point, so that every figure of a plan is a number above 0."""
    if not all(_SMALLEST_DOSE <= dose <= _LARGEST_DOSE for dose in doses):
        raise BrokenRule(
            "dose",
            f"expected doses of {_SMALLEST_DOSE:g} to {_LARGEST_DOSE:g} electrons, a sample, in all and per square "
            "angstrom, got one beyond; correct the dose, the collection or the pixel size",
        )
