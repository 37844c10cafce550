"""Tensors of torch's own files (.pth, .pt, .pkl), read without running anything and without believing what is claimed.

Both forms are read: the zip archive with `data.pkl` and a file for each storage, and the older row of pickles with the
storages behind them. The pickle may name an ordered dict, torch's functions that rebuild tensors, and its storage
types; what stands for each is a value of this module, so that no function of torch runs. A tensor is taken when its
storage lies in the file whole and as it is, and when the tensor has no more numbers than its storage: otherwise a file
of a few megabytes expands to gigabytes. Formats: torch/serialization.py of PyTorch 2.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from stemscan.units import counted

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PickledFileError", "read_pickled_tensors"]

_LARGEST_PICKLE: Final = 4 << 20
_MOST_TENSORS: Final = 20_000
_OLD_MAGIC: Final = 0x1950A86A20F9469CFC6C
_TYPES: Final = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_FORBIDDEN: Final = frozenset({"BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "EXT1", "EXT2", "EXT4", "INST", "OBJ"})


class PickledFileError(ValueError):
    """The file holds more than tensors, is damaged, or claims more than it holds; the message is what it is."""


@dataclass(frozen=True)
class _Storage:
    """Numbers that a pickle speaks of; they lie elsewhere in the file."""

    key: str
    dtype: str
    numbers: int


@dataclass(frozen=True)
class _View:
    """A tensor that a pickle speaks of."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Builds dicts of `_View`, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Stand-in for a name of torch's."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _view
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _parameter
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise PickledFileError(f"more than tensors ({module}.{name})")

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage, from its type, key and length; it may be a view of another in old files, which is refused."""
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and pid[1] in _TYPES.values()):
            raise PickledFileError("a storage of another kind than is known")
        if len(pid) > 5 and pid[5] is not None:
            raise PickledFileError("a storage that is a view of another")
        if not isinstance(pid[2], str) or not isinstance(pid[4], int) or pid[4] < 0:
            raise PickledFileError("a damaged storage")
        return _Storage(pid[2], pid[1], pid[4])


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    """Stand-in for a tensor; refused where it reaches out of its storage or has more numbers."""
    sizes = (*shape, *strides) if isinstance(shape, tuple) and isinstance(strides, tuple) else (None,)
    whole = all(type(number) is int and 0 <= number < 2**48 for number in (offset, *sizes))
    if not (isinstance(storage, _Storage) and whole and len(shape) == len(strides) <= 16):
        raise PickledFileError("a damaged tensor")
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    numbers = math.prod(shape)
    if numbers and (last >= storage.numbers or numbers > storage.numbers):
        raise PickledFileError(
            f"a tensor of {counted(numbers, 'number')} in a storage of {storage.numbers}, which would take "
            "memory for more"
        )
    return _View(storage, offset, shape, strides)


def _parameter(data: Any, *_: Any) -> Any:
    """A parameter is its tensor."""
    return data


def read_pickled_tensors(path: Path) -> dict[str, Tensor] | None:
    """Read named tensors.

    Parameters
    ----------
    path : pathlib.Path
        A zip archive or a bare pickle.

    Returns
    -------
    dict of str to Tensor, or None
        None where the file holds something else than named tensors, without more.

    Raises
    ------
    PickledFileError
        When it holds functions or objects, is damaged, or claims more than it holds.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _of_archive(archive, path.stat().st_size)
        with path.open("rb") as file:
            return _of_row(file, path.stat().st_size)
    except PickledFileError:
        raise
    except Exception as problem:  # damage raises anything: IndexError, OSError of a place before the file
        raise PickledFileError("damaged") from problem


