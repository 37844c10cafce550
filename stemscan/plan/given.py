"""A plan as functions of the face take it: itself, or the path of its file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.arguments import described
from stemscan.errors import UsageError

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["plan_of"]


def plan_of(plan: ScanPlan | str | Path) -> ScanPlan:
    """A plan, read where it is the path of a plan file.

    Raises
    ------
    UsageError
        When it is neither.
    StemscanError
        As `ScanPlan.load`.
    """
    from stemscan.plan.scan_plan import ScanPlan

    if isinstance(plan, ScanPlan):
        return plan
    if isinstance(plan, str | os.PathLike):
        return ScanPlan.load(plan)
    raise UsageError(
        f"expected a ScanPlan or the path of a plan file, got {described(plan)}; make one with stemscan.ScanPlan(...)"
    )
