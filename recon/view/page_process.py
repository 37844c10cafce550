"""The page of a running acquisition, in a process of its own that takes no time from it: `python -m` this module.

It talks to the process that acquires in lines of JSON. Its first line of input is the settings; it answers with its
address. From then on it sends presses, each with a number, and gets what came of them, until it is told why the
acquisition is over. Where its input ends without that, the process that acquires is no more, and viewers are told so.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stemscan.errors import StemscanError

if TYPE_CHECKING:
    from stemscan.recon.view.feed import Feed

__all__ = ["main"]

_GONE: Final = (
    "The program that acquires has ended without a word: see that the beam is blanked; acquire --resume goes on."
)
_PATIENCE_S: Final = 20.0
_NICE: Final = 5


class _Line:
    """The line to the process that acquires."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self.over = asyncio.get_running_loop().create_future()

    def send(self, message: dict[str, Any]) -> None:
        """Write a message."""
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    async def press(self, name: str) -> str:
        """Pass a press on, and wait for what comes of it."""
        if self.over.done():
            return "not done: the acquisition is over"
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.send({"press": name, "number": number})
        try:
            return await asyncio.wait_for(answer, _PATIENCE_S)
        except TimeoutError:
            return "not answered: use Ctrl-C at the terminal"
        finally:
            del self._waiting[number]

    def take(self, text: str) -> None:
        """Take in a line; an empty one is the end."""
        message = json.loads(text) if text.strip() else {"over": _GONE}
        if "over" in message:
            if not self.over.done():
                self.over.set_result(str(message["over"]))
        elif (answer := self._waiting.get(int(message["number"]))) is not None and not answer.done():
            answer.set_result(str(message["words"]))

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read lines until there are no more; for a thread."""
        while text := sys.stdin.readline():
            loop.call_soon_threadsafe(self.take, text)
        loop.call_soon_threadsafe(self.take, "")


async def _serve(settings: dict[str, Any]) -> None:
    """Show the store until the acquisition is over."""
    from threading import Thread

    from stemscan.recon.view.showing import Shown, show_store

    line, loop = _Line(), asyncio.get_running_loop()
    Thread(target=line.listen, args=(loop,), daemon=True).start()

    async def over(feed: Feed) -> str:
        return str(await line.over)

    shown = Shown(**settings | {"store": Path(settings["store"])})
    await show_store(shown, lambda address: line.send({"address": address}), press=line.press, over=over)


def main() -> None:
    """Serve the page of the acquisition that started this process."""
    from stemscan.runtime.interrupts import unblocked
    from stemscan.runtime.process_limits import give_way

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the acquisition obeys Ctrl-C, and viewers are told what came of it
    unblocked()
    give_way(_NICE)
    settings = json.loads(sys.stdin.readline())
    try:
        asyncio.run(_serve(settings))
    except StemscanError as problem:
        sys.stdout.write(json.dumps({"error": str(problem)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
