"""One client of a virtual Open Beam Interface device: what it sends is executed, and what it takes is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.decoder import Decoder
from stemscan.simulators.obi.device import VirtualObiDevice

__all__ = ["READ", "Reader", "Session"]

READ: Final = 1 << 18
"""Bytes of a stream that are decoded at once."""

_FREE_RUN_AHEAD_NS: Final = 20_000_000
_AFTER_EOF_S: Final = 1.0
_LEFT_OVER: Final = 511  # bytes: a buffer of 512, of which one may have been taken

Result = TypeVar("Result")


class Reader(asyncio.StreamReader):
    """A stream that tells when the other end closed it, though not all of it was read."""

    ended = False

    def feed_eof(self) -> None:
        """Note the end."""
        self.ended = True
        super().feed_eof()


class Session:
    """A client.

    Parameters
    ----------
    reader, writer
        Of the connection.
    idle_s : float
        Seconds after which a client that neither sends nor takes anything is given up.
    warn : callable
        Told what stands out, in words that follow the client's name.
    """

    def __init__(
        self,
        device: VirtualObiDevice,
        reader: Reader,
        writer: asyncio.StreamWriter,
        idle_s: float,
        warn: Callable[[str], None],
    ) -> None:
        self._device, self._reader, self._writer = device, reader, writer
        self._idle_s, self._warn = idle_s, warn
        self._filling: obi.RasterPixelRun | None = None
        self._reported: set[str] = set()
        self._ended: float | None = None
        self._moved = self._now()

    async def run(self, left_over: bytes) -> None:
        """Execute what the client sends, until it ends.

        Parameters
        ----------
        left_over : bytes
            Rest of the device's buffer.

        Raises
        ------
        ControllerError
            At what is no command, after all before it.
        TimeoutError
            When the client is idle.
        OSError
            When the connection is lost.
        """
        decoder = Decoder()
        self._device.keeps_back = True
        await self._answer(left_over)
        while data := await self._next():
            with self._device.arrived():
                for command in decoder.feed(data):
                    await self._execute(command)
                    self._look()
            decoder.check()
        decoder.finish()

    def left_over(self) -> bytes:
        """Readings of an interrupted run that fill the device's buffer, and that nobody takes."""
        if (run := self._filling) is None:
            return b""
        few = obi.RasterPixelRun(min(run.length, _LEFT_OVER), run.dwell)
        return self._device.execute(few)[:_LEFT_OVER]

    async def _next(self) -> bytes:
        """Next command, with pixels of a free run meanwhile."""
        device = self._device
        waiting = asyncio.ensure_future(self._reader.read(READ))
        try:
            if device.open_ns:
                await asyncio.wait({waiting}, timeout=device.open_ns * 1e-9)
            if not waiting.done():
                await self._answer(device.finish())
            while device.running_free and not waiting.done():
                await self._answer(device.free_run())
                ahead = max(device.ahead_ns - _FREE_RUN_AHEAD_NS, 0)  # it lasts until a command comes, so in time
                await asyncio.wait({waiting}, timeout=ahead * 1e-9)
            data = await self._in_time(waiting)
        finally:
            waiting.cancel()
        self._moved = self._now()
        return data

    async def _execute(self, command: obi.Command | obi.VectorPixels) -> None:
        """Do a command, and wait while the client does not take its answers."""
        runs = self._device.fill(command) if isinstance(command, obi.RasterPixelFill) else [command]
        for one in runs:
            self._filling = one if isinstance(one, obi.RasterPixelRun) else None
            await self._answer(self._device.execute(one))
            self._check()
        self._filling = None

    async def _answer(self, answer: bytes) -> None:
        """Send an answer; let others have their turn, for a fill of millions of pixels may have none."""
        if answer:
            self._writer.write(answer)
            await self._in_time(self._writer.drain())
            self._moved = self._now()
        await asyncio.sleep(0)

    async def _in_time(self, what: Awaitable[Result]) -> Result:
        """Wait for the client, but not for ever."""
        async with asyncio.timeout(self._idle_s - (self._now() - self._moved)):
            return await what

    def _check(self) -> None:
        """Give up a client that is gone, or for which there was no sign of it for too long."""
        if self._writer.transport.is_closing():
            raise ConnectionResetError("the connection was closed")
        now = self._now()
        if self._ended is None and self._reader.ended:
            self._ended = now
        if self._ended is not None and now - self._ended > _AFTER_EOF_S:
            raise ConnectionResetError("it ended the connection")
        if now - self._moved > self._idle_s:
            raise TimeoutError

    def _look(self) -> None:
        """Say what stands out, once."""
        device = self._device
        if device.left_plan_at is not None:
            self._say("plan", _other_plan(device.left_plan_at))
        if device.hung is not None:
            self._say("hung", _hangs(device.hung))

    def _say(self, what: str, words: str) -> None:
        """Say something unless it was said."""
        if what not in self._reported:
            self._reported.add(what)
            self._warn(words)

    @staticmethod
    def _now() -> float:
        """Seconds of the loop's clock."""
        return asyncio.get_running_loop().time()


def _other_plan(sample: int) -> str:
    """Report of a client whose pixels are not those of the plan."""
    return (
        f"scans something else than the plan served: where it said that sample {sample} comes, codes, dwell or "
        "blanking are others; from there on its counts are those of the specimen under its codes, drawn anew"
    )


def _hangs(what: str) -> str:
    """Report of a client that lets the device hang."""
    return f"asked for {what}, at which a device hangs until it is reset: nothing that it sends from here on is done"
