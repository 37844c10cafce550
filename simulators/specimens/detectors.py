"""Detectors of a scanning microscope: the share of the electrons that each gets, from the specimen's signal.

A specimen's signal u is that of high-angle annular dark field. What is scattered there is missing elsewhere, so that
other detectors see offset + slope x u. Crystals know their atoms: their columns are weighted anew by the atomic number
to the detector's exponent, so that light columns show in annular bright field. All this is for trying out methods: no
multislice, no thickness and no focus dependence (take abTEM for these).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError

if TYPE_CHECKING:
    from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["DETECTORS", "DetectorKind", "check_detectors", "detector_signal"]

_HAADF: Final = 1.7


@dataclass(frozen=True)
class DetectorKind:
    """Detector of a virtual microscope.

    Attributes
    ----------
    title : str
    offset, slope : float
        Signal where the specimen has signal 0, and what is added where it has 1.
    exponent : float
        Of the atomic number in the weight of a crystal's columns.
    """

    title: str
    offset: float
    slope: float
    exponent: float = _HAADF


DETECTORS: Final[dict[str, DetectorKind]] = {
    "haadf": DetectorKind("high-angle annular dark field", 0.0, 1.0),
    "laadf": DetectorKind("low-angle annular dark field", 0.1, 0.6, 1.2),
    "abf": DetectorKind("annular bright field", 1.0, -0.6, 0.6),
    "bf": DetectorKind("bright field", 1.0, -0.8),
    "q1": DetectorKind("first quarter of the dark-field ring", 0.0, 0.25),
    "q2": DetectorKind("second quarter", 0.0, 0.25),
    "q3": DetectorKind("third quarter", 0.0, 0.25),
    "q4": DetectorKind("fourth quarter", 0.0, 0.25),
}
"""Every detector that `--detector` knows, by name."""


def check_detectors(names: tuple[str, ...]) -> None:
    """Refuse detectors that are not known, or named twice.

    Raises
    ------
    UsageError
    """
    unknown = next((name for name in names if name not in DETECTORS), None)
    if unknown is not None:
        raise UsageError(f"expected a detector of {', '.join(DETECTORS)}, got {unknown!r}; correct it")
    if len(set(names)) < len(names):
        raise UsageError(f"expected each detector once, got {', '.join(names)}; leave the second out")


def detector_signal(specimen: Specimen, name: str) -> NDArray[np.float32]:
    """Signal of the specimen on a detector.

    Parameters
    ----------
    specimen : Specimen
    name : str
        Key of `DETECTORS`.

    Returns
    -------
    ndarray of float32, (H, W)
        In [0, 1]: expected electrons of a sample over the dose per sample.
    """
    kind = DETECTORS[name]
    signal = specimen.signal if kind.exponent == _HAADF else _weighted(specimen, kind.exponent)
    if (kind.offset, kind.slope) == (0.0, 1.0):
        return signal
    return np.ascontiguousarray(np.float32(kind.offset) + np.float32(kind.slope) * signal)


def _weighted(specimen: Specimen, exponent: float) -> NDArray[np.float32]:
    """A crystal drawn with another weight of its atoms; the signal as it is of all else."""
    steps = specimen.record.get("steps", ())
    if specimen.record.get("source") != "crystal" or len(steps) != 1:
        return specimen.signal
    from stemscan.simulators.specimens.crystal_specimen import render_crystal

    size = steps[0]["pixel_size_nm"]
    return render_crystal(specimen.name, specimen.shape, pixel_size_nm=size, exponent=exponent).signal
