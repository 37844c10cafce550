"""A plan, a controller and a comparison of stores, for the tests of the store and of the acquire loop."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stemscan.acquisition.following import Prediction
from stemscan.acquisition.scan_controller import Capabilities
from stemscan.objects.path import ObjectPath
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.record_parts import SpecimenRecord
from stemscan.store.true_columns import TrueColumns
from stemscan.store.writer import AcquisitionWriter


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A temporary folder, in memory where the system has one: syncing a file costs nothing there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


def make_plan(**changes: Any) -> ScanPlan:
    """A plan of 2 passes of 12 samples on 16 x 16 pixels, or as changed."""
    data = {
        "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
        "shape": [16, 16],
        "passes": 2,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "pixel_size_nm": 0.01,
        "seed": 7,
    }
    return ScanPlan.from_dict(data | changes)


def expected_counts(start: int, stop: int, dtype: str = "uint16") -> NDArray[Any]:
    """What `ScriptedController` counts: zeros among them."""
    index = np.arange(start, stop, dtype=np.int64)
    return ((index * 7919 + 3) % 23).astype(dtype)


class SumFollower:
    """Foretells the sum of all counts so far, in quarters of a pixel, along rows."""

    record: ClassVar = {"name": "sum of counts"}

    def __call__(self, acquisition: Acquisition, passes: int) -> Prediction:
        stop = acquisition.layout.pass_starts[passes]
        return Prediction((float(acquisition.counts(0, stop).sum()) / 4, -1.0), std=0.5)


class ScriptedController:
    """Counts that depend on the sample alone; remembers what it exposed, and where it moved its field."""

    def __init__(
        self, *, max_batch: int = 1 << 18, resumable: bool = True, actual: bool = False, moves_field: bool = False
    ) -> None:
        self.capabilities = Capabilities(
            "scripted", max_batch, actual_positions=actual, resumable=resumable, moves_field=moves_field
        )
        self.moved: list[tuple[int, tuple[float, float]]] = []
        self.detector = DetectorInfo()
        self.armed: list[tuple[int, int]] = []
        self.exposed: list[tuple[int, int]] = []
        self.aborted = 0
        self._at = self._stop = 0

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready."""
        self.armed.append((start, stop))
        self._at, self._stop, self._path = start, stop, path

    def move_field(self, path: ScanPath, number: int, offset: tuple[float, float]) -> tuple[float, float]:
        """Whole pixels, 10 at most."""
        done = min(float(np.rint(offset[0])), 10.0), min(float(np.rint(offset[1])), 10.0)
        self.moved.append((number, done))
        return done

    def start(self) -> None:
        """Nothing to do."""

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples."""
        if self._at == self._stop:
            return None
        start, stop = self._at, min(self._stop, self._at + max_samples)
        self.exposed.append((start, stop))
        self._at = stop
        actual = None
        if self.capabilities.actual_positions:
            actual = self._path.positions(start, stop).astype(np.float32) + np.float32(0.25)
        return SampleBatch(start, expected_counts(start, stop), actual)

    def abort(self) -> None:
        """Drop the armed range."""
        self.aborted += 1
        self._stop = self._at

    def close(self) -> None:
        """Nothing to do."""


def specimen(**changes: Any) -> SpecimenRecord:
    """What a store says of the specimen of the simulation of a ramp, or as changed."""
    return SpecimenRecord(**({"name": "ramp", "sha256": "0123456789abcdef", "record": {"fit": "error"}} | changes))


def provenance(plan: ScanPlan, **changes: Any) -> Provenance:
    """Of the simulation of a ramp, or as changed."""
    known: dict[str, Any] = {
        "seed": 1, "specimen": specimen(), "truth": ramp(plan), "truth_columns": true_columns(),
    }  # fmt: skip
    if (detector := changes.pop("detector", None)) is not None:
        known["channels"] = (detector,)
    return Provenance(**known | changes)


def true_columns() -> TrueColumns:
    """Four columns, of which one is missing."""
    return TrueColumns.of(
        ("A", "B"), row=[3.25, 3.5, 11.0, 12.5], col=[4.0, 12.0, 8.5, 13.5], amplitude=[0.5, 0.0, 0.25, 0.5],
        defect=[0, 1, 4, 0], displacement_col=[0.0, 0.0, 0.5, 0.0], site=[0, 1, 0, 0], site_i=[-1, -1, 1, 1],
        **{"class": [0, 1, 0, 0]},
    )  # fmt: skip


def ramp(plan: ScanPlan) -> NDArray[np.float32]:
    """A truth."""
    rows, columns = plan.shape
    return np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)


def create(path: Path, plan: ScanPlan, *, overwrite: bool = False, **changes: Any) -> AcquisitionWriter:
    """The writer of a new store of the simulation of a ramp."""
    return AcquisitionWriter.create(path, plan, provenance(plan, **changes), overwrite=overwrite)


def resume(path: Path, plan: ScanPlan, **changes: Any) -> AcquisitionWriter:
    """The writer of the same store, gone on with."""
    return AcquisitionWriter.resume(path, plan, provenance(plan, **changes))


def contents(folder: Path) -> dict[str, object]:
    """Every file of a store: its bytes, and the root's JSON without the history, what the ledger lost, its digest.

    Of objects, not what the lease says of who held it last.
    """
    files: dict[str, object] = {}
    if isinstance(folder, ObjectPath):
        for key in sorted(folder.bucket.below(folder.key)):
            files[key.removeprefix(f"{folder.key}/")] = folder.bucket.get(key)
        files[".stemscan.lock"] = b""
    else:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                files[str(path.relative_to(folder))] = path.read_bytes()
    root = json.loads((folder / "zarr.json").read_bytes())
    root["attributes"]["stemscan"].pop("history")
    root["attributes"]["stemscan"].pop("digest", None)
    for name in ("samples_exposed_again_at_most", "times_exposed_again"):
        (root["attributes"]["stemscan"]["ledger"] or {}).pop(name, None)
    files["zarr.json"] = json.dumps(root)
    return files


def pictures(plan: ScanPlan, committed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Frames and visits of the first samples, drawn the slow way."""
    frames = np.zeros((plan.passes, *plan.shape), np.uint16)
    visits = np.zeros(frames.shape, np.uint8)
    positions, counts = ScanPath(plan).positions(0, committed), expected_counts(0, committed)
    for index in range(committed):
        where = (index // plan.samples_per_pass, *positions[index])
        frames[where] += counts[index]
        visits[where] += 1
    return frames, visits
