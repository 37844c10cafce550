"""ScanController: what a microscope, real or virtual, must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from stemscan.path.scan_path import ScanPath
    from stemscan.store.batch import DetectorInfo, SampleBatch

__all__ = ["BATCH_SAMPLES", "Capabilities", "ScanController"]

BATCH_SAMPLES: Final = 1 << 18


@dataclass(frozen=True)
class Capabilities:
    """Abilities of a controller.

    Parameters
    ----------
    name : str
        Of the controller, for messages.
    max_batch : int
        Most samples that one `read` returns.
    actual_positions : bool
        True if batches carry the positions that the beam really had.
    resumable : bool
        True if it can be armed at any sample of a path; else only with a whole path from its beginning.
    moves_field : bool
        True if it can move its field between passes, see `stemscan.acquisition.following.MovesField`.
    """

    name: str
    max_batch: int = BATCH_SAMPLES
    actual_positions: bool = False
    resumable: bool = True
    moves_field: bool = False


@runtime_checkable
class ScanController(Protocol):
    """A microscope: exposes samples of a path and delivers their counts.

    The beam is blanked, or at least parked, unless an armed range is being exposed: before the start, between two
    ranges, and after `abort`. What it may report besides is in `stemscan.acquisition.reports`. One that cannot tell to
    which samples its readings belong raises `stemscan.errors.UnprovenError`, and is armed again from the last sample of
    which it can. `stemscan.acquisition.conformance.ControllerConformance` checks all this.
    """

    @property
    def capabilities(self) -> Capabilities:
        """Its abilities."""
        ...

    @property
    def detector(self) -> DetectorInfo:
        """Meaning of its numbers, or of those of its first channel."""
        ...

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready to expose samples start .. stop - 1 of `path`; nothing is exposed yet."""
        ...

    def start(self) -> None:
        """Begin to expose the armed range."""
        ...

    def read(self, max_samples: int) -> SampleBatch | None:
        """Wait for the next 1 .. max_samples samples, in scan order; None when the armed range was delivered.

        The arrays of a batch belong to the caller.
        """
        ...

    def abort(self) -> None:
        """Blank and park the beam and drop the armed range; harmless when nothing is armed.

        May be called from another thread while `read` waits, which then raises or returns.
        """
        ...

    def close(self) -> None:
        """Release the hardware."""
        ...
