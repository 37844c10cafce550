"""From counts to an image on the absolute scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import InputNotFoundError, ReconError, WeightsError
from stemscan.recon.fshnet.method import fshnet
from stemscan.recon.inputs.grids import bin_mean, coarse_shape
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.paper.published_weights import import_published
from stemscan.recon.paper.scale import refit, sample_scale, standardised_frames
from stemscan.recon.paper.trained import csnet
from stemscan.recon.weights.file import Convention, WeightsInfo, save_weights
from tests.recon.fshnet.fshnet_kit import lattice, seeded_network, sparse_scan, uniform


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "seeded.safetensors"
    save_weights(seeded_network(), path, WeightsInfo(frames=4, convention="published"))
    return path


def scan(truth: np.ndarray, noise: str, visits: np.ndarray, dose: float = 10.0) -> Inputs:
    """A scan with numpy's own Poisson counts."""
    generator = np.random.Generator(np.random.Philox(11))
    eq5 = noise == "eq5"
    counts = truth * generator.poisson(dose * visits) if eq5 else generator.poisson(dose * truth * visits)
    return Inputs.from_arrays(counts, visits, dose, noise=noise)


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
@pytest.mark.parametrize("times", [1, 3])
def test_scale_is_that_of_the_signal_without_the_noise(noise: str, times: int) -> None:
    truth = 0.5 + 0.3 * np.sin(np.arange(200 * 200).reshape(200, 200) / 50)
    visits = times * (uniform(3, (4, 200, 200)) < 0.25).astype(np.int64)
    scale = sample_scale(scan(truth, noise, visits))
    assert scale.mean == pytest.approx(truth.mean(), abs=0.01)
    assert scale.deviation == pytest.approx(truth.std(), rel=0.03)


def test_scale_of_scans_without_structure() -> None:
    flat = sample_scale(scan(np.full((64, 64), 0.5), "poisson", np.ones((1, 64, 64), dtype=int)))
    assert flat.mean == pytest.approx(0.5, abs=0.02)
    assert 0 < flat.deviation < 0.1
    empty = Inputs.from_arrays(np.zeros((4, 8, 8)), np.ones((4, 8, 8), dtype=int), 10.0)
    assert sample_scale(empty) == (0.0, 1.0)


def test_frames_are_standardised_where_visited_and_zero_elsewhere() -> None:
    inputs = sparse_scan(lattice((48, 40)))
    scale = sample_scale(inputs)
    frames = standardised_frames(inputs, 4, scale)
    visited = inputs.visits > 0
    assert not frames[~visited].any()
    back = frames[visited] * scale.deviation + scale.mean
    np.testing.assert_allclose(back, inputs.frames[visited] / 10.0, atol=1e-6)


def test_more_passes_are_added_by_their_number_modulo_four() -> None:
    inputs = sparse_scan(lattice((32, 32)), passes=10, ratio=0.4)
    frames = standardised_frames(inputs, 4, sample_scale(inputs))
    counts = np.stack([inputs.frames[t::4].sum(axis=0) for t in range(4)])
    visits = np.stack([inputs.visits[t::4].sum(axis=0) for t in range(4)])
    assert visits.max() > 1
    summed = Inputs.from_arrays(counts, visits, 10.0)
    np.testing.assert_allclose(frames, standardised_frames(summed, 4, sample_scale(inputs)), atol=1e-6)
    # a pixel's brightness does not grow with its visits
    assert frames[visits == 3].std() < frames[visits == 1].std()


@pytest.mark.parametrize("gain", [2.5, -0.7])
@pytest.mark.parametrize("noise", ["poisson", "eq5"])
def test_refit_finds_gain_and_offset(gain: float, noise: str) -> None:
    truth = lattice((128, 128))
    inputs = scan(truth, noise, (uniform(3, (4, 128, 128)) < 0.3).astype(np.int64))
    found, offset = refit(inputs, (truth - 0.2) / np.float32(gain))
    assert found == pytest.approx(gain, rel=0.03)
    assert offset == pytest.approx(0.2, abs=0.01)


def test_refit_of_a_constant_is_the_mean() -> None:
    inputs = sparse_scan(lattice((32, 32)))
    gain, offset = refit(inputs, np.full((32, 32), 3.0, dtype=np.float32))
    assert gain == 0.0
    assert offset == pytest.approx(inputs.mean, rel=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (45, 61), (48, 200), (7, 9)])
@pytest.mark.parametrize("passes", [4, 16])
def test_estimate_is_on_the_absolute_scale_of_any_grid(weights: Path, shape: tuple[int, int], passes: int) -> None:
    inputs = sparse_scan(lattice(shape), passes=passes)
    estimate = fshnet(inputs, weights=weights)
    assert estimate.factor == 2
    assert estimate.image.dtype == np.float32
    assert estimate.image.shape == coarse_shape(shape, 2)
    assert estimate.std is None
    assert estimate.image.mean() == pytest.approx(inputs.mean, abs=0.1)
    json.dumps(dict(estimate.settings))
    assert len(estimate.settings["weights_sha256"]) == 64


