"""The spectral oracle: at least as good as what has to learn the spectrum, and picky about its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stemscan.errors import ReconError
from stemscan.recon.fourier_eb.continuation import continued
from stemscan.recon.fourier_eb.method import fourier_eb
from stemscan.recon.fourier_eb.spectral_oracle import spectral_oracle
from tests.recon.sampling_kit import exact, scan


def specimen(side: int = 128) -> npt.NDArray[np.float32]:
    """A lattice that fits its grid and a smooth background."""
    row, column = np.mgrid[:side, :side] * (2 * np.pi / side)
    image = 0.5 + 0.2 * np.cos(9 * row) * np.cos(7 * column) + 0.1 * np.sin(row) + 0.1 * np.cos(3 * row + 20 * column)
    single: npt.NDArray[np.float32] = image.astype(np.float32)
    return single


def test_it_beats_the_estimate_that_learns_the_spectrum() -> None:
    truth = specimen()
    inputs = scan(truth)
    oracle = spectral_oracle(inputs.S, inputs.V, inputs.electrons_per_sample, truth)
    learned = fourier_eb(inputs, windows=False, factor=1)
    assert oracle.dtype == np.float32
    assert np.mean((oracle - truth) ** 2) < 0.8 * np.mean((learned.image - truth) ** 2)


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
def test_it_is_exact_on_exact_samples_of_a_sparse_spectrum(noise: str) -> None:
    truth = specimen()
    inputs = exact(truth)
    made = spectral_oracle(inputs.S, inputs.V, 1e6, truth, noise=noise)
    np.testing.assert_allclose(made, truth, atol=2e-3)


@pytest.mark.parametrize(("changed", "said"), [({"steps": 39}, "40"), ({"noise": "x"}, "noise")])
def test_it_refuses_what_is_no_oracle(changed: dict[str, Any], said: str) -> None:
    truth = specimen(16)
    with pytest.raises(ReconError, match=said):
        spectral_oracle(truth, truth, 10.0, truth, **changed)


def test_it_refuses_a_truth_of_another_grid() -> None:
    truth = specimen(16)
    with pytest.raises(ReconError, match="one shape"):
        spectral_oracle(truth, truth, 10.0, truth[:-1])


def ramp(side: int = 128) -> npt.NDArray[np.float32]:
    """A specimen whose opposite edges differ."""
    row, column = np.mgrid[:side, :side] / side
    single: npt.NDArray[np.float32] = (0.2 + 0.6 * row + 0.1 * np.cos(40 * column)).astype(np.float32)
    return single


def test_a_margin_mends_the_frame() -> None:
    truth = ramp()
    inputs = scan(truth)
    given = inputs.S, inputs.V, inputs.electrons_per_sample, truth
    periodic, padded = spectral_oracle(*given), spectral_oracle(*given, padded=True)
    assert padded.shape == truth.shape
    frame = np.r_[0:8, 120:128]
    assert np.mean((padded - truth)[frame] ** 2) < 0.5 * np.mean((periodic - truth)[frame] ** 2)


def test_a_local_mean_knows_less() -> None:
    truth = specimen()
    inputs = scan(truth)
    given = inputs.S, inputs.V, inputs.electrons_per_sample, truth
    errors = [float(np.mean((spectral_oracle(*given, local_mean=local) - truth) ** 2)) for local in (False, True)]
    assert errors[0] < 0.9 * errors[1]


@pytest.mark.parametrize("margins", [(0, 0), (5, 0), (12, 9)])
def test_continued_images_have_no_steps(margins: tuple[int, int]) -> None:
    image = ramp(32).astype(np.float64)
    whole = continued(image, *margins)
    assert whole.shape == (32 + margins[0], 32 + margins[1])
    np.testing.assert_array_equal(whole[:32, :32], image)
    if all(margins):
        for axis in (0, 1):
            steps = np.abs(whole - np.roll(whole, 1, axis)).max()
            assert steps < 0.12
