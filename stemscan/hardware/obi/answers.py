"""Answers of an Open Beam Interface device, cut at its cookies.

A device may lose a reading, or give one too many, when its host does not keep up; what follows then belongs to other
pixels. Only a cookie that comes after exactly as many readings as there were pixels proves which is which. Readings end
in two zero bits, and no byte of a cookie is 0xff, so that a cookie is found wherever it stands, byte by byte.
"""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["Answers", "NoCookieError"]

_READ: Final = 1 << 18


class NoCookieError(Exception):
    """A cookie did not come: too much came before it, or nothing more did.

    Parameters
    ----------
    size : int
        Bytes that came.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Answers:
    """Reads a device's answers."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._rest = bytearray()

    async def until(self, cookie: int, *, most: int, first: float, silence: float) -> bytes:
        """All bytes up to a cookie, without it; the bytes after it are kept for the next call.

        Parameters
        ----------
        most : int
            Bytes after which it is not looked for any more.
        first, silence : float
            Longest wait in seconds for the first bytes, and for more.

        Raises
        ------
        TimeoutError
            When nothing came.
        EOFError
            When the connection ended.
        NoCookieError
            When something came, but not the cookie.
        """
        answer = b"\xff\xff" + cookie.to_bytes(2, "big")
        searched = 0
        while (at := self._rest.find(answer, searched)) < 0:
            searched = max(0, len(self._rest) - 3)
            if len(self._rest) >= most + len(answer):
                raise NoCookieError(len(self._rest))
            try:
                async with asyncio.timeout(silence if self._rest else first):  # 3.11's wait_for loses cancellations
                    data = await self._reader.read(_READ)
            except TimeoutError:
                if self._rest:
                    raise NoCookieError(len(self._rest)) from None
                raise
            if not data:
                raise EOFError
            self._rest += data
        found = bytes(self._rest[:at])
        del self._rest[: at + len(answer)]
        return found
