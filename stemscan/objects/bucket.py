"""A bucket: objects read, listed and deleted, and put on the condition that nobody else wrote them meanwhile.

A put that replaces an object states which version it replaces, and one of a new object that there is none: of two
writers, one is refused. A server may do what it is asked and its answer be lost, so that a put that is tried again is
refused by its own work; therefore, what is there after a refusal or silence is compared with what was to be put.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from stemscan.errors import MissingDependencyError, StemscanError
from stemscan.objects.problems import ObjectStoreError, OvertakenError, explained

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Bucket", "Version", "bucket_of"]

Version = dict[str, str]
"""State of an object as its server names it: `e_tag`, and `version` where it has one."""

_ATTEMPTS: Final = 3
"""Puts, each tried again by obstore, whose answer may be lost."""

_PATIENCE: Final = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=60)}
_BACKOFF: Final = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2.0}
_RETRIES: Final = {"max_retries": 10, "retry_timeout": timedelta(seconds=15), "backoff": _BACKOFF}
"""A request that fails is tried again for 15 s at most."""

_opening = threading.Lock()


class Bucket:
    """A bucket, connected.

    Parameters
    ----------
    scheme : {"s3", "gs", "memory"}
    """

    def __init__(self, scheme: str, name: str, client: Any) -> None:
        import obstore

        self.client, self._scheme, self._name = client, scheme, name
        self._do, self._errors = obstore, obstore.exceptions

    def url(self, key: str) -> str:
        """URL of an object."""
        return f"{self._scheme}://{self._name}/{key}"

    def get(self, key: str) -> bytes:
        """Content of an object.

        Raises
        ------
        FileNotFoundError
            When there is none, or no bucket.
        ObjectStoreError
        """
        return self.read(key)[0]

    def read(self, key: str) -> tuple[bytes, Version]:
        """Content and version of an object; raises as `get`."""
        try:
            found = self._do.get(self.client, key)
            return bytes(found.bytes()), _version(found.meta)
        except Exception as problem:
            raise self.refused(problem, key, "read") from problem

    def version(self, key: str) -> Version | None:
        """Version of an object; None where there is none."""
        try:
            return _version(self._do.head(self.client, key))
        except FileNotFoundError:
            return None
        except Exception as problem:
            raise self.refused(problem, key, "read") from problem

    def below(self, key: str) -> dict[str, Version]:
        """All objects below a key, and their versions."""
        try:
            found = self._do.list(self.client, prefix=key or None)
            return {one["path"]: _version(one) for batch in found for one in batch}
        except Exception as problem:
            raise self.refused(problem, key, "list") from problem

    def has_below(self, key: str) -> bool:
        """Tell whether there is an object below a key."""
        try:
            return any(batch for batch in self._do.list(self.client, prefix=key or None, chunk_size=1))
        except Exception as problem:
            raise self.refused(problem, key, "list") from problem

    def names(self, key: str) -> Iterator[str]:
        """Names of objects below a key, and of what has objects below, up to the next slash."""
        try:
            found = self._do.list_with_delimiter(self.client, prefix=key or None)
        except Exception as problem:
            raise self.refused(problem, key, "list") from problem
        for path in [*found["common_prefixes"], *(one["path"] for one in found["objects"])]:
            yield path.rstrip("/").rpartition("/")[2]

    def put(self, key: str, data: bytes, known: Version | None) -> Version:
        """Put an object in the place of a known version, or a new one.

        Raises
        ------
        OvertakenError
            When another version is there.
        ObjectStoreError, InputNotFoundError
            When the server refuses or does not answer.
        """
        mode = "create" if known is None else self._exact(key, known)
        problem: Exception | None = None
        for _ in range(_ATTEMPTS):
            try:
                return _version(self._do.put(self.client, key, data, mode=mode))
            except (OSError, self._errors.BaseError) as met:
                problem = met
                refused = isinstance(met, (self._errors.AlreadyExistsError, self._errors.PreconditionError))
                if not refused and not isinstance(met, self._errors.GenericError):
                    break
            if (there := self._same(key, data)) is not None:
                return there
            if refused:
                raise OvertakenError(
                    f"expected to be the only writer of {self.url(key)!r}, got another one that wrote it meanwhile; "
                    "stop one of the two, and resume"
                ) from problem
        assert problem is not None
        raise self.refused(problem, key, "write") from problem

    def put_file(self, key: str, file: Path) -> None:
        """Put a file, whatever is there; a large one in parts."""
        try:
            with file.open("rb") as stream:
                self._do.put(self.client, key, stream)
        except Exception as problem:
            raise self.refused(problem, key, "write") from problem

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are not there, too."""
        try:
            if keys:
                self._do.delete(self.client, keys)
        except FileNotFoundError:
            return
        except Exception as problem:
            raise self.refused(problem, keys[0], "delete") from problem

    def refused(self, problem: Exception, key: str, doing: str) -> BaseException:
        """The error for what obstore raised."""
        if isinstance(problem, StemscanError | MemoryError):
            return problem
        if isinstance(problem, FileNotFoundError) and "NoSuchBucket" not in str(problem):
            return FileNotFoundError(errno.ENOENT, "there is no such object", self.url(key))
        return explained(problem, self.url(key), doing)

    def _same(self, key: str, data: bytes) -> Version | None:
        """Version of an object that has this content; None where it has another, or cannot be read now."""
        try:
            found, version = self.read(key)
        except (FileNotFoundError, ObjectStoreError):
            return None
        return version if found == data else None

    def _exact(self, key: str, known: Version) -> Version:
        """A version with all that a condition needs: lists of Google's objects lack the generation."""
        if self._scheme != "gs" or "version" in known:
            return known
        now = self.version(key)
        return now if now is not None and now.get("e_tag") == known.get("e_tag") else {**known, "version": "0"}


def _version(found: Any) -> Version:
    """Version in what obstore tells of an object."""
    return {name: found[name] for name in ("e_tag", "version") if found.get(name)}


def bucket_of(scheme: str, name: str) -> Bucket:
    """The bucket of a URL; one connection a process.

    Raises
    ------
    MissingDependencyError
        When obstore is missing.
    """
    with _opening:
        return _bucket(scheme, name, os.getpid())


@lru_cache(maxsize=64)
def _bucket(scheme: str, name: str, process: int) -> Bucket:
    """See `bucket_of`; a process that was forked has connections of its own."""
    try:
        from obstore.store import MemoryStore, from_url
    except ImportError as problem:
        raise MissingDependencyError(
            f"expected the package obstore for '{scheme}://{name}', got none; install it by: pip install "
            "'stemscan[cloud]'"
        ) from problem
    if scheme == "memory":
        return Bucket(scheme, name, MemoryStore())
    client: dict[str, Any] = dict(_PATIENCE)
    if any(value.startswith("http://") for what, value in os.environ.items() if what.startswith("AWS_ENDPOINT")):
        client["allow_http"] = True
    try:
        return Bucket(scheme, name, from_url(f"{scheme}://{name}", client_options=client, retry_config=_RETRIES))
    except Exception as problem:
        raise explained(problem, f"{scheme}://{name}", "read") from problem
