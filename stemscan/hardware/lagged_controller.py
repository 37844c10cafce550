"""A scan controller whose blocks say where coils that lag put its beam, for hardware that does not know that itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stemscan.acquisition.beam_times import beam_times_of
from stemscan.acquisition.scan_controller import ReportsReach
from stemscan.errors import ControllerError, UsageError
from stemscan.hardware.coil_lag import CoilLag
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.ledger import BeamTimes

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import Capabilities, ScanController
    from stemscan.hardware.program import Program
    from stemscan.path.scan_path import ScanPath

__all__ = ["LaggedController"]


class LaggedController:
    """Adds modelled positions to the blocks of another controller, whose counts stay as they are.

    Parameters
    ----------
    controller : ScanController
        Closed with this one.
    program : Program
        What that controller is told.
    tau_ns : float
        Time constant of its scan coils in ns, above 0.

    Raises
    ------
    UsageError
        When the time constant is none, or the controller's blocks carry positions of their own.
    """

    def __init__(self, controller: ScanController, program: Program, tau_ns: float) -> None:
        if controller.capabilities.actual_positions:
            raise UsageError(
                f"expected a controller that does not know its beam's positions, got {controller.capabilities.name}; "
                "take it as it is"
            )
        if not tau_ns > 0:
            raise UsageError(f"expected a coil time constant above 0 ns, got {tau_ns!r}; give one in ns")
        self._controller, self._program = controller, program
        self._lagged = program.lagged(CoilLag(tau_ns))

    @property
    def capabilities(self) -> Capabilities:
        """Those of the controller, with positions."""
        return replace(self._controller.capabilities, actual_positions=True)

    @property
    def detector(self) -> DetectorInfo:
        """Detector of the controller."""
        return self._controller.detector

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

    def start(self) -> None:
        """Begin to expose the armed range."""
        self._controller.start()

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next block of the controller, with the beam's mean positions during the dwells."""
        block = self._controller.read(max_samples)
        if block is None:
            return None
        stop = block.start + len(block.counts)
        if not 0 <= block.start <= stop <= self._program.plan.total_samples:
            return block  # the acquire loop says what is wrong with it
        return replace(block, actual=self._lagged.positions(block.start, stop))

    def abort(self) -> None:
        """Blank and park the beam and drop the armed range."""
        self._controller.abort()

    def close(self) -> None:
        """Release the controller."""
        self._controller.close()

    @property
    def reached(self) -> int:
        """First sample that the controller's beam did not reach."""
        if not isinstance(self._controller, ReportsReach):
            raise AttributeError("reached")  # so that this one does not report it either
        return self._controller.reached

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """Times of the controller's beam for samples start .. stop - 1."""
        return beam_times_of(self._controller, path, start, stop)