def test_dose_does_not_change_the_scale(weights: Path) -> None:
    inputs = sparse_scan(lattice((64, 64)))
    same = Inputs.from_arrays(8 * inputs.frames, inputs.visits, 80.0)
    first, second = (fshnet(i, weights=weights, nonlocal_step=False) for i in (inputs, same))
    assert np.abs(first.image - second.image).max() < 0.1  # the noise that is taken out differs
    np.testing.assert_allclose(first.image.mean(), second.image.mean(), atol=1e-3)


def test_repeats_are_bit_identical(weights: Path) -> None:
    inputs = sparse_scan(lattice((64, 64)))
    np.testing.assert_array_equal(fshnet(inputs, weights=weights).image, fshnet(inputs, weights=weights).image)


def test_settings_of_the_nonlocal_step(weights: Path) -> None:
    inputs = sparse_scan(lattice((96, 96), 24.0))
    plain = fshnet(inputs, weights=weights, nonlocal_step=False)
    assert "patch" not in plain.settings
    found = fshnet(inputs, weights=weights)
    assert {key: found.settings[key] for key in ("patch", "h", "neighbours")} == {
        "patch": 12,
        "h": 1.0,
        "neighbours": 5,
    }
    given = fshnet(inputs, weights=weights, patch=8, h=0.3, neighbours="all")
    assert {key: given.settings[key] for key in ("patch", "h", "neighbours")} == {
        "patch": 8,
        "h": 0.3,
        "neighbours": "all",
    }
    assert np.abs(found.image - plain.image).max() > 1e-4
    assert np.abs(given.image - found.image).max() > 1e-4
    sparse = fshnet(sparse_scan(lattice((96, 96)), ratio=0.02), weights=weights)
    assert sparse.settings["h"] == 0.5


def test_prior_follows_the_convention_of_the_weights(tmp_path: Path) -> None:
    inputs = sparse_scan(lattice((64, 64)))
    images = []
    conventions: tuple[Convention, Convention] = ("published", "paper")
    for convention in conventions:
        path = tmp_path / f"{convention}.safetensors"
        save_weights(seeded_network(), path, WeightsInfo(frames=4, convention=convention))
        estimate = fshnet(inputs, weights=path, nonlocal_step=False)
        assert estimate.settings["convention"] == convention
        images.append(estimate.image)
    assert np.abs(images[0] - images[1]).max() > 1e-3


@pytest.mark.parametrize("passes", [1, 3])
def test_too_few_passes_are_an_error(weights: Path, passes: int) -> None:
    with pytest.raises(ReconError, match=f"at least 4 passes for weights of 4 frames, got {passes}"):
        fshnet(sparse_scan(lattice((16, 16)), passes=passes), weights=weights)


def test_without_weights_the_shipped_ones_are_taken() -> None:
    inputs = sparse_scan(lattice((16, 16)))
    made, named = fshnet(inputs), fshnet(inputs, weights="fshnet")
    np.testing.assert_array_equal(made.image, named.image)
    assert made.settings["architecture"] == "fshnet-full"
    assert made.std is not None


def test_without_weights_the_error_says_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match=r"stemscan train CONFIG -o RUN"):
        csnet(sparse_scan(lattice((16, 16))))


def test_missing_weights_file_and_device(weights: Path, tmp_path: Path) -> None:
    inputs = sparse_scan(lattice((16, 16)))
    with pytest.raises(InputNotFoundError, match="nothing"):
        fshnet(inputs, weights=tmp_path / "nothing.safetensors")
    with pytest.raises(ReconError, match="device 'cuda:77'"):
        fshnet(inputs, weights=weights, device="cuda:77")


def test_published_weights_reconstruct_a_lattice_in_its_place(shared_dir: Path, tmp_path: Path) -> None:
    """The estimate fits the truth binned by two, and fits it worse when it is moved by half a pixel of the scan."""
    import_published(shared_dir / "reference" / "fshnet-published.safetensors", tmp_path / "w.safetensors")
    truth = lattice((256, 256), 40.0)
    visits = (uniform(3, (4, 256, 256)) < 3 / 64).astype(np.int64)
    estimate = fshnet(scan(truth, "poisson", visits, dose=50.0), weights=tmp_path / "w.safetensors")
    inner = (slice(16, -16), slice(16, -16))
    coordinates = 2 * np.arange(128) + 0.5
    errors = {}
    for shift in (-1.0, 0.0, 1.0):
        wave = np.cos(2 * np.pi * (coordinates + shift) / 40.0)
        errors[shift] = float(np.mean((estimate.image - (0.5 + 0.2 * (wave[:, None] + wave[None, :])))[inner] ** 2))
    assert errors[0.0] == min(errors.values())
    assert -10 * np.log10(np.mean((estimate.image - bin_mean(truth, 2))[inner] ** 2)) > 22
