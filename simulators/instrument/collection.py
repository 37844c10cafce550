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
sample, lambda, is what it counts where it is brightest; `truth` is that signal. Coherent contrast (phase, defocus) is
not in it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.errors import UsageError
from stemscan.simulators.instrument.effect import Effect

__all__ = ["Collection", "Scattering"]

Angle = Annotated[float, Field(ge=0, le=1000)]

ANGLES: Final = {"haadf": (70.0, 200.0), "abf": (11.0, 22.0), "bf": (0.0, 11.0)}
"""Inner and outer semi-angle in mrad of usual detectors at 200 kV, for a convergence of 21 mrad."""


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
    kind : {"signal", "haadf", "abf", "bf", "annular"}
        `signal`: the specimen's signal as it is, of no angles. `haadf` 70 to 200 mrad, `abf` 11 to 22, `bf` 0 to 11;
        `annular`: those that are given.
    inner_mrad, outer_mrad : float, optional
        Of another detector.
    """

    kind: Literal["signal", "haadf", "abf", "bf", "annular"] = "signal"
    inner_mrad: Angle | None = None
    outer_mrad: Angle | None = None

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.kind == "signal"

    def angles(self) -> tuple[float, float]:
        """Inner and outer semi-angle in mrad.

        Raises
        ------
        UsageError
            When one is missing, or they are not in order.
        """
        usual = ANGLES.get(self.kind, (None, None))
        inner = usual[0] if self.inner_mrad is None else self.inner_mrad
        outer = usual[1] if self.outer_mrad is None else self.outer_mrad
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
        most = max(dark, bright)
        return dark / most, (bright - dark) / most

    def signal(self, specimen: NDArray[np.float32], scattering: Scattering) -> NDArray[np.float32]:
        """The detector's own signal of a specimen's, in [0, 1]."""
        constant, slope = self.response(scattering)
        if constant == 0.0:
            return specimen
        return np.ascontiguousarray((constant + slope * specimen).clip(0, 1), np.float32)
