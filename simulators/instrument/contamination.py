"""Contamination: hydrocarbons on the surface are cracked under the beam and build up a layer, which scatters too.

Molecules come by surface diffusion, so that the layer grows where the beam is, over the length that they travel, and
slower as they run out (Hren, in Introduction to Analytical Electron Microscopy (1979) 481; Egerton, Li and Malac,
Micron 35 (2004) 399). With the dose d that a place has had, of itself and, spread as a Gaussian, of its neighbours, it
adds

    a = m (1 - exp(-d / ds))

to the signal, which is m in the end.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.runtime.compiled import compiled
from stemscan.runtime.portable_math import exp
from stemscan.simulators.instrument.effect import Effect, Positive, Scan, Size
from stemscan.simulators.instrument.spreading import Cells, shares_of

__all__ = ["Contamination", "ContaminationMap", "grow"]

_exp = compiled()(exp)


class Contamination(Effect):
    """Settings of contamination.

    Parameters
    ----------
    signal : float
        Signal m that it adds in the end, 0 to 1.
    saturation_e_per_A2 : float
        Dose ds, in incident electrons per square angstrom.
    spread_nm : float
        Standard deviation of the layer that a dwell makes.
    """

    signal: Annotated[float, Field(ge=0, le=1)] = 0.0
    saturation_e_per_A2: Positive = 1e4
    spread_nm: Size = 0.0

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.signal == 0


class ContaminationMap:
    """Contamination of a specimen in a scan, which must be exposed in the scan's order."""

    def __init__(self, settings: Contamination, scan: Scan) -> None:
        pixel = scan.pixel("contamination")
        self._settings = settings
        self.cells = Cells.over(scan.plan.shape, settings.spread_nm / pixel)
        self._per_electron = 1 / (10 * pixel * self.cells.side) ** 2 / settings.saturation_e_per_A2
        self.doses = np.zeros(self.cells.shape)

    def expose(self, places: NDArray[np.float64], electrons: NDArray[np.float64]) -> NDArray[np.float32]:
        """Expose the next samples, as `DamageMap.expose`, and return the signal that is added to each, (n,)."""
        cells, most = self.cells, self._settings.signal
        return grow(places, electrons * self._per_electron, cells.side, cells.sharp, self.doses, most)


@compiled()
def grow(
    places: NDArray[np.float64],
    doses: NDArray[np.float64],
    side: float,
    sharp: bool,
    grown: NDArray[np.float64],
    most: float,
) -> NDArray[np.float32]:
    """Add the doses of samples, over that of saturation, to the map, and return what each adds to its signal."""
    out = np.empty(doses.size, np.float32)
    rows, columns = grown.shape
    downs, acrosses = np.empty(4), np.empty(4)
    for i in range(doses.size):
        top = shares_of(places[i, 0], side, sharp, rows, downs)
        left = shares_of(places[i, 1], side, sharp, columns, acrosses)
        middle = 0.0
        for row in range(4):
            for column in range(4):
                y, x, share = top + row, left + column, downs[row] * acrosses[column]
                more = doses[i] * share
                middle += share * (grown[y, x] + 0.5 * more)
                grown[y, x] += more
        out[i] = most * (1.0 - _exp(-middle))
    return out
