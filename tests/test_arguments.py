"""Mistakes in calls of the face: each is one sentence that says what was expected, what came and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stemscan as ss
from stemscan.store.batch import DetectorInfo

SIMULATE: Any = ss.simulate
PLAN = ss.ScanPlan(
    pattern=ss.BlockRandom(block=4, samples_per_block=4),
    shape=(16, 16),
    passes=1,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=10),
    seed=1,
)
IMAGE = np.linspace(0, 1, 256).reshape(16, 16)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"seed": 1.5}, "got 1.5"),
        ({"seed": True}, "got True"),
        ({"seed": "a"}, "got 'a'"),
        ({"resume": True, "overwrite": True}, "got both; keep one"),
        ({"plan": None}, "got None"),
        ({"plan": {}}, "got a dict"),
        ({"plan": "missing.yaml"}, "does not exist"),
        ({"specimen": None}, "got None"),
        ({"specimen": IMAGE[:5]}, "got 5 x 16"),
        ({"specimen": "a" * 400}, "too long"),
        ({"output": None}, "got None"),
        ({"output": 3}, "got 3"),
        ({"output": ""}, "got empty text"),
        ({"output": "a" * 400}, "too long"),
        ({"output": "a\0b"}, "NUL"),
        ({"nonsense": 1}, "got 'nonsense'"),
        ({"smooth": "paper"}, "it is for image files"),
        ({"profile": 3}, "got 3"),
        ({"specimen": "a.png", "value_range": 3}, "got 3"),
        ({"specimen": "a.png", "median": -1}, "got -1"),
        ({"specimen": "a.png", "median": 2}, "add smooth"),
        ({"coil_tau_ns": "5"}, "with a unit"),
        ({"coil_tau_ns": []}, "got a list"),
    ],
)
def test_a_mistake_in_a_call_of_simulate_is_a_sentence_and_leaves_nothing(changes: dict[str, Any], got: str) -> None:
    given = {"plan": PLAN, "specimen": IMAGE, "output": "a.zarr", **changes}
    with pytest.raises(ss.StemscanError, match=f"^expected .*{got}"):
        SIMULATE(given.pop("plan"), given.pop("specimen"), given.pop("output"), **given)
    assert not list(Path().iterdir())


def test_simulate_takes_a_plan_file_an_array_and_numbers_of_numpy() -> None:
    PLAN.save("plan.yaml")
    made = SIMULATE("plan.yaml", IMAGE, "a.zarr", seed=np.uint64(5), coil_tau_ns=np.float32(5000))
    assert (made.seed, made.coil_tau_ns) == (5, 5000.0)
    assert np.array_equal(made.truth, IMAGE.astype(np.float32))
    again = SIMULATE(PLAN, IMAGE, "b.zarr", seed=5, coil_tau_ns="5us")
    assert again.digest() == made.digest()


ANY: Any = ss
INPUTS = ss.Inputs.from_arrays([IMAGE], np.ones((1, 16, 16), np.uint8), 1.0)


@pytest.mark.parametrize(
    ("call", "got"),
    [
        (lambda: ANY.acquire("missing.yaml", None, "a.zarr"), "does not exist"),
        (lambda: ANY.acquire(PLAN, None, "a.zarr", resume=True, overwrite=True), "got both"),
        (lambda: ANY.acquire(PLAN, None, "a.zarr", stop_rules="now"), "got 'n'"),
        (lambda: ANY.acquire(PLAN, None, "a.zarr", stop_rules=None), "got None"),
        (lambda: ANY.load(None), "got None"),
        (lambda: ANY.load(b"x"), "got b'x'"),
        (lambda: ANY.load(PLAN), "got a ScanPlan"),
        (lambda: ANY.load("x" * 5000), "too long"),
        (lambda: ANY.load(""), "got empty text"),
        (lambda: ANY.ScanPath(3), "got 3"),
        (lambda: ANY.ScanPath(PLAN).positions(None, 3), "got None"),
        (lambda: ANY.ScanPath(PLAN).positions(0.5, 3), "got 0.5"),
        (lambda: ANY.Acquisition("s.zarr"), "use one"),
        (lambda: ANY.ScanPlan.save(PLAN, None), "got None"),
        (lambda: ANY.reconstruct(INPUTS, "nearest").save(3), "got 3"),
        (lambda: ANY.reconstruct(INPUTS, "nearest", threads=1.5), "got 1.5"),
        (lambda: ANY.reconstruct(INPUTS, "nearest", threads="2"), "got '2'"),
        (lambda: ANY.reconstruct(INPUTS, "nearest", threads=True), "got True"),
        (lambda: ANY.reconstruct(INPUTS, weights=3), "got 3"),
        (lambda: ANY.reconstruct(3), "got int"),
        (lambda: ANY.reconstruct(""), "got empty text"),
        (lambda: ANY.Inputs.from_arrays(None, None, None), "got None"),
        (lambda: ANY.Inputs.from_arrays([[[1, 2], [1]]], [[[1, 1]]], 1), "got ragged"),
        (lambda: ANY.Inputs.from_arrays([[[1.0]]], [[[1]]], 1, source=3), "got 3"),
        (lambda: ANY.compare("a", "b"), "got dtype <U1"),
        (lambda: ANY.compare(IMAGE * 1j, IMAGE), "got dtype complex128"),
        (lambda: ANY.compare([[1], [1, 2]], IMAGE), "got ragged"),
        (lambda: DetectorInfo(gain="a"), "got 'a'"),  # type: ignore[arg-type]
    ],
)
def test_a_mistake_in_another_call_is_a_sentence(call: Callable[[], object], got: str) -> None:
    with pytest.raises(ss.StemscanError, match=f"^expected .*{got}"):
        call()


def test_a_pattern_without_keywords_is_told_its_keywords() -> None:
    with pytest.raises(ss.PlanError, match=r"expected keywords \(block, samples_per_block\), got 8"):
        ANY.BlockRandom(8, 3)


@pytest.mark.parametrize("ask", [{"start": 0.5}, {"start": None}, {"channel": 0.5}, {"channel": "a"}])
def test_a_range_or_channel_of_an_acquisition_that_is_no_number_is_a_sentence(ask: dict[str, Any]) -> None:
    with pytest.raises(ss.StemscanError, match="^expected "):
        SIMULATE(PLAN, IMAGE, "a.zarr").counts(**ask)


@pytest.mark.parametrize(
    ("method", "settings", "got"),
    [
        ("iht", {"coefficients": 10**9}, "got 1000000000"),
        ("lowpass", {"radius": 0.0}, "got 0.0"),
        ("normconv", {"width": 1e300}, "got 1e\\+300"),
        ("fshnet", {"h": -1.0}, "got -1.0"),
        ("fshnet", {"neighbours": 0}, "got 0"),
        ("fshnet", {"patch": 0}, "got 0"),
    ],
)
def test_a_setting_without_meaning_is_a_sentence(method: str, settings: dict[str, Any], got: str) -> None:
    with pytest.raises(ss.StemscanError, match=f"^expected .*{got}"):
        ss.reconstruct(INPUTS, method, **settings)
