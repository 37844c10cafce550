"""Format `nexus`: a NeXus file (HDF5) with an NXscan_controller and the points as NXdata; needs `stemscan[files]`.

    /entry                             NXentry, default "scan_path", program_name
      instrument/beams                 NXinstrument, NXcollection: NXinstrument itself knows no columns
        ebeam_column                   NXebeam_column (NXibeam_column, ibeam_column, for a profile of an ion beam)
          scan_controller              NXscan_controller: scan_schema, dwell_time (ns; as the controller of a profile
                                       dwells), flyback_time (ns, of a profile)
      scan_path                        NXdata: signal "pass", of one axis, "x"; "y" belongs to the same
        x, y                           int32 (samples): column and row in pixels, in the order of visits
        pass                           uint16 (samples)
        x_scaling_factor, y_...        nanometres of a pixel, where the plan has a pixel size
      plan                             NXnote: the plan file, from which everything else follows

Definitions: NXscan_controller.html, NXdata.html and NXnote.html of https://manual.nexusformat.org/classes/base_classes.
All classes are base classes, in which everything is optional; the file claims no application definition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, InputNotFoundError, MissingDependencyError, PlanError
from stemscan.hardware.exporters.format import Contents, Format, contents_of_points
from stemscan.hardware.exporters.guarded_file import guarded_file
from stemscan.plan.scan_plan import ScanPlan
from stemscan.units import counted, format_duration

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["FORMATS", "NexusScan", "read_nexus", "write_nexus"]

_CHUNK = 1 << 16
_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_NM = {"nm": 1.0, "angstrom": 0.1, "pm": 1e-3, "um": 1e3, "m": 1e9}
_DATA = "entry/scan_path"
_CONTROLLERS = tuple(
    f"entry/instrument/{place}scan_controller" for place in ("beams/ebeam_column/", "beams/ibeam_column/", "")
)
_MOST_DEFLATED = 1100  # times: gzip makes nothing smaller than this


@dataclass(frozen=True, eq=False)
class NexusScan:
    """Scan in a NeXus file.

    Parameters
    ----------
    positions : int32 (N, 2)
        (row, column) in pixels.
    passes : uint16 (N,)
        Number of the pass of each sample.
    plan : str
        Text of the plan file.
    """

    positions: npt.NDArray[np.int32]
    passes: npt.NDArray[np.uint16]
    dwell_ns: float
    flyback_ns: float | None
    pixel_size_nm: float | None
    scan_schema: str
    plan: str


def write_nexus(source: Source, path: Path) -> int:
    """Write the points of a plan; returns how many.

    Raises
    ------
    MissingDependencyError
        When h5py is not installed.
    """
    plan = source.plan
    with guarded_file(path) as guarded, _h5py().File(guarded, "w") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry"
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "scan_path"
        _write_notes(source, entry)
        data = _group(entry, "scan_path", "NXdata")
        data.attrs.update({"signal": "pass", "axes": ["x"], "x_indices": 0, "y_indices": 0})
        arrays = {name: _array(data, name, plan.total_samples, dtype) for name, dtype in _ARRAYS.items()}
        for name, what in (("x", "column (pixels)"), ("y", "row (pixels)"), ("pass", "number of the pass")):
            arrays[name].attrs["long_name"] = what
        for axis in ("x", "y"):
            arrays[axis].attrs["units"] = "pixel"
        if plan.pixel_size_nm is not None:
            for axis in ("x", "y"):
                _value(data, f"{axis}_scaling_factor", plan.pixel_size_nm, "nm")
        at = 0
        for points in source.positions():
            stop = at + len(points)
            arrays["x"][at:stop] = points[:, 1]
            arrays["y"][at:stop] = points[:, 0]
            arrays["pass"][at:stop] = np.arange(at, stop) // plan.samples_per_pass
            guarded.check()
            at = stop
    return plan.total_samples


_ARRAYS = {"x": "<i4", "y": "<i4", "pass": "<u2"}


def _write_notes(source: Source, entry: Any) -> None:
    """Write all that is no array."""
    from stemscan import __version__

    plan = source.plan
    entry["title"] = f"scan plan {plan.digest()[:12]}"
    entry["program_name"] = "stemscan"
    entry["program_name"].attrs["version"] = __version__
    beam = "ebeam" if source.profile is None or source.profile.beam == "electron" else "ibeam"
    beams = _group(_group(entry, "instrument", "NXinstrument"), "beams", "NXcollection")
    column = _group(beams, f"{beam}_column", f"NX{beam}_column")
    controller = _group(column, "scan_controller", "NXscan_controller")
    controller["scan_schema"] = f"{plan.pattern.kind}, {plan.order.kind}"
    dwell = plan.dwell_ns if source.program is None else source.program.quantisation.dwell_ns
    _value(controller, "dwell_time", dwell, "ns")
    if source.profile is not None:
        _value(controller, "flyback_time", source.profile.flyback_ns, "ns")
    note = _group(entry, "plan", "NXnote")
    note["type"] = "application/yaml"
    note["file_name"] = "plan.yaml"
    note["description"] = f"stemscan plan, digest {plan.digest()}"
    note["data"] = plan.to_yaml()


def read_nexus(path: Path) -> NexusScan:
    """Read a file as `write_nexus` writes it.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    DataError
        When it is damaged, or something is missing or of another kind.
    MissingDependencyError
        When h5py is not installed.
    """
    with _open(path) as file:
        controller = next((name for name in _CONTROLLERS if name in file), _CONTROLLERS[0])
        for name, kind in ((controller, "NXscan_controller"), (_DATA, "NXdata"), ("entry/plan", "NXnote")):
            found = _attribute(file[name], "NX_class") if name in file else None
            if found != kind:
                raise DataError(f"{path}: expected a group {name} of class {kind}, got {found or 'none'}")
        x, y, passes = (_whole(file, f"{_DATA}/{name}", path) for name in ("x", "y", "pass"))
        if not len(x) == len(y) == len(passes):
            raise DataError(
                f"{path}: expected as many x, y and pass in {_DATA}, got {len(x)}, {len(y)} and {len(passes)}"
            )
        if (np.diff(passes, prepend=0) < 0).any():
            raise DataError(f"{path}: expected the passes one after another in {_DATA}/pass, got an earlier one later")
        dwell = _quantity(file, f"{controller}/dwell_time", path, _NS)
        if not dwell:
            raise DataError(f"{path}: expected a dwell_time above 0 in {controller}, got {dwell or 'none'}")
        return NexusScan(
            np.stack((y, x), axis=1).astype(np.int32),
            passes.astype(np.uint16),
            dwell,
            _quantity(file, f"{controller}/flyback_time", path, _NS),
            _pixel_size(file, path),
            _text(file, f"{controller}/scan_schema", path),
            _text(file, "entry/plan/data", path),
        )


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open an HDF5 file; what it cannot read is damage."""
    if not path.exists():
        raise InputNotFoundError(f"expected a NeXus file, got {str(path)!r}, which does not exist")
    try:
        with _h5py().File(path, "r") as file:
            yield file
    except DataError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise DataError(f"{path}: expected a readable NeXus file (HDF5), got: {reason}") from problem


