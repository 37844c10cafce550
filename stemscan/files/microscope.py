"""Pictures from microscope vendors' files, by the optional package RosettaSciIO.

A file may hold several signals; every two-dimensional picture of every signal counts as a frame, in the file's order.
Spectra are none; the sum of a spectrum image's channels is offered by name.
"""

from __future__ import annotations

import gc
import importlib
import logging
import logging.handlers
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, MissingDependencyError, StemscanError
from stemscan.files.images import Loaded, Opener, Signal
from stemscan.files.pixel_size import Sizes, pixel_size
from stemscan.units import counted

__all__ = ["is_length_axis", "microscope_opener", "rosettasciio_reads", "signal_of", "signals_of"]

_ALWAYS: Final = frozenset({".dm3", ".dm4", ".emd", ".mrc", ".ser", ".emi", ".blo", ".mib"})
"""Suffixes that are always RosettaSciIO's, installed or not."""

_OTHERS: Final = frozenset({"MRCZ", "ZSPY", "HSPY", "numpy", "Image", "TIFF", "Protochips", "Impulse"})
"""Readers of formats that are read otherwise, or hold no pictures."""

_SPECTRAL: Final = frozenset({"ev", "kev", "mev", "counts/ev"})

Reader = Callable[..., Any]


def _plugins() -> list[dict[str, Any]]:
    """RosettaSciIO's readers that matter; none where it is not installed."""
    try:
        from rsciio import IO_PLUGINS
    except ImportError:
        return []
    return [plugin for plugin in IO_PLUGINS if plugin["name"] not in _OTHERS]


def rosettasciio_reads(suffix: str) -> bool:
    """Tell whether files of a suffix are for RosettaSciIO, or would be if it were installed."""
    return suffix in _ALWAYS or bool(_modules(suffix))


def _modules(suffix: str) -> list[str]:
    """Modules of RosettaSciIO that read files of a suffix."""
    return [
        str(plugin["api"])
        for plugin in _plugins()
        if suffix[1:] and suffix[1:] in {one.lower() for one in plugin["file_extensions"]}
    ]


def microscope_opener(name: str, path: Path) -> Opener:
    """The function that opens a file of RosettaSciIO, for the name of one of its readers or by the suffix.

    Raises
    ------
    MissingDependencyError
        When RosettaSciIO is not installed, or what it needs for that format.
    DataError
        When it has no such reader.
    """
    suffix = path.suffix.lower()
    if not _plugins():
        raise MissingDependencyError(
            f'expected the package RosettaSciIO to read {suffix} files, got none, do pip install "stemscan[files]"'
        )
    modules = [str(one["api"]) for one in _plugins() if one["name"] == name] or _modules(suffix)
    if not modules:
        raise DataError(f"expected a format that RosettaSciIO reads, got {suffix!r} in {str(path)!r}")
    readers = [_reader(module, path.name) for module in modules]

    @contextmanager
    def opener(path: Path) -> Iterator[Sequence[Signal]]:
        try:
            yield _first_that_reads(readers, path)
        finally:
            gc.collect()  # what was read lazily stays open in reference cycles

    return opener


def _reader(module: str, file: str) -> Reader:
    """The function of a module that reads a file."""
    import dask.array  # and not later, when memory is limited

    dask.config.set(scheduler="synchronous")
    try:
        reader: Reader = importlib.import_module(module).file_reader
    except ImportError as problem:
        raise MissingDependencyError(
            f'expected the packages that read {file!r}, got {problem}, do pip install "stemscan[files]"'
        ) from problem
    return reader


def _first_that_reads(readers: Sequence[Reader], path: Path) -> list[Signal]:
    """Signals of the first reader that takes the file, for formats share suffixes; the last one's error counts."""
    for reader in readers[:-1]:
        try:
            with _quiet_unless_it_reads():
                if signals := signals_of(reader, path):
                    return signals
        except StemscanError:
            raise
        except Exception:  # noqa: BLE001 - of another format
            continue
    return signals_of(readers[-1], path)


@contextmanager
def _quiet_unless_it_reads() -> Iterator[None]:
    """Logs of a reader, dropped where it fails."""
    logger, keep = logging.getLogger("rsciio"), logging.handlers.BufferingHandler(1000)
    before, logger.handlers = logger.handlers, [keep]
    try:
        yield
    finally:
        logger.handlers = before
    for record in keep.buffer:
        logger.handle(record)


