"""A virtual Open Beam Interface device on a TCP port, for one client at a time, as a device has it.

The latest client has it: one that comes while another is there takes its place, and finds the device reset. What was
measured for a client that left in mid-scan waits in the device's buffer and comes to the next one first.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, cast

from stemscan.errors import ControllerError, UsageError
from stemscan.hardware.obi.address import format_address
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.simulators.obi.session import READ, Reader, Session

__all__ = ["ObiServer", "check_host"]

_CLOSING_S: Final = 1.0
IDLE_S: Final = 600.0
"""Seconds for which a client may neither send nor take anything, unless another time is given."""


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
    tell : callable, optional
        Told in a sentence of every client that comes, goes or is refused.
    warn : callable, optional
        Told of a client that scans another plan than it says, or lets the device hang; `tell` unless given.
    idle_s : float
        Seconds after which a client that neither sends nor takes anything is dropped, above 0.
    """

    def __init__(
        self,
        device: VirtualObiDevice,
        tell: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
        *,
        idle_s: float = IDLE_S,
    ) -> None:
        if not 0 < idle_s < float("inf"):
            raise UsageError(f"expected an idle limit above 0 s, got {idle_s:g}")
        self.device = device
        self._idle_s = idle_s
        self._tell = tell or (lambda message: None)
        self._warn = warn or self._tell
        self._server: asyncio.Server | None = None
        self._left_over = b""
        self._present: asyncio.Task[None] | None = None
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
            self._server = await self._listen(host, port)
            if len(set(_ports(self._server))) > 1:  # a name of several addresses got a port for each
                port = _ports(self._server)[0]
                self._server.close()
                self._server = await self._listen(host, port)
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

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        """Begin to listen at an address."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(Reader(limit=2 * READ), self._client)

        return await loop.create_server(protocol, host, port)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client until it goes, sends what is no command, or another comes."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        before, self._present = self._present, task
        peer = writer.get_extra_info("peername")  # None when it has gone already
        name = "a client that left" if peer is None else format_address(*peer[:2])
        try:
            if before is not None:
                before.cancel()
                await asyncio.wait({before})
            self._tell(f"{name} connected")
            await self._serve(reader, writer, name)
        except asyncio.CancelledError:
            writer.transport.abort()  # answers that nobody takes must not keep the server
        finally:
            if self._present is task:
                self._present = None
            writer.close()
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_CLOSING_S):
                    await writer.wait_closed()
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        """Execute what a client sends."""
        device = self.device
        device.begin()
        before = replace(device.ledger)
        reason = "disconnected"
        session = Session(
            device, cast(Reader, reader), writer, self._idle_s, lambda problem: self._warn(f"{name} {problem}")
        )
        try:
            left_over, self._left_over = self._left_over, b""
            await session.run(left_over)
        except ControllerError as problem:
            reason = f"dropped: {problem}"
        except TimeoutError:
            reason = f"dropped: it neither sent nor took anything for {self._idle_s:g} s"
        except OSError as problem:
            reason = f"lost: {problem}"
        except asyncio.CancelledError:
            reason = "dropped: " + (
                "the server ends" if self._present is asyncio.current_task() else "another client came"
            )
            raise
        finally:
            self._left_over = session.left_over()
            device.end()
            left = "; it left the beam on" if device.beam_on and device.ledger.pixels else ""
            self._tell(f"{name} {reason}, after {device.ledger.since(before)}{left}")


def _ports(server: asyncio.Server) -> list[int]:
    """The port of each address at which a server listens."""
    return [int(one.getsockname()[1]) for one in server.sockets]
