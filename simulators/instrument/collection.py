"""Collection: which share of the incident electrons a detector's angles catch, for a specimen of a given signal.

The specimen's signal u in [0, 1] is taken for the share of electrons that it scatters, in units of what scatters most.
The others fill the disc of the probe's convergence evenly. Scattered ones follow a screened Rutherford law, of which
the share between two angles is

    F(t1, t2) = t0^2 (1 / (t1^2 + t0^2) - 1 / (t2^2 + t0^2))

with the screening angle t0 (Reimer and Kohl, Transmission Electron Microscopy, 5th ed., 5.1 and 6.1; 25 mrad for
strontium at 200 kV). A detector from t1 to t2 catches, of all incident electrons,

    f(u) = (1 - s u) A(t1, t2) + s u F(t1, t2)

with the share s that is scattered at u = 1, and the share A of the disc between t1 and t2. This is linear in u: dark
columns in bright field, bright ones in HAADF. A detector's own signal is f over its largest value, so that the dose per
sample, lambda, is what it counts where it is brightest; of a quarter of a ring, a quarter of the ring's. `truth` is
that signal. Atoms weigh by their number to the power of the detector's exponent, where the specimen knows its atoms (a
crystal): light columns show in ABF. Coherent contrast (phase, defocus) is not in it (take abTEM for that).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.errors import UsageError
from stemscan.simulators.instrument.effect import Effect
from stemscan.simulators.specimens.projection import Z_EXPONENT

__all__ = ["KINDS", "Collection", "Kind", "Scattering"]

Angle = Annotated[float, Field(ge=0, le=1000)]

Name = Literal["haadf", "laadf", "abf", "bf", "q1", "q2", "q3", "q4"]


class Kind(NamedTuple):
    """A usual detector.

    Attributes
    ----------
    inner, outer : float
        Semi-angles in mrad.
    exponent : float
        Of the atomic number in the weight of a crystal's columns.
    share : float
        Of the ring.
    """

    inner: float
    outer: float
    exponent: float = Z_EXPONENT
    share: float = 1.0


KINDS: Final[dict[str, Kind]] = {
    "haadf": Kind(70.0, 200.0),
    "laadf": Kind(25.0, 70.0, 1.2),
    "abf": Kind(11.0, 22.0, 0.6),
    "bf": Kind(0.0, 11.0),
    **{f"q{number}": Kind(70.0, 200.0, share=0.25) for number in range(1, 5)},
}
"""Every detector by name, for 200 kV and a convergence of 21 mrad; q1 to q4 are the quarters of the dark-field ring."""


class Scattering(Effect):
    """How probe and specimen spread electrons over angles.

    Parameters
    ----------
    convergence_mrad : float
        Semi-angle of the probe.
    screening_mrad : float
        Screening angle t0.
    share : float
        Share s of the electrons that is scattered where the specimen's signal is 1.
    """

    convergence_mrad: Annotated[float, Field(gt=0, le=200)] = 21.0
    screening_mrad: Annotated[float, Field(gt=0, le=1000)] = 25.0
    share: Annotated[float, Field(gt=0, le=1)] = 0.5


class Collection(Effect):
    """Angles of a detector.

    Parameters
    ----------
    kind : {"signal", "haadf", "laadf", "abf", "bf", "q1", "q2", "q3", "q4", "annular"}
        `signal`: the specimen's signal as it is, of no angles. `haadf` 70 to 200 mrad, `laadf` 25 to 70, `abf` 11 to
        22, `bf` 0 to 11, `q1` to `q4` the quarters of the ring of `haadf`; `annular`: those that are given.
    inner_mrad, outer_mrad : float, optional
        Of another detector.
    """

    kind: Literal["signal", "annular"] | Name = "signal"
    inner_mrad: Angle | None = None
    outer_mrad: Angle | None = None

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.kind == "signal"

    @property
    def exponent(self) -> float:
        """Exponent of the atomic number in the weight of a crystal's columns."""
        return KINDS[self.kind].exponent if self.kind in KINDS else Z_EXPONENT

    def angles(self) -> tuple[float, float]:
        """Inner and outer semi-angle in mrad.

        Raises
        ------
        UsageError
            When one is missing, or they are not in order.
        """
        usual = KINDS.get(self.kind)
        inner = usual.inner if usual and self.inner_mrad is None else self.inner_mrad
        outer = usual.outer if usual and self.outer_mrad is None else self.outer_mrad
        if inner is None or outer is None or inner >= outer:
            raise UsageError(
                f"detectors: expected a collection with inner_mrad below outer_mrad, got {inner} and {outer}; "
                "state both"
            )
        return inner, outer

    def shares(self, scattering: Scattering) -> tuple[float, float]:
        """Shares of the incident electrons that it catches, where the specimen's signal is 0 and where it is 1."""
        if self.kind == "signal":
            return 0.0, 1.0
        inner, outer = self.angles()
        disc, screen = scattering.convergence_mrad, scattering.screening_mrad**2
        caught = (min(outer, disc) ** 2 - min(inner, disc) ** 2) / disc**2
        far = screen / (inner**2 + screen) - screen / (outer**2 + screen)
        return caught, (1 - scattering.share) * caught + scattering.share * far

    def response(self, scattering: Scattering) -> tuple[float, float]:
        """Constant and slope of the detector's own signal over the specimen's."""
        dark, bright = self.shares(scattering)
        ring = KINDS[self.kind].share if self.kind in KINDS else 1.0
        scale = ring / max(dark, bright)
        return dark * scale, (bright - dark) * scale

    def signal(self, specimen: NDArray[np.float32], scattering: Scattering) -> NDArray[np.float32]:
        """The detector's own signal of a specimen's, in [0, 1]."""
        constant, slope = self.response(scattering)
        if (constant, slope) == (0.0, 1.0):
            return specimen
        return np.ascontiguousarray((constant + slope * specimen).clip(0, 1), np.float32)
