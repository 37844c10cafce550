"""Acquisition: a store of one acquisition, contract 2, as it is read.

A store that is not complete is read as far as it was committed when it was opened: its pictures are drawn from those
samples, whatever its `frames` and `visits` hold, and `warnings` says so. Arrays are read when they are asked for.
`stemscan.store.writer` is the other side.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from stemscan.arguments import whole_number
from stemscan.errors import StoreError, UsageError
from stemscan.store.files import DRIFT
from stemscan.store.recorded import RecordedAcquisition
from stemscan.store.root import open_root
from stemscan.store.schema import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stemscan.store.drift import StoredDrift
    from stemscan.store.reading import StoreArrays
    from stemscan.store.true_columns import TrueColumns

__all__ = ["Acquisition"]


class Acquisition(RecordedAcquisition):
    """The store of one acquisition, opened for reading.

    Made by `open`, and returned by `simulate`, `acquire` and imports. What the record says is read at once, arrays when
    they are asked for.

    Attributes
    ----------
    path : pathlib.Path
        Folder of the store.
    plan : ScanPlan or None
        None for data measured elsewhere.
    layout : Layout
        Grid, samples of each pass, dose per sample, pixel size.
    shape : tuple of int
        Rows and columns of the grid.
    passes : int
        Number of passes, T.
    electrons_per_sample : float
        Dose per sample, lambda: expected detected electrons of one visit of a pixel with signal 1.
    pixel_size_nm : float or None
        Distance of neighbouring pixels in nanometres, where it is known.
    total_samples, samples_committed, samples_armed : int
        Samples of the whole scan, N; those that are in the store for good; those that may have been exposed.
    state : {"acquiring", "complete", "aborted"}
    origin : {"acquired", "imported"}
        From a plan, or data measured elsewhere.
    noise : {"poisson", "eq5"}
        Statistics of the counts.
    seed : int or None
        Of the virtual detector; None for real ones.
    detector : DetectorInfo
        Meaning of the counts of the first channel.
    channels : tuple of DetectorInfo
        Meaning of the counts of each channel, with its name.
    specimen : dict or None
        Name, sha256 and record of a simulation's specimen.
    instrument : dict or None
        Name, sha256, settings and tracks of a simulation's instrument; None for an ideal one, and for measurements.
    tracks : tuple of str
        Arrays in which a simulation keeps facts of each sample; see `track`.
    known_columns : dict or None
        Number of atomic columns that a simulation's specimen knows (`truth_columns`), their fields and kinds.
    imported : dict or None
        Record of data measured elsewhere.
    coil_tau_ns : float or None
        Time constant in ns of the scan coils that the actual positions follow, where it is known.
    coil_waits : str or None
        Digest of the waits before dwells that the actual positions follow; None where the beam did not wait.
    doubt : dict or None
        `proven`, the samples that are beyond doubt where not all committed are, and the `reason`.
    ledger : dict or None
        Times and electrons of the beam; None for data measured elsewhere and stores of early releases.
    follow : dict or None
        Rule by which drift was followed, and of each pass that was begun `offset_px`, `wanted_px`, `std_px` and `held`;
        None where the field stayed. See `field_offsets`.
    stopped : dict or None
        Passes and samples after which a rule ended the acquisition, and the reason; None where all were made.
    history : list of dict
        Times, versions, interruptions; not part of the data.
    schema : int
        Of the store: 2, or 1 of early releases, which has no digests.
    arrays : tuple of str
        Paths of the arrays that the store has.
    has_actual : bool
        True if the store knows where the beam really was.

    Examples
    --------
    >>> Acquisition.open("acq.zarr").frames().shape  # doctest: +SKIP
    (4, 256, 256)
    """

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read a store, complete or not.

        Parameters
        ----------
        path : str or Path
            Folder of the store.

        Raises
        ------
        InputNotFoundError
            When there is nothing.
        StoreError
            When there is something else, a half-made store, a damaged one, or one of another schema.
        """
        root = open_root(path)
        try:
            return cls(root)
        except StoreError as problem:
            raise root.explained(problem) from problem

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, and processes that it is sent to, open the store again."""
        return type(self).open, (self.path.absolute(),)

    @cached_property
    def _arrays(self) -> StoreArrays:
        """Reads arrays; made when the first is asked for, as it imports zarr."""
        from stemscan.store.reading import StoreArrays

        return StoreArrays(self._store)

    def counts(self, start: int = 0, stop: int | None = None, *, channel: int = 0) -> NDArray[Any]:
        """Raw counts of a channel of samples start .. stop - 1 in scan order, (n,) uint16, uint32 or float32.

        Raises
        ------
        UsageError
            When the range is not among the committed samples, or there is no such channel.
        StoreError
            When the data are damaged.
        """
        return self._arrays.counts(start, stop, channel)

    def saturated(self, start: int = 0, stop: int | None = None, *, channel: int = 0) -> NDArray[np.bool_]:
        """Tell which of samples start .. stop - 1 are saturated, (n,); raises as `counts`.

        They have the converter's largest number, or as many pulses as dead time lets through in a dwell. None is where
        neither is known.
        """
        found: NDArray[np.bool_] = self.counts(start, stop, channel=channel) >= self.channels[channel].full
        return found

    def electrons(self, start: int = 0, stop: int | None = None, *, channel: int = 0) -> NDArray[np.float64]:
        """Electrons of samples start .. stop - 1, (n,): counts by gain, offset and dead time; raises as `counts`."""
        return self.channels[channel].electrons(self.counts(start, stop, channel=channel))

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
        """Pixels (row, column) of samples start .. stop - 1 as commanded, (n, 2) int32; raises as `counts`."""
        return self._arrays.samples("samples/position", start, stop)

    def actual(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32] | None:
        """Positions where the beam really was, (n, 2) float32 in pixels; None where not known; raises as `counts`."""
        return self._arrays.samples("samples/actual", start, stop) if self.has_actual else None

    def track(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Truth of a simulation for samples start .. stop - 1: (n, 2) positions or (n,) float32; raises as `counts`.

        Parameters
        ----------
        name : str
            One of `tracks`: ``truth_trajectory`` (where the beam really was on the specimen, row and column in
            pixels), ``truth_current`` (relative to the mean), ``truth_fading`` (share of the signal that damage left),
            ``truth_contamination`` (signal that contamination added).
        """
        if name not in self.tracks:
            raise UsageError(
                f"expected one of {', '.join(self.tracks) or 'no track'} of {str(self.path)!r}, got {name!r}; simulate "
                "with an instrument that has such an effect"
            )
        return self._arrays.samples(name, start, stop)

    def frames(self, *, channel: int = 0) -> NDArray[Any]:
        """Counts of a channel of each pass summed on the grid, (T, H, W), of the counts' type; zero where not visited.

        Raises
        ------
        UsageError
            When there is no such channel.
        StoreError
            When the data are damaged.
        """
        return self._picture("frames", channel)

    def visits(self) -> NDArray[Any]:
        """Number of samples that hit each pixel in each pass, (T, H, W) uint8 or uint16; raises as `frames`."""
        return self._picture("visits", 0)

    @property
    def levels(self) -> int:
        """Number of levels of the pyramid of `frames` that the store has; 0 of small frames and of older stores."""
        return sum(name in self.arrays for name in LEVELS) if self.state == "complete" else 0

    def level(self, number: int, *, channel: int = 0) -> NDArray[np.float32]:
        """Level of the pyramid, 1 the finest: means of 2^number x 2^number pixels of `frames`, (T, h, w) float32.

        Raises
        ------
        UsageError
            When there is no such level or channel.
        StoreError
            When the data are damaged.
        """
        self._arrays.check_channel(channel)
        whole_number(number, f"a level of {str(self.path)!r}, of which there are {self.levels}", 1, self.levels)
        found: NDArray[np.float32] = self._arrays.picture(LEVELS[number - 1])[:, channel]
        return found

    def _picture(self, name: str, channel: int) -> NDArray[Any]:
        """Frames or visits, read when the store is complete, else drawn."""
        self._arrays.check_channel(channel)
        stack = self._arrays.picture(name) if self.state == "complete" else self._drawn[name]
        return stack if stack.ndim == 3 else stack[:, channel]

    @cached_property
    def _drawn(self) -> dict[str, NDArray[Any]]:
        """Frames and visits of a store that is not complete."""
        return self._arrays.drawn()

    @property
    def truth(self) -> NDArray[np.float32] | None:
        """The specimen's signal in the first channel, (H, W) float32; None for measurements."""
        return None if self.truths is None else self.truths[0]

    @cached_property
    def truths(self) -> NDArray[np.float32] | None:
        """The specimen's signal in each channel, (C, H, W) float32; None for measurements."""
        return self._arrays.truth() if "truth" in self.arrays else None

    @cached_property
    def truth_columns(self) -> TrueColumns | None:
        """The specimen's atomic columns, vacancies among them; None where they are not known, as of measurements."""
        return self._arrays.truth_columns()

    @property
    def has_drift(self) -> bool:
        """Tell whether there is a trajectory that ``stemscan drift`` wrote, sound or not."""
        return (self.path / DRIFT).exists()

    @cached_property
    def drift(self) -> StoredDrift | None:
        """The trajectory that ``stemscan drift`` wrote; None where there is none.

        Raises
        ------
        StoreError
            When it is damaged.
        """
        from stemscan.store.drift import read_drift

        return read_drift(self.path, self._store.record)

    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits, of the data: plan, meaning of the counts, committed samples.

        Does not depend on the history, on how often the acquisition was interrupted, or on the truth.
        """
        return self._arrays.digest()
