"""Files and folders made on this machine, put below a URL: one that replaces another appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stemscan.objects.path import ObjectPath

__all__ = ["put_folder", "write_object"]

_AT_ONCE: Final = 8
_SMALL: Final = 64 << 20
"""Bytes up to which a file is put at once, so that another writer of a new one can be noticed."""


def write_object(target: ObjectPath, write: Callable[[Path], None], *, new: bool) -> None:
    """Let `write` fill a temporary file, and put it.

    Parameters
    ----------
    write : callable
        Gets the temporary path, which has the same suffix.
    new : bool
        Refuse to replace another object.

    Raises
    ------
    OvertakenError
        When one is there that is not to be replaced.
    ObjectStoreError, InputNotFoundError
        When the server refuses or does not answer.
    """
    with TemporaryDirectory(prefix="stemscan-") as folder:
        made = Path(folder) / target.name
        write(made)
        if new and made.stat().st_size <= _SMALL:
            target.bucket.put(target.key, made.read_bytes(), None)
        else:
            target.bucket.put_file(target.key, made)


def put_folder(filled: Path, target: ObjectPath, root: str, unfinished: bytes) -> None:
    """Put all files of a folder below a URL, and delete what was there before; `root` comes last.

    Parameters
    ----------
    root : str
        Name of the file by which readers find the others.
    unfinished : bytes
        Content that stands in its place meanwhile.

    Raises
    ------
    OvertakenError
        When another process writes there, too.
    ObjectStoreError, InputNotFoundError
        When the server refuses or does not answer.
    """
    bucket, key = target.bucket, (target / root).key
    before = bucket.below(target.key)
    version = bucket.put(key, unfinished, before.get(key))
    files = {(target / file.relative_to(filled).as_posix()).key: file for file in filled.rglob("*") if file.is_file()}
    last = files.pop(key)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda item: bucket.put_file(*item), files.items()))
    bucket.delete([old for old in before if old not in files and old != key])
    bucket.put(key, last.read_bytes(), version)
