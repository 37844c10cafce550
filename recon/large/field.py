"""The frame that is reconstructed in tiles: inputs that are in memory, or a store of which parts are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stemscan.recon.inputs.inputs import Inputs
from stemscan.types import Image, ReadOnlyMapping

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["Field", "LoadedField", "StoreField"]


class Field(Protocol):
    """Counts and visits of a frame, part by part; can be sent to other processes."""

    shape: tuple[int, int]
    passes: int
    pixel_size_nm: float | None
    source: Mapping[str, Any]
    has_truth: bool

    def part(self, rows: slice, columns: slice) -> Inputs | None:
        """Inputs of a part of the grid, of slices with both ends; None where it has no sample."""
        ...

    def truth(self, rows: slice, columns: slice) -> Image:
        """The specimen's signal in a part, where it is known."""
        ...

    def alone(self, rows: slice, columns: slice) -> Field:
        """A field of which this part alone is asked for, as little as may be to send to another machine."""
        ...


class LoadedField:
    """A frame whose inputs are in memory."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.shape, self.pixel_size_nm, self.source = inputs.shape, inputs.pixel_size_nm, inputs.source
        self.passes, self.has_truth = inputs.T, inputs.truth is not None

    def part(self, rows: slice, columns: slice) -> Inputs | None:
        """See `Field`."""
        part = self._inputs.part(rows, columns)
        return part if part.visits.any() else None

    def truth(self, rows: slice, columns: slice) -> Image:
        """See `Field`."""
        assert self._inputs.truth is not None
        return self._inputs.truth[rows, columns]

    def alone(self, rows: slice, columns: slice) -> Field:
        """See `Field`."""
        part = self.part(rows, columns)
        truth = self.truth(rows, columns) if self.has_truth else None
        return _PartField(
            self.shape,
            self.passes,
            self.pixel_size_nm,
            self.source,
            self.has_truth,
            (rows, columns),
            None if part is None else part.detached(),
            truth,
        )


@dataclass(eq=False)
class _PartField:
    """A part of a frame that was in memory, where it was sent."""

    shape: tuple[int, int]
    passes: int
    pixel_size_nm: float | None
    source: Mapping[str, Any]
    has_truth: bool
    region: tuple[slice, slice]
    inputs: Inputs | None
    signal: Image | None

    def part(self, rows: slice, columns: slice) -> Inputs | None:
        """See `Field`; of the whole part alone."""
        assert (rows, columns) == self.region
        return self.inputs

    def truth(self, rows: slice, columns: slice) -> Image:
        """See `Field`; of the whole part alone."""
        assert (rows, columns) == self.region
        assert self.signal is not None
        return self.signal

    def alone(self, rows: slice, columns: slice) -> Field:
        """See `Field`."""
        return self


class StoreField:
    """A frame of one channel of a complete store, of which parts are read.

    Parameters
    ----------
    acquisition : Acquisition
        With samples on its pixels, of a detector without dead time.
    source : mapping
        See `Inputs`.
    """

    def __init__(self, acquisition: Acquisition, channel: int, source: Mapping[str, Any]) -> None:
        from stemscan.store.windows import Windows

        self._acquisition, self._channel = acquisition, channel
        self._windows = Windows(acquisition, channel)
        self.shape, self.passes, self.pixel_size_nm = acquisition.shape, acquisition.passes, acquisition.pixel_size_nm
        self.source: Mapping[str, Any] = ReadOnlyMapping(source)
        self.has_truth = "truth" in acquisition.arrays

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._acquisition, self._channel, dict(self.source))

    def part(self, rows: slice, columns: slice) -> Inputs | None:
        """See `Field`."""
        raw, visits = self._windows.pictures(rows, columns)
        if not visits.any():
            return None
        detector, acquisition = self._acquisition.channels[self._channel], self._acquisition
        counted = detector.unit == "electron"
        return Inputs.from_arrays(
            raw if counted else (raw - detector.offset * visits.astype(np.float32)) / detector.gain,
            visits,
            acquisition.electrons_per_sample,
            noise=acquisition.noise,
            pixel_size_nm=self.pixel_size_nm,
            source=self.source,
            analogue=not counted,
        )

    def truth(self, rows: slice, columns: slice) -> Image:
        """See `Field`."""
        return self._windows.truth(rows, columns)

    def alone(self, rows: slice, columns: slice) -> Field:
        """See `Field`: itself, which opens the store where it is sent."""
        return self
