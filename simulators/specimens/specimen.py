"""The specimen: the ground truth that the virtual microscope scans."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import SpecimenError
from stemscan.runtime.roomy import bands
from stemscan.store.true_columns import TrueColumns

__all__ = ["Specimen"]


@dataclass(frozen=True, eq=False)
class Specimen:
    """Ground truth of a simulated scan.

    Attributes
    ----------
    signal : float32 (H, W)
        Relative intensity in [0, 1]; read-only.
    name : str
        File name, ``crystal:NAME[uvw]`` or ``synthetic:SEED/INDEX``.
    pixel_size_nm : float or None
        Distance of neighbouring pixels in nm: the plan's, else what the file or crystal says.
    record : dict
        Plain data: ``source``, ``steps`` (list of what was done, in order) and ``warnings`` (list of str).
    columns : TrueColumns or None
        Its atomic columns inside the field, where it knows them.
    limits : tuple of float
        Least and largest signal.
    sha256 : str
        Of shape and signal; tells specimens apart.

    Raises
    ------
    SpecimenError
        If the signal is not a finite float32 picture in [0, 1].
    """

    signal: NDArray[np.float32]
    name: str
    pixel_size_nm: float | None = None
    record: dict[str, Any] = field(default_factory=dict)
    columns: TrueColumns | None = None
    limits: tuple[float, float] = field(init=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        signal = self.signal
        if signal.ndim != 2 or signal.size == 0 or signal.dtype != np.float32:
            raise SpecimenError(
                f"expected a float32 signal of two dimensions, got {signal.dtype} of shape {signal.shape} for "
                f"{self.name!r}"
            )
        parts = [(float(band.min()), float(band.max())) for _, band in bands(signal)]
        low, high = float(np.min([one for one, _ in parts])), float(np.max([one for _, one in parts]))
        if not (low >= 0 and high <= 1):
            raise SpecimenError(f"expected a signal in [0, 1], got {low:g} to {high:g} for {self.name!r}")
        fixed = np.ascontiguousarray(signal).view()
        fixed.flags.writeable = False
        object.__setattr__(self, "signal", fixed)
        digest = hashlib.sha256(f"float32 {fixed.shape[0]} x {fixed.shape[1]}\\n".encode())
        for _, band in bands(fixed):
            digest.update(np.ascontiguousarray(band, np.dtype("<f4")).data)
        object.__setattr__(self, "limits", (low, high))
        object.__setattr__(self, "sha256", digest.hexdigest())

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.signal.shape[0]), int(self.signal.shape[1])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the user, one sentence each."""
        return tuple(self.record.get("warnings", ()))
