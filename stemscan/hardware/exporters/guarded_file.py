"""A file for the HDF5 library whose errors are held back, since the library does not survive them.

Where the disk is full, HDF5 fails to close its file, and the process dies when it tries again at its end. So the first
error is kept here, what follows is thrown away, and the error is raised once the library has let go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = ["GuardedFile", "guarded_file"]


class GuardedFile:
    """The file, as h5py takes one; made by `guarded_file`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._problem: BaseException | None = None

    def check(self) -> None:
        """Raise what was held back."""
        if self._problem is not None:
            raise self._problem

    def _do(self, what: Callable[..., Any], argument: Any, otherwise: Any) -> Any:
        """Do it, unless something went wrong before; Ctrl-C is held back as well, which HDF5 would swallow."""
        if self._problem is None:
            try:
                return what(argument)
            except BaseException as problem:  # noqa: BLE001 - raised by check
                self._problem = problem
        return otherwise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset."""
        place: int = self._do(lambda to: self._file.seek(to, whence), offset, offset)
        return place

    def tell(self) -> int:
        """Offset at which it stands."""
        return self._file.tell()

    def write(self, data: memoryview) -> int:
        """Write all of it."""
        length: int = self._do(self._file.write, data, len(data))
        return length

    def read(self, length: int) -> bytes:
        """Read so many bytes; zeros beyond what is there."""
        data: bytes = self._do(self._file.read, length, b"")
        return data.ljust(length, b"\0")

    def truncate(self, size: int) -> int:
        """Make it so long."""
        length: int = self._do(self._file.truncate, size, size)
        return length

    def flush(self) -> None:
        """Hand over to the system what was written."""
        self._do(lambda _: self._file.flush(), None, None)


@contextmanager
def guarded_file(path: Path) -> Iterator[GuardedFile]:
    """Open a new file for a library whose file is closed inside this context.

    Raises
    ------
    OSError
        As the system refused the first thing that failed, once the context ends.
    """
    with path.open("w+b") as file:
        guarded = GuardedFile(file)
        try:
            yield guarded
        finally:
            guarded.flush()
            guarded.check()