def _dataset(file: Any, name: str, path: Path, *, ndim: int) -> Any:
    """A dataset of a number of axes."""
    found = file.get(name)
    if found is None or not isinstance(found, _h5py().Dataset) or found.ndim != ndim:
        what = "a single value" if ndim == 0 else "a list of values"
        raise DataError(f"{path}: expected {what} {name}, got {'none' if found is None else 'something else'}")
    return found


def _whole(file: Any, name: str, path: Path) -> npt.NDArray[Any]:
    """Whole numbers from 0 to 65535."""
    found = _dataset(file, name, path, ndim=1)
    if found.dtype.kind not in "iu":
        raise DataError(f"{path}: expected whole numbers in {name}, got numbers of type {found.dtype}")
    stored = found.id.get_storage_size()
    if found.nbytes > _MOST_DEFLATED * stored:  # the rest was never written, and would read as zeros
        raise DataError(
            f"{path}: expected {counted(found.size, 'number')} in {name}, got {counted(stored, 'byte')}, which "
            "cannot hold them"
        )
    values = np.asarray(found[...])
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise DataError(f"{path}: expected numbers from 0 to 65535 in {name}, got {values.min()} to {values.max()}")
    return values


def _quantity(file: Any, name: str, path: Path, units: dict[str, float]) -> float | None:
    """A number with its unit, in the unit whose factor is 1; None where there is none."""
    if name not in file:
        return None
    found = _dataset(file, name, path, ndim=0)
    value = float(found[()]) if found.dtype.kind in "iuf" and found.shape == () else math.nan
    if not 0 <= value < math.inf:
        raise DataError(f"{path}: expected a finite number of at least 0 as {name}, got {found[()]}")
    unit = _attribute(found, "units")
    if unit not in units:
        raise DataError(f"{path}: expected units of {', '.join(units)} at {name}, got {unit or 'none'}")
    return value * units[unit]


