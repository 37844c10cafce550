"""The probe: what the microscope's lenses and source make of a point, applied to the specimen's signal.

The image of an incoherent microscope is the specimen convolved with the probe's intensity. Its transfer function is the
product of that of a Gaussian core with a tail and of the source's image (`probe`), and of the disc of least confusion
in geometric optics: with a convergence semi-angle a, a defocus D and an astigmatism A turned by an angle, rays of the
aperture fill an ellipse with the half axes a |D + A| and a |D - A|, whose transform is 2 J1(x) / x with x = 2 pi
sqrt((r1 q1)^2 + (r2 q2)^2) (Reimer and Kohl, Transmission Electron Microscopy, 5th ed., 2.3; Born and Wolf, 8.5.2). It
is not for defoci below the depth of focus, where diffraction decides.

A specimen that is drawn with a probe, as crystals are, is blurred once more. What is known as the specimen of a scan,
its `truth`, is the blurred signal, which a still and ideal detector would count.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.simulators.instrument.effect import Effect, Number, Size
from stemscan.simulators.instrument.probe import Probe

__all__ = ["ProbeSettings"]

_ROUNDING: Final = 2.0**20
_POINT_NM: Final = 1e-9


class ProbeSettings(Effect):
    """Settings of the probe.

    Parameters
    ----------
    fwhm_nm : float
        Full width at half maximum of the Gaussian core.
    tail, tail_nm : float
        Share of the intensity in a Lorentzian-like tail, 0 to 1, and its width.
    source_nm : float
        Full width at half maximum of the source's image, a Gaussian.
    defocus_nm, astigmatism_nm : float
        Of either sign.
    astigmatism_deg : float
        Direction of the line focus, counterclockwise from the right.
    convergence_mrad : float
        Semi-angle of the probe.
    """

    fwhm_nm: Size = 0.0
    tail: Annotated[float, Field(ge=0, le=1)] = 0.0
    tail_nm: Annotated[float, Field(gt=0, le=1e3)] = 0.15
    source_nm: Size = 0.0
    defocus_nm: Number = 0.0
    astigmatism_nm: Number = 0.0
    astigmatism_deg: Number = 0.0
    convergence_mrad: Annotated[float, Field(gt=0, le=200)] = 21.0

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return not (self.fwhm_nm or self.tail or self.source_nm or self.defocus_nm or self.astigmatism_nm)

    def transfer(self, right: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transfer function at spatial frequencies (to the right, upwards) in cycles per nm; 1 at zero."""
        from scipy.special import j1

        spot = Probe(max(self.fwhm_nm, _POINT_NM), tail=self.tail, tail_nm=self.tail_nm, source_nm=self.source_nm)
        whole = spot.transfer(right, up)
        if self.defocus_nm or self.astigmatism_nm:
            angle, semi = math.radians(self.astigmatism_deg), 1e-3 * self.convergence_mrad
            along = math.cos(angle) * right + math.sin(angle) * up
            across = math.cos(angle) * up - math.sin(angle) * right
            radii = semi * (self.defocus_nm + self.astigmatism_nm), semi * (self.defocus_nm - self.astigmatism_nm)
            x = 2 * math.pi * np.hypot(radii[0] * along, radii[1] * across)
            safe = np.where(x > 0, x, 1.0)
            whole = whole * np.where(x > 0, 2 * j1(safe) / safe, 1.0)
        return whole

    @property
    def _reach_nm(self) -> float:
        """Distance beyond which next to nothing comes from."""
        rays = 1e-3 * self.convergence_mrad * (abs(self.defocus_nm) + abs(self.astigmatism_nm))
        return 2 * (self.fwhm_nm + self.source_nm + rays) + (20 * self.tail_nm if self.tail else 0)

    def blurred(self, signal: NDArray[np.float32], pixel_size_nm: float) -> NDArray[np.float32]:
        """A signal (H, W) in [0, 1] convolved with the probe; beyond its edges it goes on as its mirror image."""
        reach = math.ceil(self._reach_nm / pixel_size_nm)
        margins = [min(size - 1, reach) for size in signal.shape]
        padded = np.pad(signal.astype(np.float64), [(margin, margin) for margin in margins], mode="reflect")
        down = np.fft.fftfreq(padded.shape[0], pixel_size_nm).astype(np.float64)
        right = np.fft.rfftfreq(padded.shape[1], pixel_size_nm).astype(np.float64)
        transfer = self.transfer(right[np.newaxis, :], -down[:, np.newaxis])
        image = np.fft.irfft2(np.fft.rfft2(padded) * transfer, padded.shape)
        inside = image[margins[0] : margins[0] + signal.shape[0], margins[1] : margins[1] + signal.shape[1]]
        rounded = np.rint(inside * _ROUNDING) / _ROUNDING
        return np.ascontiguousarray(rounded.clip(0, 1), np.float32)
