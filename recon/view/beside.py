"""The page beside an acquisition: its process is started, its presses are carried out, its end is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import stemscan
from stemscan.acquisition.scan import COMMIT_SAMPLES
from stemscan.errors import StemscanError, UsageError
from stemscan.runtime.interrupts import blocked

if TYPE_CHECKING:
    from stemscan.acquisition.requests import ScanRequests
    from stemscan.recon.view.showing import Shown

__all__ = ["commit_samples_of", "page_beside"]

_START: Final = "import sys; sys.path.append(sys.argv[1]); from stemscan.recon.view.page_process import main; main()"
_COMMITS_A_SECOND: Final = 6.0
_LEAVING_S: Final = 5.0


def commit_samples_of(dwell_ns: int) -> int:
    """Samples between two commits, so that there are at least six a second to show.

    Examples
    --------
    >>> commit_samples_of(1000), commit_samples_of(10_000), commit_samples_of(100)
    (166666, 16666, 262144)
    """
    return min(max(1, int(1e9 / _COMMITS_A_SECOND / dwell_ns)), COMMIT_SAMPLES)


@contextmanager
def page_beside(shown: Shown, requests: ScanRequests, warn: Callable[[str], None]) -> Iterator[str]:
    """The page of an acquisition that goes on inside of this context.

    Parameters
    ----------
    requests : ScanRequests
        That presses go to.
    warn : callable
        Takes a sentence, where the page ends before the acquisition, which goes on.

    Yields
    ------
    str
        Address of the page, with its token.

    Raises
    ------
    UsageError
        When the address cannot be listened at.
    """
    page = _Page(shown)
    try:
        address = page.address()
        listener = threading.Thread(target=page.listen, args=(requests, warn), daemon=True)
        listener.start()
        try:
            yield address
        except BaseException as problem:
            page.tell({"over": _sentence(problem)})
            raise
        page.tell({"over": "The acquisition is complete."})
    finally:
        page.close()


class _Page:
    """The process of a page, from the side of the acquisition."""

    def __init__(self, shown: Shown) -> None:
        self._over = False
        root = str(Path(stemscan.__file__).resolve().parents[1])
        with blocked():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, root],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._writing = threading.Lock()
        self.tell(asdict(shown) | {"store": str(shown.store)})

    def address(self) -> str:
        """Address that it listens at."""
        answer = self._read() or {"error": "expected a page beside the acquisition, got the end of its process"}
        if "error" in answer:
            raise UsageError(str(answer["error"]))
        return str(answer["address"])

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message; one that cannot take it has ended, which `listen` notices."""
        self._over = self._over or "over" in message
        with self._writing, suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def listen(self, requests: ScanRequests, warn: Callable[[str], None]) -> None:
        """Carry out presses until the page has ended; for a thread."""
        presses = {"stop": requests.stop_after_pass, "more": requests.one_more_pass, "park": requests.park}
        while (message := self._read()) is not None:
            words = presses[message["press"]]() if not self._over else "not done: the acquisition is over"
            self.tell({"number": message["number"], "words": words})
        if not self._over:
            warn("the page has ended; the acquisition goes on")

    def close(self) -> None:
        """Let viewers take the last message, and end the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_LEAVING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _read(self) -> dict[str, Any] | None:
        """The next message; None where it has ended."""
        assert self._process.stdout is not None
        try:
            message: dict[str, Any] = json.loads(self._process.stdout.readline())
        except ValueError:
            return None
        return message


def _sentence(problem: BaseException) -> str:
    """Why an acquisition ended, for viewers."""
    if isinstance(problem, KeyboardInterrupt):
        return "The acquisition was stopped, and the beam was told to blank; acquire --resume goes on."
    words = " ".join(str(problem).split()) if isinstance(problem, StemscanError) else type(problem).__name__
    notes = "; ".join(getattr(problem, "__notes__", ()))
    return f"The acquisition has failed: {words}.{' ' + notes if notes else ''}"
