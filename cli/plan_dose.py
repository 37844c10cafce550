"""Dose options of `stemscan plan`: electrons per sample or in all, a probe current, or all that a limit allows."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StatedDose", "read_dose"]

_MAX = "max"


@dataclass(frozen=True)
class StatedDose:
    """Dose of a plan as its options state it.

    Attributes
    ----------
    dose : dict of str to float
        The plan's dose without its collection; some dose, where the largest is asked for.
    largest : float or None
        Limit in e-/A^2 whose largest dose the plan takes.
    fixed : bool
        The dose of a sample is given, by electrons or by current and dwell time.
    """

    dose: dict[str, float]
    dwell_ns: int
    largest: float | None = None
    fixed: bool = False


def read_dose(
    dose: str | None, total: float | None, current: str | None, dwell: str | None, max_dose: float | None
) -> StatedDose:
    """The plan's dose and dwell time from their options.

    Raises
    ------
    UsageError
        When an option cannot be read, or options contradict one another.
    """
    from stemscan.errors import UsageError
    from stemscan.units import parse_current_pa, parse_dwell_ns

    current_pa = None if current is None else parse_current_pa(current)
    dwell_ns = parse_dwell_ns("1us" if dwell is None else dwell)
    largest = dose == _MAX
    stated = {
        "electrons_per_sample": None if dose is None or largest else _number(dose),
        "total_electrons": total,
        "probe_current_pa": current_pa,
    }
    given = {name: value for name, value in stated.items() if value is not None}
    if len(given) > 1 or (largest and total is not None):
        raise UsageError("expected one of --dose, --total-dose and --current, got several; keep one")
    if not largest:
        fixed = bool(given) and (current is None or dwell is not None)
        return StatedDose(given or {"electrons_per_sample": 10.0}, dwell_ns, fixed=fixed)
    if max_dose is None:
        raise UsageError("--dose max: expected --max-dose beside it, got none; add the limit in e-/A^2")
    if current is not None and dwell is not None:
        raise UsageError(
            "--dose max: expected --current or --dwell beside it, got both; leave out --dwell for the longest that is "
            "allowed, or --current for the one that follows"
        )
    return StatedDose(given or {"electrons_per_sample": 1.0}, dwell_ns, max_dose)


def _number(text: str) -> float:
    """Electrons a sample."""
    from stemscan.errors import UsageError

    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--dose: expected a number of electrons or max, got {text!r}; correct it") from None
