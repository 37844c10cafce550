"""From an acquisition store to the inputs of methods."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError, UsageError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.runtime.memory import require_memory
from stemscan.store.dead_time import without_dead_time

if TYPE_CHECKING:
    from stemscan.recon.drift.using import DriftUse, Used
    from stemscan.recon.inputs.gridding import PlacedSamples
    from stemscan.store.reader import Acquisition
    from stemscan.types import Image

__all__ = ["Positions", "check_positions", "input_bytes", "load_inputs", "opened", "origin_of"]

Positions = Literal["actual", "commanded"]

_UNREACHED: Final = 0.02
"""Share of blocks that a lagging beam never reached, above which the user is warned."""

_SATURATED: Final = 1e-4
"""Share of saturated samples above which the user is warned."""

_BRIGHT: Final = 0.99
"""Share of samples that are no brighter than what stands for bright ones."""

_NOISIER: Final = 0.2
"""Share by which dead time raises their variance above which the user is warned."""

_BATCH: Final = 1 << 20

_BYTES_A_FRAME_PIXEL: Final = 10
_BYTES_A_PIXEL: Final = 8
"""Memory of inputs while they are read, for a pixel of each frame and one of the grid; by `benchmarks/memory.py`."""


def input_bytes(shape: tuple[int, int], passes: int) -> float:
    """Memory that `load_inputs` takes for a store of so many passes of rows and columns."""
    return (_BYTES_A_FRAME_PIXEL * passes + _BYTES_A_PIXEL) * math.prod(shape)


def load_inputs(
    source: str | Path | Acquisition,
    positions: Positions | None = None,
    drift: DriftUse | Used = "auto",
    *,
    channel: int | str = 0,
) -> Inputs:
    """Read an acquisition.

    Raw values become electrons by the detector's gain, offset and dead time. A store that is incomplete is read as far
    as it was committed, and says so in ``source["warnings"]``.

    Parameters
    ----------
    source : str, Path or Acquisition
        Folder of a store (``acq.zarr``), or an acquisition that was opened.
    positions : {"actual", "commanded"}, optional
        By which samples are put on the grid: where the beam was, shared among the pixels around it, or the pixels that
        were commanded. Actual ones where the store has them, unless given.
    drift : {"auto", "off", "stored"} or Used
        Undo the specimen's drift: that which the store has, else what is found where a quick test shows some; or none;
        or the stored one alone. Left as it is where commanded positions are asked for. The image is that of the
        specimen at the mean position of the scan.
    channel : int or str
        Number or name of a channel; `stemscan.recon.joint.reading.load_channels` takes several together.

    Raises
    ------
    UsageError
        Where the source is something else.
    InputNotFoundError, StoreError
        Where there is no store, or a damaged one.
    ReconError
        Where the store holds nothing to reconstruct, or not the positions asked for.
    """
    from stemscan.recon.drift.using import drift_to_use

    acquisition = opened(source)
    check_positions(acquisition, positions)
    places = None if positions == "commanded" else acquisition.actual()
    rows, columns = acquisition.shape
    number = acquisition.channel_number(channel)
    detector, truths = acquisition.channels[number], acquisition.truths
    grid = f"{acquisition.passes} x {rows} x {columns} pixels"
    require_memory(input_bytes(acquisition.shape, acquisition.passes), f"to read a store of {grid}")
    known: dict[str, Any] = {
        "noise": acquisition.noise,
        "pixel_size_nm": acquisition.pixel_size_nm,
        **_truth(acquisition, None if truths is None else truths[number]),
        "analogue": detector.unit != "electron",
    }
    if positions == "commanded":
        drift = "off"
    used = drift_to_use(acquisition, drift) if isinstance(drift, str) else drift
    origin = origin_of(acquisition, number, used, actual=places is not None)
    dose = acquisition.electrons_per_sample
    if used.trajectory is not None:
        commanded = acquisition.positions().astype(np.float32) if places is None else places
        places = commanded + used.trajectory.at(np.arange(len(commanded))).astype(np.float32)
    if places is not None:
        shared = used.trajectory is None  # samples that drift spread over all places are better whole: docs/drift.md
        return Inputs.from_samples(_placed(acquisition, places, number), dose, shared=shared, source=origin, **known)
    visits = acquisition.visits()
    frames = _frames(acquisition, visits, number)
    return Inputs.from_arrays(frames, visits, dose, source=origin, **known)


def check_positions(acquisition: Acquisition, positions: str | None) -> None:
    """Refuse positions that there are not.

    Raises
    ------
    ReconError
    """
    if positions not in (None, *get_args(Positions)):
        raise ReconError(f"expected positions 'actual' or 'commanded', got {positions!r}; give one of the two")
    if positions == "actual" and not acquisition.has_actual:
        raise ReconError(
            f"expected a store with actual positions, got {str(acquisition.path)!r}, which has none; use the commanded"
        )


def opened(source: str | Path | Acquisition) -> Acquisition:
    """The acquisition, opened where its path is given.

    Raises
    ------
    UsageError
        Where the source is something else.
    InputNotFoundError, StoreError
        Where there is no store, or a damaged one.
    """
    from stemscan.store.reader import Acquisition

    if not isinstance(source, str | Path | Acquisition):
        raise UsageError(
            f"expected an acquisition, the path of its store, or Inputs, got {type(source).__name__}; make Inputs of "
            "arrays by Inputs.from_arrays"
        )
    return source if isinstance(source, Acquisition) else Acquisition.open(source)


def origin_of(acquisition: Acquisition, channel: int, used: Used, *, actual: bool) -> dict[str, Any]:
    """Where inputs come from, as `Inputs.source` has it, with warnings about the detector; reads samples in batches."""
    detector, warnings = acquisition.channels[channel], [*acquisition.warnings, *used.warnings]
    origin: dict[str, Any] = {
        "path": str(acquisition.path),
        "store_digest": acquisition.digest(),
        "plan_digest": acquisition.plan_digest,
        "state": acquisition.state,
        "positions": "actual" if actual else "commanded",
        "warnings": warnings,
    }
    if used.trajectory is not None:
        rms, std = used.trajectory.rms, used.trajectory.rms_std
        origin["drift"] = {"origin": used.origin, "rms_px": round(rms, 4), "std_px": round(std, 4)}
    if actual:
        _warn_of_gaps(acquisition, warnings)
    _warn_of_saturation(acquisition, channel, warnings)
    if detector.dead_share:
        origin["dead_time"] = _dead_time(acquisition, channel, warnings)
    if len(acquisition.channels) > 1:
        origin["channel"] = detector.name
    return origin


def _truth(acquisition: Acquisition, truth: Image | None) -> dict[str, Any]:
    """The specimen of a simulation and its columns, as they lie at the mean position of the scan."""
    from stemscan.recon.drift.truth import mean_offset, moved_columns, moved_image

    known = acquisition.truth_columns
    if truth is None or not (offset := mean_offset(acquisition)).any():
        return {"truth": truth, "truth_columns": known}
    return {
        "truth": moved_image(truth, offset),
        "truth_columns": None if known is None else moved_columns(known, offset),
    }


def _placed(acquisition: Acquisition, places: npt.NDArray[np.float32], channel: int) -> PlacedSamples:
    """A store's samples in electrons, where the beam was."""
    from stemscan.recon.inputs.gridding import PlacedSamples

    electrons = acquisition.electrons(channel=channel)
    return PlacedSamples.of(electrons, places, tuple(acquisition.layout.pass_starts), acquisition.shape)


