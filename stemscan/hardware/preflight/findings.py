"""Findings of a pre-flight report that the user should know before the scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from stemscan.hardware.preflight.report import Finding, Preflight

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.hardware.quantisation import Quantisation
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["dwell_findings", "findings"]

_DWELL_ERROR: Final = 0.01
_POSITION_ERROR: Final = 0.25
_LAG: Final = 0.5
_OVERHEAD: Final = 1.0
_LIT: Final = 0.1
_FIELD: Final = 0.5
_LEVELS: Final = ("error", "warning", "note")
_SPREAD: Final = ("delocalised", "random")
"""Orders in which samples of any time lie all over the field."""


def findings(plan: ScanPlan, profile: ControllerProfile, report: Preflight) -> tuple[Finding, ...]:
    """Finding that stands out of a report.

    Parameters
    ----------
    report : Preflight
        Without findings.

    Returns
    -------
    tuple of Finding
        Errors first, notes last.
    """
    found = [*_doses(plan, report), *dwell_findings(report.quantisation), *_positions(profile, report), *_times(report)]
    return tuple(sorted([*found, *_drift(plan)], key=lambda finding: _LEVELS.index(finding.level)))


def _doses(plan: ScanPlan, report: Preflight) -> Iterator[Finding]:
    """Limits, and dose without counts."""
    limit = plan.limits.max_dose_e_per_A2
    if limit is not None and report.dose_e_per_A2 is not None and report.dose_e_per_A2 > limit * (1 + 1e-9):
        yield Finding(
            "error",
            f"{report.dose_e_per_A2:.4g} e-/A^2 with moves and stalls, above the plan's limit of {limit:g}: lower the "
            "dose, blank moves, or choose an order of shorter jumps",
        )
    if report.unblanked_share > _LIT:
        yield Finding(
            "warning",
            f"waiting with the beam on adds {report.unblanked_share:.0%} to the dose, and no counts: blank moves or "
            "choose an order of shorter jumps",
        )


def dwell_findings(quantisation: Quantisation) -> Iterator[Finding]:
    """Effects of rounding and averaging on a dwell.

    Yields
    ------
    Finding
        None where the dwell is within 1 % of the plan's and all of it is averaged.
    """
    if quantisation.signal_used < 1:
        yield Finding(
            "warning",
            f"the controller averages only the first {quantisation.signal_used:.0%} of each dwell: --round-dwell takes "
            "a dwell of which it uses all",
        )
    if abs(quantisation.dwell_error) > _DWELL_ERROR:
        yield Finding(
            "warning",
            f"a dwell of {quantisation.dwell_asked_ns} ns becomes {quantisation.dwell_ns} ns, "
            f"{quantisation.dwell_error:+.1%} of time and dose",
        )


def _positions(profile: ControllerProfile, report: Preflight) -> Iterator[Finding]:
    """Findings on the beam's distance from where it should be."""
    quantisation = report.quantisation
    if quantisation.position_error_px > _POSITION_ERROR:
        yield Finding(
            "warning",
            f"positions are rounded by up to {quantisation.position_error_px:.2f} px: take a smaller grid, or the fit "
            "integer in the profile",
        )
    converts = profile.grid.bits is not None  # where positions are pixels, the field is that of the plan
    if converts and 0 < quantisation.field_used < _FIELD:
        yield Finding(
            "warning",
            f"the scan covers {quantisation.field_used:.0%} of the controller's field: set the magnification for that",
        )
    tau = None if profile.settle is None else profile.settle.time_constant_ns
    if tau is not None and report.lag_rms_px is None:
        yield Finding(
            "warning",
            f"the coils' time constant of {tau:g} ns is more than about 10^5 dwells, for which the lag is not "
            "computed: dwell longer, or correct the profile",
        )
    if report.lag_rms_px is not None and report.lag_rms_px > _LAG:
        yield Finding(
            "warning",
            f"the coils lag by {report.lag_rms_px:.2f} px (root mean square): wait longer, shorten jumps by the order, "
            "or acquire with actual positions",
        )


def _times(report: Preflight) -> Iterator[Finding]:
    """Time that is not spent on samples."""
    duration = report.duration
    if duration.stall:
        yield Finding(
            "warning",
            f"the link carries {report.link_there:.3g} bytes/s of the {report.link_needed:.3g} needed: the scan stalls "
            f"for {duration.stall / duration.total:.0%} of its time, which adds up to {report.stall_share:.0%} to the "
            "dose where the beam waits unblanked; dwell longer",
        )
    waiting = duration.settle + duration.flyback
    if waiting > _OVERHEAD * duration.dwell:
        yield Finding(
            "warning",
            f"moves take {waiting / duration.dwell:.1f} times as long as the dwells: choose an order of shorter jumps",
        )


def _drift(plan: ScanPlan) -> Iterator[Finding]:
    """Motion of the specimen that the scan could not tell from the specimen."""
    if plan.order.kind in _SPREAD:
        return
    when = "repeats in each pass" if plan.passes > 1 else "happens during the one pass"
    order = f"order {plan.order.kind}" if plan.order.kind != "own" else f"pattern {plan.pattern.kind}"
    yield Finding(
        "note",
        f"motion that {when} of this {order} cannot be told from a distorted specimen: the order delocalised, "
        "where the pattern has it, removes that",
    )
