"""The suite for methods: every method of this package passes it, and it finds what is wrong with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.errors import UsageError
from stemscan.recon.conformance import MethodConformance, check_method
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.method import Method
from stemscan.recon.networks.registry import build
from stemscan.recon.registry import built_in
from stemscan.recon.weights.file import WeightsInfo, save_weights

TESTS = [name for name in dir(MethodConformance) if name.startswith("test")]


KNOWN: dict[str, dict[str, Any]] = {
    "bpfa": {"settings": {"sweeps": 6, "averaged": 2}},
    "lowpass": {"fills_gaps": False},  # equation 10 takes unvisited pixels for dark ones
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights of networks that come without any."""
    import torch

    folder = tmp_path_factory.mktemp("weights")
    for name in ("csnet-mask", "reconnet-mask"):
        torch.manual_seed(0)
        save_weights(build(name), folder / f"{name}.safetensors", WeightsInfo(4, "paper", architecture=name))
    return {"csnet": folder / "csnet-mask.safetensors", "reconnet": folder / "reconnet-mask.safetensors"}


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("method", [name for name, method in built_in().items() if not method.sees_truth])
def test_methods_of_this_package(method: str, test: str, weights: dict[str, Path]) -> None:
    told = KNOWN.get(method, {}) | ({"weights": weights[method], "offset": 1.0} if method in weights else {})
    suite = type("Suite", (MethodConformance,), {"method": method, **told})()
    getattr(suite, test)()


def _in_place(inputs: Inputs) -> Any:
    inputs.S[...] /= np.maximum(inputs.V, 1)
    return np.full(inputs.shape, inputs.S.mean())


def _dark_gaps(inputs: Inputs) -> Any:
    return np.where(inputs.V > 0, inputs.S / np.maximum(inputs.V, 1), 0)


WRONG = {
    "absolute_scale": lambda inputs: inputs.S * 0 + inputs.mean * 10,
    "inputs_are_left": _in_place,
    "same_bits": lambda inputs: inputs.S * 0 + inputs.mean + 0.001 * np.random.random(),  # noqa: NPY002
    "truth_is_not": lambda inputs: inputs.S * 0 + (inputs.mean if inputs.truth is None else inputs.truth.mean()),
    "unknown_and_not_dark": _dark_gaps,
    "settings_have_names": lambda inputs, **settings: inputs.S * 0 + inputs.mean,
}


@pytest.mark.parametrize("what", WRONG)
def test_finds_what_is_wrong(what: str) -> None:
    suite = type("Suite", (MethodConformance,), {"method": Method("wrong", WRONG[what], "")})()
    (test,) = [name for name in TESTS if what in name]
    with pytest.raises((AssertionError, ValueError), match="expected|read-only"):
        getattr(suite, test)()


def test_all_at_once() -> None:
    check_method("constant")
    with pytest.raises(UsageError, match="setting needed of method <lambda>, got none"):
        check_method(lambda inputs, needed: None)
    check_method(lambda inputs, needed: inputs.S * 0 + inputs.mean, settings={"needed": 1})