def _batches(acquisition: Acquisition) -> list[tuple[int, int]]:
    """First sample and end of batches in which samples are looked at."""
    number = acquisition.samples_committed
    return [(start, min(start + _BATCH, number)) for start in range(0, number, _BATCH)]


def _warn_of_gaps(acquisition: Acquisition, warnings: list[str]) -> None:
    """Say so where the beam lagged so far behind that parts of the grid were not sampled."""
    from stemscan.recon.inputs.gridding import unreached

    shape, places = acquisition.shape, (acquisition.actual(*batch) for batch in _batches(acquisition))
    commanded = (acquisition.positions(*batch) for batch in _batches(acquisition))
    share = unreached(((one, at) for one, at in zip(commanded, places, strict=True) if at is not None), shape)
    if share > _UNREACHED:
        warnings.append(
            f"the beam lagged so far behind that it never reached {100 * share:.0f} % of the image's blocks of 16 x 16 "
            "pixels; the image there is a guess, and standard deviations are too small"
        )


def _warn_of_saturation(acquisition: Acquisition, channel: int, warnings: list[str]) -> None:
    """Say so where samples are saturated."""
    detector = acquisition.channels[channel]
    if detector.full == math.inf:
        return
    saturated = sum(int(acquisition.saturated(*batch, channel=channel).sum()) for batch in _batches(acquisition))
    share = saturated / max(acquisition.samples_committed, 1)
    if share <= _SATURATED:
        return
    if detector.dead_share and detector.full != detector.largest:
        why, cure = "as many pulses as dead time lets through in a dwell", "lower the current"
    else:
        why, cure = f"at the converter's largest number ({detector.largest})", "lower dose or gain"
    warnings.append(
        f"{100 * share:.2g} % of the samples are saturated, {why}; where they are the image is too dark: {cure}"
    )


