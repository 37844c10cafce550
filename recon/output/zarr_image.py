"""The zarr form of a reconstruction: an OME-Zarr 0.5 image, its standard deviation and contradiction, and its record.

    recon.zarr/
      zarr.json      attributes: `ome` (multiscales over `image`, axes y, x), `stemscan` (the record)
      image          (H, W) float32
      std            (H, W) float32, where there is one
      contradiction  (H, W) float32: z of the counts against the image; its threshold and places are in the record
      level1 ...     means of 2 x 2 pixels of the level before, of images larger than a chunk

The folder is made beside its place and renamed when it is whole; that of a URL is made on this machine and put there,
its root last.
"""

from __future__ import annotations

import json
import math
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stemscan.errors import InputNotFoundError, StemscanError, StoreError, refusal
from stemscan.objects import upload
from stemscan.objects.path import ObjectPath, as_path
from stemscan.objects.problems import ObjectStoreError
from stemscan.recon.output.record import SCHEMA
from stemscan.recon.output.zarr_folder import MAPS, ZarrFolder
from stemscan.runtime.durable import discard, put_folder
from stemscan.runtime.interrupts import Interrupts

if TYPE_CHECKING:
    from stemscan.recon.contradiction.contradiction import Contradiction
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["is_reconstruction", "place_folder", "put_store", "read_reconstruction", "read_record", "write_zarr"]

_CHUNK = 1024

UNFINISHED = "unfinished"
"""State, in its record, of a reconstruction whose objects are not all put."""


def is_reconstruction(path: str | Path) -> bool:
    """Tell whether a path is a reconstruction in the zarr form."""
    try:
        record = json.loads((as_path(path) / "zarr.json").read_bytes())["attributes"]["stemscan"]
        return (record["kind"], record["schema"]) == ("reconstruction", SCHEMA)
    except ObjectStoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_record(path: str | Path) -> dict[str, Any]:
    """The record of a reconstruction in the zarr form; see `stemscan.recon.output.record.record_of`.

    Raises
    ------
    InputNotFoundError
        When there is nothing.
    StoreError
        When it is not a reconstruction.
    """
    path = as_path(path)
    if not path.exists():
        raise InputNotFoundError(f"expected a reconstruction, got {str(path)!r}, which does not exist")
    try:
        record = json.loads((path / "zarr.json").read_bytes())["attributes"]["stemscan"]
        kind, schema = record["kind"], record["schema"]
    except ObjectStoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise StoreError(f"expected a reconstruction at {str(path)!r}, got none; give a folder it wrote") from problem
    if kind != "reconstruction" or schema != SCHEMA:
        raise StoreError(
            f"expected a reconstruction of schema {SCHEMA} at {str(path)!r}, got {kind!r} of schema {schema!r}; use "
            "the release of stemscan that wrote it"
        )
    if record.get("state") == UNFINISHED:
        raise StoreError(
            f"expected a whole reconstruction at {str(path)!r}, got one whose writing was cut short; make it again by "
            "--overwrite"
        )
    return dict(record)


def read_reconstruction(path: str | Path) -> Reconstruction:
    """Read the zarr form of a reconstruction.

    Returns
    -------
    Reconstruction
        Its time is not known.

    Raises
    ------
    InputNotFoundError, StoreError
        As `read_record`, and when data are damaged.
    """
    from stemscan.recon.reconstruction import Reconstruction

    record, folder = read_record(path), as_path(path)
    return Reconstruction(
        image=_read_array(folder, "image", record),
        std=_read_array(folder, "std", record) if (folder / "std").exists() else None,
        method=record["method"],
        settings=record["settings"],
        seconds=math.nan,
        factor=record["factor"],
        native_factor=record["native_factor"],
        pixel_size_nm=record["pixel_size_nm"],
        source=record["source"],
        checked=_read_checked(folder, record),
    )


def write_zarr(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
    """Write the zarr form; what is at `path` is replaced.

    Parameters
    ----------
    record : mapping
        Of `stemscan.recon.output.record.record_of`.
    path : Path
        In an existing folder.

    Raises
    ------
    StemscanError
        When the system refuses to write.
    """
    put_store(path, lambda folder: _fill(folder, reconstruction, record))


def put_store(path: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` make a folder beside `path`, then put it in place; what is there is replaced.

    Raises
    ------
    StemscanError
        When the system refuses to write.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    if isinstance(path, ObjectPath):
        partial = Path(tempfile.gettempdir()) / partial.name
    with Interrupts(polite=True) as interrupts:  # zarr writes in threads of its own, which go on after an interruption
        try:
            fill(partial)
            place_folder(partial, path)
        except OSError as problem:
            if isinstance(problem, StemscanError):
                raise
            raise StemscanError(f"expected to write {str(path)!r}, got: {refusal(problem)}") from problem
        finally:
            discard(partial)
    interrupts.check()


def place_folder(filled: Path, path: Path) -> None:
    """Put the folder of a reconstruction in its place; what is there is replaced."""
    if isinstance(path, ObjectPath):
        record = {"kind": "reconstruction", "schema": SCHEMA, "state": UNFINISHED}
        root = {"zarr_format": 3, "node_type": "group", "attributes": {"stemscan": record}}
        upload.put_folder(filled, path, "zarr.json", json.dumps(root).encode())
    else:
        put_folder(filled, path)


def _fill(folder: Path, reconstruction: Reconstruction, record: Mapping[str, Any]) -> None:
    """Write everything into a new folder."""
    maps = {name: getattr(reconstruction, name) for name in MAPS}
    there = {name: array for name, array in maps.items() if array is not None}
    rows, columns = reconstruction.image.shape
    made = ZarrFolder(folder, (rows, columns), tuple(there), _CHUNK)
    for name, array in there.items():
        made.write(name, slice(0, rows), slice(0, columns), array)
    made.finish(record, pixel_size_nm=reconstruction.pixel_size_nm, factor=reconstruction.factor)


def _read_checked(folder: Path, record: Mapping[str, Any]) -> Contradiction | None:
    """The image held against its counts; None of a reconstruction that was written without."""
    from stemscan.recon.contradiction.contradiction import Contradiction

    found = record.get("contradictions")
    if found is None or not (folder / "contradiction").exists():
        return None
    return Contradiction(_read_array(folder, "contradiction", record), found["threshold"], found["width"])


def _read_array(folder: Path, name: str, record: Mapping[str, Any]) -> Any:
    """One array, of the shape that the record says."""
    from stemscan.store.array_reader import ArrayReader
    from stemscan.store.schema import ArraySpec

    shape = tuple(int(side) for side in record["shape"])
    chunks = tuple(min(_CHUNK, side) for side in shape)
    array = ArrayReader(folder, ArraySpec(name, shape, chunks, np.dtype(np.float32), ("y", "x"))).all()
    if array.shape != shape or array.dtype != np.float32:
        raise StoreError(
            f"expected float32 of shape {shape} at {str(folder / name)!r}, got {array.dtype} {array.shape}; restore it "
            "from a copy"
        )
    return array
