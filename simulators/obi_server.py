"""A virtual Open Beam Interface device on a TCP port, for one client at a time, as a device has it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from stemscan.errors import ControllerError, UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.address import format_address
from stemscan.hardware.obi.decoder import Decoder
from stemscan.simulators.obi_device import VirtualObiDevice

__all__ = ["ObiServer", "check_host"]

_READ: Final = 1 << 18
_FREE_RUN_AHEAD_NS: Final = 20_000_000
_CLOSING_S: Final = 1.0


def check_host(host: str, *, allow_remote: bool) -> None:
    """Refuse an address that others can reach, unless that is wanted.

    Raises
    ------
    UsageError
        When the address is not of this machine's loopback.
    """
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not (local or allow_remote):
        raise UsageError(
            f"expected a loopback address such as 127.0.0.1, got {host!r}, which others may reach and drive without a "
            "password; add --allow-remote if that is wanted"
        )


class ObiServer:
    """Serves a device.

    Parameters
    ----------
    device : VirtualObiDevice
    tell : callable, optional
        Told in a sentence of every client that comes, goes or is refused.
    warn : callable, optional
        Told of a client that scans another plan than it says; `tell` unless given.
    """

    def __init__(
        self,
        device: VirtualObiDevice,
        tell: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.device = device
        self._tell = tell or (lambda message: None)
        self._warn = warn or self._tell
        self._server: asyncio.Server | None = None
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, allow_remote: bool = False) -> int:
        """Begin to listen; the port, which the system chooses if 0 was given.

        Raises
        ------
        UsageError
            When the address is not loopback, is none of this machine's, or the port is taken or reserved.
        """
        check_host(host, allow_remote=allow_remote)
        try:
            self._server = await asyncio.start_server(self._client, host, port, limit=2 * _READ)
            if len(set(_ports(self._server))) > 1:  # a name of several addresses got a port for each
                port = _ports(self._server)[0]
                self._server.close()
                self._server = await asyncio.start_server(self._client, host, port, limit=2 * _READ)
        except (OSError, OverflowError) as problem:
            raise UsageError(
                f"expected an address of this machine and a free port, got {format_address(host, port)} ({problem}); "
                "choose others"
            ) from problem
        return _ports(self._server)[0]

    async def stop(self) -> None:
        """Stop listening and let go of the client."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client until it goes or sends what is no command."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        peer = writer.get_extra_info("peername")  # None when it has gone already
        name = "a client that left" if peer is None else format_address(*peer[:2])
        try:
            if self._busy:
                self._tell(f"refused {name}: another client is connected")
                return
            self._busy = True
            try:
                self._tell(f"{name} connected")
                await self._serve(reader, writer, name)
            finally:
                self._busy = False
        except asyncio.CancelledError:
            writer.transport.abort()  # answers that nobody takes must not keep the server
        finally:
            writer.close()
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_CLOSING_S):
                    await writer.wait_closed()
            writer.transport.abort()
            if task is not None:
                self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        """Execute what a client sends."""
        decoder, device = Decoder(), self.device
        device.begin()
        before = replace(device.ledger)
        reason, told = "disconnected", False
        try:
            while data := await self._next(reader, writer):
                for command in decoder.feed(data):
                    await self._execute(command, writer)
                    if device.left_plan_at is not None and not told:
                        told = True
                        self._warn(_other_plan(name, device.left_plan_at))
                decoder.check()
            decoder.finish()
        except ControllerError as problem:
            reason = f"dropped: {problem}"
        except OSError as problem:
            reason = f"lost: {problem}"
        finally:
            device.end()
        left = "; it left the beam on" if device.beam_on and device.ledger.pixels else ""
        self._tell(f"{name} {reason}, after {device.ledger.since(before)}{left}")

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """What comes next, with pixels of a free run meanwhile."""
        waiting = asyncio.ensure_future(reader.read(_READ))
        try:
            while self.device.running_free and not waiting.done():
                writer.write(self.device.free_run())
                await writer.drain()
                ahead = max(self.device.ahead_ns - _FREE_RUN_AHEAD_NS, 0)  # it lasts until a command comes, so in time
                await asyncio.wait({waiting}, timeout=ahead * 1e-9)
            return await waiting
        finally:
            waiting.cancel()

    async def _execute(self, command: obi.Command | obi.VectorPixels, writer: asyncio.StreamWriter) -> None:
        """Do a command, and wait while the client does not take its answers."""
        if isinstance(command, obi.RasterPixelFill):
            for length, dwell in self.device.fill(command):
                await self._answer(self.device.execute(obi.RasterPixelRun(length, dwell)), writer)
            return
        await self._answer(self.device.execute(command), writer)

    @staticmethod
    async def _answer(answer: bytes, writer: asyncio.StreamWriter) -> None:
        """Send an answer; let others have their turn, for a fill of billions of pixels may have none."""
        if answer:
            writer.write(answer)
            await writer.drain()
        await asyncio.sleep(0)


def _ports(server: asyncio.Server) -> list[int]:
    """The port of each address at which a server listens."""
    return [int(one.getsockname()[1]) for one in server.sockets]


def _other_plan(name: str, sample: int) -> str:
    """What to say of a client whose pixels are not those of the plan."""
    return (
        f"{name} scans something else than the plan served: where it said that sample {sample} comes, codes, dwell or "
        "blanking are others; from there on its counts are those of the specimen under its codes, drawn anew"
    )
