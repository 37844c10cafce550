"""The asyncio side of an Open Beam Interface client: one connection, on which a range of a program is run.

Commands are written while samples are read. No more pixels are under way than fill a few hundredths of a second, so
that an abort acts soon however deep the buffers between are. Each piece is followed by a Synchronize with a number of
its own, and its samples are handed on only when the cookie comes after as many readings as the piece has pixels.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import ControllerError, UnprovenError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.answers import Answers, NoCookieError
from stemscan.hardware.obi.chunks import approach, chunks, joined
from stemscan.hardware.obi.cookies import NUMBERS, cookies_of, numbered
from stemscan.hardware.obi.encoder import StepEncoder, encode, largest_array
from stemscan.hardware.obi.readings import check_readings
from stemscan.hardware.program import Program, Steps
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile

__all__ = ["DeviceSetup", "ObiLink"]

_CHUNKS_UNDER_WAY: Final = 3
_BUFFER: Final = 1 << 20
_LEFT_OVER: Final = 1 << 22
_TOO_MANY: Final = 1 << 10
_SILENCE_S: Final = 3.0
_ABORTING_S: Final = 10.0
_CLOSING_S: Final = 1.0

Deliver = Callable[[NDArray[np.uint16]], None]


@dataclass(frozen=True)
class DeviceSetup:
    """Link to a device: commands out, readings in.

    Attributes
    ----------
    largest_array : int
        Most pixels of an Array that it takes.
    park : tuple of int
        Code (x, y) for the two blanked pixels of the self-test.
    output : Output
        With 16 or 8 bits a reading.
    switch_s : float
        Time that it needs to take control of the scan.
    runs : bool
        True if it is told full rows as regions and runs.
    """

    largest_array: int
    park: tuple[int, int]
    beam: obi.Beam = obi.Beam.ELECTRON
    output: obi.Output = obi.Output.SIXTEEN_BIT
    switch_s: float = 0.0
    runs: bool = True

    @classmethod
    def of(cls, profile: ControllerProfile) -> DeviceSetup:
        """Settings of a profile."""
        row, column = profile.park or (0, 0)
        output = obi.Output.SIXTEEN_BIT if profile.output_bits == 16 else obi.Output.EIGHT_BIT
        beam, switch_s = obi.Beam[profile.beam.upper()], profile.ext_switch_delay_ns * 1e-9
        runs = profile.link is not None and profile.link.bytes_per_run is not None
        return cls(largest_array(profile), (column, row), beam, output, switch_s, runs)


class _Piece(NamedTuple):
    """Steps that were sent, and the cookie that ends their answer."""

    steps: Steps
    cookie: int


class ObiLink:
    """A connection.

    Parameters
    ----------
    reader, writer
        Of the connection.
    timeout : float
        Longest wait for the device in seconds, beyond the dwells that it was given.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float, setup: DeviceSetup
    ) -> None:
        self._answers, self._writer, self._timeout = Answers(reader), writer, timeout
        self._reader = reader
        self._encoder = StepEncoder(blanked=True, largest_array=setup.largest_array, runs=setup.runs)
        self._setup, self._output = setup, obi.Output.SIXTEEN_BIT
        self._number = secrets.randbelow(NUMBERS)  # another client's answers may still be on their way
        self._proven = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._synchronizing = asyncio.Lock()  # who cancels waits until no cookie is under way
        self.reached = 0
        """The first sample that was surely not exposed since this was set last."""

    @classmethod
    async def open(cls, host: str, port: int, timeout: float, setup: DeviceSetup) -> ObiLink:
        """Connect, blank the beam, take control of the scan, and see that both understand each other.

        Raises
        ------
        ControllerError
            When it reads an Array, or writes its readings, in another way.
        """
        opening = asyncio.open_connection(host, port, limit=_BUFFER)
        reader, writer = await asyncio.wait_for(opening, timeout)
        link = cls(reader, writer, timeout, setup)
        try:
            take_control = (obi.Blank(True), obi.ExternalCtrl(True), obi.BeamSelect(setup.beam))
            writer.write(b"".join(encode(command) for command in take_control))
            await link._synchronize(link._next_cookie(), wait=setup.switch_s)
            await link._test(setup.park)
            link._output = setup.output  # from the next Synchronize on, of which each range has some before its pixels
        except BaseException:
            writer.close()
            raise
        return link

    async def run(self, program: Program, start: int, stop: int, deliver: Deliver, room: asyncio.Event) -> None:
        """Expose samples start .. stop - 1, then blank and park; `deliver` gets their counts in order.

        While `room` is not set, the beam is blanked and parked before the next samples.

        Raises
        ------
        UnprovenError
            When a piece was answered with too few or too many readings; those before it were delivered.
        """
        self._proven = start
        async with self._synchronizing:
            for cookie in cookies_of(start):
                await self._synchronize(cookie)
            under_way: asyncio.Queue[_Piece | None] = asyncio.Queue(_CHUNKS_UNDER_WAY - 1)  # and one is being read
            self._tasks = [
                asyncio.create_task(self._write(program, start, stop, under_way, room)),
                asyncio.create_task(self._read(under_way, deliver, program.profile.dwell.quantum_ns)),
            ]
        try:
            await asyncio.gather(*self._tasks)
        except BaseException:
            await self._cancel()
            raise
        self._tasks = []

    async def abort(self, parking: Steps) -> None:
        """Send no more, blank, park, and wait until the device did so, but not for one that is lost."""
        await self._cancel()
        self._blank(parking)
        async with asyncio.timeout(min(self._timeout, _ABORTING_S)):
            await self._synchronize(self._next_cookie())

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
        """Blank, then park, behind what the device still has, for Abort drops nothing."""
        parked = b"" if parking is None else self._parked(parking)
        self._writer.write(encode(obi.Blank(True)) + encode(obi.Abort()) + parked)

    def _parked(self, parking: Steps) -> bytes:
        """An inline Blank with a pixel where the beam is parked; a Blank alone would cut the last dwell short."""
        self._encoder.blanked = False
        return self._encoder.encode(parking) + encode(obi.Flush())

    async def _cancel(self) -> None:
        """End writing and reading; both stop between commands."""
        async with self._synchronizing:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []

    async def _write(
        self, program: Program, start: int, stop: int, under_way: asyncio.Queue[_Piece | None], room: asyncio.Event
    ) -> None:
        """Write the steps, chunk by chunk."""
        parked = True
        for part in chunks(program, start, stop):
            if not room.is_set():
                await self._send(program.parking(), under_way)
                await room.wait()
                parked = True
            whole = joined(approach(program, int(part.x[0]), int(part.y[0])), part) if parked else part
            await self._send(whole, under_way)
            parked = False
        await under_way.put(None)

    async def _send(self, steps: Steps, under_way: asyncio.Queue[_Piece | None]) -> None:
        """Write steps and a Synchronize, once there is room for them under way."""
        cookie = self._next_cookie()
        await under_way.put(_Piece(steps, cookie))
        self.reached = max(self.reached, int(steps.sample.max(initial=-1)) + 1)
        self._writer.write(self._encoder.encode(steps) + self._question(cookie))
        await self._writer.drain()

    async def _read(self, under_way: asyncio.Queue[_Piece | None], deliver: Deliver, quantum: int) -> None:
        """Read the answers; drop those of steps that expose no sample."""
        while (piece := await under_way.get()) is not None:
            numbers = self._numbers(await self._answer(piece, quantum))
            exposed = piece.steps.sample >= 0
            if exposed.any():
                self._proven = int(piece.steps.sample.max()) + 1
                deliver(numbers[exposed])

    async def _answer(self, piece: _Piece, quantum: int) -> bytes:
        """The readings of a piece, which are as many as its pixels."""
        pixels, size = len(piece.steps), self._reading * len(piece.steps)
        seconds = float(piece.steps.dwell.sum()) * quantum * 1e-9 * _CHUNKS_UNDER_WAY
        first, silence = self._timeout + seconds, self._silence + seconds
        try:
            data = await self._answers.until(piece.cookie, most=size + _TOO_MANY, first=first, silence=silence)
        except NoCookieError as problem:
            raise self._unproven(pixels, f"{problem.size / self._reading:g} and no end of them") from None
        if len(data) != size:
            raise self._unproven(pixels, f"{len(data) / self._reading:g}")
        return data

    def _unproven(self, pixels: int, got: str) -> UnprovenError:
        """The error of a piece whose readings are too few or too many."""
        return UnprovenError(
            f"expected {counted(pixels, 'reading')} for as many pixels from sample {self._proven} on, got {got}, so "
            "that it is unknown which is whose; expose them again",
            proven=self._proven,
        )

    async def _test(self, park: tuple[int, int]) -> None:
        """Expose an Array of two pixels, blanked, where the beam is parked, and see that their readings come."""
        cookie, pixel = self._next_cookie(), obi.VectorPixel(*park, dwell=1)
        sent = (obi.Blank(True, inline=True), obi.Array((pixel, pixel)))
        self._writer.write(b"".join(encode(command) for command in sent) + self._question(cookie))
        await self._writer.drain()
        try:
            data = await self._answers.until(cookie, most=_TOO_MANY, first=self._timeout, silence=self._silence)
            got = f"{len(data) / self._reading:g}"
        except (NoCookieError, TimeoutError):
            data, got = b"", "no such answer"
        if len(data) != 2 * self._reading:
            raise ControllerError(
                f"expected 2 readings from the Open Beam Interface for an Array of 2 pixels, got {got}; its gateware "
                "reads Array otherwise, load one in which the number of commands less one follows the first byte"
            )
        self._numbers(data)

    @property
    def _silence(self) -> float:
        """Longest wait in seconds for the rest of an answer; shorter than that of a caller who waits for samples."""
        return min(self._timeout / 2, _SILENCE_S)

    @property
    def _reading(self) -> int:
        """Bytes of a reading."""
        return 2 if self._output is obi.Output.SIXTEEN_BIT else 1

    def _numbers(self, data: bytes) -> NDArray[np.uint16]:
        """The numbers of readings: 14 bits, or the upper 8 of them."""
        if self._output is obi.Output.EIGHT_BIT:
            return np.frombuffer(data, np.uint8).astype(np.uint16)
        words = np.frombuffer(data, ">u2")
        check_readings(words)
        return (words >> 2).astype(np.uint16)

    def _question(self, cookie: int) -> bytes:
        """A Synchronize, which also says how readings are to be sent, and a Flush."""
        return encode(obi.Synchronize(cookie, output=self._output)) + encode(obi.Flush())

    def _next_cookie(self) -> int:
        """The cookie of the next number."""
        self._number += 1
        return numbered(self._number)

    async def _synchronize(self, cookie: int, *, wait: float = 0.0) -> None:
        """Ask for a cookie, and pass over everything before it; `wait` is how much longer it may take in seconds."""
        self._writer.write(self._question(cookie))
        await self._writer.drain()
        longest = self._timeout + wait
        try:
            await self._answers.until(cookie, most=_LEFT_OVER, first=longest, silence=longest)
        except NoCookieError as problem:
            raise ControllerError(
                f"expected cookie 0x{cookie:04x} from the Open Beam Interface, got "
                f"{counted(problem.size, 'other byte')}; check what answers there"
            ) from None
