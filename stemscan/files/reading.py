"""Reading a file in the process that decodes it: open, choose, check the claim, decode frame by frame."""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stemscan.errors import DataError, StemscanError
from stemscan.files.formats import opener_of
from stemscan.files.images import Loaded, choose
from stemscan.files.limits import check_claim, check_size, decoding_budget, opening_budget
from stemscan.files.pixel_size import PixelSize
from stemscan.runtime.process_limits import lift_time_limit, limit_process, memory_taken
from stemscan.types import Array

__all__ = ["Answer", "Head", "answers", "stored_bytes"]


@dataclass(frozen=True)
class Head:
    """Head of a picture, known before it is decoded; fields as of `stemscan.files.images.Picture`."""

    frames: int
    frame: int
    name: str
    pixel_size_nm: PixelSize | None
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_plain(cls, data: dict[str, Any]) -> Head:
        """From plain data."""
        size = data["pixel_size_nm"]
        pixel = None if size is None else (float(size[0]), float(size[1]))
        return cls(int(data["frames"]), int(data["frame"]), str(data["name"]), pixel, tuple(data["warnings"]))


@dataclass(frozen=True, eq=False)
class Answer:
    """All that was read."""

    head: Head
    values: list[Array]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, parts: Iterator[Head | Loaded]) -> Answer:
        """Put the parts together, the last head in force."""
        head: Head | None = None
        values: list[Array] = []
        notes: list[str] = []
        for part in parts:
            if isinstance(part, Head):
                head = part
            else:
                values.append(part[0])
                notes.extend(part[1])
        assert head is not None
        return cls(head, values, tuple(dict.fromkeys(notes)))


def answers(path: Path, frame: int | str | None, *, every: bool, limited: bool = False) -> Iterator[Head | Loaded]:
    """Read a file: its head, each frame, and the head again with all warnings.

    Parameters
    ----------
    path, frame, every
        As of `stemscan.files.read` and `stemscan.files.images.choose`.
    limited : bool
        Limit time and memory of this process, which must be a worker.

    Raises
    ------
    StemscanError
        In one sentence, whatever a reader raised.
    """
    name, stored = str(path), stored_bytes(path)
    opener = opener_of(path)  # imports what it needs, which counts towards no limit
    base = memory_taken()

    def budget(seconds: float, more: int) -> None:
        if limited:
            limit_process(seconds, base + more)

    with _Heard() as heard:
        try:
            budget(*opening_budget(stored))
            with opener(path) as signals:
                signal, numbers, first, of = choose(signals, frame, name, every=every)
                check_size(*signal.size, name)
                check_claim(signal.frame_bytes, stored, name)
                check_claim(signal.frame_bytes * len(numbers), stored, name)
                total = sum(one.frames for one in signals if one.kind != "spectra")
                head = Head(total, first, of, signal.pixel_size_nm, signal.warnings)
                yield head
                for number in numbers:
                    budget(*decoding_budget(stored, signal.frame_bytes))
                    yield signal.load(number)
        except StemscanError:
            raise
        except MemoryError as problem:
            _release(problem)
            raise DataError(
                f"expected a file that can be read in memory in proportion to its size, got {name!r}, which takes "
                "more: damaged, or not what it says it is"
            ) from problem
        except Exception as problem:  # a damaged file makes a reader raise anything
            _release(problem)
            raise DataError(f"expected a readable file, got {name!r}, {_cause(problem)}") from problem
        finally:
            if limited:
                lift_time_limit()
    yield Head(head.frames, head.frame, head.name, head.pixel_size_nm, (*head.warnings, *heard))


def stored_bytes(path: Path) -> int:
    """Bytes of a file with those beside it of the same stem, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    stem = path.name.split(".")[0]
    beside = (file for file in path.parent.iterdir() if file.name.startswith(stem) and file != path)
    if path.suffix.lower() in (".emi", ".xml", ".rpl", ".h5"):  # formats whose pixels lie in files of their own
        return path.stat().st_size + sum(file.stat().st_size for file in beside if file.is_file())
    return path.stat().st_size


def _cause(problem: BaseException) -> str:
    """Reason in a library's error, as far as it tells."""
    if isinstance(problem, PermissionError):
        return "which may not be read; change its permissions"
    said = " ".join(str(problem).split()) or type(problem).__name__
    return f"damaged or of a kind that is not read here ({said[:200]})"


def _release(problem: BaseException | None) -> None:
    """Let go of what the frames of an error hold, so that files that a reader left open are closed now."""
    while problem is not None:
        traceback.clear_frames(problem.__traceback__)
        problem = problem.__context__


class _Heard(logging.Handler):
    """Warnings and logs of libraries, kept from the terminal: those that are of the file, in a few words."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[str, None] = {}

    def __enter__(self) -> _Heard:
        self._caught = warnings.catch_warnings(record=True)
        self._recorded = self._caught.__enter__()
        warnings.simplefilter("always")
        self._loggers = [logging.getLogger(name) for name in ("rsciio", "RosettaSciIO", "tifffile")]
        self._before = [(logger.propagate, list(logger.handlers)) for logger in self._loggers]
        for logger in self._loggers:
            logger.propagate, logger.handlers = False, [self]
        return self

    def __exit__(self, *error: object) -> None:
        self._caught.__exit__(None, None, None)
        for logger, (propagate, handlers) in zip(self._loggers, self._before, strict=True):
            logger.propagate, logger.handlers = propagate, handlers

    def emit(self, record: logging.LogRecord) -> None:
        """Note what a library logs."""
        if record.name != "tifffile":  # that one is about tags that are not needed
            self._said[" ".join(record.getMessage().split())[:200]] = None

    def __iter__(self) -> Iterator[str]:
        for warning in self._recorded or ():
            if warning.category is UserWarning:
                self._said[" ".join(str(warning.message).split())[:200]] = None
        for said in self._said:
            yield f"its reader reports: {said}"
