"""Columns that a specimen knows: as values, and in a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.scan import run_scan
from stemscan.errors import UsageError
from stemscan.recon.inputs.reading import load_inputs
from stemscan.store.reader import Acquisition
from stemscan.store.true_columns import FIELDS, TrueColumns
from stemscan.store.verify import verify_store
from tests.stemscan.store_kit import ScriptedController, create, make_plan, resume, true_columns

PLAN = make_plan()


def test_a_store_keeps_them(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as writer:
        run_scan(PLAN, ScriptedController(), writer)
    store, known = Acquisition.open(tmp_path / "a.zarr"), true_columns()
    assert store.truth_columns is not None
    assert store.truth_columns.classes == known.classes
    np.testing.assert_array_equal(store.truth_columns.values, known.values)
    assert store.known_columns == {"count": 4, "fields": list(FIELDS), "classes": ["A", "B"]}
    inputs = load_inputs(store)
    assert inputs.truth_columns is not None
    assert len(inputs.truth_columns) == 4
    assert verify_store(tmp_path / "a.zarr").sound
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr" / "truth_columns", mode="r")[:], known.values)
    again = ReplayController(tmp_path / "a.zarr").provenance
    assert again.truth_columns is not None
    assert again.truth_columns["amplitude"].tolist() == [0.5, 0.0, 0.25, 0.5]


@pytest.mark.parametrize(
    "changes", [{"truth_columns": None}, {"truth": None}, {"truth_columns": TrueColumns.of((), row=[])}]
)
def test_a_store_without_them(tmp_path: Path, changes: dict[str, Any]) -> None:
    create(tmp_path / "a.zarr", PLAN, **changes).close()
    store = Acquisition.open(tmp_path / "a.zarr")
    assert (store.truth_columns, store.known_columns) == (None, None)
    assert not (tmp_path / "a.zarr" / "truth_columns").exists()
    assert "truth_columns" not in json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["stemscan"]


@pytest.mark.parametrize(("first", "then"), [(None, true_columns()), (true_columns(), None)])
def test_a_resumed_store_keeps_what_it_began_with(
    tmp_path: Path, first: TrueColumns | None, then: TrueColumns | None
) -> None:
    with create(tmp_path / "a.zarr", PLAN, truth_columns=first) as writer:
        run_scan(PLAN, ScriptedController(), writer, commit_samples=4)
    with resume(tmp_path / "a.zarr", PLAN, truth_columns=then) as writer:
        assert writer.state == "complete"
    store = Acquisition.open(tmp_path / "a.zarr")
    assert (store.truth_columns is None) == (first is None)
    assert verify_store(tmp_path / "a.zarr").sound


def test_fields_of_later_releases_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = {"charge": "in electrons", **FIELDS}
    with monkeypatch.context() as patched:
        for module in ("stemscan.store.true_columns", "stemscan.store.record"):
            patched.setattr(f"{module}.FIELDS", later)
        columns = TrueColumns.of(("A",), row=[3.0], col=[4.0], amplitude=[0.5], charge=[7.0])
        create(tmp_path / "a.zarr", PLAN, truth_columns=columns).close()
    read = Acquisition.open(tmp_path / "a.zarr").truth_columns
    assert read is not None
    assert read.fields().keys() == FIELDS.keys()
    assert (read["row"].tolist(), read["amplitude"].tolist()) == ([3.0], [0.5])


def test_resampling_keeps_places_in_the_field() -> None:
    columns = true_columns()
    fine = columns.resampled((16, 16), (32, 48))
    np.testing.assert_allclose((fine["row"] + 0.5) / 2, columns["row"] + 0.5)
    np.testing.assert_allclose((fine["col"] + 0.5) / 3, columns["col"] + 0.5)
    assert fine["displacement_col"].tolist() == [0.0, 0.0, 1.5, 0.0]
    np.testing.assert_allclose(fine.resampled((32, 48), (16, 16)).values, columns.values, atol=1e-12)


def test_a_crop_keeps_what_lies_inside() -> None:
    assert true_columns().within((8, 10))["col"].tolist() == [4.0]
    edge = TrueColumns.of(("A",), row=[-0.5, 7.49, 7.5], col=[0, 0, 0])
    assert edge.within((8, 8))["row"].tolist() == [-0.5, 7.49]


@pytest.mark.parametrize(
    "wrong",
    [{"row": [np.nan]}, {"row": [1.0], "class": [1]}, {"row": [1.0], "defect": [9]}, {"row": [1], "class": [0.5]}],
)
def test_values_that_cannot_be(wrong: dict[str, list[float]]) -> None:
    with pytest.raises(UsageError, match="true columns"):
        TrueColumns.of(("A",), **wrong)


def test_a_field_that_there_is_not() -> None:
    columns = TrueColumns.of(("A",), row=[1.0], col=[2.0])
    with pytest.raises(UsageError, match="expected a field of true columns, row, col"):
        columns["x"]