def _pixel_size(file: Any, path: Path) -> float | None:
    """Length of a pixel, the same along both axes; None where it is not known."""
    along_x, along_y = (_quantity(file, f"{_DATA}/{axis}_scaling_factor", path, _NM) for axis in ("x", "y"))
    if along_x != along_y or along_x == 0:
        raise DataError(f"{path}: expected one pixel size along x and y in {_DATA}, got {along_x} and {along_y} nm")
    return along_x


def _attribute(found: Any, name: str) -> str | None:
    """An attribute as text; None where there is none."""
    value = found.attrs.get(name)
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else str(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None if value is None else str(value)


def _text(file: Any, name: str, path: Path) -> str:
    """A text."""
    found = _dataset(file, name, path, ndim=0)
    value = found[()]
    if not isinstance(value, bytes):
        raise DataError(f"{path}: expected a text {name}, got numbers of type {found.dtype}")
    return value.decode("utf-8", "replace")


def _group(parent: Any, name: str, kind: str) -> Any:
    """A new group of a NeXus class."""
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _value(group: Any, name: str, value: float, unit: str) -> None:
    """A new single value with its unit."""
    group[name] = value
    group[name].attrs["units"] = unit


def _array(group: Any, name: str, length: int, dtype: str) -> Any:
    """A new compressed list of values."""
    chunk = (min(length, _CHUNK),)
    return group.create_dataset(
        name, (length,), dtype, chunks=chunk, compression="gzip", compression_opts=1, shuffle=True
    )


def _h5py() -> Any:
    """The module, which is an extra."""
    try:
        import h5py
    except ImportError as problem:
        raise MissingDependencyError(
            'expected h5py for NeXus files, got none; pip install "stemscan[files]", or choose another format'
        ) from problem
    return h5py


def _describe(path: Path) -> Contents:
    """Points, passes, times and the plan."""
    scan = read_nexus(path)
    try:
        digest = ScanPlan.from_yaml(scan.plan).digest()
    except PlanError as problem:
        raise DataError(f"{path}: expected the text of a plan in entry/plan/data, got: {problem}") from problem
    points, passes = contents_of_points(scan.positions), len(np.unique(scan.passes))
    size = "unknown" if scan.pixel_size_nm is None else f"{scan.pixel_size_nm:g} nm"
    return Contents(
        {
            "passes": passes,
            **points.facts,
            "dwell_ns": scan.dwell_ns,
            "pixel_size_nm": scan.pixel_size_nm,
            "scan_schema": scan.scan_schema,
            "plan_digest": digest,
        },
        (
            ("passes", counted(passes, "pass")),
            *points.rows[:-1],
            ("dwell time", format_duration(scan.dwell_ns)),
            ("pixel size", size),
            ("scan", scan.scan_schema),
            ("plan", f"inside, digest {digest}"),
        ),
    )


FORMATS = (
    Format(
        "nexus",
        "NeXus file (HDF5) with the plan, NXscan_controller, for NeXus readers",
        (".nxs", ".nx5", ".h5", ".hdf5"),
        write_nexus,
        read_nexus,
        takes_profile=True,
        dwell="once",
        begins=lambda start: start.startswith(b"\x89HDF\r\n\x1a\n"),
        describe=_describe,
    ),
)
