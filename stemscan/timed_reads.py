"""Reads from a controller that may never answer: in a thread, so that waiting for it can end."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from stemscan.errors import ControllerError

if TYPE_CHECKING:
    from stemscan.controller import ScanController
    from stemscan.sample_block import SampleBlock

__all__ = ["TimedReads"]

_GRACE_S: Final = 1.0

Answer = tuple["SampleBlock | None", BaseException | None]


class TimedReads:
    """Calls a controller's `read` in a thread of its own and gives up waiting after a while.

    Parameters
    ----------
    controller : ScanController
    seconds : float
        Longest wait for samples.
    """

    def __init__(self, controller: ScanController, seconds: float) -> None:
        self._controller, self._seconds = controller, seconds
        self._questions: SimpleQueue[int | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="read", daemon=True)
        self._thread.start()

    def read(self, max_samples: int) -> SampleBlock | None:
        """The controller's next block; raises what it raises.

        Raises
        ------
        ControllerError
            When it does not answer in time.
        """
        self._questions.put(max_samples)
        try:
            block, error = self._answers.get(timeout=self._seconds)
        except Empty:
            name = self._controller.capabilities.name
            raise ControllerError(
                f"expected samples from {name} within {self._seconds:g} s, got none; check the hardware and resume"
            ) from None
        if error is not None:
            raise error
        return block

    def close(self) -> None:
        """End the thread; one that the controller holds on to is left behind."""
        self._questions.put(None)
        self._thread.join(_GRACE_S)

    def _work(self) -> None:
        """Answer questions."""
        while (size := self._questions.get()) is not None:
            try:
                self._answers.put((self._controller.read(size), None))
            except BaseException as error:  # noqa: BLE001 - raised in the caller
                self._answers.put((None, error))
