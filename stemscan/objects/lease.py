"""The right to write below a URL, held by one process at a time: a lease, for no server notices that a process died.

The lease is an object that its holder renews, and empties in the end. Who finds one waits until it was not renewed for
as long as three renewals take, by its own clock, and then replaces that very version; a holder of this machine whose
process is gone need not be waited for. A holder that was only stopped, by a suspended laptop, may then believe that it
still has the right. It does no harm: an object below is put only in the place of the version that its writer knows, so
that whichever of the two comes second is refused, at the latest when it changes the record.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from stemscan.errors import StemscanError, StoreError
from stemscan.objects.bucket import Version
from stemscan.objects.path import ObjectPath
from stemscan.objects.problems import ObjectStoreError, OvertakenError

__all__ = ["Lease", "lease_of"]

RENEWED_S: Final = 5.0
"""Time between renewals."""

_SILENT: Final = 3.0
"""Renewals that have to be missed before a lease counts as lost."""

_POLLED: Final = 10
"""Looks at a lease of another in the time of a renewal."""

_held: dict[str, Lease] = {}
"""Leases of this process by the URL that they are for."""


class Lease:
    """A lease, taken.

    Parameters
    ----------
    folder : ObjectPath
        Folder below which something is to be written.
    name : str
        Of the object below it that stands for the lease.
    renewed_s : float, optional
        Time between renewals.

    Raises
    ------
    StoreError
        When another process holds it.
    ObjectStoreError
        When the server does not answer.
    """

    def __init__(self, folder: ObjectPath, name: str, renewed_s: float | None = None) -> None:
        self._folder, self._path = str(folder), folder / name
        self._bucket, self._key = folder.bucket, self._path.key
        self._renewed_s = RENEWED_S if renewed_s is None else renewed_s
        self._body = {"writer": uuid.uuid4().hex, "renewed_s": self._renewed_s, **_myself()}
        self._number = 0
        if self._folder in _held:
            raise self._refusal()
        self._version = self._take()
        self._lost: OvertakenError | None = None
        try:
            self._known = {key: known for key, known in self._bucket.below(folder.key).items() if key != self._key}
        except BaseException:
            self._give_back()
            raise
        self._changing = threading.Lock()
        self._over = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name=f"lease of {folder}", daemon=True)
        self._renewer.start()
        _held[self._folder] = self

    @staticmethod
    def is_held(path: ObjectPath) -> bool:
        """Tell whether a lease is there whose holder is not known to be dead; `path` is that of its object."""
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return False
        return bool(body) and not _is_dead(_parsed(body))

    def put(self, path: Path, data: bytes) -> None:
        """Put an object below in the place of the version that this process knows, or as a new one.

        Raises
        ------
        OvertakenError
            When another process wrote it, or has taken the lease.
        ObjectStoreError
            When the server refuses or does not answer.
        """
        assert isinstance(path, ObjectPath)
        if self._lost is not None:
            raise self._lost
        key = path.key
        with self._changing:
            known = self._known.get(key)
        version = self._bucket.put(key, data, known)
        with self._changing:
            self._known[key] = version

    def delete(self, keys: list[str]) -> None:
        """Delete objects below."""
        if self._lost is not None:
            raise self._lost
        self._bucket.delete(keys)
        with self._changing:
            for key in keys:
                self._known.pop(key, None)

    def keys(self, path: Path) -> list[str]:
        """Objects at and below a path that this process knows of."""
        assert isinstance(path, ObjectPath)
        with self._changing:
            return [key for key in self._known if key == path.key or key.startswith(f"{path.key}/")]

    def release(self) -> None:
        """Give the lease back; again is harmless."""
        if _held.get(self._folder) is not self:
            return
        del _held[self._folder]
        self._over.set()
        self._renewer.join()
        self._give_back()

    def _give_back(self) -> None:
        """Empty the object, where that can be done."""
        with suppress(StemscanError, OSError):
            self._version = self._bucket.put(self._key, b"", self._version)

    def _take(self) -> Version:
        """Put the object of the lease."""
        seen: Version | None = None
        while True:
            try:
                return self._bucket.put(self._key, self._next(), seen)
            except OvertakenError:
                pass
            try:
                body, now = self._bucket.read(self._key)
            except FileNotFoundError:  # deleted meanwhile
                seen = None
                continue
            if seen is not None and now != seen and body:
                raise self._refusal()
            if body and not _is_dead(holder := _parsed(body)):
                if _is_here(holder):
                    raise self._refusal()
                self._wait(now, float(holder.get("renewed_s", RENEWED_S)))
            seen = now

    def _wait(self, seen: Version, renewed_s: float) -> None:
        """Wait for the end of a lease, and refuse to go on where it is renewed."""
        end = time.monotonic() + _SILENT * renewed_s
        while time.monotonic() < end:
            time.sleep(renewed_s / _POLLED)
            if self._bucket.version(self._key) != seen:
                raise self._refusal()

    def _renew(self) -> None:
        """Show, again and again, that this process is alive."""
        while not self._over.wait(self._renewed_s):
            try:
                self._version = self._bucket.put(self._key, self._next(), self._version)
            except OvertakenError as problem:
                self._lost = problem
                return
            except (StemscanError, OSError):
                continue  # what is written under the lease tells whether anything is amiss

    def _next(self) -> bytes:
        """Content of the object, another each time."""
        self._number += 1
        return json.dumps({**self._body, "number": self._number}).encode()

    def _refusal(self) -> StoreError:
        """The error for a lease of another."""
        return StoreError(
            f"expected to be the only writer of {self._folder!r}, got one at work already; wait for it or stop it"
        )


def lease_of(path: ObjectPath) -> Lease:
    """The lease of this process under which an object is written.

    Raises
    ------
    ObjectStoreError
        When there is none.
    """
    for folder in (path, *path.parents):
        if (lease := _held.get(str(folder))) is not None:
            return lease
    raise ObjectStoreError(f"expected to hold the lease of {str(path)!r}, got none; please report this")


def _parsed(body: bytes) -> dict[str, Any]:
    """Content of a lease as its holder put it; nothing where it is none of ours."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _myself() -> dict[str, Any]:
    """This process, so that another one of this machine can tell whether it is alive; the system may not say."""
    return {"machine": _machine(), "pid": os.getpid(), "started": _started(os.getpid())}


def _machine() -> str | None:
    """Name of this machine since it was started, and of what it counts processes in; None where it cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """Time at which a process began, in the system's own units; None where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _is_here(holder: dict[str, Any]) -> bool:
    """Tell whether a holder is of this machine."""
    return holder.get("machine") is not None and holder["machine"] == _machine()


def _is_dead(holder: dict[str, Any]) -> bool:
    """Tell whether a holder of this machine is gone for sure."""
    if not _is_here(holder) or not isinstance(holder.get("pid"), int):
        return False
    started = _started(holder["pid"])
    return started is None or started != holder.get("started")
