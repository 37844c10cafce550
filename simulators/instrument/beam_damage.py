"""Beam damage: the signal fades with the dose that a place has had, of itself and of its neighbours.

Each dwell brings a dose q (incident electrons per square angstrom), which spreads over a diffusion length as a
Gaussian. Damage D is dose, of which the signal keeps

    fading = exp(-D / Dc)

with the critical dose Dc (Glaeser 1971; Egerton, Ultramicroscopy 127 (2013) 100). A sample sees the mean of before and
after its own dwell. Where there is a threshold, only what exceeds it does damage, and dose relaxes meanwhile:

    c <- c exp(-dt / t) + q,    D <- D + min(q, max(0, c - threshold))

So a place that is visited again, or whose neighbours are, before it has recovered, is hurt more, and the order of the
scan matters: the concept of the diffusion-threshold model of Jannis, Velazco, Beche and Verbeeck (Ultramicroscopy 240
(2022) 113568, arXiv 2104.14992), whose species spreads ever further while here it spreads at once and then fades away.
Without a threshold D is the accumulated dose.

The map of what has happened follows from all samples before; it is made anew from the first one where a scan is gone on
with elsewhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.runtime.portable_math import exp
from stemscan.simulators.instrument.effect import Effect, Positive, Scan, Size
from stemscan.simulators.instrument.spreading import Cells, shares_of

__all__ = ["BeamDamage", "DamageMap", "hurt"]

_exp = compiled()(exp)
_LONGEST: Final = 600.0  # time constants after which relaxing doses are written anew, before their scale overflows


class BeamDamage(Effect):
    """Settings of beam damage; doses are incident electrons per square angstrom.

    Parameters
    ----------
    critical_e_per_A2 : float, optional
        Critical dose Dc; no damage without.
    diffusion_nm : float
        Standard deviation to which a dose spreads.
    threshold_e_per_A2 : float
        Dose that does no harm while it has not relaxed.
    recovery_us : float, optional
        Time constant of relaxing, in microseconds; nothing relaxes without.
    """

    critical_e_per_A2: Positive | None = None
    diffusion_nm: Size = 0.0
    threshold_e_per_A2: Size = 0.0
    recovery_us: Positive | None = None

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.critical_e_per_A2 is None


class DamageMap:
    """Damage of a specimen in a scan, which must be exposed in the scan's order.

    Attributes
    ----------
    damage : float64 (rows, columns)
        Damage D of each cell.
    """

    def __init__(self, settings: BeamDamage, scan: Scan) -> None:
        pixel = scan.pixel("damage")
        self._settings = settings
        self.cells = Cells.over(scan.plan.shape, settings.diffusion_nm / pixel)
        self._per_electron = 1 / (10 * pixel * self.cells.side) ** 2
        self.damage = np.zeros(self.cells.shape)
        self._resting = np.zeros(self.cells.shape if settings.threshold_e_per_A2 else (1, 1))
        self._epoch = np.zeros(1)

    def expose(
        self, places: NDArray[np.float64], times: NDArray[np.float64], electrons: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Expose the next samples.

        Parameters
        ----------
        places : float64 (n, 2)
            Places of the beam on the specimen, (row, column) in pixels.
        times : float64 (n,)
            In ns since the scan began.
        electrons : float64 (n,)
            Incident in each.

        Returns
        -------
        float32 (n,)
            Fading of each.
        """
        known, relaxing = self._settings, self._settings.recovery_us
        return hurt(
            places,
            times,
            electrons * self._per_electron,
            self.cells.side,
            self.cells.sharp,
            self.damage,
            self._resting,
            self._epoch,
            known.threshold_e_per_A2,
            0.0 if relaxing is None else 1e-3 / relaxing,
            known.critical_e_per_A2 or 1.0,
        )


@compiled()
def hurt(
    places: NDArray[np.float64],
    times: NDArray[np.float64],
    doses: NDArray[np.float64],
    side: float,
    sharp: bool,
    damage: NDArray[np.float64],
    resting: NDArray[np.float64],
    epoch: NDArray[np.float64],
    threshold: float,
    per_ns: float,
    critical: float,
) -> NDArray[np.float32]:
    """Add the doses of samples to the maps, and return their fading; `DamageMap.expose` says what they are.

    Relaxing doses are kept as what they would be at the time `epoch`, so that time passes for all cells at once.
    """
    out = np.empty(times.size, np.float32)
    rows, columns = damage.shape
    downs, acrosses = np.empty(4), np.empty(4)
    step = times[1] - times[0] if times.size > 1 else 0.0  # of most samples: saves exponentials
    scale, growth = 1.0, _exp(min(step * per_ns, _LONGEST))
    for i in range(times.size):
        top = shares_of(places[i, 0], side, sharp, rows, downs)
        left = shares_of(places[i, 1], side, sharp, columns, acrosses)
        if per_ns > 0.0:
            passed = (times[i] - epoch[0]) * per_ns
            if passed > _LONGEST:
                _rewrite(resting, _exp(-passed))
                epoch[0] = times[i]
                scale = 1.0
            elif i > 0 and times[i] - times[i - 1] == step:
                scale *= growth
            else:
                scale = _exp(passed)
        middle, limit = 0.0, threshold * scale
        for row in range(4):
            for column in range(4):
                y, x, share = top + row, left + column, downs[row] * acrosses[column]
                done = doses[i] * share
                if threshold > 0.0:
                    here = resting[y, x] + done * scale
                    resting[y, x] = here
                    done = min(done, max(here - limit, 0.0) / scale)
                middle += share * (damage[y, x] + 0.5 * done)
                damage[y, x] += done
        out[i] = _exp(-middle / critical)
    return out


@compiled()
def _rewrite(resting: NDArray[np.float64], scale: float) -> None:
    """Write relaxing doses for a later epoch."""
    for row in range(resting.shape[0]):
        for column in range(resting.shape[1]):
            resting[row, column] *= scale