def signals_of(reader: Reader, path: Path, **options: Any) -> list[Signal]:
    """Signals with pictures that a function of RosettaSciIO finds in a file."""
    try:
        found = list(reader(str(path), lazy=True, **options))
    except (StemscanError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - some kinds of data are refused lazily but read at once, colour in dm3 for one
        found = list(reader(str(path), lazy=False, **options))
    if not found and path.suffix.lower() == ".emi":
        raise DataError(
            f"expected the files {path.stem}_1.ser, ... beside {str(path)!r}, got none; the pictures are in them: copy "
            "them along"
        )
    signals = [one for one in map(signal_of, found) if one is not None]
    if path.suffix.lower() == ".mrc":
        return [_without_default_size(one, path) for one in signals]
    return signals


def is_length_axis(axis: dict[str, Any]) -> bool:
    """Tell whether an axis is not one of energies."""
    named = str(axis.get("name", "")).casefold()
    return str(axis.get("units", "")).strip().casefold() not in _SPECTRAL and not named.startswith("energy")


def signal_of(found: dict[str, Any]) -> Signal | None:
    """A signal of RosettaSciIO; None where it is a spectrum or a single value."""
    data, axes = found["data"], list(found.get("axes", []))
    shape = tuple(int(extent) for extent in getattr(data, "shape", ()))
    name = str(found.get("metadata", {}).get("General", {}).get("title") or "").strip()
    axes = axes if len(axes) == len(shape) else []
    energy = [number for number, axis in enumerate(axes) if not is_length_axis(axis)]
    signal_axes = [number for number, axis in enumerate(axes) if not axis.get("navigate", False)]
    if not energy and len(signal_axes) == 1 and axes:
        energy = signal_axes
    if energy:
        return _summed(data, axes, energy[0], name) if len(shape) == 3 else None
    if len(shape) < 2:
        return None
    size, warnings = _pixel_size(axes[-2:])
    points = [number for number, axis in enumerate(axes) if axis.get("navigate", False)]

    def load(number: int) -> Loaded:
        place = np.unravel_index(number, shape[:-2]) if shape[:-2] else ()
        return _plain(np.asarray(data[place])), ()

    return Signal(
        load,
        (shape[-2], shape[-1]),
        data.dtype.itemsize * shape[-2] * shape[-1],
        shape[:-2],
        name,
        size,
        warnings,
        "4D" if len(shape) == 4 and len(points) == 2 else "picture",
    )


def _summed(data: Any, axes: list[dict[str, Any]], energy: int, name: str) -> Signal:
    """The sum over the channels of a spectrum image, as a signal of its own."""
    rest = [number for number in range(3) if number != energy]
    rows, columns = (int(data.shape[number]) for number in rest)
    size, warnings = _pixel_size([axes[number] for number in rest])

    def load(number: int) -> Loaded:
        kind = np.float64 if data.dtype.kind == "f" else np.int64
        total = np.zeros((rows, columns), kind)
        for channel in range(int(data.shape[energy])):
            total += np.asarray(data[(slice(None),) * energy + (channel,)])
        return total, (f"sum of {counted(data.shape[energy], 'channel')}",)

    return Signal(
        load, (rows, columns), 8 * rows * columns, (), f"sum of {name}" if name else "sum", size, warnings, "spectra"
    )


def _plain(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Red-green-blue structures as a last axis; all else as it is."""
    names = values.dtype.names
    if names and set(names) >= {"R", "G", "B"}:
        return np.stack([values[name] for name in ("R", "G", "B")], axis=-1)
    return values


def _pixel_size(axes: list[dict[str, Any]]) -> Sizes:
    """Distance of rows and of columns, where both axes state a length."""
    if len(axes) != 2:
        return None, ()
    rows, columns = ((abs(float(axis.get("scale", 0) or 0)), axis.get("units")) for axis in axes)
    return pixel_size(rows, columns)


def _without_default_size(signal: Signal, path: Path) -> Signal:
    """An MRC signal, its pixel size taken away where the header states none: the reader then makes up 1 nm."""
    with path.open("rb") as file:
        head = file.read(52)
    for order in "<>":
        samples, cell = struct.unpack_from(f"{order}2i", head, 28), struct.unpack_from(f"{order}2f", head, 40)
        if all(0 < count < 1 << 24 for count in samples) and all(0 < length < 1e12 for length in cell):
            return signal
    said = "its header states no pixel size: taken as unknown"
    return Signal(
        signal.load,
        signal.size,
        signal.frame_bytes,
        signal.stack,
        signal.name,
        None,
        (*signal.warnings, said),
        signal.kind,
    )