def _dead_time(acquisition: Acquisition, channel: int, warnings: list[str]) -> dict[str, float]:
    """Dead time and what it lost; says so where noise is well above that of counts."""
    share = acquisition.channels[channel].dead_share
    pulses, number = _histogram(acquisition, channel)
    made_up = without_dead_time(pulses, share)
    reached = np.searchsorted(np.cumsum(number), _BRIGHT * number.sum())
    bright = float(made_up[reached]) * share if number.any() else 0.0
    if bright > _NOISIER:
        warnings.append(
            f"dead time lost {100 * bright / (1 + bright):.0f} % of the electrons of bright samples; they are made up "
            f"for, but noise there is {math.sqrt(1 + bright):.2g} times that of counts, and standard deviations are "
            "too small: lower the current"
        )
    all_pulses = float(pulses @ number)
    lost = 1 - all_pulses / float(made_up @ number) if all_pulses else 0.0
    return {"of_dwell": share, "lost": round(float(lost), 4)}


def _histogram(acquisition: Acquisition, channel: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Numbers of pulses that occur in samples, ascending, and how many samples have each."""
    seen: dict[float, int] = {}
    for batch in _batches(acquisition):
        values, numbers = np.unique(acquisition.counts(*batch, channel=channel), return_counts=True)
        for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
            seen[value] = seen.get(value, 0) + number
    pulses = sorted(seen)
    return np.array(pulses, np.float64), np.array([seen[one] for one in pulses], np.int64)


def _frames(acquisition: Acquisition, visits: npt.NDArray[Any], channel: int) -> npt.NDArray[Any]:
    """Frames in electrons: by the sums of raw numbers, to which each visit adds the detector's offset once; of a
    detector with dead time by sums of samples, for what it lost in one is not known from sums."""
    detector = acquisition.channels[channel]
    if detector.dead_share:
        return _summed(acquisition, channel)
    raw = acquisition.frames(channel=channel)
    if detector.unit == "electron":
        return raw
    electrons: npt.NDArray[Any] = (raw - detector.offset * visits.astype(np.float32)) / detector.gain
    return electrons


def _summed(acquisition: Acquisition, channel: int) -> npt.NDArray[np.float32]:
    """Electrons of samples, summed per pass and pixel, (T, H, W)."""
    rows, columns = acquisition.shape
    frames = np.zeros((acquisition.passes, rows * columns), np.float32)
    for number, (start, stop) in enumerate(pairwise(acquisition.layout.pass_starts)):
        stop = min(stop, acquisition.samples_committed)
        if start < stop:
            pixels = acquisition.positions(start, stop).astype(np.int64) @ np.array([columns, 1])
            frames[number] = np.bincount(pixels, acquisition.electrons(start, stop, channel=channel), rows * columns)
    return frames.reshape(-1, rows, columns)
