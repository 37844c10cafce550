"""Amplifier and converter: gain, offset, read noise, whole numbers and saturation.

    adu = clip(round(offset + gain * light + noise * z), 0, 2^bits - 1)

with a standard normal number z for each sample (Janesick, Photon Transfer, SPIE 2007). The store states gain and
offset, so that electrons = (adu - offset) / gain, and the largest number: a sample that has it is saturated, and too
dark by an unknown amount. Rounding adds a variance of 1/12.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.random import Stream, fill_normals
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.effect import Effect, Size

__all__ = ["Digitiser", "read_out"]

_STREAM: Final = Stream.READ_NOISE


class Digitiser(Effect):
    """Settings of amplifier and converter.

    Parameters
    ----------
    gain : float
        ADU per electron, 1e-6 to 1e6.
    offset : float
        ADU without electrons, 0 to 1e6.
    read_noise : float
        Standard deviation in ADU.
    bits : int
        Of the converter, 4 to 24; without, there is none: a detector that counts.
    """

    gain: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    offset: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    read_noise: Size = 0.0
    bits: Annotated[int, Field(ge=4, le=24)] | None = None

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.bits is None

    @property
    def largest(self) -> int:
        """The largest number."""
        return (1 << (self.bits or 24)) - 1


@compiled()
def read_out(
    seed: np.uint64,
    channel: int,
    start: np.uint64,
    light: NDArray[np.float64],
    gain: float,
    offset: float,
    noise: float,
    largest: int,
) -> NDArray[np.uint32]:
    """Numbers of the converter, (n,), for the light of samples from `start` on, in electrons."""
    out = np.empty(light.size, np.uint32)
    z, _ = np.zeros(light.size), np.empty(light.size)
    if noise > 0.0:
        fill_normals(seed, _STREAM, start, channel, z, _)
    for i in range(light.size):
        value = offset + gain * light[i] + noise * z[i]
        out[i] = np.uint32(min(max(np.rint(value), 0.0), largest))
    return out
