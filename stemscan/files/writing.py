"""Writing output files whole or not at all, and never over another unasked."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

from stemscan.errors import InputNotFoundError, OutputExistsError, StemscanError, refusal
from stemscan.objects.path import ObjectPath
from stemscan.objects.upload import write_object
from stemscan.runtime import durable
from stemscan.runtime.interrupts import Interrupts

__all__ = ["check_output", "is_partial", "require_folder", "write_file", "write_folder", "write_text"]


def require_folder(path: Path) -> None:
    """Refuse an output path whose folder is not there; none is created. Of a URL, its bucket must answer.

    Raises
    ------
    InputNotFoundError
        When the parent is missing or no folder.
    ObjectStoreError
        When the bucket cannot be reached.
    """
    if isinstance(path, ObjectPath):
        path.require_key()
        return
    parent = path.parent
    if not parent.is_dir():
        reason = "is no folder; choose another" if parent.exists() else "does not exist; create it first"
        raise InputNotFoundError(f"expected an existing folder for {str(path)!r}, got {str(parent)!r}, which {reason}")


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse an output path whose folder is missing, or that exists and may not be overwritten.

    Raises
    ------
    InputNotFoundError
        When the parent folder does not exist; none is created.
    OutputExistsError
        When something is there and `overwrite` is false, or it is a device, pipe or socket, which is never replaced.
    """
    require_folder(path)
    if not overwrite and (path.exists() or path.is_symlink()):
        raise OutputExistsError(
            f"expected a new path, got {str(path)!r}, which exists; choose another name or --overwrite it"
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OutputExistsError(
            f"expected a file path, got {str(path)!r}, which is a device or pipe; choose another name"
        )


def write_file(path: Path, write: Callable[[Path], None], *, overwrite: bool = False) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place at once.

    Parameters
    ----------
    path : pathlib.Path
        Place of the file.
    write : callable
        Gets the temporary path, which has the same suffix, and writes the file there.
    overwrite : bool
        True if a file that is there may be replaced.

    Raises
    ------
    InputNotFoundError, OutputExistsError
        As `check_output`.
    StemscanError
        When the system refuses to write.
    """
    check_output(path, overwrite=overwrite)
    if path.is_dir():
        raise OutputExistsError(f"expected a file path, got {str(path)!r}, which is a folder; choose another name")
    if isinstance(path, ObjectPath):
        write_object(path, write, new=not overwrite)
        return
    temporary = path.with_name(f".{uuid.uuid4().hex}.partial{path.suffix}")
    with Interrupts(polite=True) as interrupts:
        try:
            with interrupts.immediate():
                write(temporary)
            durable.replace(temporary, path)
        except OSError as problem:
            if isinstance(problem, StemscanError):
                raise
            raise StemscanError(f"expected to write {str(path)!r}, got: {refusal(problem)}") from problem
        finally:
            durable.discard(temporary)
    interrupts.check()


def is_partial(name: str) -> bool:
    """Tell whether a name is that of a file which `write_file` had not put in place when its process was killed.

    Examples
    --------
    >>> is_partial(f".{'0' * 32}.partial.csv"), is_partial("metrics.csv")
    (True, False)
    """
    return re.fullmatch(r"\.[0-9a-f]{32}\.partial(\..*)?", name) is not None


def write_folder(
    path: Path, write: Callable[[Path], None], *, is_ours: Callable[[str], bool], overwrite: bool = False
) -> None:
    """Let `write` fill a temporary folder beside `path`, then put it in place.

    Parameters
    ----------
    path : pathlib.Path
        Place of the folder.
    write : callable
        Gets the temporary folder, which is empty, and fills it.
    is_ours : callable
        True if a file of a name is one that `write` makes; a folder that holds others is never replaced.
    overwrite : bool
        True if a folder that is there may be replaced.

    Raises
    ------
    InputNotFoundError, OutputExistsError
        As `check_output`, or when what is there is no folder of such files.
    StemscanError
        When the system refuses to write.
    """
    check_output(path, overwrite=overwrite)
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"expected a folder, got {str(path)!r}, which is a file; choose another name")
    foreign = [one.name for one in path.iterdir() if one.is_dir() or not is_ours(one.name)] if path.is_dir() else []
    if foreign:
        raise OutputExistsError(
            f"expected a folder with nothing but an earlier output, got {str(path)!r} with {foreign[0]!r}; choose "
            "another name"
        )
    temporary = path.with_name(f".{uuid.uuid4().hex}.partial")
    with Interrupts(polite=True) as interrupts:
        try:
            temporary.mkdir()
            with interrupts.immediate():
                write(temporary)
            durable.put_folder(temporary, path)
        except OSError as problem:
            if isinstance(problem, StemscanError):
                raise
            raise StemscanError(f"expected to write {str(path)!r}, got: {refusal(problem)}") from problem
        finally:
            durable.discard(temporary)
    interrupts.check()


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a UTF-8 text file whole or not at all; see `write_file`."""
    write_file(path, lambda temporary: _write(temporary, text), overwrite=overwrite)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
