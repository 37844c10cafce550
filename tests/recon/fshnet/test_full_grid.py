"""The full-grid network: it starts at the Fourier estimate, and its input means the same at every dose and size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from stemscan.errors import ReconError
from stemscan.recon.fourier_eb.analysis import analyse
from stemscan.recon.fourier_eb.method import fourier_eb
from stemscan.recon.fshnet import full_grid, full_grid_features
from stemscan.recon.fshnet.full_grid import FullGridNet, correct
from stemscan.recon.fshnet.full_grid_features import CHANNELS, Features, features
from stemscan.recon.fshnet.method import fshnet
from stemscan.recon.inputs.grids import upsample
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.training.config import TEST_SEEDS_FROM
from stemscan.recon.weights import find_weights
from stemscan.recon.weights.file import load_weights
from stemscan.simulators.api import synthetic_specimen
from tests.recon.fshnet.fshnet_kit import lattice, sparse_scan, uniform


def of(inputs: Inputs) -> Features:
    return features(inputs.S, inputs.V, inputs.electrons_per_sample, noise=inputs.noise)


def poisson_scan(shape: tuple[int, int], dose: float = 10.0, ratio: float = 0.2, seed: int = 3) -> Inputs:
    """Four passes with numpy's own Poisson counts."""
    generator = np.random.default_rng(seed)
    visits = generator.random((4, *shape)) < ratio
    return Inputs.from_arrays(generator.poisson(dose * lattice(shape) * visits), visits, dose, truth=lattice(shape))


@pytest.mark.parametrize("shape", [(64, 64), (50, 37), (48, 1000), (1, 40)])
def test_an_untrained_network_gives_the_fourier_estimate(shape: tuple[int, int]) -> None:
    inputs = poisson_scan(shape)
    made = of(inputs)
    image, std = correct(FullGridNet(), made)
    found = analyse(inputs.S, inputs.V, inputs.electrons_per_sample)
    assert image.shape == std.shape == shape
    np.testing.assert_allclose(image, upsample(found.image, found.factor, shape), rtol=0, atol=1e-6)
    assert std.min() > 0
    assert float(std.mean()) == pytest.approx(float(found.std.mean()), rel=0.05)


def test_features_are_of_one_size_at_every_dose() -> None:
    sizes = []
    for dose in (3.0, 30.0, 300.0):
        channels = of(poisson_scan((96, 96), dose)).channels
        assert channels.shape == (CHANNELS, 48, 48)
        assert torch.isfinite(channels).all()
        sizes.append(channels[:-2].square().mean(dim=(1, 2)).sqrt())
    assert torch.stack(sizes).max() < 4


def test_unvisited_is_not_dark() -> None:
    inputs = poisson_scan((64, 64))
    channels = of(inputs).channels
    unvisited = torch.from_numpy(inputs.V == 0).float()
    hidden = torch.nn.functional.pixel_unshuffle(unvisited[None, None], 2)[0].bool()
    assert (channels[4:8][hidden] == 0).all()
    assert (channels[8:12][hidden] == 0).all()
    assert (channels[8:12][~hidden] > 0).all()


@pytest.mark.parametrize("shape", [(40, 56), (3, 9)])
def test_residuals_are_gathered_by_a_gaussian_with_nothing_beyond_the_border(shape: tuple[int, int]) -> None:
    image = uniform(11, (2, *shape)).astype(np.float32)
    for width in (1.0, 2.0):
        ours = full_grid_features._blurred(torch.from_numpy(image), width).numpy()
        theirs = [
            gaussian_filter(one.astype(np.float64), width, mode="constant", radius=round(3 * width)) for one in image
        ]
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_correction_is_in_units_of_the_foretold_error() -> None:
    network = FullGridNet()
    torch.nn.init.constant_(network.end.bias, 0.5)  # type: ignore[arg-type]
    made = of(poisson_scan((64, 64)))
    plain, plain_std = correct(FullGridNet(), made)
    image, std = correct(network, made)
    inside = np.minimum(plain + 0.5 * made.unit, plain.max())
    assert (inside < plain + 0.49 * made.unit).any()
    np.testing.assert_allclose(image, inside + 0.25 * (plain + 0.5 * made.unit - inside), atol=1e-3 * made.unit)
    np.testing.assert_allclose(std / plain_std, np.exp(2 * np.tanh(0.25)), rtol=1e-3)


