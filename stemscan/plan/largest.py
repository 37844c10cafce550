"""The largest dose that a limit allows: exactly, never beyond it by rounding."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from stemscan.errors import PlanError
from stemscan.plan.dose import Dose

__all__ = ["largest_dose"]

_LONGEST_DWELL_NS: Final = 10**12


def largest_dose(dose: Dose, dwell_ns: int, limit: float, reached: Callable[[dict[str, Any]], float]) -> dict[str, Any]:
    """Changes to a plan by which it takes all the dose that a limit allows.

    Parameters
    ----------
    dose, dwell_ns
        Of the plan.
    reached : callable
        Tells the dose that is limited of the plan with changes.

    Returns
    -------
    dict
        Another dose, or at a probe current another dwell.

    Raises
    ------
    PlanError
        When one nanosecond of the current is too much.
    """
    share = limit / reached({})
    if dose.probe_current_pa is not None:
        dwell = min(math.floor(dwell_ns * share) + 1, _LONGEST_DWELL_NS)
        while dwell and reached({"dwell_ns": dwell}) > limit:
            dwell -= 1
        if dwell:
            return {"dwell_ns": dwell}
        raise PlanError(
            f"dose.probe_current_pa: expected a current of which one nanosecond keeps to the limit, got "
            f"{dose.probe_current_pa:g} pA; lower the current, the passes or the sampling ratio"
        )
    name = "total_electrons" if dose.electrons_per_sample is None else "electrons_per_sample"

    def at(electrons: float) -> dict[str, Any]:
        return {"dose": dose.replace(**{name: electrons})}

    electrons = float(getattr(dose, name)) * share
    while reached(at(electrons)) > limit:
        electrons = math.nextafter(electrons, 0.0)
    while reached(at(more := math.nextafter(electrons, math.inf))) <= limit:
        electrons = more
    short = at(float(f"{electrons:.15g}"))  # 3.2 rather than 3.2000000000000006
    return short if reached(short) <= limit else at(electrons)
