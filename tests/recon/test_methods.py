"""`reconstruct`, and every classical method on every kind of scan."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stemscan.errors import ReconError, UsageError
from stemscan.recon.inputs.grids import upsample
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.method import Method
from stemscan.recon.reconstruction import Estimate
from stemscan.recon.registry import built_in
from stemscan.recon.run import reconstruct
from stemscan.recon.threads import limit_threads, workers
from tests.recon.sampling_kit import lattice, scan

CLASSICAL = ("normconv", "lowpass", "linear", "nearest", "constant")
INPUTS = scan(lattice((32, 40)), pixel_size_nm=0.02)


@pytest.mark.parametrize("method", CLASSICAL)
@pytest.mark.parametrize(
    ("shape", "passes"),
    [
        ((413, 469), 1),
        ((413, 469), 3),
        ((413, 469), 4),
        ((413, 469), 16),
        ((48, 1000), 4),
        ((1, 300), 4),
        ((300, 1), 3),
    ],
)
def test_every_method_on_every_kind_of_scan(method: str, shape: tuple[int, int], passes: int) -> None:
    inputs = scan(lattice(shape), passes=passes)
    made = reconstruct(inputs, method)
    assert made.image.shape == shape
    assert made.image.dtype == np.float32
    assert np.isfinite(made.image).all()
    assert made.image.mean() == pytest.approx(inputs.mean, abs=0.12)
    assert (made.method, made.factor, made.native_factor) == (method, 1, 1)
    assert made.seconds > 0
    np.testing.assert_array_equal(reconstruct(inputs, method, threads=1).image, made.image)


@pytest.mark.parametrize("method", CLASSICAL)
def test_nothing_counted(method: str) -> None:
    inputs = Inputs.from_arrays(np.zeros((2, 9, 12)), np.ones((2, 9, 12), dtype=int), 5.0)
    np.testing.assert_allclose(reconstruct(inputs, method).image, 0, atol=1e-7)


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, stemscan.recon.run, stemscan.recon.inputs.inputs, stemscan.recon.output.writing;"
        "import stemscan.recon.metrics;"
        "heavy = {'torch', 'numba', 'scipy', 'skimage', 'matplotlib', 'zarr', 'tifffile'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "magic"}, "expected method to be one of blend, .*, normconv, .*, got 'magic'"),
        ({"grid": "fine"}, "expected grid to be one of plan, native, got 'fine'"),
        ({"sigma": 2}, r"settings of method normconv \(width\), got 'sigma'"),
        ({"method": "nearest", "width": 2}, r"settings of method nearest \(it has none\), got 'width'"),
        ({"weights": "w.safetensors"}, "no weights for method normconv, which has none, got 'w.safetensors'"),
        ({"device": "cuda"}, "device auto or cpu, got 'cuda': method normconv runs on the CPU only"),
        ({"threads": 0}, "threads of at least 1, got 0"),
    ],
)
def test_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reconstruct(INPUTS, **({"method": "normconv"} | arguments))


def test_settings_pass_through() -> None:
    assert reconstruct(INPUTS, "normconv", width=3.0).settings == {"width": 3.0, "width_chosen": False}
    assert tuple(built_in()["lowpass"].settings()) == ("radius", "keep_measured")


# ---------------------------------------------------------------------- a method that does as it is told


def told(function: Callable[..., Any], **fields: Any) -> Method:
    """A method of this function."""
    return Method("told", function, "", **fields)


@pytest.mark.parametrize("factor", [2, 3])
def test_coarse_estimates_come_to_the_plan_grid(factor: int) -> None:
    coarse = lattice((-(-32 // factor), -(-40 // factor)))
    method = told(lambda inputs: Estimate(coarse, std=0.1 * coarse, factor=factor, settings={"a": 1}))
    made = reconstruct(INPUTS, method)
    np.testing.assert_array_equal(made.image, upsample(coarse, factor, (32, 40)))
    assert made.std is not None
    assert made.std.shape == (32, 40)
    assert (made.factor, made.native_factor, made.pixel_size_nm) == (1, factor, 0.02)
    native = reconstruct(INPUTS, method, grid="native")
    np.testing.assert_array_equal(native.image, coarse)
    assert native.std is not None
    np.testing.assert_array_equal(native.std, 0.1 * coarse)
    assert (native.factor, native.native_factor, native.pixel_size_nm) == (factor, factor, 0.02 * factor)
    assert native.settings == {"a": 1}


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (Estimate(np.zeros((32, 39), np.float32)), r"float32 image of shape \(32, 40\), got float32 \(32, 39\)"),
        (
            Estimate(np.zeros((32, 40), np.float32), factor=2),
            r"float32 image of shape \(16, 20\), got float32 \(32, 40\)",
        ),
        (Estimate(np.zeros((32, 40))), "float32 image of shape .* got float64"),  # type: ignore[arg-type]
        (Estimate(np.full((32, 40), np.nan, np.float32)), "finite image, got values from nan to nan"),
        (
            Estimate(np.zeros((32, 40), np.float32), std=np.full((32, 40), -1, np.float32)),
            "finite standard deviation, got values from -1.0",
        ),
        (
            Estimate(np.zeros((32, 40), np.float32), std=np.zeros((32, 1), np.float32)),
            "float32 standard deviation of shape",
        ),
    ],
)
def test_bad_estimates_are_refused(estimate: Estimate, message: str) -> None:
    with pytest.raises(ReconError, match=f"of method told a {message}"):
        reconstruct(INPUTS, told(lambda inputs: estimate))


def test_devices() -> None:
    import torch

    seen: list[str] = []

    def method(inputs: Inputs, *, device: str) -> Estimate:
        seen.append(device)
        return Estimate(np.zeros(inputs.shape, np.float32))

    on_devices = told(method, uses_torch=True)
    reconstruct(INPUTS, on_devices, device="cpu")
    reconstruct(INPUTS, on_devices, device="auto")
    assert seen == ["cpu", "cuda" if torch.cuda.is_available() else "cpu"]
    for device in ("gpu", "meta", "cuda:99"):
        with pytest.raises(UsageError, match=f"expected a device of this machine .*, got '{device}'"):
            reconstruct(INPUTS, on_devices, device=device)


def test_weights_reach_a_method_that_needs_them() -> None:
    seen: list[Any] = []

    def method(inputs: Inputs, *, weights: Any) -> Estimate:
        seen.append(weights)
        return Estimate(np.zeros(inputs.shape, np.float32))

    trained = told(method, needs_weights=True)
    reconstruct(INPUTS, trained, weights="a/b.safetensors")
    reconstruct(INPUTS, trained)
    assert seen == ["a/b.safetensors", None]


def test_threads_are_limited_and_put_back() -> None:
    import numba
    import torch

    before = torch.get_num_threads(), numba.get_num_threads(), workers()
    with limit_threads(1):
        assert (torch.get_num_threads(), numba.get_num_threads(), workers()) == (1, 1, 1)
    assert (torch.get_num_threads(), numba.get_num_threads(), workers()) == before
    with pytest.raises(RuntimeError, match="stop"), limit_threads(1):
        raise RuntimeError("stop")
    assert (torch.get_num_threads(), numba.get_num_threads(), workers()) == before
