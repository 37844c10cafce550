"""Contents of a file or folder of an export format, told by its first bytes and not by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.errors import DataError
from stemscan.files.numpy_files import npy_layout
from stemscan.hardware.exporters.csv import read_csv
from stemscan.hardware.exporters.de_freescan import COORDINATES, is_freescan_file, read_de_freescan
from stemscan.hardware.exporters.fei_stream import is_stream_line, read_fei_stream
from stemscan.hardware.exporters.nexus import read_nexus
from stemscan.hardware.exporters.text_reader import open_data
from stemscan.units import counted, format_duration

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Exported", "describe_export"]

_NPY: Final = b"\x93NUMPY"
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_NOT_SAID: Final = "not in the file"


@dataclass(frozen=True)
class Exported:
    """Samples, positions, times and plan of an export, as far as it states them.

    Parameters
    ----------
    format : str
        Name of the format, as `--to` takes it; several where a file does not tell.
    title : str
        For people.
    facts : dict
        Plain data for JSON.
    rows : tuple of (str, str)
        The same for people.
    """

    format: str
    title: str
    facts: dict[str, Any]
    rows: tuple[tuple[str, str], ...]


def describe_export(path: Path) -> Exported | None:
    """Say what an exported file or folder holds; None for what is none.

    Parameters
    ----------
    path : pathlib.Path
        Of a regular file or a folder that is there.

    Raises
    ------
    DataError
        When it is one of these formats, and damaged.
    """
    if path.is_dir():
        names = [file.name for file in path.iterdir()]
        return _freescan(path) if COORDINATES in names or any(map(is_freescan_file, names)) else None
    with open_data(path) as file:
        start = file.read(64)
    line = start.split(b"\n")[0].strip()
    if start.startswith(_NPY):
        return _npy(path)
    if start.startswith(_HDF5):
        return _nexus(path)
    if is_stream_line(line.decode("latin-1")):
        return _stream(path)
    return _csv(path) if line.replace(b" ", b"") == b"row,column" else None


def _stream(path: Path) -> Exported:
    """A stream file."""
    stream = read_fei_stream(path)
    points, blanked = len(stream.x), int(stream.blanked.sum())
    time = int(stream.dwell.sum()) * stream.unit_ns * stream.repeats
    x, y = _range(stream.x), _range(stream.y)
    return Exported(
        "fei-stream" if stream.bits == 16 else "fei-stream-12",
        f"stream file for patterning engines, {stream.bits} bits",
        {
            "bits": stream.bits,
            "unit_ns": stream.unit_ns,
            "repeats": stream.repeats,
            "points": points,
            "blanked_points": blanked,
            "x": x,
            "y": y,
            "time_ns": time,
        },
        (
            ("points", f"{counted(points, 'point')}, {blanked} of them blanked, run {counted(stream.repeats, 'time')}"),
            ("codes", f"x {x[0]} to {x[1]}, y {y[0]} to {y[1]}"),
            ("time", f"{format_duration(time)}, in units of {stream.unit_ns} ns"),
            ("plan", _NOT_SAID),
        ),
    )


def _csv(path: Path) -> Exported:
    """Points as text."""
    points = read_csv(path)
    return Exported("csv", "list of row,column in pixels", *_of_points(points))


def _freescan(path: Path) -> Exported:
    """A folder for DE-Freescan."""
    scan = read_de_freescan(path)
    facts, rows = _of_points(scan.coordinates[:, ::-1])
    passes = len(scan.passes)
    return Exported(
        "de-freescan",
        "folder for Direct Electron DE-Freescan",
        {"passes": passes, **facts},
        (("passes", counted(passes, "pass")), *rows),
    )


def _nexus(path: Path) -> Exported:
    """A NeXus file of a plan."""
    from stemscan.plan.scan_plan import ScanPlan

    scan = read_nexus(path)
    try:
        digest = ScanPlan.from_yaml(scan.plan).digest()
    except ValueError as problem:
        raise DataError(f"{path}: expected the text of a plan in entry/plan/data, got: {problem}") from problem
    facts, rows = _of_points(scan.positions)
    passes = len(np.unique(scan.passes))
    size = "unknown" if scan.pixel_size_nm is None else f"{scan.pixel_size_nm:g} nm"
    return Exported(
        "nexus",
        "NeXus file of a scan plan",
        {
            "passes": passes,
            **facts,
            "dwell_ns": scan.dwell_ns,
            "pixel_size_nm": scan.pixel_size_nm,
            "scan_schema": scan.scan_schema,
            "plan_digest": digest,
        },
        (
            ("passes", counted(passes, "pass")),
            *rows[:-1],
            ("dwell time", format_duration(scan.dwell_ns)),
            ("pixel size", size),
            ("scan", scan.scan_schema),
            ("plan", f"inside, digest {digest}"),
        ),
    )


def _npy(path: Path) -> Exported:
    """A numpy array, of which only the header is read."""
    with open_data(path) as file:
        try:
            shape, dtype, _ = npy_layout(file)
        except ValueError as problem:
            raise DataError(f"{path}: expected a numpy array (.npy), got {problem}") from problem
    formats, title = _kind_of_array(shape, dtype)
    facts = {"shape": list(shape), "dtype": str(dtype)}
    text = " x ".join(map(str, shape)) or "a single number"
    return Exported(formats, title, facts, (("shape", text), ("numbers", str(dtype)), ("made from", _NOT_SAID)))


def _kind_of_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[str, str]:
    """Names of the formats that have such an array, and what it may be."""
    if dtype.kind in "iu" and len(shape) == 3 and shape[2] == 2:
        return "npy", "numpy array, as points (row, column) of passes in pixels are exported"
    if dtype == np.float64 and len(shape) == 2 and shape[1] == 2:
        return "abtem, py4dstem, odemis", "numpy array, as positions for abTEM, py4DSTEM or Odemis are exported"
    if dtype.kind in "iu" and len(shape) == 2 and shape[1] == 2:
        return "de-freescan", "numpy array, as the (x, y) of a pass are exported for DE-Freescan"
    if dtype == np.float32 and len(shape) == 2:
        return "image", "numpy array, as images of reconstructions are written"
    return "array", "numpy array without a record of what it is"


def _of_points(points: npt.NDArray[Any]) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Number and extent of points (row, column)."""
    rows, columns = _range(points[:, 0]), _range(points[:, 1])
    return {"points": len(points), "rows": rows, "columns": columns}, (
        ("points", counted(len(points), "point")),
        ("pixels", f"rows {rows[0]} to {rows[1]}, columns {columns[0]} to {columns[1]}"),
        ("plan", _NOT_SAID),
    )


def _range(values: npt.NDArray[Any]) -> list[int]:
    """The least and the largest; 0 and 0 of none."""
    return [int(values.min()), int(values.max())] if values.size else [0, 0]
