"""Attacks on a small store: one flipped bit, cut or missing file, swapped chunk, foreign chunk, edited text."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

from stemscan.acquisition.scan import run_scan
from stemscan.errors import StoreError
from stemscan.path.scan_path import ScanPath
from stemscan.store import schema
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import ScriptedController, create, make_plan

KINDS = ("flip", "cut", "remove", "swap", "foreign", "digit", "text", "block")


class OtherCounts(ScriptedController):
    """Counts one more than the other."""

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples."""
        batch = super().read(max_samples)
        return None if batch is None else SampleBatch(batch.start, batch.counts + 1, batch.actual)


NAMES = ("a.zarr", "part.zarr")
"""Stores that are attacked."""


def make_stores(folder: Path) -> None:
    """Stores of one plan in several chunks: `a.zarr`, `other.zarr` with other counts, and the beginning of `a.zarr`."""
    plan = make_plan()
    with patch.multiple(schema, SAMPLE_CHUNK=5, FRAME_CHUNK=8):
        for name, kind in (("a.zarr", ScriptedController), ("other.zarr", OtherCounts)):
            with create(folder / name, plan, actual_positions=True) as store:
                run_scan(plan, kind(actual=True), store)
        with create(folder / "part.zarr", plan, actual_positions=True) as store:
            controller = ScriptedController(actual=True)
            store.arm(18)
            controller.arm(ScanPath(plan), 0, 18)
            batch = controller.read(18)
            assert batch is not None
            store.append(batch)
            store.commit()


def state_of(path: Path) -> str:
    """Everything that is read of a store, as text."""
    store = Acquisition.open(path)
    said: dict[str, Any] = {
        "state": store.state,
        "plan": store.plan_digest,
        "detector": str(store.channels),
        "seed": store.seed,
        "specimen": store.specimen,
        "committed": store.samples_committed,
        "armed": store.samples_armed,
        "noise": store.noise,
        "dose": store.electrons_per_sample,
        "pixel": store.pixel_size_nm,
        "ledger": store.ledger,
        "stopped": store.stopped,
        "imported": store.imported,
        "history": [entry for entry in store.history if entry["event"] != "repaired"],
        "digest": store.digest(),
    }
    arrays = (store.frames(), store.visits(), store.counts(), store.positions(), store.actual(), store.truth)
    columns = None if (known := store.truth_columns) is None else (known.classes, known.values.tolist())
    read = [None if array is None else (array.dtype.name, array.tolist()) for array in arrays]
    return json.dumps([said, read, columns])


def places(path: Path) -> list[Path]:
    """The files of a store that hold something, relative to it."""
    return sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file() and file.stat().st_size)


def attack(stores: Path, name: str, folder: Path, chance: random.Random, files: list[Path], whole: str) -> str:
    """Change one thing in a copy of a store and read it.

    Parameters
    ----------
    stores : Path
        Where `make_stores` put them.
    name : str
        Of the store.
    folder : Path
        For the copy.
    chance : random.Random
    files : list of Path
        `places` of the store.
    whole : str
        `state_of` the store.

    Returns
    -------
    str
        "refused", "no difference", or "changed in silence".
    """
    copy = folder / name
    shutil.copytree(stores / name, copy)
    try:
        _change(copy, stores / "other.zarr", chance, files)
        try:
            found = state_of(copy)
        except StoreError:
            return "refused"
        return "no difference" if found == whole else "changed in silence"
    finally:
        shutil.rmtree(copy)


def _change(copy: Path, other: Path, chance: random.Random, files: list[Path]) -> None:
    """One change of one kind."""
    kind, name = chance.choice(KINDS), chance.choice(files)
    file = copy / name
    data = bytearray(file.read_bytes())
    if kind == "flip":
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del data[chance.randrange(len(data)) :]
    elif kind == "remove":
        file.unlink()
        return
    elif kind == "swap":
        second = copy / chance.choice(files)
        first_bytes, data = bytes(data), bytearray(second.read_bytes())
        second.write_bytes(first_bytes)
    elif kind == "foreign":
        data = bytearray((other / name).read_bytes())  # which has all that the others have
    elif kind == "block":
        at = chance.randrange(len(data))
        data[at : at + chance.randint(1, 64)] = chance.randbytes(chance.randint(0, 64))
    else:
        file = copy / chance.choice([one for one in files if one.name == "zarr.json"])
        data = bytearray(file.read_bytes())
        digits = [at for at, byte in enumerate(data) if chr(byte).isdigit()]
        letters = [at for at, byte in enumerate(data) if chr(byte).isalpha()]
        at = chance.choice(digits if kind == "digit" else letters)
        data[at] = (
            ord(str(chance.randrange(10))) if kind == "digit" else ord(chance.choice("abcdefghijklmnopqrstuvwxyz"))
        )
    file.write_bytes(data)
