"""A scan controller whose batches say where lagging coils put its beam, for hardware that does not know that itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stemscan.acquisition.following import Offset, move_field
from stemscan.acquisition.reports import beam_times_of, channels_of, provenance_of, reach_of
from stemscan.errors import ControllerError, UsageError
from stemscan.hardware.coil_lag import CoilLag
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.ledger import BeamTimes
from stemscan.store.provenance import Provenance

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import Capabilities, ScanController
    from stemscan.hardware.program import Program
    from stemscan.path.scan_path import ScanPath

__all__ = ["LaggedController"]


class LaggedController:
    """Adds modelled positions to the batches of another controller, whose counts stay as they are.

    Parameters
    ----------
    controller : ScanController
        Closed with this one.
    program : Program
        Program of that controller.
    tau_ns : float
        Time constant of its scan coils in ns, above 0.

    Raises
    ------
    UsageError
        When the time constant is none, or the controller's batches carry positions of their own.
    """

    def __init__(self, controller: ScanController, program: Program, tau_ns: float) -> None:
        if controller.capabilities.actual_positions:
            raise UsageError(
                f"expected a controller that does not know its beam's positions, got {controller.capabilities.name}; "
                "take it as it is"
            )
        if not tau_ns > 0:
            raise UsageError(f"expected a coil time constant above 0 ns, got {tau_ns!r}; give one in ns")
        self._controller, self._program, self._tau_ns = controller, program, tau_ns
        self._lagged = program.lagged(CoilLag(tau_ns))

    @property
    def capabilities(self) -> Capabilities:
        """Those of the controller, with positions."""
        return replace(self._controller.capabilities, actual_positions=True)

    @property
    def detector(self) -> DetectorInfo:
        """Detector of the controller."""
        return self._controller.detector

    @property
    def channels(self) -> tuple[DetectorInfo, ...]:
        """Channels of the controller."""
        return channels_of(self._controller)

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready for samples start .. stop - 1 of the program's path.

        Raises
        ------
        ControllerError
            If the path is of another plan, or as the controller.
        """
        digest, wanted = self._program.plan.digest(), path.plan.digest()
        if digest != wanted:
            raise ControllerError(
                f"expected a path of plan {digest[:12]}, got one of {wanted[:12]}; make a controller for each plan"
            )
        self._controller.arm(path, start, stop)

    def move_field(self, path: ScanPath, number: int, offset: Offset) -> Offset:
        """Move the field of the controller; its coils have come to rest there before the pass begins."""
        return move_field(self._controller, path, number, offset)

    def start(self) -> None:
        """Begin to expose the armed range."""
        self._controller.start()

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next batch of the controller, with the beam's mean positions during the dwells."""
        batch = self._controller.read(max_samples)
        if batch is None:
            return None
        stop = batch.start + len(batch.counts)
        if not 0 <= batch.start <= stop <= self._program.plan.total_samples:
            return batch  # the acquire loop says what is wrong with it
        return replace(batch, actual=self._lagged.positions(batch.start, stop))

    def abort(self) -> None:
        """Blank and park the beam and drop the armed range."""
        self._controller.abort()

    def close(self) -> None:
        """Release the controller."""
        self._controller.close()

    @property
    def reached(self) -> int | None:
        """First sample that the controller's beam did not reach; None where it does not know."""
        return reach_of(self._controller)

    @property
    def provenance(self) -> Provenance:
        """Provenance of the controller's samples, with the coil lag that their positions follow."""
        waits = self._program.profile.waits_digest()
        return replace(provenance_of(self._controller), coil_tau_ns=self._tau_ns, coil_waits=waits)

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """Times of the controller's beam for samples start .. stop - 1."""
        return beam_times_of(self._controller, path, start, stop)
