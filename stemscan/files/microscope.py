"""Pictures from microscope vendors' files, by the optional package RosettaSciIO.

A file may hold several signals; every two-dimensional picture of every signal counts as a frame, in the file's order.
Spectra are none.
"""

from __future__ import annotations

import gc
import importlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import MissingDependencyError, SpecimenError
from stemscan.files.read import Picture, check_size, locate, pick_frame

__all__ = ["MICROSCOPE_SUFFIXES", "read_microscope_file", "rosettasciio_reads"]

MICROSCOPE_SUFFIXES: Final = frozenset({".dm3", ".dm4", ".emd", ".mrc", ".ser", ".emi", ".hspy", ".blo", ".mib"})
"""Suffixes that are always RosettaSciIO's, installed or not."""

_OTHERS: Final = frozenset({"MRCZ", "ZSPY", "numpy", "Image", "TIFF"})


def rosettasciio_reads(suffix: str) -> bool:
    """Whether RosettaSciIO is there and has a reader for files of that suffix."""
    try:
        return bool(_plugins(suffix))
    except MissingDependencyError:
        return False


def read_microscope_file(path: Path, frame: int | None) -> Picture:
    """Read one picture of a microscope's file; see `stemscan.files.read.read_picture`."""
    suffix = path.suffix.lower()
    plugins = _plugins(suffix)
    if not plugins:
        raise SpecimenError(f"expected a format that RosettaSciIO reads, got {suffix!r} in {str(path)!r}")
    try:
        for plugin in plugins[:-1]:
            try:
                return _read(plugin, path, frame)
            except SpecimenError:
                raise
            except Exception:  # noqa: BLE001 - several formats share a suffix; the last one's error is told
                continue
        return _read(plugins[-1], path, frame)
    finally:
        # Lazily read HDF5 files stay open in reference cycles, and an open one hides that it was replaced on disk.
        gc.collect()


def _plugins(suffix: str) -> list[str]:
    """Modules of RosettaSciIO that read files of a suffix."""
    try:
        from rsciio import IO_PLUGINS
    except ImportError as problem:
        raise MissingDependencyError(
            f'expected the package RosettaSciIO to read {suffix} files, got none, do pip install "stemscan[files]"'
        ) from problem
    return [
        str(plugin["api"])
        for plugin in IO_PLUGINS
        if plugin["name"] not in _OTHERS and suffix[1:] in {one.lower() for one in plugin["file_extensions"]}
    ]


def _read(module: str, path: Path, frame: int | None) -> Picture:
    """Read with one module of RosettaSciIO, lazily where it can."""
    try:
        reader = importlib.import_module(module).file_reader
    except ImportError as problem:
        raise MissingDependencyError(
            f'expected the packages that read {path.suffix} files, got {problem}, do pip install "stemscan[files]"'
        ) from problem
    signals = [signal for signal in _signals(reader, path) if _is_picture(signal)]
    counts = [int(np.prod(signal["data"].shape[:-2], dtype=np.int64)) for signal in signals]
    if not signals:
        raise SpecimenError(f"expected a picture, got only spectra or single values in {str(path)!r}")
    number = pick_frame(sum(counts), frame, path)
    which, inside = locate(counts, number)
    data, axes = signals[which]["data"], list(signals[which].get("axes", []))
    check_size(int(data.shape[-2]), int(data.shape[-1]), path)
    place = np.unravel_index(inside, data.shape[:-2]) if data.ndim > 2 else ()
    values = _plain(np.asarray(data[place]))
    return Picture(values, sum(counts), number, _pixel_size(axes[-2:] if len(axes) == data.ndim else []))


def _signals(reader: Any, path: Path) -> list[dict[str, Any]]:
    """All signals of a file, their data unread where the reader can do that."""
    if path.suffix.lower() == ".hspy":
        # Read lazily, a hspy file stays open for the rest of the process, whoever replaces it.
        _check_datasets(path)
        return list(reader(str(path), lazy=False))
    try:
        return list(reader(str(path), lazy=True))
    except Exception:  # noqa: BLE001 - some kinds of data are refused lazily but read at once, colour in dm3 for one
        return list(reader(str(path), lazy=False))


def _check_datasets(path: Path) -> None:
    """Refuse an HDF5 file that would fill the memory."""
    import h5py

    def check(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            check_size(max(1, item.size or 0), 1, path)

    with h5py.File(path) as file:
        file.visititems(check)


def _is_picture(signal: dict[str, Any]) -> bool:
    """Whether a signal holds pictures and not spectra."""
    data = signal["data"]
    shape = getattr(data, "shape", ())
    signal_axes = sum(not axis.get("navigate", False) for axis in signal.get("axes", []))
    return len(shape) >= 2 and signal_axes != 1


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Red-green-blue structures as a last axis; all else as it is."""
    names = values.dtype.names
    if names and set(names) >= {"R", "G", "B"}:
        return np.stack([values[name] for name in ("R", "G", "B")], axis=-1)
    return values


def _pixel_size(axes: list[dict[str, Any]]) -> tuple[float, float] | None:
    """Distance of rows and of columns in nm, where both axes state a length."""
    from stemscan.files.tiff import nanometres

    sizes = [nanometres(abs(axis.get("scale", 0)), axis.get("units")) for axis in axes]
    return (sizes[0], sizes[1]) if len(sizes) == 2 and sizes[0] and sizes[1] else None
