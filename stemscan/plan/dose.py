"""All dose arithmetic: dwell time, probe current, dose per sample, total dose, electrons per square angstrom.

Symbols: lambda is the dose per sample, the expected number of electrons that the detector counts in one visit of a
pixel with signal 1; Lambda is the total dose, lambda times the number of samples. Both count *detected* electrons.
Incident electrons are detected electrons / collection, and doses per area count incident ones.
"""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Context
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from stemscan.plan.messages import BrokenLimit, BrokenRule
from stemscan.plan.value import PlanValue

__all__ = [
    "ELECTRONS_PER_PA_NS",
    "NO_LIMITS",
    "Dose",
    "Limits",
    "area_dose",
    "collection_text",
    "electrons_from_current",
]

ELECTRONS_PER_PA_NS = 1e-21 / 1.602176634e-19
"""Electrons in one picoampere nanosecond (elementary charge of the SI, 2019)."""

Positive = Annotated[float, Field(gt=0)]


def electrons_from_current(current_pa: float, dwell_ns: int) -> float:
    """Incident electrons of one sample from the probe current in pA and the dwell time in ns.

    Examples
    --------
    >>> round(electrons_from_current(10.0, 1000), 3)
    62.415
    """
    return current_pa * dwell_ns * ELECTRONS_PER_PA_NS


def area_dose(incident_electrons: float, shape: tuple[int, int], pixel_size_nm: float) -> float:
    """Mean dose over the field of view in electrons per square angstrom.

    Parameters
    ----------
    incident_electrons : float
        Incident electrons of the whole scan.
    shape : tuple of int
        Rows and columns of the scan grid.
    pixel_size_nm : float
        Distance of neighbouring pixels in nanometres.

    Examples
    --------
    >>> area_dose(100.0, (10, 10), 0.1)
    1.0
    """
    return incident_electrons / (shape[0] * shape[1] * (10.0 * pixel_size_nm) ** 2)


def collection_text(collection: float) -> str:
    """Sentence on how incident electrons follow from detected ones, for people.

    Examples
    --------
    >>> collection_text(1.0)
    'assumes collection 1, the default: every incident electron is detected at signal 1'
    >>> collection_text(0.25)
    'assumes collection 0.25 (default 1): 4 incident electrons for each one detected at signal 1'
    """
    if collection == 1:
        return "assumes collection 1, the default: every incident electron is detected at signal 1"
    return (
        f"assumes collection {collection:.4g} (default 1): {1 / collection:.4g} incident electrons for each one "
        "detected at signal 1"
    )


def _rounded_down(number: float) -> str:
    """Six digits of a number above 0, not above it."""
    return f"{float(Context(prec=6, rounding=ROUND_DOWN).create_decimal_from_float(number)):g}"


class Dose(PlanValue):
    """Dose of a scan, stated in one of three ways.

    Parameters
    ----------
    electrons_per_sample : float, optional
        lambda, detected electrons of one visit of a pixel with signal 1.
    total_electrons : float, optional
        Lambda, detected electrons over all samples of all passes at signal 1.
    probe_current_pa : float, optional
        Probe current in pA; lambda follows from the plan's dwell time and the collection.
    collection : float
        Share of the incident electrons that the detector counts at signal 1, above 0, at most 1.
    """

    example: ClassVar = {"electrons_per_sample": 10}

    electrons_per_sample: Positive | None = None
    total_electrons: Positive | None = None
    probe_current_pa: Positive | None = None
    collection: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _stated_once(self) -> Self:
        names = ("electrons_per_sample", "total_electrons", "probe_current_pa")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise BrokenRule(
                "", f"expected exactly one of {', '.join(names)}, got {', '.join(given) or 'none'}; state one"
            )
        return self

    def per_sample(self, dwell_ns: int, samples: int) -> float:
        """Dose per sample lambda, in detected electrons, of a plan with this dwell time and number of samples."""
        if self.electrons_per_sample is not None:
            return float(self.electrons_per_sample)
        if self.total_electrons is not None:
            return self.total_electrons / samples
        if self.probe_current_pa is not None:
            return electrons_from_current(self.probe_current_pa, dwell_ns) * self.collection
        raise AssertionError("a validated dose is stated in one way")

    def share_text(self, share: float, dwell_ns: int) -> str:
        """A share of this dose, rounded down, in the way that it is stated, for messages.

        Examples
        --------
        >>> Dose(electrons_per_sample=10).share_text(2 / 3, 1000)
        '6.66666 electrons_per_sample'
        """
        if self.probe_current_pa is not None:
            dwell = math.floor(dwell_ns * share)
            current = f"{_rounded_down(self.probe_current_pa * share)} probe_current_pa"
            return f"{current} or {dwell} dwell_ns" if dwell else current
        if self.total_electrons is not None:
            return f"{_rounded_down(self.total_electrons * share)} total_electrons"
        return f"{_rounded_down((self.electrons_per_sample or 0.0) * share)} electrons_per_sample"


class Limits(PlanValue):
    """Bounds that a plan sets itself; a plan that exceeds one is refused.

    Parameters
    ----------
    max_dose_e_per_A2 : float, optional
        Largest mean dose over the field of view, in incident electrons per square angstrom.
    """

    example: ClassVar = {"max_dose_e_per_A2": 500}

    max_dose_e_per_A2: Positive | None = None

    def check(self, dose_e_per_A2: float | None, dose: Dose, dwell_ns: int) -> None:
        """Refuse a mean dose beyond the limit; one that is unknown, for want of a pixel size, cannot have it.

        Parameters
        ----------
        dose, dwell_ns
            By which it comes about; the message says how much of them would be allowed.

        Raises
        ------
        BrokenRule
        """
        limit = self.max_dose_e_per_A2
        if limit is None:
            return
        if dose_e_per_A2 is None:
            raise BrokenRule(
                "limits.max_dose_e_per_A2", "expected a pixel_size_nm beside it, got none; state the pixel size"
            )
        if dose_e_per_A2 > limit * (1 + 1e-9):
            raise BrokenLimit(
                "limits.max_dose_e_per_A2",
                f"expected at most {limit:g} e-/A^2, got a plan of {dose_e_per_A2:.6g} e-/A^2; take at most "
                f"{dose.share_text(limit / dose_e_per_A2, dwell_ns)}, fewer passes or a lower sampling ratio",
            )


NO_LIMITS = Limits()
"""Of a plan that sets itself none."""
