"""Acquisition: a store of one acquisition, contract 2, as it is read.

A store that is not complete is read as far as it was committed when it was opened: its pictures are drawn from those
samples, whatever its `frames` and `visits` hold, and `warnings` says so. Arrays are read when they are asked for.
`stemscan.store.writer` is the other side.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stemscan.display import Rows, as_html, as_text
from stemscan.errors import StoreError
from stemscan.store.opening import OpenStore
from stemscan.store.root import RootFile, open_root
from stemscan.units import counted, format_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.batch import DetectorInfo
    from stemscan.store.files import Json
    from stemscan.store.record_parts import State
    from stemscan.store.schema import Layout
    from stemscan.types import Noise

__all__ = ["Acquisition"]


class Acquisition:
    """The store of one acquisition, opened for reading.

    Made by `open`, and returned by `simulate`, `acquire` and imports.

    Examples
    --------
    >>> Acquisition.open("acq.zarr").frames().shape  # doctest: +SKIP
    (4, 256, 256)
    """

    def __init__(self, root: RootFile) -> None:
        self._store = OpenStore(root)
        self._record = root.record
        self._drawn: dict[int, dict[str, NDArray[Any]]] = {}

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

    def __repr__(self) -> str:
        return as_text(self._title(), self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._rows())

    def _title(self) -> str:
        return f"Acquisition {str(self.path)!r}, {self.state}"

    def _rows(self) -> Rows:
        """Samples, grid, dose and specimen, for people."""
        specimen = "none recorded" if self.specimen is None else str(self.specimen["name"])
        return [
            ("samples", f"{format_count(self.samples_committed)} of {format_count(self.total_samples)}"),
            ("grid", f"{self.shape[0]} x {self.shape[1]} pixels, {counted(self.passes, 'pass')}"),
            ("pixel size", "unknown" if self.pixel_size_nm is None else f"{self.pixel_size_nm:g} nm"),
            ("dose per sample", f"{self.electrons_per_sample:g} e- detected at signal 1"),
            ("specimen", specimen),
        ]

    # ------------------------------------------------------------------ the record

    @property
    def path(self) -> Path:
        """Folder of the store."""
        return self._store.folder

    @property
    def plan(self) -> ScanPlan | None:
        """The plan; None for data measured elsewhere."""
        return self._store.plan

    @property
    def layout(self) -> Layout:
        """Grid, samples of each pass, dose per sample, pixel size."""
        return self._store.layout

    @property
    def state(self) -> State:
        """`acquiring`, `complete` or `aborted`."""
        return self._record.state

    @property
    def samples_committed(self) -> int:
        """Samples that are in the store for good."""
        return self._record.samples_committed

    @property
    def samples_armed(self) -> int:
        """Samples that may have been exposed."""
        return self._record.samples_armed

    @property
    def total_samples(self) -> int:
        """Samples of the whole scan, N."""
        return self.layout.total_samples

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.layout.shape

    @property
    def passes(self) -> int:
        """Number of passes, T."""
        return self.layout.passes

    @property
    def electrons_per_sample(self) -> float:
        """Dose per sample, lambda: expected detected electrons of one visit of a pixel with signal 1."""
        return self.layout.electrons_per_sample

    @property
    def pixel_size_nm(self) -> float | None:
        """Distance of neighbouring pixels in nanometres, where it is known."""
        return self.layout.pixel_size_nm

    @property
    def plan_digest(self) -> str | None:
        """Digest of the plan; None for data measured elsewhere."""
        return self._record.plan_digest

    @property
    def origin(self) -> str:
        """`acquired` from a plan, or `imported`."""
        return self._record.origin

    @property
    def noise(self) -> Noise:
        """Statistics of the counts: `poisson` or `eq5`."""
        return self._record.noise

    @property
    def seed(self) -> int | None:
        """Seed of the virtual detector; None for real ones."""
        return self._record.seed

    @property
    def detector(self) -> DetectorInfo:
        """Meaning of the counts of the first channel."""
        return self._record.detector

    @property
    def channels(self) -> tuple[DetectorInfo, ...]:
        """Meaning of the counts of each channel, with its name."""
        return tuple(channel.info() for channel in self._record.channels)

    @property
    def schema(self) -> int:
        """Of the store: 2, or 1 of early releases, which has no digests."""
        return self._record.schema_version

    @property
    def doubt(self) -> Json | None:
        """`proven`, the samples that are beyond doubt where not all committed are, and the `reason`; else None."""
        doubt = self._record.doubt
        return None if doubt is None else doubt.model_dump(mode="json")

    @property
    def specimen(self) -> Json | None:
        """Name, sha256 and record of a simulation's specimen."""
        specimen = self._record.specimen
        return None if specimen is None else specimen.model_dump(mode="json")

    @property
    def imported(self) -> Json | None:
        """Record of data measured elsewhere."""
        imported = self._record.imported
        return None if imported is None else imported.model_dump(mode="json")

    @property
    def history(self) -> list[Json]:
        """Times, versions, interruptions; not part of the data."""
        return [dict(entry) for entry in self._record.history]

    @property
    def ledger(self) -> Json | None:
        """Times and electrons of the beam; None for data measured elsewhere and stores of early releases."""
        ledger = self._record.ledger
        return None if ledger is None else ledger.model_dump(mode="json")

    @property
    def stopped(self) -> Json | None:
        """Passes and samples after which a rule ended the acquisition, and the reason; None where all were made."""
        stopped = self._record.stopped
        return None if stopped is None else stopped.model_dump(mode="json")

    @property
    def coil_tau_ns(self) -> float | None:
        """Time constant in ns of the scan coils that the actual positions follow, where it is known."""
        return self._record.coil_tau_ns

    @property
    def coil_waits(self) -> str | None:
        """Digest of the waits before dwells that the actual positions follow; None where the beam did not wait."""
        return self._record.coil_waits

    @property
    def warnings(self) -> list[str]:
        """Warnings to a user of the data, one sentence each; empty for a complete store of this schema."""
        record, warnings = self._record, list[str]()
        if record.state != "complete":
            warnings.append(
                f"{self.path} is not complete ({self.state}): {self.samples_committed} of "
                f"{counted(self.total_samples, 'sample')} committed; frames and visits were drawn from those"
            )
        if record.doubt is not None:
            warnings.append(
                f"samples of {self.path} from {record.doubt.proven} on are in doubt ({record.doubt.reason}); resume it "
                "to expose them again"
            )
        if self.schema == 1:
            warnings.append(
                f"{self.path} is of schema 1, which has no digests: a changed record, or chunks of another place or "
                "store, cannot be noticed"
            )
        return warnings

    @property
    def arrays(self) -> tuple[str, ...]:
        """Paths of the arrays that the store has."""
        return tuple(self._store.specs)

    @property
    def has_actual(self) -> bool:
        """Tell whether the store knows where the beam really was."""
        return "samples/actual" in self._store.specs

    # ------------------------------------------------------------------ samples

    def counts(self, start: int = 0, stop: int | None = None, *, channel: int = 0) -> NDArray[Any]:
        """Raw counts of a channel of samples start .. stop - 1 in scan order, (n,) uint16, uint32 or float32.

        Raises
        ------
        UsageError
            When the range is not among the committed samples, or there is no such channel.
        StoreError
            When the data are damaged.
        """
        from stemscan.store.reading import check_channel, read_samples

        check_channel(self._store, channel)
        rows = read_samples(self._store, "samples/counts", start, stop)
        return rows if rows.ndim == 1 else rows[:, channel]

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
        """Pixels (row, column) of samples start .. stop - 1 as commanded, (n, 2) int32; raises as `counts`."""
        from stemscan.store.reading import read_samples

        return read_samples(self._store, "samples/position", start, stop)

    def actual(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32] | None:
        """Positions where the beam really was, (n, 2) float32 in pixels; None where not known; raises as `counts`."""
        from stemscan.store.reading import read_samples

        return read_samples(self._store, "samples/actual", start, stop) if self.has_actual else None

    # ------------------------------------------------------------------ pictures

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

    def _picture(self, name: str, channel: int) -> NDArray[Any]:
        """Frames or visits, read when the store is complete, else drawn."""
        from stemscan.store.reading import check_channel, drawn_pictures, read_picture

        check_channel(self._store, channel)
        if self.state == "complete":
            return read_picture(self._store, name, channel)
        if channel not in self._drawn:
            self._drawn = {channel: drawn_pictures(self._store, channel)}
        return self._drawn[channel][name]

    @cached_property
    def truth(self) -> NDArray[np.float32] | None:
        """The specimen's signal, (H, W) float32; None for measurements."""
        from stemscan.store.reading import read_truth

        return read_truth(self._store) if "truth" in self._store.specs else None

    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits, of the data: plan, meaning of the counts, committed samples.

        Does not depend on the history, on how often the acquisition was interrupted, or on the truth.
        """
        from stemscan.store.reading import data_digest

        return data_digest(self._store)
