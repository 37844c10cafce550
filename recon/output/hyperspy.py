"""The HyperSpy forms of a reconstruction, HDF5 (.hspy) and Zarr (.zspy): maps as signals with scale, units and record.

`hyperspy.api.load` gives the image first, then its standard deviation and the z of its counts, those that there are.
Written here and not by RosettaSciIO, whose writer puts one signal into a file, has it whole in memory, and for .zspy
needs zarr < 3; its layout (version 3.3) is read by all HyperSpy since 1.7. The Zarr form is of format 2 for that
reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stemscan.errors import MissingDependencyError
from stemscan.recon.output.tiff import Pages

__all__ = ["TITLES", "is_zspy", "read_record_text", "require_hdf5", "write_hspy", "write_zspy"]

TITLES: Final[Mapping[str, str]] = {
    "image": "image",
    "std": "standard deviation",
    "contradiction": "z of the counts against the image",
}
"""Titles of signals by map; HyperSpy loads them in the order of the alphabet."""

_QUANTITIES: Final = {"image": "Signal", "std": "Standard deviation of the signal", "contradiction": "z"}
_VERSION: Final = "3.3"
_CHUNK: Final = 512
_NOTES: Final = f"Experiments/{TITLES['image']}/original_metadata/stemscan"


def require_hdf5(path: Path) -> None:
    """Refuse a file of HDF5 where h5py is not installed.

    Raises
    ------
    MissingDependencyError
    """
    try:
        import h5py  # noqa: F401
    except ImportError as problem:
        raise MissingDependencyError(
            f'expected the package h5py for {str(path)!r}, got none; do pip install "stemscan[files]", or write .zspy'
        ) from problem


def write_hspy(pages: Pages, record: Mapping[str, Any], path: Path) -> None:
    """Write the HDF5 form, part by part."""
    import h5py

    with h5py.File(path, "w", track_order=True) as file:
        file.attrs.update({"file_format": "HyperSpy", "file_format_version": _VERSION})
        _write_signals(file, pages, record, {"compression": "gzip", "compression_opts": 1, "shuffle": True})


def write_zspy(pages: Pages, record: Mapping[str, Any], path: Path) -> None:
    """Write the Zarr form, a folder, part by part."""
    import zarr

    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs.update({"file_format": "ZSpy", "file_format_version": _VERSION})
    _write_signals(root, pages, record, {})
    zarr.consolidate_metadata(root.store, zarr_format=2)  # from which readers have the signals in order


def is_zspy(path: Path) -> bool:
    """Tell whether a folder is the Zarr form of a reconstruction."""
    try:
        return bool(json.loads(read_record_text(path))["kind"] == "reconstruction")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_record_text(path: Path) -> str:
    """The record as JSON.

    Raises
    ------
    OSError, KeyError, ValueError
        Where there is none.
    MissingDependencyError
        As `require_hdf5`.
    """
    if path.suffix.lower() == ".zspy":
        return str(json.loads((path / _NOTES / ".zattrs").read_bytes())["record"])
    require_hdf5(path)
    import h5py

    with h5py.File(path, "r") as file:
        return str(file[_NOTES].attrs["record"])


def _write_signals(root: Any, pages: Pages, record: Mapping[str, Any], packing: Mapping[str, Any]) -> None:
    """Write each map as a signal below Experiments."""
    experiments = root.create_group("Experiments")
    for name in pages.names:
        group = experiments.create_group(TITLES[name])
        group.attrs.update({"package": "hyperspy", "package_version": ""})
        chunks = tuple(min(_CHUNK, side) for side in pages.shape)
        create = getattr(group, "create_dataset" if packing else "create_array")
        data = create("data", shape=pages.shape, dtype="float32", chunks=chunks, **packing)
        for rows, columns, values in pages.parts(name):
            data[rows, columns] = values
        for number, axis in enumerate(_axes(pages.shape, record)):
            _write_tree(group.create_group(f"axis-{number}"), axis)
        _write_tree(group.create_group("metadata"), _metadata(name, record))
        noted = dict(record) | {"record": json.dumps(record)}
        _write_tree(group.create_group("original_metadata"), {"stemscan": noted if name == "image" else record})
        _write_tree(group.create_group("attributes"), {"_lazy": False, "ragged": False})
        group.create_group("learning_results")


def _axes(shape: tuple[int, int], record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Axes in nm, or in pixels of the plan where their size is not known; of a coarser grid, its centres."""
    size, factor = record["pixel_size_nm"], record["factor"]
    scale = float(factor if size is None else size)
    return [
        {
            "_type": "UniformDataAxis",
            "name": name,
            "units": "nm" if size is not None else "px",
            "navigate": False,
            "is_binned": False,
            "size": length,
            "scale": scale,
            "offset": scale / factor * (factor - 1) / 2,
        }
        for name, length in zip("yx", shape, strict=True)
    ]


def _metadata(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a signal, as HyperSpy names them."""
    source = record["source"].get("path")
    origin = "" if source is None else f" of {source}"
    return {
        "General": {"title": TITLES[name], "notes": f"By {record['method']}{origin}; stemscan {record['version']}."},
        "Signal": {"signal_type": "", "quantity": _QUANTITIES[name]},
        "Acquisition_instrument": {"TEM": {"acquisition_mode": "STEM"}},
    }


def _write_tree(group: Any, values: Mapping[str, Any]) -> None:
    """Write plain data: mappings as groups, lists as JSON."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            _write_tree(group.create_group(name), value)
        elif isinstance(value, list):
            group.attrs[name] = json.dumps(value)
        else:
            group.attrs[name] = "_None_" if value is None else value
