"""Paths that are URLs of objects: what stands below `s3://bucket/key` is listed as a folder is.

A bucket has no folders, links or renaming. What an `ObjectPath` can do is what is defined here; whatever else is tried
with it, such as opening it as a file, needs a path of the system and is refused in one sentence.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from stemscan.errors import UsageError

if TYPE_CHECKING:
    from stemscan.objects.bucket import Bucket

    _SystemPath = Path
else:
    _SystemPath = type(Path())

__all__ = ["SCHEMES", "ObjectPath", "as_path", "is_url"]

SCHEMES: Final = ("s3", "gs", "memory")

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://?(?!/)(.*)", re.DOTALL)


class ObjectPath(_SystemPath):
    """A URL, used as a path: `ObjectPath("s3://bucket/scans") / "acq.zarr"`; made by `as_path`.

    Examples
    --------
    >>> store = ObjectPath("s3://bucket/scans/acq.zarr")
    >>> str(store / "zarr.json"), store.key, store.parent.name
    ('s3://bucket/scans/acq.zarr/zarr.json', 'scans/acq.zarr', 'scans')
    """

    def __str__(self) -> str:
        return super().__str__().replace("\\", "/").replace(":/", "://", 1)

    def __fspath__(self) -> str:
        raise UsageError(
            f"expected a path of this machine, got {str(self)!r}; this cannot read or write a URL: copy it, and give "
            "the path of the copy"
        )

    @property
    def bucket(self) -> Bucket:
        """The bucket; one connection a process."""
        from stemscan.objects.bucket import bucket_of

        return bucket_of(self.parts[0].rstrip(":"), self.parts[1])

    @property
    def key(self) -> str:
        """Name of the object in its bucket."""
        return "/".join(self.parts[2:])

    def require_key(self) -> None:
        """Refuse a URL that names a bucket alone, and one whose bucket cannot be listed.

        Raises
        ------
        UsageError, InputNotFoundError, ObjectStoreError
        """
        if not self.key:
            raise UsageError(f"expected a URL such as {self}/acq.zarr, got {str(self)!r}; name what is in the bucket")
        self.bucket.has_below(self.key)

    def exists(self, **_: Any) -> bool:
        """Tell whether there is an object, or one below."""
        return self.is_file() or self.is_dir()

    def is_file(self, **_: Any) -> bool:
        """Tell whether there is an object of this name."""
        return bool(self.key) and self.bucket.version(self.key) is not None

    def is_dir(self, **_: Any) -> bool:
        """Tell whether there are objects below."""
        return self.bucket.has_below(self.key)

    def is_symlink(self) -> bool:
        """Buckets have no links."""
        return False

    def iterdir(self) -> Generator[Self, None, None]:
        """Objects, and names with objects below, that stand below this one."""
        return (self / name for name in self.bucket.names(self.key))

    def read_bytes(self) -> bytes:
        """Content of the object."""
        return self.bucket.get(self.key)

    def open(self, mode: str = "r", *_: Any, **__: Any) -> Any:
        """Content of the object as a file to read bytes from."""
        return io.BytesIO(self.read_bytes()) if mode == "rb" else open(self, mode)  # which is refused

    def mkdir(self, mode: int = 0, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: there are no folders."""

    def absolute(self) -> Self:
        """Itself."""
        return self

    def resolve(self, strict: bool = False) -> Self:
        """Itself."""
        return self

    def is_absolute(self) -> bool:
        """URLs are."""
        return True

    def samefile(self, other_path: Any) -> bool:
        """Tell whether another path is the same URL."""
        return str(other_path) == str(self)


def as_path(given: str | Path) -> Path:
    """The path that is given: an `ObjectPath` of a URL, else one of the system.

    Raises
    ------
    UsageError
        When it is a URL of another kind, or one without a bucket.

    Examples
    --------
    >>> type(as_path("memory://trial/acq.zarr")).__name__, as_path("acq.zarr").name
    ('ObjectPath', 'acq.zarr')
    """
    if isinstance(given, ObjectPath):
        return given
    text = str(given)
    found = _URL.fullmatch(text)
    if found is None or ("://" not in text and found[1] not in SCHEMES):
        return Path(given)
    scheme, rest = found[1], found[2].rstrip("/")
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(f"expected a path, or a URL of {known}, got {text!r}; copy it to one of these")
    if not rest or any(part in ("", ".", "..") for part in rest.split("/")):
        raise UsageError(f"expected a URL such as {scheme}://bucket/acq.zarr, got {text!r}; name bucket and object")
    return ObjectPath(f"{scheme}:/{rest}")


def is_url(given: str | Path) -> bool:
    """Tell whether a text or path is a URL of objects."""
    found = _URL.fullmatch(str(given))
    return found is not None and found[1] in SCHEMES
