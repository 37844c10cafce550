"""The asyncio side of an Open Beam Interface client: one connection, on which a range of a program is run.

Commands are written while samples are read. No more pixels are under way than fill a few hundredths of a second, so
that an abort acts soon however deep the buffers between are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import ControllerError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.chunks import LARGEST_CHUNK, approach, chunks
from stemscan.hardware.obi.cookies import cookies_of
from stemscan.hardware.obi.encoder import StepEncoder, encode
from stemscan.program import Program, Steps

__all__ = ["ObiLink"]

_CHUNKS_UNDER_WAY: Final = 3
_BUFFER: Final = 1 << 20
_END_COOKIE: Final = 0xFFFE
_ABORTING_S: Final = 10.0
_CLOSING_S: Final = 1.0
_TAKE_CONTROL: Final = (obi.Blank(True), obi.ExternalCtrl(True), obi.BeamSelect(obi.Beam.ELECTRON))

Deliver = Callable[[NDArray[np.uint16]], None]


class ObiLink:
    """A connection.

    Parameters
    ----------
    reader, writer
        Of the connection.
    timeout : float
        Longest wait for the device in seconds, beyond the dwells that it was given.
    largest_array : int
        Most pixels of an Array that the device takes.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float, largest_array: int
    ) -> None:
        self._reader, self._writer, self._timeout = reader, writer, timeout
        self._encoder = StepEncoder(blanked=True, largest_array=largest_array)
        self._tasks: list[asyncio.Task[None]] = []
        self._synchronizing = asyncio.Lock()  # who cancels waits until no cookie is under way

    @classmethod
    async def open(cls, host: str, port: int, timeout: float, largest_array: int) -> ObiLink:
        """Connect, blank the beam, and take control of the scan."""
        opening = asyncio.open_connection(host, port, limit=_BUFFER)
        reader, writer = await asyncio.wait_for(opening, timeout)
        link = cls(reader, writer, timeout, largest_array)
        try:
            writer.write(b"".join(encode(command) for command in _TAKE_CONTROL))
            await link._synchronize(_END_COOKIE)
        except BaseException:
            writer.close()
            raise
        return link

    async def run(self, program: Program, start: int, stop: int, deliver: Deliver, room: asyncio.Event) -> None:
        """Expose samples start .. stop - 1, then blank and park; `deliver` gets their counts in order.

        While `room` is not set, the beam is blanked and parked before the next samples. A cookie in the end tells
        whether there were as many answers as pixels.
        """
        async with self._synchronizing:
            for cookie in cookies_of(start):
                await self._synchronize(cookie)
            under_way: asyncio.Queue[Steps | None] = asyncio.Queue(_CHUNKS_UNDER_WAY - 1)  # and one is being read
            self._tasks = [
                asyncio.create_task(self._write(program, start, stop, under_way, room)),
                asyncio.create_task(self._read(under_way, deliver, program.profile.dwell.quantum_ns)),
            ]
        try:
            await asyncio.gather(*self._tasks)
        except BaseException:
            await self._cancel()
            raise
        async with self._synchronizing:
            passed = await self._synchronize(_END_COOKIE) if self._tasks else 0  # none: aborted meanwhile
            self._tasks = []
        if passed:
            raise ControllerError(
                f"expected an answer for each pixel of samples {start} to {stop - 1} from the Open Beam Interface, got "
                f"{passed} more, so that some of them belong to other pixels; acquire into a new store"
            )

    async def abort(self, parking: Steps) -> None:
        """Blank, drop what is under way, park, and wait until the device did so, but not for one that is lost."""
        await self._cancel()
        self._blank(parking)
        async with asyncio.timeout(min(self._timeout, _ABORTING_S)):
            await self._synchronize(_END_COOKIE)

    async def close(self, parking: Steps | None) -> None:
        """Blank, park if it is told where, and let go of the device, whether it answers or not."""
        await self._cancel()
        self._blank(parking)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                self._writer.write_eof()
                while await self._reader.read(_BUFFER):  # closed with unread answers, TCP may lose what was written
                    pass
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except OSError:
            pass

    def _blank(self, parking: Steps | None) -> None:
        """Blank first, drop what is queued, then park."""
        parked = b"" if parking is None else self._parked(parking)
        self._writer.write(encode(obi.Blank(True)) + encode(obi.Abort()) + parked)

    def _parked(self, parking: Steps) -> bytes:
        """An inline Blank with a pixel where the beam is parked; a Blank alone would cut the last dwell short."""
        self._encoder.blanked = False
        return self._encoder.encode(parking) + encode(obi.Flush())

    async def _cancel(self) -> None:
        """End writing and reading; both stop between commands, and between words."""
        async with self._synchronizing:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []

    async def _write(
        self, program: Program, start: int, stop: int, under_way: asyncio.Queue[Steps | None], room: asyncio.Event
    ) -> None:
        """Write the steps, chunk by chunk."""
        parked = True
        for part in chunks(program, start, stop):
            if not room.is_set():
                await self._send(program.parking(), under_way)
                await room.wait()
                parked = True
            if parked:
                await self._send(approach(program, int(part.x[0]), int(part.y[0])), under_way)
                parked = False
            await self._send(part, under_way)
        await under_way.put(None)

    async def _send(self, steps: Steps, under_way: asyncio.Queue[Steps | None]) -> None:
        """Write steps, once there is room for them under way."""
        await under_way.put(steps)
        self._writer.write(self._encoder.encode(steps) + encode(obi.Flush()))
        await self._writer.drain()

    async def _read(self, under_way: asyncio.Queue[Steps | None], deliver: Deliver, quantum: int) -> None:
        """Read the answers; drop those of steps that expose no sample."""
        while (steps := await under_way.get()) is not None:
            if not len(steps):
                continue
            seconds = float(steps.dwell.sum()) * quantum * 1e-9 * _CHUNKS_UNDER_WAY
            words = np.frombuffer(await self._receive(2 * len(steps), seconds), ">u2")
            if (words & 3).any():
                wrong = int(words[(words & 3 > 0).argmax()])
                raise ControllerError(
                    f"expected 14-bit samples from the Open Beam Interface, got 0x{wrong:04x}; resume to go on"
                )
            exposed = steps.sample >= 0
            if exposed.any():
                deliver((words[exposed] >> 2).astype(np.uint16))

    async def _receive(self, size: int, seconds: float = 0.0) -> bytes:
        """Wait for bytes."""
        async with asyncio.timeout(self._timeout + seconds):  # wait_for can swallow a cancellation in Python 3.11
            return await self._reader.readexactly(size)

    async def _synchronize(self, cookie: int) -> int:
        """Ask for a cookie, and pass over everything before it; how many words that was."""
        self._writer.write(encode(obi.Synchronize(cookie)) + encode(obi.Flush()))
        await self._writer.drain()
        passed = 0
        while await self._receive(2) != b"\xff\xff":
            passed += 1
            if passed > LARGEST_CHUNK * (_CHUNKS_UNDER_WAY + 2):
                raise ControllerError(
                    "expected a cookie from the Open Beam Interface, got samples without end; check what answers there"
                )
        got = int.from_bytes(await self._receive(2), "big")
        if got != cookie:
            raise ControllerError(
                f"expected cookie 0x{cookie:04x} of the Open Beam Interface, got 0x{got:04x}; check what answers there"
            )
        return passed
