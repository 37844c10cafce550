"""Batches of samples as a detector delivers them, what their numbers mean, and the check that they can be kept.

A store keeps counts unchanged or not at all: nothing is clipped, wrapped, rounded or filled in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from stemscan.arguments import real_number
from stemscan.errors import ControllerError, UnprovenError, UsageError
from stemscan.store.dead_time import without_dead_time

__all__ = ["DetectorInfo", "SampleBatch", "check_batch", "check_channels", "common_dtype", "head_of"]

_NAME: Final = re.compile(r"[^\W\d][^+,\s]*")
_WHOLE_FLOATS: Final = 1 << 24
_ANY: Final = 1 << 64
_LARGEST: Final = 1e12
"""Gain and offset of a detector; beyond it electrons would leave the range of single precision."""


@dataclass(frozen=True)
class DetectorInfo:
    """Meaning of a detector's numbers: electrons = (counts - offset) / gain for each sample, see `electrons`.

    Parameters
    ----------
    unit : {"electron", "adu"}
        Counted electrons, or numbers of an analogue-to-digital converter.
    gain : float
        Numbers per electron, 1e-12 to 1e12.
    offset : float
        Number that a sample without electrons reads, at most 1e12 from 0.
    dtype : {"uint16", "uint32", "float32"}
        Of the counts.
    largest : int, optional
        Largest number of its converter; a sample that has it is saturated.
    name : str
        Of the channel, such as "haadf"; two detectors that differ in it alone are equal.
    dead_share : float
        Of a detector that counts pulses: its dead time, not extended by pulses, over the dwell time; 0 to 1e12.
    """

    unit: Literal["electron", "adu"] = "electron"
    gain: float = 1.0
    offset: float = 0.0
    dtype: Literal["uint16", "uint32", "float32"] = "uint16"
    name: str = field(default="detector", compare=False)
    largest: int | None = None
    dead_share: float = 0.0

    def __post_init__(self) -> None:
        if self.unit not in ("electron", "adu"):
            raise UsageError(f"expected the detector's unit to be 'electron' or 'adu', got {self.unit!r}")
        if self.dtype not in ("uint16", "uint32", "float32"):
            raise UsageError(f"expected the detector's dtype to be uint16, uint32 or float32, got {self.dtype!r}")
        for name in ("gain", "offset", "dead_share"):
            object.__setattr__(
                self, name, real_number(getattr(self, name), f"the detector's {name.replace('_', ' ')} as a number")
            )
        if not (1 / _LARGEST <= self.gain <= _LARGEST and abs(self.offset) <= _LARGEST):
            raise UsageError(
                f"expected a detector gain of {1 / _LARGEST:g} to {_LARGEST:g} numbers per electron and an offset of "
                f"at most as much, got {self.gain!r} and {self.offset!r}"
            )
        if not 0 <= self.dead_share <= _LARGEST:
            raise UsageError(
                f"expected a dead time of 0 to {_LARGEST:g} dwell times, got {self.dead_share!r}; correct it"
            )
        if self.largest is not None and self.largest < 1:
            raise UsageError(f"expected a largest number of at least 1, got {self.largest!r}")
        if self.unit == "electron" and (self.gain != 1 or self.offset != 0):
            raise UsageError(
                f"expected gain 1 and offset 0 for a detector that counts electrons, got {self.gain!r} and "
                f"{self.offset!r}; say unit 'adu'"
            )

    def electrons(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Electrons of single samples from their numbers: without bias, dead time made up for."""
        pulses = without_dead_time(counts, self.dead_share) if self.dead_share else counts.astype(np.float64)
        return pulses if self.unit == "electron" else (pulses - self.offset) / self.gain

    @property
    def full(self) -> float:
        """Least number of a saturated sample: the converter's largest, or pulses that leave no time for another."""
        blind = 1 / self.dead_share if self.dead_share else np.inf
        return min(blind, np.inf if self.largest is None else self.largest)


@dataclass(frozen=True)
class SampleBatch:
    """Consecutive samples in scan order.

    Parameters
    ----------
    start : int
        Index of the first sample in the path.
    counts : ndarray
        (n,) raw values of the detector, or (n, C) of a controller with several channels; integers of any width, or
        float32, which holds those of all channels where one of them is of that type.
    actual : ndarray, optional
        (n, 2) positions of the beam (row, column) in pixels, where the controller knows them.
    truths : mapping, optional
        Facts that only a simulation knows: arrays of n values by their names in `stemscan.store.schema.TRACKS`.
    """

    start: int
    counts: NDArray[Any]
    actual: NDArray[np.floating[Any]] | None = None
    truths: Mapping[str, NDArray[np.floating[Any]]] | None = None

    def __getitem__(self, part: slice) -> SampleBatch:
        """Some of its samples, in steps of 1; those of `start` are the same number."""
        begin, _, _ = part.indices(len(self.counts))
        return SampleBatch(
            self.start + begin,
            self.counts[part],
            None if self.actual is None else self.actual[part],
            None if self.truths is None else {name: values[part] for name, values in self.truths.items()},
        )


def head_of(batch: SampleBatch, stop: int) -> SampleBatch:
    """The part of a batch before sample `stop`, which is above its first; the batch itself where that is all."""
    size = stop - batch.start
    return batch if size >= len(batch.counts) else batch[:size]


