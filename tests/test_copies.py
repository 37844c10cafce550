"""What the face hands out is shown in a few lines, copied, and sent to other processes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from inspect import signature
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stemscan as ss
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.reconstruction import Estimate

WAYS: list[Callable[[Any], Any]] = [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = ss.ScanPlan(
        pattern=ss.BlockRandom(block=4, samples_per_block=4),
        shape=(16, 16),
        passes=2,
        dwell="1us",
        dose=ss.Dose(electrons_per_sample=10),
        seed=1,
    )
    path = tmp_path_factory.mktemp("copies") / "s.zarr"
    ss.simulate(plan, np.linspace(0, 1, 256).reshape(16, 16), path, coil_tau_ns="1us")
    return path


def test_a_reconstruction_made_in_another_process_comes_back(store: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        sent = pool.submit(ss.reconstruct, str(store), "nearest").result()
    here = ss.reconstruct(store, "nearest")
    assert np.array_equal(sent.image, here.image)
    assert (sent.method, sent.settings, sent.source) == (here.method, here.settings, here.source)


@pytest.mark.parametrize("way", WAYS)
def test_copies_are_as_good(store: Path, way: Callable[[Any], Any]) -> None:
    inputs = load_inputs(store)
    assert inputs.whole is not inputs
    again = way(inputs)
    assert np.array_equal(again.S, inputs.S)
    assert np.array_equal(again.whole.V, inputs.whole.V)
    assert again.source == inputs.source
    with pytest.raises(TypeError):
        again.source["path"] = "elsewhere"
    acquisition = ss.Acquisition.open(store)
    assert way(acquisition).digest() == acquisition.digest()
    assert acquisition.plan is not None
    path = ss.ScanPath(acquisition.plan)
    assert np.array_equal(way(path).positions(3, 40), path.positions(3, 40))
    assert np.array_equal(way(Estimate(inputs.S)).image, inputs.S)


def test_inputs_and_a_path_show_themselves_in_a_few_lines(store: Path) -> None:
    inputs = load_inputs(store)
    lines = repr(inputs).splitlines()
    assert lines[:2] == ["Inputs", "  grid             16 x 16 pixels, 2 passes"]
    assert len(lines) < 10
    assert inputs._repr_html_().startswith("<div><b>Inputs</b><table>")
    plan = ss.Acquisition.open(store).plan
    assert plan is not None
    assert repr(ss.ScanPath(plan)) == "ScanPath of 128 samples in 2 passes by block-random on 16 x 16 pixels"


def test_help_of_plans_and_patterns_shows_plain_types_and_nothing_of_pydantic() -> None:
    assert str(signature(ss.BlockRandom)) == "(*, block: int, samples_per_block: int)"
    assert "Annotated" not in "".join(str(signature(one)) for one in (ss.Dose, ss.Limits, ss.Order, ss.SettleModel))
    pattern = ss.BlockRandom(block=4, samples_per_block=4)
    assert {"replace", "block", "samples_per_pass"} <= set(dir(pattern))
    assert not {"copy", "parse_obj", "schema", "model_copy"} & set(dir(pattern))


def test_arrays_of_inputs_cannot_be_written_into_and_those_that_were_given_can() -> None:
    frames, visits = np.ones((1, 4, 4), np.float32), np.ones((1, 4, 4), np.uint16)
    inputs = ss.Inputs.from_arrays(frames, visits, 1.0, truth=frames[0])
    assert inputs.truth is not None
    for array in (inputs.S, inputs.V, inputs.frames, inputs.visits, inputs.truth):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    frames[...] = visits[...] = 2
