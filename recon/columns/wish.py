"""Plans from a wish: the dose, the sampling ratio or the passes at which columns are known as precisely as is wished.

Information grows in proportion to dose, ratio and passes, all but for what overlaps; so a step scales one of them by
what is lacking, and the precision is computed anew until nothing is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Context
from fractions import Fraction
from typing import Final, Literal

from stemscan.errors import DoseLimitError, PlanError, UsageError
from stemscan.plan.dose import NO_LIMITS, Limits
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.columns.precision import SURELY_FOUND, ClassPrecision, KnownColumns, expected_precision
from stemscan.units import counted

__all__ = ["Choice", "Wish", "WishedPlan", "plan_for"]

Choice = Literal["dose", "ratio", "passes"]
Progress = Callable[[int, int], None]

_TURNS: Final = 6
_CLOSE: Final = 0.98
"""Share of a wish that may be given away before less dose, ratio or fewer passes are tried."""
_MOST_PASSES: Final = 256


@dataclass(frozen=True)
class Wish:
    """Precision that is wished for.

    Parameters
    ----------
    precision_nm : float
        Standard deviation of a column's position per axis, above 0.
    name : str, optional
        Class of columns; the one that is known least unless given.
    """

    precision_nm: float
    name: str | None = None


@dataclass(frozen=True)
class WishedPlan:
    """A plan, and what it will tell.

    Attributes
    ----------
    classes : tuple of ClassPrecision
        Of every class of columns, the most precise first.
    judged : ClassPrecision
        The class that was wished for.
    """

    plan: ScanPlan
    classes: tuple[ClassPrecision, ...]
    judged: ClassPrecision

    @property
    def position_nm(self) -> float:
        """Standard deviation of positions of the class that was wished for, per axis."""
        return self.judged.position_px * (self.plan.pixel_size_nm or math.nan)


def plan_for(
    wish: Wish,
    plan: ScanPlan,
    specimen: KnownColumns,
    *,
    free: Sequence[Choice] = ("dose", "ratio"),
    max_dose_e_per_A2: float | None = None,
    progress: Progress | None = None,
) -> WishedPlan:
    """Change a plan so that columns of a specimen will be known as precisely as is wished.

    The columns must be found, too: the dose is at least one at which their amplitude is `SURELY_FOUND` standard
    deviations.

    Parameters
    ----------
    plan : ScanPlan
        With a pixel size. Its dose, in the way that it is stated (a probe current stays, the dwell time changes), its
        ratio or its passes are where to begin; its limits hold.
    specimen : KnownColumns
        See `expected_precision`.
    free : sequence of {"dose", "ratio", "passes"}
        Choices that may change. The first does; where a limit stops the dose, and the ratio is free too, the same
        dose is spread over more pixels, which tells a few percent more.
    max_dose_e_per_A2 : float, optional
        Limit of the plan that is made, in place of that of `plan`.
    progress : callable, optional
        Called with (samples of the path done, samples in all), for each path anew.

    Raises
    ------
    UsageError
        Without a pixel size, when there is no such class, or nothing is free.
    DoseLimitError
        When limits do not allow it; the message says what they reach, and what would be needed.
    """
    if plan.pixel_size_nm is None:
        raise UsageError("expected a pixel size beside a wished precision, got none; state it")
    if not 0 < wish.precision_nm < math.inf:
        raise UsageError(f"expected a wished precision above 0 nm, got {wish.precision_nm:g}; correct it")
    if not free:
        raise UsageError("expected the dose, the sampling ratio or the passes to be free, got none; leave one open")
    search = _Search(wish, specimen, progress)
    limits = plan.limits if max_dose_e_per_A2 is None else Limits(max_dose_e_per_A2=max_dose_e_per_A2)
    limit = limits.max_dose_e_per_A2
    made = search.reach(plan.replace(limits=NO_LIMITS), free[0])
    if search.lacking(made) > 1:
        raise PlanError(_out_of_reach(made, wish, free[0]))
    if limit is None:
        return made
    if (made.plan.dose_e_per_A2 or 0.0) <= limit:
        return replace(made, plan=made.plan.replace(limits=limits))
    allowed = search.judge(made.plan.at_largest_dose(limit))
    if free[0] == "dose" and "ratio" in free:
        allowed = search.denser(allowed, limit)
    if search.lacking(allowed) > 1:
        raise DoseLimitError(_not_allowed(made, allowed, wish, limit))
    return allowed


@dataclass(frozen=True)
class _Search:
    """A wish for a specimen."""

    wish: Wish
    specimen: KnownColumns
    progress: Progress | None

    def judge(self, plan: ScanPlan) -> WishedPlan:
        """Precision that a plan will have."""
        classes = expected_precision(plan, self.specimen, progress=self.progress)
        named = [one for one in classes if self.wish.name in (None, one.name)]
        if not named:
            names = ", ".join(one.name for one in classes)
            raise UsageError(f"expected a class of columns out of {names}, got {self.wish.name!r}; name one of them")
        return WishedPlan(plan, classes, named[-1])

    def lacking(self, made: WishedPlan) -> float:
        """Factor by which the information must grow."""
        precise = (made.position_nm / self.wish.precision_nm) ** 2
        return max(precise, (SURELY_FOUND / made.judged.significance) ** 2)

    def reach(self, plan: ScanPlan, choice: Choice) -> WishedPlan:
        """The plan with one thing changed as the wish needs it, or as far as it goes."""
        made = self.judge(plan)
        reaching: list[WishedPlan] = []
        for _ in range(_TURNS):
            lacking = self.lacking(made)
            if lacking <= 1:
                reaching.append(made)
            changed = _changed(made.plan, choice, lacking)
            if changed == made.plan or _CLOSE <= lacking <= 1:
                break
            made = self.judge(changed)
        return min(reaching, key=lambda one: one.plan.total_electrons) if reaching else made

    def denser(self, made: WishedPlan, limit: float) -> WishedPlan:
        """The least dense pattern that reaches the wish at the same dose per area, or the densest."""
        ratios = [made.plan.sampling_ratio, 1.0]
        best = made
        for _ in range(_TURNS):
            pattern = made.plan.pattern.at_ratio(Fraction(ratios[1] if best is made else math.sqrt(math.prod(ratios))))
            if pattern in (None, best.plan.pattern):
                break
            tried = self.judge(made.plan.replace(pattern=pattern, limits=NO_LIMITS).at_largest_dose(limit))
            reached = self.lacking(tried) <= 1
            if best is made and not reached:
                return min(made, tried, key=self.lacking)
            best = tried if reached else best
            ratios[1 if reached else 0] = tried.plan.sampling_ratio
        return best


def _changed(plan: ScanPlan, choice: Choice, times: float) -> ScanPlan:
    """A plan with so many times as much dose, ratio or passes, rounded up; as far as it goes."""
    if choice == "passes":
        return plan.replace(passes=min(_MOST_PASSES, math.ceil(plan.passes * times)))
    if choice == "ratio":
        pattern = plan.pattern.at_ratio(Fraction(plan.sampling_ratio) * Fraction(times))
        return plan if pattern is None else plan.replace(pattern=pattern)
    dose = plan.dose
    if dose.probe_current_pa is not None:
        return plan.replace(dwell_ns=math.ceil(plan.dwell_ns * times))
    name = "total_electrons" if dose.electrons_per_sample is None else "electrons_per_sample"
    return plan.replace(dose=dose.replace(**{name: _rounded_up(getattr(dose, name) * times)}))


def _rounded_up(number: float) -> float:
    """Three digits of a number above 0, not below it."""
    return float(Context(prec=3, rounding=ROUND_UP).create_decimal_from_float(number))


def _reached(made: WishedPlan) -> str:
    """Precision of a plan, for messages."""
    reached = f"{1000 * made.position_nm:.3g} pm for {made.judged.name}"
    if made.judged.significance >= SURELY_FOUND:
        return reached
    return (
        f"{reached}, too weak to be surely found ({made.judged.significance:.2g} of the {SURELY_FOUND:g} standard "
        "deviations that takes)"
    )


def _out_of_reach(made: WishedPlan, wish: Wish, choice: Choice) -> str:
    """Refusal of a wish that no value fulfils."""
    most = {
        "dose": f"{made.plan.electrons_per_sample:.4g} electrons per sample reach",
        "ratio": f"a sampling ratio of {100 * made.plan.sampling_ratio:.4g} % reaches",
        "passes": f"the most of {counted(made.plan.passes, 'pass')} reaches",
    }[choice]
    return (
        f"expected a wish that the {choice} can fulfil, got {1000 * wish.precision_nm:.3g} pm where {most} "
        f"{_reached(made)}; raise the dose, wish for less, or name another class"
    )


def _not_allowed(needed: WishedPlan, allowed: WishedPlan, wish: Wish, limit: float) -> str:
    """Refusal of a wish that takes more dose than is allowed."""
    return (
        f"expected a wish that {limit:g} e-/A^2 can fulfil, got {1000 * wish.precision_nm:.3g} pm for "
        f"{needed.judged.name}, which needs {_rounded_up(needed.plan.dose_e_per_A2 or 0.0):g} e-/A^2; {limit:g} reach "
        f"{_reached(allowed)}; allow more, wish for less, or name another class"
    )
