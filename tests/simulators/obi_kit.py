"""What tests of the virtual Open Beam Interface device share: a small plan, and a server in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import ControllerError
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.profile import ControllerProfile, load_profile
from stemscan.path import ScanPath
from stemscan.plan import ScanPlan
from stemscan.scan_controller import ScanController
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.obi_device import VirtualObiDevice
from stemscan.simulators.obi_server import ObiServer

PLAN = ScanPlan.from_dict(
    {
        "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
        "shape": [64, 64],
        "passes": 20,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "seed": 1,
    }
)
PATH = ScanPath(PLAN)
PROFILE = load_profile("obi")
SPECIMEN = specimen_from_array(np.random.default_rng(0).random((64, 64)).astype(np.float32))


class Served:
    """A server in a thread."""

    def __init__(
        self, plan: ScanPlan = PLAN, profile: ControllerProfile = PROFILE, device: VirtualObiDevice | None = None
    ) -> None:
        self.device = device or VirtualObiDevice(plan, profile, SPECIMEN, seed=3)
        self.told: list[str] = []
        self.server = ObiServer(self.device, tell=self.told.append)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port: int = self._call(self.server.start())

    def stop(self) -> None:
        if self._thread.is_alive():
            try:
                self._call(self.server.stop())
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()

    def connect(self, **options: Any) -> ObiController:
        for _ in range(100):  # the device lets go of the last client a moment after it left
            try:
                return ObiController("127.0.0.1", self.port, PROFILE, **options)
            except ControllerError:
                time.sleep(0.05)
        raise AssertionError

    def wait_for(self, words: str) -> str:
        """The first message with these words, which may come a moment later."""
        for _ in range(200):
            for message in self.told:
                if words in message:
                    return message
            time.sleep(0.05)
        raise AssertionError(self.told)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def read_all(controller: ScanController, start: int, stop: int) -> NDArray[np.uint16]:
    controller.arm(PATH, start, stop)
    controller.start()
    counts = [np.empty(0, np.uint16)]
    while (block := controller.read(1000)) is not None:
        assert block.start == start + sum(map(len, counts))
        counts.append(block.counts)
    return np.concatenate(counts)


def expected(start: int, stop: int) -> NDArray[np.uint16]:
    return read_all(VirtualMicroscope(SPECIMEN, PLAN, seed=3), start, stop)
