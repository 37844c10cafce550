"""Fourier empirical Bayes as a whole, on synthetic specimens with fixed seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stemscan.errors import ReconError
from stemscan.recon.fourier_eb.method import estimate_signal, fourier_eb
from stemscan.recon.inputs.grids import bin_mean, coarse_shape
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
from tests.recon.sampling_kit import lattice, scan

Image = npt.NDArray[np.float32]


def rms(values: npt.NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def sums(inputs: Inputs) -> tuple[Image, Image]:
    return inputs.S, inputs.V


def grains(side: int = 512, period: float = 14.0) -> Image:
    """Two lattices that meet at a slanting boundary."""
    row, column = np.mgrid[:side, :side]
    turned = []
    for angle in (0.15, 0.8):
        along, across = np.cos(angle) * row + np.sin(angle) * column, np.cos(angle) * column - np.sin(angle) * row
        turned.append(0.5 + 0.2 * np.cos(2 * np.pi * along / period) + 0.2 * np.cos(2 * np.pi * across / period))
    image: Image = np.where(column < side / 2 + row / 5, *turned).astype(np.float32)
    return image


def test_a_constant_is_recovered() -> None:
    signal = np.full((96, 120), 0.4, np.float32)
    inputs = scan(signal)
    made = fourier_eb(inputs)
    assert abs(float(made.image.mean()) - inputs.mean) < 0.005
    assert rms(made.image - 0.4) < 0.02
    assert made.std is not None
    assert rms(made.image - 0.4) < 3 * float(made.std.mean())


def test_a_lattice_is_recovered_far_better_than_by_normalised_convolution() -> None:
    signal = lattice((256, 256))
    inputs = scan(signal)
    ours = reconstruct(inputs, "fourier-eb", threads=1)
    theirs = reconstruct(inputs, "normconv", threads=1)
    assert ours.image.shape == (256, 256)
    assert rms(ours.image - signal) < 0.5 * rms(theirs.image - signal)
    assert rms(ours.image - signal) < 0.045


@pytest.mark.parametrize("factor", [2, 4])
def test_a_coarse_estimate_stands_for_the_means_of_its_bins(factor: int) -> None:
    signal = lattice((256, 256), period=32.0)
    made = fourier_eb(scan(signal, ratio=0.2), factor=factor)
    assert made.factor == factor
    binned = bin_mean(signal, factor)
    right = rms(made.image - binned)
    shifted = min(rms(made.image - bin_mean(np.roll(signal, shift, 1), factor)) for shift in (-1, 1))
    assert right < 0.03
    assert shifted > 2 * right


def test_there_is_no_wrap_around() -> None:
    ramp = np.broadcast_to(np.linspace(0.1, 0.9, 192, dtype=np.float32), (192, 192)).copy()
    made = reconstruct(scan(ramp, ratio=0.2), "fourier-eb", threads=1)
    assert abs(float(made.image[:, 0].mean()) - 0.1) < 0.08
    assert abs(float(made.image[:, -1].mean()) - 0.9) < 0.08


def test_windows_follow_grains() -> None:
    signal = grains()
    inputs = scan(signal, ratio=1 / 64)
    plain = reconstruct(inputs, "fourier-eb", threads=1, windows=False)
    followed = reconstruct(inputs, "fourier-eb", threads=1)
    assert followed.settings["windows"] is True
    assert rms(followed.image - signal) < 0.97 * rms(plain.image - signal)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("dose", [5.0, 50.0])
def test_standard_deviations_are_those_of_the_errors(seed: int, dose: float) -> None:
    rng = np.random.default_rng(seed)
    rough = np.fft.irfft2(
        np.fft.rfft2(rng.normal(size=(384, 384)))
        * np.exp(-200 * (np.fft.fftfreq(384)[:, None] ** 2 + np.fft.rfftfreq(384) ** 2))
    )
    signal = np.clip(0.7 * lattice((384, 384), 18.0) + 0.15 + 0.08 * rough / rough.std(), 0, 1).astype(np.float32)
    made = reconstruct(scan(signal, dose=dose, seed=seed), "fourier-eb", threads=1)
    assert made.std is not None
    error = np.abs(made.image - signal)
    assert 0.6 < float(np.mean(error < made.std)) < 0.76
    assert 0.91 < float(np.mean(error < 2 * made.std)) < 0.985
    assert 0.75 < rms(made.std) / rms(error) < 1.3


def test_the_result_is_the_same_bit_for_bit() -> None:
    inputs = scan(lattice((240, 400)))
    first, second = fourier_eb(inputs), fourier_eb(inputs)
    np.testing.assert_array_equal(first.image, second.image)
    assert first.std is not None
    assert second.std is not None
    np.testing.assert_array_equal(first.std, second.std)


def test_another_unit_of_signal_changes_nothing_but_the_scale() -> None:
    summed, visits = sums(scan(lattice((64, 80))))
    once = estimate_signal(summed, visits, 10.0, factor=1)
    halved = estimate_signal(summed / np.float32(2), visits, 20.0, factor=1)
    np.testing.assert_allclose(halved.image, once.image / 2, atol=1e-5)
    assert once.std is not None
    assert halved.std is not None
    np.testing.assert_allclose(halved.std, once.std / 2, rtol=1e-3)


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (64, 1), (8, 8), (3, 301), (48, 1000), (413, 469)])
def test_every_shape(shape: tuple[int, int], noise: str) -> None:
    inputs = scan(lattice(shape), noise=noise, passes=1)
    made = fourier_eb(inputs)
    assert made.image.shape == coarse_shape(shape, made.factor)
    assert made.image.dtype == np.float32
    assert made.std is not None
    assert made.std.shape == made.image.shape
    assert np.isfinite(made.image).all()
    assert np.isfinite(made.std).all()
    assert made.std.min() > 0
    assert made.image.min() >= 0


@pytest.mark.parametrize("passes", [1, 3, 4, 16])
def test_more_passes_are_better(passes: int) -> None:
    signal = lattice((128, 128))
    made = reconstruct(scan(signal, passes=passes), "fourier-eb", threads=1)
    assert rms(made.image - signal) < 0.16 / np.sqrt(passes)


def test_equation_5_takes_signed_signals() -> None:
    rng = np.random.default_rng(4)
    signal = (lattice((192, 192), 18.0) - 0.5) * 4
    visits = rng.binomial(4, 3 / 64, signal.shape).astype(np.float32)
    summed = (signal * rng.poisson(10 * visits) / 10).astype(np.float32)
    made = estimate_signal(summed, visits, 10.0, noise="eq5", signed=True, factor=1)
    assert made.image.min() < -1
    assert rms(made.image - signal) < 0.15
    assert estimate_signal(summed, visits, 10.0, noise="eq5", factor=1).image.min() == 0


def empty(side: int = 40) -> tuple[Image, Image]:
    return np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
def test_no_counts_at_all_are_a_dark_image(noise: str) -> None:
    summed, visits = empty()
    visits[::3, ::3] = 1
    made = estimate_signal(summed, visits, 10.0, noise=noise)
    assert (made.image == 0).all()
    assert made.std is not None
    assert (made.std > 0).all()


def test_a_single_sample_is_the_image_and_promises_nothing() -> None:
    summed, visits = empty()
    visits[3, 5], summed[3, 5] = 1, 0.7
    made = estimate_signal(summed, visits, 10.0)
    np.testing.assert_allclose(made.image, 0.7, rtol=1e-3)
    assert made.std is not None
    assert made.std.min() > 0.5


def test_saturated_counts_give_a_flat_image() -> None:
    _, visits = empty()
    visits[:] = np.random.default_rng(0).random(visits.shape) < 0.2
    made = estimate_signal((visits * 6553.5).astype(np.float32), visits, 10.0)
    np.testing.assert_allclose(made.image, 6553.5, rtol=1e-4)


def test_errors_grow_where_nobody_looked() -> None:
    summed, visits = (one.copy() for one in sums(scan(lattice((128, 128)), ratio=0.2)))
    summed[:, 50:80], visits[:, 50:80] = 0, 0
    made = estimate_signal(summed, visits, 10.0, factor=1)
    assert made.std is not None
    assert made.std[:, 65].mean() > 1.1 * made.std[:, 20].mean()


def test_settings_tell_what_was_found_and_do_it_again() -> None:
    inputs = scan(lattice((128, 128)))
    found = fourier_eb(inputs)
    keep = {k: v for k, v in found.settings.items() if k not in ("noise", "windows")}
    again = fourier_eb(inputs, **keep)
    assert again.settings == found.settings
    np.testing.assert_allclose(again.image, found.image, atol=1e-6)
    assert fourier_eb(inputs, band_limit=0.3).factor == 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"factor": 3}, "factor"),
    ({"band_limit": 0.0}, "band limit"),
    ({"band_limit": float("nan")}, "band limit"),
    ({"rounds": 0}, "rounds"),
    ({"steps": 0}, "steps"),
    ({"noise": "gauss"}, "gauss"),
    ({"signed": True}, "signed"),
    ({"electrons_per_sample": 0.0}, "electrons per sample"),
]


@pytest.mark.parametrize(("changed", "said"), BAD)
def test_what_cannot_be_meant_is_refused(changed: dict[str, Any], said: str) -> None:
    summed, visits = sums(scan(lattice((16, 16))))
    arguments: dict[str, Any] = {"electrons_per_sample": 10.0, **changed}
    with pytest.raises(ReconError, match=said):
        estimate_signal(summed, visits, **arguments)


def test_arrays_that_do_not_fit_are_refused() -> None:
    summed, visits = empty()
    with pytest.raises(ReconError, match="one shape"):
        estimate_signal(summed, visits[:-1], 10.0)
    with pytest.raises(ReconError, match="visited pixel"):
        estimate_signal(summed, visits, 10.0)
    visits[0, 0], summed[0, 0] = 1, np.nan
    with pytest.raises(ReconError, match="finite"):
        estimate_signal(summed, visits, 10.0)
