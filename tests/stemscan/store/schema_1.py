"""A store of schema 1, as early releases wrote it: without channels and digests. Written with zarr alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from tests.stemscan.store_kit import expected_counts, pictures, ramp, specimen


def write_schema_1(path: Path, plan: ScanPlan, committed: int) -> None:
    """The store of the simulation of a ramp, complete or as far as some samples were committed."""
    total, chunk = plan.total_samples, 10
    complete = committed == total
    counts, positions = np.zeros(total, np.uint16), np.zeros((total, 2), np.int32)
    counts[:committed] = expected_counts(0, committed)
    positions[:committed] = ScanPath(plan).positions(0, committed)
    frames, visits = pictures(plan, committed)
    tile = (1, *plan.shape)
    path.mkdir()
    (path / ".stemscan.lock").touch()
    array(
        path / "frames",
        frames if complete else np.zeros_like(frames),
        tile,
        ["t", "y", "x"],
        rows=len(frames) if complete else 0,
    )
    array(
        path / "visits",
        visits if complete else np.zeros_like(visits),
        tile,
        ["t", "y", "x"],
        rows=len(frames) if complete else 0,
    )
    written = -(-committed // chunk) * chunk
    array(path / "samples" / "counts", counts, (chunk,), ["sample"], rows=written)
    array(path / "samples" / "position", positions, (chunk, 2), ["sample", "axis"], rows=written)
    array(path / "truth", ramp(plan), plan.shape, ["y", "x"])
    group: dict[str, Any] = {"attributes": {}, "zarr_format": 3, "node_type": "group"}
    (path / "samples" / "zarr.json").write_text(json.dumps(group))
    time = {
        "time_ns": committed * plan.dwell_ns,
        "exposed_ns": committed * plan.dwell_ns,
        "electrons": 10.0 * committed,
    }
    none = {"time_ns": 0, "exposed_ns": 0, "electrons": 0.0}
    record = {
        "schema": 1,
        "origin": "acquired",
        "state": "complete" if complete else "acquiring",
        "plan": plan.to_dict(),
        "plan_digest": plan.digest(),
        "imported": None,
        "detector": {"unit": "electron", "gain": 1.0, "offset": 0.0, "dtype": "uint16"},
        "noise": "poisson",
        "seed": 1,
        "specimen": specimen().model_dump(),
        "actual_positions": False,
        "truth": True,
        "samples_armed": committed,
        "samples_committed": committed,
        "ledger": {
            "dwell": time,
            **dict.fromkeys(("settle", "transit", "park"), none),
            "samples_exposed_again_at_most": 0,
        },
        "stopped": None,
        "history": [{"event": "created", "time": "2025-01-01T00:00:00+00:00", "versions": {"stemscan": "0.0.9"}}],
    }
    axes = [{"name": "t", "type": "time", "unit": "second"}]
    axes += [{"name": name, "type": "space", "unit": "nanometer"} for name in "yx"]
    scale = [plan.dwell_ns * plan.samples_per_pass / 1e9, plan.pixel_size_nm, plan.pixel_size_nm]
    dataset = {"path": "frames", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    ome = {"version": "0.5", "multiscales": [{"name": "frames", "axes": axes, "datasets": [dataset]}]}
    (path / "zarr.json").write_text(json.dumps(group | {"attributes": {"ome": ome, "stemscan": record}}, indent=2))


def array(
    path: Path, data: np.ndarray[Any, Any], chunks: tuple[int, ...], names: list[str], *, rows: int | None = None
) -> None:
    """One array."""
    codecs = BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=data.dtype.itemsize), Crc32cCodec()
    made = zarr.create_array(
        path,
        shape=data.shape,
        chunks=chunks,
        dtype=data.dtype,
        filters=None,
        compressors=codecs,
        fill_value=0,
        dimension_names=names,
    )
    if rows != 0:
        made.with_config({"write_empty_chunks": True})[:rows] = data[:rows]
