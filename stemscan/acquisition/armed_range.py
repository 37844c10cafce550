"""The range that a controller is armed with: keeps the turns of arm, start and read for controllers that make samples.

A controller that makes samples on demand needs no state of its own beside this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stemscan.errors import ControllerError

if TYPE_CHECKING:
    from stemscan.path.scan_path import ScanPath
    from stemscan.store.batch import SampleBatch

__all__ = ["ArmedRange"]


class ArmedRange:
    """Samples of a path that are still to be delivered. Another thread may drop them at any time.

    Attributes
    ----------
    reached : int
        The first sample of the range armed last that was not delivered since.
    """

    def __init__(self) -> None:
        self._armed: tuple[ScanPath, int, int] | None = None
        self._running = False
        self.reached = 0

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready for samples start .. stop - 1; what was armed before is dropped.

        Raises
        ------
        ControllerError
            When the range is not inside the path.
        """
        if not 0 <= start <= stop <= len(path):
            raise ControllerError(f"expected a range inside samples 0 to {len(path)}, got {start} to {stop}")
        self._armed, self._running, self.reached = (path, start, stop), False, start

    def start(self) -> None:
        """Begin to deliver the range.

        Raises
        ------
        ControllerError
            When none is armed.
        """
        if self._armed is None:
            raise ControllerError("expected an armed range before the start, got none, call arm first")
        self._running = True

    def read(self, max_samples: int, make: Callable[[ScanPath, int, int], SampleBatch]) -> SampleBatch | None:
        """The next 1 .. max_samples samples; None when the range was delivered.

        Parameters
        ----------
        make : callable
            Makes samples start .. stop - 1 of a path, or fewer of them, at least one.

        Raises
        ------
        ControllerError
            When the range was not started, or no sample is asked for.
        """
        armed = self._armed
        if armed is None or not self._running:
            raise ControllerError("expected a started scan to read from, got none, call arm and start first")
        if max_samples < 1:
            raise ControllerError(f"expected to read at least 1 sample, got {max_samples}")
        path, start, stop = armed
        if start == stop:
            self.drop()
            return None
        batch = make(path, start, min(stop, start + max_samples))
        self.reached = start + len(batch.counts)
        if self._armed is armed:
            self._armed = (path, self.reached, stop)
        return batch

    def drop(self) -> None:
        """Forget the range; harmless when there is none."""
        self._armed, self._running = None, False