def _of_archive(archive: zipfile.ZipFile, size: int) -> dict[str, Tensor] | None:
    """Tensors of a zip archive, whose entries torch stores as they are."""
    entries = {info.filename: info for info in archive.infolist()}
    if sum(info.file_size for info in entries.values()) > size:
        raise PickledFileError("larger inside than the file, as torch's own files never are")
    name = next((name for name in entries if name.endswith("data.pkl")), None)
    if name is None:
        raise PickledFileError("an archive without data.pkl")
    folder = name.removesuffix("data.pkl")
    if f"{folder}byteorder" in entries and archive.read(f"{folder}byteorder") != b"little":
        raise PickledFileError("written by a machine of another byte order")

    def content(storage: _Storage) -> bytes:
        entry = entries.get(f"{folder}data/{storage.key}")
        if entry is None or entry.file_size != storage.numbers * _width(storage.dtype):
            raise PickledFileError(f"a storage {storage.key!r} of another length than the file has")
        return archive.read(entry)

    with archive.open(name) as file:
        return _tensors(_unpickled(file.read(_LARGEST_PICKLE + 1)), content)


def _of_row(file: BinaryIO, size: int) -> dict[str, Tensor] | None:
    """Tensors of a row of pickles, and of the storages behind them: a length of eight bytes and numbers each."""
    data = file.read(_LARGEST_PICKLE + 1)
    stream = io.BytesIO(data)
    if _unpickled(data, stream) != _OLD_MAGIC:
        return None
    _unpickled(data, stream)  # version
    if _unpickled(data, stream).get("little_endian") is not True:
        raise PickledFileError("written by a machine of another byte order")
    found, keys = _unpickled(data, stream), _unpickled(data, stream)
    places: dict[str, tuple[int, int]] = {}
    at = stream.tell()
    widths = {view.storage.key: _width(view.storage.dtype) for view in _views(found) or ()}
    for key in keys:
        file.seek(at)
        numbers = int.from_bytes(file.read(8), "little", signed=True)
        places[key] = at + 8, numbers
        at += 8 + numbers * widths.get(key, 1)
        if numbers < 0 or at > size:
            raise PickledFileError("a storage that is longer than the file")

    def content(storage: _Storage) -> bytes:
        begin, numbers = places[storage.key]
        if numbers != storage.numbers:
            raise PickledFileError(f"a storage {storage.key!r} of another length than the file has")
        file.seek(begin)
        return file.read(numbers * _width(storage.dtype))

    return _tensors(found, content)


def _unpickled(data: bytes, stream: io.BytesIO | None = None) -> Any:
    """The next pickle of a stream, once no instruction in it takes memory for what it does not hold."""
    stream = io.BytesIO(data) if stream is None else stream
    start = stream.tell()
    if len(data) > _LARGEST_PICKLE and stream.getbuffer().nbytes - start > _LARGEST_PICKLE:
        raise PickledFileError("a description of more than 4 MiB, far more than of any network")
    for instruction, argument, _ in pickletools.genops(stream):
        memo = instruction.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if instruction.name in _FORBIDDEN or (memo and int(argument or 0) > len(data)):
            raise PickledFileError(f"more than tensors (the instruction {instruction.name})")
    stream.seek(start)
    return _Unpickler(stream).load()


def _views(found: Any) -> list[_View] | None:
    """The tensors of a dict of them; None of anything else."""
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        return None
    views = list(found.values())
    return views if all(isinstance(view, _View) for view in views) else None


def _tensors(found: Any, content: Callable[[_Storage], bytes]) -> dict[str, Tensor] | None:
    """Tensors of what a pickle spoke of."""
    import torch

    views = _views(found)
    if views is None:
        return None
    if len(views) > _MOST_TENSORS:
        raise PickledFileError(f"more than {_MOST_TENSORS} tensors")
    storages: dict[_Storage, Tensor] = {}
    tensors: dict[str, Tensor] = {}
    for name, view in zip(found, views, strict=True):
        if view.storage not in storages:
            raw = bytearray(content(view.storage))
            kind = getattr(torch, view.storage.dtype)
            storages[view.storage] = torch.frombuffer(raw, dtype=kind) if raw else torch.empty(0, dtype=kind)
        tensors[name] = storages[view.storage].as_strided(view.shape, view.strides, view.offset)
    return tensors


def _width(dtype: str) -> int:
    """Bytes of a number."""
    return 1 if dtype == "bool" else int("".join(filter(str.isdigit, dtype))) // 8
