"""Errors of representing a plan on a controller: dwells in whole quanta, positions in whole codes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stemscan.errors import ProfileError

if TYPE_CHECKING:
    from stemscan.hardware.lattice import Lattice
    from stemscan.hardware.profile import ControllerProfile, DwellSteps
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["Quantisation", "quantise"]


@dataclass(frozen=True)
class Quantisation:
    """Errors of representing a plan.

    Attributes
    ----------
    field_used : float
        Share of the narrower of the controller's axes over which the plan's grid goes.
    position_error_px : float
        Largest distance of a code from where the plan wants it, along one axis.
    dwell_asked_ns, dwell_ns : int
        Of the plan, and of the program.
    dwell_error : float
        Relative error of the dwell.
    signal_used : float
        Share of a dwell whose readings enter the value.
    """

    codes_per_pixel: float
    field_used: float
    position_error_px: float
    dwell_asked_ns: int
    dwell_ns: int
    dwell_quanta: int
    dwell_error: float
    signal_used: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def quantise(
    plan: ScanPlan, profile: ControllerProfile, lattice: Lattice, *, round_dwell: bool = False
) -> Quantisation:
    """Round a plan's dwell to what a controller can do, and say what that and the rounding of positions costs.

    Parameters
    ----------
    lattice : Lattice
        Of the two.
    round_dwell : bool
        Take the nearest dwell of which the controller uses every reading.

    Raises
    ------
    ProfileError
        When the dwell is beyond the controller's range.
    """
    steps = profile.dwell
    quanta = (2 * plan.dwell_ns + steps.quantum_ns) // (2 * steps.quantum_ns)
    if round_dwell and quanta > 0:
        quanta = _wholly_averaged(quanta, steps)
    for limit, beyond, word in (
        (steps.smallest, quanta < steps.smallest, "least"),
        (steps.largest, quanta > steps.largest, "most"),
    ):
        if beyond:
            raise ProfileError(
                f"expected a dwell of at {word} {limit * steps.quantum_ns} ns for {profile.name}, got "
                f"{plan.dwell_ns} ns for every sample from 0 on; change dwell_ns"
            )
    dwell = quanta * steps.quantum_ns
    return Quantisation(
        codes_per_pixel=lattice.step,
        field_used=lattice.field_used,
        position_error_px=lattice.position_error_px,
        dwell_asked_ns=plan.dwell_ns,
        dwell_ns=dwell,
        dwell_quanta=quanta,
        dwell_error=(dwell - plan.dwell_ns) / plan.dwell_ns,
        signal_used=_averaged(quanta, steps) / quanta,
    )


def _averaged(quanta: int, steps: DwellSteps) -> int:
    """Readings of a dwell that enter its value."""
    return quanta if steps.averaging == "all" else 1 << (quanta.bit_length() - 1)


def _wholly_averaged(quanta: int, steps: DwellSteps) -> int:
    """The nearest dwell of which every reading is used, in the controller's range where this one is; else this one."""
    below = _averaged(quanta, steps)
    found = [below, 2 * below]
    if steps.smallest <= quanta <= steps.largest:
        found = [near for near in found if steps.smallest <= near <= steps.largest]
    return min(found, key=lambda near: abs(near - quanta), default=quanta)
