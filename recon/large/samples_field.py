"""The frame of a store whose samples are put on the grid one by one, part by part.

So are samples between pixels, of a specimen that drifted, of a detector with dead time, or of a scan that is not
complete. Of each batch of samples it is known which rows it visits, so that parts read only what may lie in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.types import Floats, Image, ReadOnlyMapping
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.recon.large.field import Field
    from stemscan.store.reader import Acquisition
    from stemscan.store.trajectory import Trajectory

__all__ = ["Placing", "SamplesField"]

_BATCH: Final = 1 << 18
"""Samples that are read at a time: the chunks of stores."""

_SPLINE: Final = 24
"""Pixels beyond a part from which the specimen's values between pixels still change, by less than 1e-12."""


class Placing(NamedTuple):
    """Where samples are put.

    Attributes
    ----------
    actual : bool
        On the places of the beam, rather than on the commanded pixels.
    trajectory : Trajectory or None
        Drift to undo.
    """

    actual: bool = False
    trajectory: Trajectory | None = None

    @property
    def on_pixels(self) -> bool:
        """Tell whether all samples lie on pixels."""
        return not self.actual and self.trajectory is None


class SamplesField:
    """A frame of one channel of a store, each part made of the samples that lie in it; see `Field`.

    Parameters
    ----------
    source : mapping
        See `Inputs`.
    rows : ndarray of float64, (B, 2), optional
        First and last row of each batch of samples; looked up in the store unless given.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        channel: int,
        source: Mapping[str, Any],
        placing: Placing,
        rows: Floats | None = None,
    ) -> None:
        from stemscan.recon.drift.truth import mean_offset
        from stemscan.store.windows import Windows

        self._acquisition, self._channel, self._placing = acquisition, channel, placing
        self.shape, self.passes, self.pixel_size_nm = acquisition.shape, acquisition.passes, acquisition.pixel_size_nm
        self.has_truth = "truth" in acquisition.arrays
        known = dict(source)
        if rows is None:
            rows, outside = self._looked_up()
            if outside:
                number = counted(acquisition.samples_committed, "sample")
                note = f"{outside} of {number} left out, outside of the grid"
                known["warnings"] = [*known.get("warnings", []), note]
        self.source: Mapping[str, Any] = ReadOnlyMapping(known)
        self._rows, self._windows = rows, Windows(acquisition, channel)
        self._truth_offset = mean_offset(acquisition) if self.has_truth else np.zeros(2)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._acquisition, self._channel, dict(self.source), self._placing, self._rows)

    def part(self, rows: slice, columns: slice) -> Inputs | None:
        """See `Field`."""
        wide = _wider((rows, columns), 1, self.shape)  # whose samples have shares in the part
        found = self._samples_in(*wide)
        if not len(found.electrons):
            return None
        acquisition, placing = self._acquisition, self._placing
        dose = acquisition.electrons_per_sample
        known: dict[str, Any] = {
            "noise": acquisition.noise,
            "pixel_size_nm": self.pixel_size_nm,
            "source": self.source,
            "analogue": acquisition.channels[self._channel].unit != "electron",
        }
        if placing.on_pixels:
            inputs = Inputs.from_arrays(*found.nearest(), dose, **known)
        else:
            inputs = Inputs.from_samples(found, dose, shared=placing.trajectory is None, **known)
        part = inputs.part(*_within((rows, columns), wide))
        return part if part.visits.any() else None

    def truth(self, rows: slice, columns: slice) -> Image:
        """See `Field`; as it lies at the mean position of the scan."""
        from stemscan.recon.drift.truth import moved_image

        if not self._truth_offset.any():
            return self._windows.truth(rows, columns)
        reach = _SPLINE + int(np.ceil(np.abs(self._truth_offset).max()))
        wide = _wider((rows, columns), reach, self.shape)
        moved = moved_image(self._windows.truth(*wide), self._truth_offset)
        return np.ascontiguousarray(moved[_within((rows, columns), wide)])

    def alone(self, rows: slice, columns: slice) -> Field:
        """See `Field`: itself, which opens the store where it is sent."""
        return self

    def _places(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Positions of samples start .. stop - 1, (n, 2)."""
        actual = self._acquisition.actual(start, stop) if self._placing.actual else None
        places = self._acquisition.positions(start, stop).astype(np.float32) if actual is None else actual
        if self._placing.trajectory is None:
            return places
        moved: npt.NDArray[np.float32] = places + self._placing.trajectory.at(np.arange(start, stop)).astype(np.float32)
        return moved

    def _batches(self) -> list[tuple[int, int]]:
        """First sample and end of each batch."""
        number = self._acquisition.samples_committed
        return [(start, min(start + _BATCH, number)) for start in range(0, number, _BATCH)]

    def _looked_up(self) -> tuple[Floats, int]:
        """First and last row of each batch, and how many samples lie outside of the grid."""
        found, outside, last = [], 0, np.array(self.shape) - 0.5
        for batch in self._batches():
            places = self._places(*batch)
            found.append((places[:, 0].min(), places[:, 0].max()))
            outside += int(np.count_nonzero(((places < -0.5) | (places > last)).any(axis=1)))
        return np.array(found, np.float64).reshape(-1, 2), outside

    def _samples_in(self, rows: slice, columns: slice) -> PlacedSamples:
        """Samples that lie in a part, their places from its corner."""
        corner = np.array([rows.start, columns.start], np.float32)
        shape = rows.stop - rows.start, columns.stop - columns.start
        electrons, places, numbers = [np.empty(0)], [np.empty((0, 2), np.float32)], [np.empty(0, np.int64)]
        for (start, stop), (first, last) in zip(self._batches(), self._rows.tolist(), strict=True):
            if last < rows.start - 0.5 or first > rows.stop - 0.5:
                continue
            at = self._places(start, stop) - corner
            kept = np.nonzero(((at >= -0.5) & (at <= np.array(shape) - 0.5)).all(axis=1))[0]
            if len(kept):
                electrons.append(self._acquisition.electrons(start, stop, channel=self._channel)[kept])
                places.append(at[kept])
                numbers.append(kept + start)
        starts = tuple(np.searchsorted(np.concatenate(numbers), self._acquisition.layout.pass_starts).tolist())
        return PlacedSamples.of(np.concatenate(electrons), np.concatenate(places), starts, shape)


def _wider(part: tuple[slice, slice], by: int, shape: tuple[int, int]) -> tuple[slice, slice]:
    """A part with so many pixels more on each side, as far as the grid goes."""
    rows, columns = (
        slice(max(side.start - by, 0), min(side.stop + by, size)) for side, size in zip(part, shape, strict=True)
    )
    return rows, columns


def _within(part: tuple[slice, slice], wide: tuple[slice, slice]) -> tuple[slice, slice]:
    """A part as it lies in a wider one."""
    rows, columns = (slice(side.start - out.start, side.stop - out.start) for side, out in zip(part, wide, strict=True))
    return rows, columns