@pytest.mark.parametrize("passes", [1, 3, 4, 16, 64])
def test_any_number_of_passes(passes: int) -> None:
    generator = np.random.default_rng(1)
    visits = generator.random((passes, 41, 47)) < 3 / 64
    counts = generator.poisson(10 * lattice((41, 47)) * visits)
    made = fshnet(Inputs.from_arrays(counts, visits, 10.0))
    assert made.image.shape == (41, 47)
    assert made.factor == 1
    assert made.image.min() >= 0
    assert made.std is not None
    assert np.isfinite(made.std).all()


def test_the_shipped_weights_improve_the_estimate() -> None:
    """On a crystal of a seed that training cannot have: better than the estimate that it corrects, at two doses."""
    truth = synthetic_specimen((256, 256), seed=TEST_SEEDS_FROM, index=4).signal
    generator = np.random.default_rng(5)
    for dose in (5.0, 50.0):
        visits = generator.random((4, 256, 256)) < 3 / 64
        inputs = Inputs.from_arrays(generator.poisson(dose * truth * visits), visits, dose, truth=truth)
        assert inputs.truth is not None
        made = fshnet(inputs)
        before = fourier_eb(inputs)
        errors = [
            float(np.mean((image - inputs.truth) ** 2))
            for image in (made.image, upsample(before.image, before.factor, inputs.shape))
        ]
        assert errors[0] < errors[1]
        assert made.std is not None
        assert 0.4 < float(np.mean(np.abs(made.image - inputs.truth) <= made.std)) < 0.95


def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = load_weights(find_weights("fshnet", "fshnet"))
    assert isinstance(network, FullGridNet)
    made = of(poisson_scan((480, 416), ratio=3 / 64))
    whole, whole_std = correct(network, made)
    monkeypatch.setattr(full_grid, "_WHOLE", 0)
    monkeypatch.setattr(full_grid, "_TILE", 64)
    parts, parts_std = correct(network, made)
    assert np.abs(parts - whole).max() < 1e-3
    np.testing.assert_allclose(parts_std, whole_std, rtol=0.02)


@pytest.mark.parametrize("value", [0.0, 40.0])
def test_empty_and_even_scans(value: float) -> None:
    visits = np.random.default_rng(2).random((4, 48, 48)) < 0.1
    made = fshnet(Inputs.from_arrays(value * visits, visits, 10.0))
    np.testing.assert_allclose(made.image, value / 10, atol=0.05 * max(value / 10, 0.1))


def test_the_same_result_every_time() -> None:
    inputs = sparse_scan(lattice((80, 80)))
    first, second = fshnet(inputs), fshnet(inputs)
    np.testing.assert_array_equal(first.image, second.image)
    assert first.std is not None
    assert second.std is not None
    np.testing.assert_array_equal(first.std, second.std)


def test_the_nonlocal_step_can_be_asked_for() -> None:
    inputs = sparse_scan(lattice((64, 64)))
    made = fshnet(inputs, nonlocal_step=True, patch=8)
    assert made.settings["nonlocal_step"]
    assert made.settings["patch"] == 8
    assert not np.array_equal(made.image, fshnet(inputs).image)


def test_held_out_samples_improve_what_the_network_made() -> None:
    truth = synthetic_specimen((256, 256), seed=TEST_SEEDS_FROM, index=4).signal
    generator = np.random.default_rng(5)
    visits = generator.random((4, 256, 256)) < 6 / 64
    inputs = Inputs.from_arrays(generator.poisson(10 * truth * visits), visits, 10)
    plain, corrected = fshnet(inputs), fshnet(inputs, regression=True)
    assert corrected.settings["regression"] is True
    errors = [float(np.mean((made.image - truth) ** 2)) for made in (plain, corrected)]
    assert errors[1] < 1.005 * errors[0]
    assert not np.array_equal(plain.image, corrected.image)
    assert corrected.std is not None
    assert 0.5 < float(np.mean(np.abs(corrected.image - truth) <= corrected.std)) < 0.95


def test_a_network_of_frames_takes_no_regression() -> None:
    visits = np.ones((4, 32, 32), bool)
    inputs = Inputs.from_arrays(visits * 5, visits, 10)
    with pytest.raises(ReconError, match="regression"):
        fshnet(inputs, weights="fshnet-paper", regression=True)
