"""A controller that plays a store at the pace of its dwells, as hardware would: for benchmarks, tests and rehearsals.

`stemscan acquire PLAN -o b.zarr --controller benchmarks/paced.py:paced --set store=a.zarr [--set speed=2]`
"""

from __future__ import annotations

import time

from stemscan.acquisition.controllers import ControllerRequest
from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.scan_controller import Capabilities
from stemscan.path.scan_path import ScanPath
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.provenance import Provenance

__all__ = ["PacedController", "paced"]

_PIECE_S = 0.02


class PacedController:
    """Samples of a store, each not before its time.

    Parameters
    ----------
    store : str
    speed : float
        Times as fast as the plan's dwells.
    """

    def __init__(self, store: str, speed: float = 1.0) -> None:
        self._source, self._speed = ReplayController(store), speed
        self._at = self._began = 0.0
        self._first = 0
        self.waited = 0.0
        """Seconds that it waited for the time of its samples."""

    @property
    def capabilities(self) -> Capabilities:
        """Of the source, in smaller batches."""
        able = self._source.capabilities
        return Capabilities("paced", able.max_batch, actual_positions=able.actual_positions)

    @property
    def detector(self) -> DetectorInfo:
        """Of the source."""
        return self._source.detector

    @property
    def provenance(self) -> Provenance:
        """Of the source."""
        return self._source.provenance

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready."""
        self._source.arm(path, start, stop)
        self._seconds = path.plan.dwell_ns / 1e9 / self._speed
        self._first = start

    def start(self) -> None:
        """Begin."""
        self._source.start()
        self._began = time.perf_counter()

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples, when the beam has dwelt on them."""
        batch = self._source.read(min(max_samples, max(1, int(_PIECE_S / self._seconds))))
        if batch is not None:
            due = self._began + (batch.start + len(batch.counts) - self._first) * self._seconds
            left = due - time.perf_counter()
            if left > 0:
                self.waited += left
                time.sleep(left)
        return batch

    def abort(self) -> None:
        """Drop the armed range."""
        self._source.abort()

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()


def paced(request: ControllerRequest) -> PacedController:
    """The controller for `stemscan acquire`."""
    return PacedController(str(request.options["store"]), float(request.options.get("speed", 1)))
