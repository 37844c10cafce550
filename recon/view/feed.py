"""Feed of a page: looks at a store, makes images of it, and hands out what is new to any number of viewers.

One thread reads the store and draws tiles, so that neither needs locks and a page takes one processor at most; images
are made in other processes (`Maker`). Viewers ask for what they can show: a slow one asks less often.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar

from stemscan.recon.view.growing import GrowingScan
from stemscan.recon.view.images import Images
from stemscan.recon.view.levels import png_of
from stemscan.recon.view.making import Maker
from stemscan.recon.view.replaying import Replay
from stemscan.recon.view.state import State, sum_layer

__all__ = ["Drawn", "Feed", "as_json"]

_SHORTEST_S: Final = 0.1
"""Between two looks that found something: at most ten pictures a second."""

_LOOK_S: Final = 0.03
_BEAT_S: Final = 1.0
"""A message is sent so often, at least: a page that hears nothing for longer says so."""

_KEPT: Final = 48
_ASKED: Final = ("image", "columns", "drift")

Result = TypeVar("Result")


class Drawn(NamedTuple):
    """A tile: its PNG, the version of what it shows, and the values of its first and last colour."""

    png: bytes
    version: int
    limits: tuple[float, float]


class Feed:
    """Looks at a store while `run` runs.

    Parameters
    ----------
    replay : Replay, optional
        Clock by which a finished store is shown from its beginning.
    """

    def __init__(self, scan: GrowingScan, maker: Maker, replay: Replay | None = None) -> None:
        self.state = State(scan, replay)
        self.images = Images(maker)
        self.message = ""
        self.number = 0
        self._scan, self._replay = scan, replay
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="view")
        self._news = asyncio.Condition()
        self._tiles = OrderedDict[tuple[str, int, int, int], tuple[int, asyncio.Task[Drawn]]]()
        self._stale = True

    async def run(self) -> None:
        """Look until cancelled."""
        told = 0.0
        try:
            self.images.warm_up()
            while True:
                began = time.monotonic()
                changed = await self._in_thread(self._look)
                if changed or self._stale or began >= told + _BEAT_S:
                    await self.tell()
                    told = began
                spent = time.monotonic() - began
                await asyncio.sleep(max(_LOOK_S, _SHORTEST_S - spent) if changed else _LOOK_S)
        finally:
            self.images.close()
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def tell(self) -> None:
        """Send all viewers the state as it is now."""
        self._stale = False
        message = await self._in_thread(self._facts)
        async with self._news:
            self.message, self.number = message, self.number + 1
            self._news.notify_all()

    async def next(self, after: int) -> tuple[int, str]:
        """The latest message with a number above `after`, once there is one."""
        async with self._news:
            await self._news.wait_for(lambda: self.number > after)
            return self.number, self.message

    async def tile(self, name: str, level: int, row: int, column: int) -> Drawn:
        """A tile of a picture as it is now; many who ask for the same get it drawn once.

        Raises
        ------
        LookupError
            When there is no such picture or tile.
        """
        version, key = self._version(name), (name, level, row, column)
        known = self._tiles.get(key)
        if known is None or known[0] != version or (known[1].done() and known[1].exception() is not None):
            task = asyncio.ensure_future(self._in_thread(lambda: self._draw(name, version, level, row, column)))
            self._tiles[key] = known = version, task
        self._tiles.move_to_end(key)
        while len(self._tiles) > _KEPT:
            self._tiles.popitem(last=False)
        return await asyncio.shield(known[1])

    def ask(self, wish: dict[str, Any]) -> None:
        """Wish of a viewer that moves no beam: an image, columns or drift now, or another place of a replay."""
        what = wish.get("make")
        if what in _ASKED and self._scan.acquisition is not None and self._scan.samples:
            self.images.ask(str(what), self._scan.samples, self._set_stale)
        if self._replay is not None:
            number = {name: float(wish[name]) for name in ("at", "speed") if isinstance(wish.get(name), int | float)}
            if "at" in number:
                self._replay.go_to(number["at"])
            if number.get("speed", 0) > 0 or isinstance(wish.get("paused"), bool):
                self._replay.set(speed=number.get("speed"), paused=wish.get("paused"))
        self._set_stale()

    def _set_stale(self) -> None:
        """Let the next look tell, whatever it finds."""
        self._stale = True

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Do something in the one thread that touches the scan."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _look(self) -> bool:
        """Take in what is new."""
        return self._scan.look(None if self._replay is None else self.state.replayed)

    def _facts(self) -> str:
        """The state as JSON; begins an image where one is due."""
        if self._scan.acquisition is not None and not self._scan.problem:
            self.images.follow(self._scan, self._set_stale)
        return as_json(self.state.facts(self.images))

    def _version(self, name: str) -> int:
        """Version of a picture."""
        return self.images.version if name in self.images.layers else self._scan.version

    def _draw(self, name: str, version: int, level: int, row: int, column: int) -> Drawn:
        """Draw a tile."""
        layer = self.images.layers.get(name) or sum_layer(self._scan, name)
        numbers, limits = layer.tile(level, row, column)
        return Drawn(png_of(numbers, layer.shades), version, limits)


def as_json(value: Any) -> str:
    """JSON of plain data; numbers that are none become null, which browsers can read."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(value), allow_nan=False)


def _without_nan(value: Any) -> Any:
    """Plain data with None in the place of numbers that are not finite."""
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
