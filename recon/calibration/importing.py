"""Data measured elsewhere without a dose: electrons by the calibrated gain, and signal 1 where it is brightest."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError, UsageError
from stemscan.recon.calibration.calibration import Calibration, calibrate_readings
from stemscan.store.batch import DetectorInfo

if TYPE_CHECKING:
    from stemscan.store.importing.measured import Samples

__all__ = ["found_dose"]


def found_dose(
    samples: Samples, channels: tuple[DetectorInfo, ...], *, dark: npt.ArrayLike | None = None
) -> tuple[tuple[DetectorInfo, ...], float, list[Calibration]]:
    """Detectors and dose per sample of samples, from pixels that were visited again.

    Parameters
    ----------
    channels : tuple of DetectorInfo
        One in "adu" keeps its gain and offset, others get those that are found.
    dark : array_like, optional
        Readings with the beam blanked, of all channels alike.

    Returns
    -------
    electrons_per_sample : float
        Electrons of a sample where the image of the brightest channel is brightest, which is signal 1 then.

    Raises
    ------
    UsageError
        As `calibrate`; it names the option that helps as well.
    """
    starts = (0, *accumulate(samples.samples_per_pass))
    made, known = list[Calibration](), list[DetectorInfo]()
    brightest = 0.0
    for channel, readings in zip(channels, samples.counts.reshape(len(samples.positions), -1).T, strict=True):
        try:
            found = calibrate_readings(readings, samples.positions, starts, samples.shape, dark=dark)
        except ReconError as problem:
            raise UsageError(f"without --dose: {problem}; or state --dose") from problem
        if channel.unit == "electron":
            channel = replace(channel, unit="adu", gain=found.gain, offset=found.offset)
        level = found.brightest * found.gain + found.offset
        brightest = max(brightest, (level - channel.offset) / channel.gain)
        made.append(found)
        known.append(channel)
    return tuple(known), float(np.round(brightest, 4)), made
