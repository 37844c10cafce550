"""The profile of a specimen's columns as its generator has it, with its slopes, at any offset from a column.

Everything comes from the probe's transfer function: values and slopes by the position exactly, slopes by the tail's
share and width by differences. A profile's unknown width and ellipticity are those of stretching it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from stemscan.simulators.api import Probe
from stemscan.types import Floats

__all__ = ["TrueProfile"]

_FINE = 12
_STEP = 0.02


@dataclass(frozen=True, eq=False)
class TrueProfile:
    """Maps of a profile of height 1 around its centre.

    Attributes
    ----------
    maps : float64 (3 + 5, m, m)
        Value, slopes by the offset's row and column in pixels, and slopes by five parameters of the shape: width, two
        of ellipticity, share and width of the tail.
    fine : int
        Steps of the maps a pixel.
    sigma : float
        Standard deviation of the core in pixels.
    reach : float
        Distance in pixels up to which the maps go.
    """

    maps: Floats
    fine: int
    sigma: float
    reach: float

    @classmethod
    def of(cls, probe: Probe, pixel_size_nm: float) -> TrueProfile:
        """The profile of a probe on a grid."""
        sigma = math.hypot(probe.sigma_nm, probe.tilt_nm / math.sqrt(12)) / pixel_size_nm
        reach = 6 * sigma
        fine = max(2, math.ceil(_FINE / sigma))
        half = math.ceil((reach + 1) * fine)
        size = 8 * half
        frequency = np.fft.fftfreq(size, pixel_size_nm / fine).astype(np.float64)
        down, right = frequency[:, None], frequency[None, :]

        def drawn(values: npt.NDArray[Any]) -> Floats:
            image = np.fft.fftshift(np.fft.ifft2(values).real)
            return np.asarray(image[size // 2 - half : size // 2 + half + 1, size // 2 - half : size // 2 + half + 1])

        transfer = probe.transfer(right, -down)
        value = drawn(transfer)
        height = value[half, half]
        by_row = drawn(transfer * 2j * math.pi * down * pixel_size_nm)
        by_column = drawn(transfer * 2j * math.pi * right * pixel_size_nm)
        tails = [drawn(one.transfer(right, -down) - other.transfer(right, -down)) for one, other in _changed(probe)]
        y, x = ((np.arange(-half, half + 1) / fine)[shape] for shape in ((slice(None), None), (None, slice(None))))
        shape = [y * by_row + x * by_column, y * by_row - x * by_column, x * by_row + y * by_column, *tails]
        return cls(np.stack([value, by_row, by_column, *shape]) / height, fine, sigma, reach)

    def at(self, down: Floats, right: Floats, maps: slice | int = slice(None)) -> Floats:
        """Maps at offsets in pixels from a column, (maps, n); 0 beyond the reach."""
        half = self.maps.shape[1] // 2
        places = np.stack([down, right]) * self.fine + half
        chosen = self.maps[maps]
        if chosen.ndim == 2:
            return np.asarray(map_coordinates(chosen, places, order=1))
        return np.stack([map_coordinates(one, places, order=1) for one in chosen])


def _changed(probe: Probe) -> list[tuple[Probe, Probe]]:
    """Pairs of probes whose tails have a little more and less share and width."""
    step = min(_STEP, (1 - probe.tail) / 2)
    wider, narrower = (replace(probe, tail_nm=probe.tail_nm * (1 + sign * _STEP)) for sign in (1, -1))
    return [
        (replace(probe, tail=probe.tail + step), replace(probe, tail=max(0.0, probe.tail - step))),
        (wider, narrower),
    ]
