"""Pyramids of large frames: means of what is below, in digests, seen by viewers, made anew where they are damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
from numpy.typing import NDArray

from stemscan.acquisition.session import acquire
from stemscan.errors import UsageError
from stemscan.store.importing.imported import import_samples
from stemscan.store.importing.measured import Samples
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from tests.stemscan.store_kit import ScriptedController, contents, make_plan

PLAN = make_plan(shape=[24, 40], passes=2)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Acquisition:
    monkeypatch.setattr("stemscan.store.schema.FRAME_CHUNK", 8)
    return acquire(PLAN, ScriptedController(), tmp_path / "acq.zarr")


def halved(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels, the slow way."""
    rows, columns = frames.shape[-2:]
    means = np.zeros((*frames.shape[:-2], -(-rows // 2), -(-columns // 2)), np.float32)
    for row in range(means.shape[-2]):
        for column in range(means.shape[-1]):
            means[..., row, column] = frames[..., 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean(
                axis=(-2, -1)
            )
    return means


def test_levels_are_means(store: Acquisition) -> None:
    assert store.levels == 3
    wanted = store.frames().astype(np.float32)
    for number, shape in enumerate([(12, 20), (6, 10), (3, 5)], 1):
        wanted = halved(wanted)
        level = store.level(number)
        assert (level.shape, level.dtype.name) == ((2, *shape), "float32")
        np.testing.assert_allclose(level, wanted, rtol=1e-6)
    with pytest.raises(UsageError, match="a level of .*, of which there are 3, got 4"):
        store.level(4)


def test_viewers_find_them_where_they_belong(store: Acquisition) -> None:
    yaozarrs.validate_zarr_store(str(store.path))
    ome = json.loads((store.path / "zarr.json").read_text())["attributes"]["ome"]
    found = ome["multiscales"][0]["datasets"]
    assert [one["path"] for one in found] == ["frames", "level1", "level2", "level3"]
    scale, moved = found[2]["coordinateTransformations"]
    assert scale["scale"][1:] == [1.0, pytest.approx(0.04), pytest.approx(0.04)]
    assert moved == {"type": "translation", "translation": [0.0, 0.0, pytest.approx(0.015), pytest.approx(0.015)]}


def test_damage_is_found_and_made_anew(store: Acquisition) -> None:
    before = contents(store.path)
    assert verify_store(store.path).sound
    chunk = store.path / "level2" / "c" / "0" / "0" / "0" / "1"
    chunk.write_bytes((store.path / "level2" / "c" / "1" / "0" / "0" / "1").read_bytes())
    report = verify_store(store.path)
    assert chunk in {one.file for one in report.problems}
    assert all(one.repairable for one in report.problems)
    (store.path / "level1" / "zarr.json").unlink()
    assert verify_store(store.path, repair=True).sound
    after = contents(store.path)
    assert {name for name in before if before[name] != after[name]} <= {"zarr.json"}


def test_stores_without_them_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores of earlier releases, of large frames too, and those of small frames."""
    with monkeypatch.context() as earlier:
        earlier.setattr("stemscan.store.schema.Layout.levels", 0)
        earlier.setattr("stemscan.store.schema.FRAME_CHUNK", 8)
        old = acquire(PLAN, ScriptedController(), tmp_path / "acq.zarr")
    monkeypatch.setattr("stemscan.store.schema.FRAME_CHUNK", 8)
    again = Acquisition.open(old.path)
    assert again.levels == 0
    assert verify_store(old.path).sound
    assert (again.frames() == old.frames()).all()


def test_imports_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemscan.store.schema.FRAME_CHUNK", 8)
    store = acquire(PLAN, ScriptedController(), tmp_path / "acq.zarr")
    samples = Samples(store.counts(), store.positions(), (PLAN.samples_per_pass,) * 2, (24, 40))
    brought = import_samples(samples, tmp_path / "imported.zarr", electrons_per_sample=10.0)
    assert (brought.level(3) == store.level(3)).all()
    assert verify_store(brought.path).sound
