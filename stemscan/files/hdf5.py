"""Pictures from HDF5 files, whichever program wrote them: the layout decides, not the suffix."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stemscan.errors import DataError, MissingDependencyError
from stemscan.files.hierarchies import hyperspy_signals, plain_signal
from stemscan.files.images import Opener, Signal
from stemscan.files.microscope import microscope_opener

__all__ = ["hdf5_opener"]

_LAYOUTS = (
    "EMD (Velox, NCEM, py4DSTEM), HyperSpy, Delmic, NeXus, Arina, Tofwerk, USID, or arrays of two or more dimensions"
)


def hdf5_opener(path: Path) -> Opener:
    """The function that opens an HDF5 file, with what it needs imported.

    Raises
    ------
    MissingDependencyError
        When h5py is not installed, or RosettaSciIO where its layout needs that.
    DataError
        When the file is damaged.
    """
    try:
        import h5py
    except ImportError as problem:
        raise MissingDependencyError(
            f'expected h5py to read {path.name!r}, got none, do pip install "stemscan[files]"'
        ) from problem
    try:
        with h5py.File(path, "r") as file:
            layout = _layout(file)
    except (OSError, RuntimeError, ValueError, KeyError) as problem:
        said = " ".join(str(problem).split())[:200]
        raise DataError(f"expected a whole HDF5 file, got {str(path)!r}, which is damaged ({said})") from problem
    if layout == "Velox":
        microscope_opener("EMD", path)
        return _open_velox
    if layout == "HSPY":
        return _open_hyperspy
    if layout is not None:
        return microscope_opener(layout, path)
    return _open_plain


def _layout(file: Any) -> str | None:
    """The layout of an open file, as RosettaSciIO names it."""
    names = set(file)
    if "Experiments" in names and any("data" in one or "axis-0" in one for one in file["Experiments"].values()):
        return "HSPY"
    if "Data" in names and "Version" in names:
        return "Velox"
    groups = [file, *(file[name] for name in names if file.get(name, getclass=True) is not None)]
    attributes = {str(key) for one in groups for key in getattr(one, "attrs", {})}
    if attributes & {"version_major", "emd_group_type"}:
        return "EMD"
    if any(name.startswith("Acquisition") for name in names):
        return "Delmic"
    if "TofDAQ Version" in attributes:
        return "Tofwerk"
    if any(name.startswith("Measurement_") for name in names):
        return "USID"
    if "NX_class" in attributes:
        return "NeXus"
    return None


@contextmanager
def _open_velox(path: Path) -> Iterator[Sequence[Signal]]:
    """The pictures of a Velox file; its spectra and streams are left alone, so that their reader need not be there."""
    import h5py

    from stemscan.files.microscope import signal_of

    with h5py.File(path, "r") as file:
        chunked = all(one["Data"].chunks is not None for one in file["Data"].get("Image", {}).values())
        reader = importlib.import_module("rsciio.emd._emd_velox").FeiEMDReader(
            lazy=chunked, select_type="images", load_SI_image_stack=True
        )
        try:
            reader.read_file(file)
        except (ModuleNotFoundError, AttributeError, KeyError):  # of spectra, whose reader or description is not there
            if not reader.dictionaries:
                reader.load_images = True
                reader._read_images()
        yield [one for one in map(signal_of, reader.dictionaries) if one is not None]


@contextmanager
def _open_hyperspy(path: Path) -> Iterator[Sequence[Signal]]:
    """The signals of a HyperSpy file."""
    import h5py

    with h5py.File(path, "r") as file:
        yield hyperspy_signals(file, path.stat().st_size, str(path))


@contextmanager
def _open_plain(path: Path) -> Iterator[Sequence[Signal]]:
    """Arrays of a file of no particular layout, named by their paths; MATLAB's have their axes in reverse order."""
    import h5py

    with path.open("rb") as head:
        transposed = head.read(10) == b"MATLAB 7.3"
    stored, found = path.stat().st_size, []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "#refs#" not in name:
            found.append(plain_signal(item, name, stored, str(path), transposed=transposed))

    with h5py.File(path, "r") as file:
        file.visititems(note)
        signals = [signal for signal in found if signal is not None]
        if not signals:
            raise DataError(f"expected an HDF5 layout that is read here, {_LAYOUTS}, got none in {str(path)!r}")
        yield signals
