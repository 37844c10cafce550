"""The worker process that decodes files, from the side of the program that asks.

It is started when first needed, kept for further files, and ends with the program. It limits its own computing time
and memory for each step (`stemscan.runtime.process_limits`); a parser that does not end is ended by the system with the
worker, and the next file gets a new one. It is sent plain JSON, and answers with plain JSON and the bytes of arrays:
whatever a file makes of it cannot reach further.
"""

from __future__ import annotations

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

import stemscan
from stemscan import errors
from stemscan.errors import DataError, StemscanError
from stemscan.files.images import Loaded
from stemscan.files.reading import Head
from stemscan.runtime.process_limits import end_of
from stemscan.types import Array

__all__ = ["Worker", "ask_worker", "the_worker"]

_START = "import sys; sys.path.append(sys.argv[1]); from stemscan.files.worker_process import serve; serve()"
_PATIENCE_S: Final = 600.0
"""Seconds without a word, however little it computes: a network drive may be slow, but not dead for ever."""


class Worker:
    """A process that decodes files, one at a time.

    Parameters
    ----------
    patience_s : float
        Seconds to wait for a word of it.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        root = str(Path(stemscan.__file__).resolve().parents[1])
        once = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **once},
            bufsize=0,
        )
        self._patience_s = patience_s
        self._pid = os.getpid()
        self._timed_out = False

    @property
    def is_usable(self) -> bool:
        """Tell whether it is alive and of this process, not of one that this was forked from."""
        return self._pid == os.getpid() and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(self, path: Path, frame: int | str | None, *, every: bool) -> Iterator[Head | Loaded]:
        """Read a file; as of `stemscan.files.reading.answers`."""
        assert self._process.stdin is not None
        question = {"folder": os.getcwd(), "path": str(path), "frame": frame, "every": every}
        try:
            _send(self._process.stdin, question)
            while True:
                with self._patience():
                    part = self._receive()
                    if "error" in part:
                        raise _error(part)
                    if part.get("done"):
                        return
                    answer = Head.from_plain(part["head"]) if "head" in part else self._loaded(part)
                yield answer
        except (OSError, EOFError):
            raise self._ended(path) from None

    def close(self) -> None:
        """End it."""
        if self._pid == os.getpid():
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Section that waits for a word of it, which is ended where none comes (no system waits for pipes alike)."""
        timer = threading.Timer(self._patience_s, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        """End it, for it says nothing."""
        self._timed_out = True
        self._process.kill()

    def _receive(self) -> dict[str, Any]:
        """The next message."""
        (length,) = struct.unpack("<I", self._bytes(4))
        message: dict[str, Any] = json.loads(bytes(self._bytes(length)))
        return message

    def _loaded(self, part: dict[str, Any]) -> Loaded:
        """The array behind a message, with its notes."""
        values: Array = np.empty(part["shape"], np.dtype(part["dtype"]))
        self._fill(values.data.cast("B"))
        return values, tuple(part["notes"])

    def _bytes(self, length: int) -> bytearray:
        """So many bytes of it."""
        data = bytearray(length)
        self._fill(memoryview(data))
        return data

    def _fill(self, place: memoryview) -> None:
        """Fill a place with what it says."""
        pipe = self._process.stdout
        assert pipe is not None
        while place.nbytes:
            got = pipe.readinto(place)  # type: ignore[attr-defined]
            if not got:
                raise EOFError
            place = place[got:]

    def _ended(self, path: Path) -> DataError:
        """An error for a worker that ended, or had to be, while it read a file."""
        code = self._process.wait()
        silent = f"which gave no data for {self._patience_s:g} s; copy it to this machine's disk"
        return DataError(f"expected a readable file, got {str(path)!r}, {silent if self._timed_out else end_of(code)}")


_lock = threading.Lock()
_worker: list[Worker] = []


def ask_worker(path: Path, frame: int | str | None, *, every: bool) -> Iterator[Head | Loaded]:
    """Read a file in the worker of this process; as of `stemscan.files.reading.answers`."""
    with _lock:
        if not (_worker and _worker[0].is_usable):
            _close()
            _worker.append(Worker())
        finished = False
        try:
            yield from _worker[0].ask(path, frame, every=every)
            finished = True
        except StemscanError:
            finished = _worker[0].is_usable
            raise
        finally:
            if not finished:  # interrupted, or it ended: what is in its pipe is of no use
                _close()


def the_worker() -> int | None:
    """The number of the worker process, where there is one."""
    return _worker[0].pid if _worker else None


def _close() -> None:
    """End the worker, if there is one."""
    while _worker:
        _worker.pop().close()


atexit.register(_close)


def _send(pipe: Any, message: dict[str, Any]) -> None:
    """Write a message."""
    data = json.dumps(message).encode()
    pipe.write(struct.pack("<I", len(data)) + data)


def _error(part: dict[str, Any]) -> StemscanError:
    """An error of the worker as one of this process."""
    kind = getattr(errors, str(part["error"]), DataError)
    error: StemscanError = kind(str(part["message"]))
    return error