def check_channels(channels: tuple[DetectorInfo, ...]) -> None:
    """Refuse channels of which one cannot be told from another.

    Raises
    ------
    UsageError
        When there is none, two have one name, or a name is none by which one can be asked for.
    """
    names = [channel.name for channel in channels]
    if not channels or len(set(map(str.lower, names))) < len(names):
        raise UsageError(f"expected at least one channel, each with a name of its own, got {names}; name them apart")
    if len(channels) > 1 and (wrong := next((name for name in names if not _is_name(name)), None)) is not None:
        raise UsageError(
            f"expected names of channels that begin with a letter, hold no +, comma or space and are not 'all', got "
            f"{wrong!r}; rename it"
        )


def _is_name(name: str) -> bool:
    """Tell whether a channel can be asked for by that name."""
    return _NAME.fullmatch(name) is not None and name.lower() != "all"


def check_batch(
    batch: SampleBatch,
    start: int,
    stop: int,
    dtypes: Sequence[np.dtype[Any]],
    *,
    actual: bool,
    tracks: Collection[str] | None = None,
) -> None:
    """Refuse a batch that does not continue at `start`, passes `stop`, or holds what cannot be kept unchanged.

    Parameters
    ----------
    dtypes : sequence of numpy.dtype
        Type of the counts of each channel.
    actual : bool
        True if it must carry actual positions.
    tracks : collection of str, optional
        The truths that it must carry.

    Raises
    ------
    UnprovenError
        When it begins elsewhere, or passes `stop`.
    ControllerError
        When it is wrong otherwise; both name what was expected and what came.
    """
    counts = batch.counts
    if not isinstance(counts, np.ndarray):
        raise ControllerError(f"expected counts in a numpy array, got {type(counts).__name__} at sample {start}")
    lots = () if len(dtypes) == 1 else (len(dtypes),)
    if counts.ndim != 1 + len(lots) or counts.shape[1:] != lots or counts.size == 0:
        shape = f"(n, {lots[0]})" if lots else "(n,)"
        raise ControllerError(f"expected a batch of counts of shape {shape} with n >= 1, got shape {counts.shape}")
    if not isinstance(batch.start, int | np.integer):
        raise ControllerError(f"expected a batch that starts at sample {start}, got {batch.start!r}")
    if batch.start != start:
        what = "overlap" if batch.start < start else "gap"
        raise UnprovenError(f"expected a batch that starts at sample {start}, got {batch.start}: {what}", proven=start)
    if start + len(counts) > stop:
        raise UnprovenError(
            f"expected samples up to {stop}, as armed, got a batch that ends at {start + len(counts)}", proven=start
        )
    common = common_dtype(dtypes)
    for channel, dtype in enumerate(dtypes):
        values = counts[:, channel] if lots else counts
        if dtype.kind == "f":
            _check_floats(values, start, dtype)
        else:
            _check_integers(values, start, dtype, common)
    if actual != (batch.actual is not None):
        expected, got = ("with", "none") if actual else ("without", "some")
        raise ControllerError(f"expected batches {expected} actual positions, got {got} at sample {start}")
    if batch.actual is not None:
        positions = np.asarray(batch.actual)
        fits = positions.dtype.kind == "f" and (np.abs(positions) <= np.finfo(np.float32).max).all()
        if positions.shape != (len(counts), 2) or not fits:
            raise ControllerError(
                f"expected finite actual positions of shape ({len(counts)}, 2), got {positions.dtype} of shape "
                f"{positions.shape} at sample {start}"
            )
    if tracks is not None and set(tracks) != set(batch.truths or ()):
        raise ControllerError(
            f"expected truths {', '.join(tracks) or 'of no kind'} with each batch, got "
            f"{', '.join(batch.truths or ()) or 'none'} at sample {start}"
        )


def common_dtype(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """The type of an array that holds all channels: float32 where one of them is."""
    return np.dtype(np.float32) if any(one.kind == "f" for one in dtypes) else max(dtypes, key=lambda one: one.itemsize)


def _check_floats(counts: NDArray[Any], start: int, dtype: np.dtype[Any]) -> None:
    """Refuse floats of another width, not finite or below zero."""
    if counts.dtype != dtype:
        raise ControllerError(f"expected counts of dtype {dtype}, got {counts.dtype} at sample {start}")
    bad = ~(np.isfinite(counts) & (counts >= 0))
    if bad.any():
        first = int(bad.argmax())
        raise ControllerError(f"expected finite counts of at least 0, got {counts[first]} at sample {start + first}")


def _check_integers(counts: NDArray[Any], start: int, dtype: np.dtype[Any], common: np.dtype[Any]) -> None:
    """Refuse what is no integer, below zero, or above the largest value that `dtype` and `common` hold."""
    if common.kind == "f" and counts.dtype == common:  # beside a channel of floats
        bad = counts != np.trunc(counts)
        if bad.any():
            first = int(bad.argmax())
            raise ControllerError(f"expected whole counts ({dtype}), got {counts[first]} at sample {start + first}")
    elif counts.dtype.kind not in "iu":
        raise ControllerError(f"expected integer counts ({dtype}), got {counts.dtype} at sample {start}")
    highest = min(int(np.iinfo(dtype).max), _WHOLE_FLOATS if common.kind == "f" else _ANY)
    if counts.min() < 0:
        first = int((counts < 0).argmax())
        raise ControllerError(f"expected counts of at least 0, got {counts[first]} at sample {start + first}")
    if counts.max() > highest:
        first = int((counts > highest).argmax())
        raise ControllerError(
            f"expected counts of at most {highest} ({dtype}), got {counts[first]} at sample {start + first}; "
            "lower the dose per sample or check the detector"
        )
