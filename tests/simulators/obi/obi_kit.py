"""Parts that tests of the virtual Open Beam Interface device share: a small plan, and a server in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stemscan.acquisition.scan_controller import ScanController
from stemscan.errors import ControllerError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.profile import ControllerProfile, load_profile
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.simulators.obi.server import ObiServer

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
        self,
        plan: ScanPlan = PLAN,
        profile: ControllerProfile = PROFILE,
        device: VirtualObiDevice | None = None,
        **options: Any,
    ) -> None:
        self.device = device or VirtualObiDevice(plan, profile, SPECIMEN, seed=3)
        self.told: list[str] = []
        self.server = ObiServer(self.device, tell=self.told.append, **options)
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


class Scripted:
    """A device that answers cookies, and pixels as a function says; the connections come one after another.

    Parameters
    ----------
    answer : callable
        Bytes for so many pixels, of which so many came before on this connection.
    cookies : int
        How many cookies it answers on each connection.
    """

    def __init__(self, answer: Callable[[int, int], bytes], *, cookies: int = 1 << 30) -> None:
        self.seen: list[obi.Command | obi.VectorPixels] = []
        self.connections = 0
        self._answer, self._cookies = answer, cookies
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def connect(self, **options: Any) -> ObiController:
        return ObiController("127.0.0.1", self.port, PROFILE, **options)

    def stop(self) -> None:
        """Wait for the end of what is served, and listen no more."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self._listening.accept()
                self.connections += 1
                with wire, suppress(OSError):
                    self._one(wire)

    def _one(self, wire: socket.socket) -> None:
        decoder, pixels, cookies = Decoder(), 0, 0
        while data := wire.recv(1 << 16):
            for command in decoder.feed(data):
                self.seen.append(command)
                if isinstance(command, obi.Synchronize) and cookies < self._cookies:
                    cookies += 1
                    wire.sendall(b"\xff\xff" + command.cookie.to_bytes(2, "big"))
                elif isinstance(command, obi.VectorPixels):
                    wire.sendall(self._answer(pixels, len(command.x)))
                    pixels += len(command.x)


def read_all(controller: ScanController, start: int, stop: int) -> NDArray[np.uint16]:
    controller.arm(PATH, start, stop)
    controller.start()
    counts = [np.empty(0, np.uint16)]
    while (batch := controller.read(1000)) is not None:
        assert batch.start == start + sum(map(len, counts))
        counts.append(batch.counts)
    return np.concatenate(counts)


def expected(start: int, stop: int) -> NDArray[np.uint16]:
    return read_all(VirtualMicroscope(SPECIMEN, PLAN, seed=3), start, stop)
