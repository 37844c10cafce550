"""The worker process that decodes files, from its own side; see `stemscan.files.worker`."""

from __future__ import annotations

import json
import os
import signal
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stemscan.errors import DataError, StemscanError
from stemscan.files.reading import Head, answers

__all__ = ["serve"]


def serve() -> None:
    """Answer what is asked on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program that asks decides
    threading.stack_size(1 << 20)
    questions, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _trust_our_own_limits()
    while head := questions.read(4):
        question = json.loads(questions.read(struct.unpack("<I", head)[0]))
        _answer(question, replies)
        replies.flush()


def _trust_our_own_limits() -> None:
    """Let Pillow open what passes our check of sizes; its own limit is one of pixels, whatever the file's size."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None


def _answer(question: dict[str, Any], replies: BinaryIO) -> None:
    """Answer one question."""
    path = Path(question["path"])
    with suppress(OSError):
        os.chdir(question["folder"])
    try:
        for part in answers(path, question["frame"], every=question["every"], limited=True):
            if isinstance(part, Head):
                _send(replies, {"head": part.plain()})
                continue
            values = np.ascontiguousarray(part[0])
            if values.dtype.kind not in "biufc":
                raise DataError(f"expected numbers as pixels, got type {values.dtype} in {str(path)!r}")
            _send(replies, {"shape": values.shape, "dtype": values.dtype.str, "notes": part[1]})
            replies.write(values.tobytes() if values.size < 4096 else values.data.cast("B"))
        _send(replies, {"done": True})
    except StemscanError as problem:
        _send(replies, {"error": type(problem).__name__, "message": str(problem)})


def _send(replies: BinaryIO, message: dict[str, Any]) -> None:
    """Write a message."""
    data = json.dumps(message).encode()
    replies.write(struct.pack("<I", len(data)) + data)
