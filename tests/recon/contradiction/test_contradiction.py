"""An image held against its counts: silent where it is right, loud where it is wrong, zero where nothing is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stemscan.recon.contradiction import contradiction as module
from stemscan.recon.contradiction.contradiction import Contradiction, contradiction
from stemscan.recon.contradiction.scores import normal_score
from stemscan.recon.contradiction.width import detail_width
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
from stemscan.types import Image
from tests.recon.columns.columns_kit import crystal, render, sparse_scan

TRUTH = render(crystal(192, 3, displaced=0, vacancies=0)).astype(np.float32)
ROW, COLUMN = np.argwhere(TRUTH[40:150, 40:150] == TRUTH[40:150, 40:150].max())[0] + 40


def scanned(image: npt.NDArray[Any], **options: Any) -> Inputs:
    """A sparse scan of an image."""
    return sparse_scan(np.asarray(image, np.float64), **options)


def with_an_atom_too_many(amplitude: float = 0.8) -> Image:
    """The truth and half a column in the dark between columns."""
    places = np.argwhere(TRUTH[60:130, 60:130] == TRUTH[60:130, 60:130].min())[0] + 60
    rows, columns = np.indices(TRUTH.shape)
    away = (rows - places[0]) ** 2 + (columns - places[1]) ** 2
    return np.asarray(TRUTH + amplitude * np.exp(-0.5 * away / 4.25**2), np.float32)


@pytest.mark.parametrize(("per_block", "dose"), [(3, 10.0), (1, 10.0), (1, 1.0), (6, 50.0)])
def test_the_truth_is_not_contradicted(per_block: int, dose: float) -> None:
    found = 0
    for seed in range(8):
        inputs = scanned(TRUTH, seed=seed, per_block=per_block, dose=dose)
        made = contradiction(inputs, TRUTH)
        found += len(made.places)
        assert (0.6 if dose >= 10 else 0.3) < made.z.std() < 1.1
    assert found <= 1


def test_few_counts_would_alarm_a_normal_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scans, but for the tails of few counts: what the threshold would be worth without them."""
    monkeypatch.setattr(module, "poisson_score", lambda slope, variance, third: normal_score(slope, variance))
    scans = [scanned(TRUTH, seed=seed, per_block=1, dose=1.0) for seed in range(8)]
    assert sum(len(contradiction(inputs, TRUTH).places) for inputs in scans) > 5


def test_a_filled_vacancy_and_a_missing_atom_are_found() -> None:
    inputs, filled = scanned(TRUTH, seed=5), with_an_atom_too_many()
    made = contradiction(inputs, filled)
    assert len(made.places) == 1
    place = made.places[0]
    at = np.unravel_index((filled - TRUTH).argmax(), TRUTH.shape)
    assert math.dist((place.row, place.col), at) < 4
    assert place.z < -made.threshold
    (other,) = contradiction(scanned(filled, seed=5), TRUTH).places
    assert math.dist((other.row, other.col), at) < 4
    assert other.z > made.threshold
    assert str(made) == "1 place where the counts contradict the image"


def test_a_method_that_invents_is_found_out() -> None:
    """Of any method, a plug-in too."""
    made = reconstruct(scanned(TRUTH, seed=6), lambda inputs: with_an_atom_too_many())
    assert [place.z < 0 for place in made.contradictions] == [True]
    assert made.contradiction is not None
    assert made.contradiction.shape == made.image.shape
    assert "1 place where the counts contradict the image" in repr(made)


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_an_image_that_follows_each_sample_is_not_contradicted(method: str) -> None:
    made = reconstruct(scanned(TRUTH, seed=2), method)
    assert made.contradictions == ()
    assert made.contradiction is not None
    assert np.abs(made.contradiction).max() < 2


def test_not_asked_for() -> None:
    made = reconstruct(scanned(TRUTH), "constant", contradictions=False)
    assert (made.checked, made.contradiction, made.contradictions) == (None, None, ())


def test_a_constant_image_is_contradicted_at_every_column() -> None:
    inside = crystal(192, 3, displaced=0, vacancies=0)
    bright = inside.places[inside.inside(10) & (inside.sublattice == 0)]
    made = reconstruct(scanned(TRUTH), "constant")
    above = np.array([place[:2] for place in made.contradictions if place.z > 0])
    near = np.hypot(*(above[None] - bright[:, None]).transpose(2, 0, 1)).min(axis=1)
    assert (near < 5).mean() > 0.95


def test_equation_5_and_read_noise_of_the_truth() -> None:
    random = np.random.default_rng(4)
    visits = scanned(TRUTH).visits
    noisy = np.where(visits > 0, TRUTH * random.poisson(10.0, visits.shape), 0)
    assert contradiction(Inputs.from_arrays(noisy, visits, 10.0, noise="eq5"), TRUTH).places == ()
    dark = np.full(TRUTH.shape, 0.01, np.float32)
    read = np.where(visits > 0, random.poisson(10 * dark, visits.shape) + random.normal(0, 3, visits.shape), 0)
    analogue = Inputs.from_arrays(read, visits, 10.0, analogue=True)
    made = contradiction(analogue, dark)
    assert made.places == ()
    assert 0.8 < made.z.std() < 1.2


def test_nothing_is_known_far_from_samples() -> None:
    inputs = scanned(TRUTH, seed=1)
    frames, visits = inputs.frames.copy(), inputs.visits.copy()
    for one in (frames, visits):
        one[:, 60:130, 60:130] = 0
    z = contradiction(Inputs.from_arrays(frames, visits, 10.0), TRUTH).z
    assert not z[80:110, 80:110].any()
    assert np.isfinite(z).all()
    assert np.abs(z).max() < 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 200), (17, 5)])
def test_any_shape(shape: tuple[int, int]) -> None:
    inputs = Inputs.from_arrays(np.ones((2, *shape)), np.ones((2, *shape), int), 10.0)
    made = contradiction(inputs, np.full(shape, 0.1, np.float32))
    assert made.z.shape == shape
    assert made.places == ()


def test_rows_are_computed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, image = scanned(TRUTH), with_an_atom_too_many()
    whole = contradiction(inputs, image).z
    monkeypatch.setattr(module, "_ROWS", 7)
    np.testing.assert_allclose(contradiction(inputs, image).z, whole, atol=2e-4)


def test_samples_between_pixels_and_a_coarser_grid() -> None:
    random = np.random.default_rng(8)
    places = random.random((6000, 2)) * 159
    counts = random.poisson(5.0, 6000).astype(float)
    samples = PlacedSamples.of(counts, places, (0, 3000), (160, 160))
    made = reconstruct(Inputs.from_samples(samples, 10.0), "constant", grid="native")
    assert made.contradictions == ()
    coarse = Contradiction(np.array([[1, -3, 0], [2, 0, 9]], np.float32), 4.0, 2.0).coarser(2)
    np.testing.assert_array_equal(coarse.z, [[-3, 9]])
    assert (coarse.width, coarse.places) == (1.0, ((0, 1, 9.0),))


def test_native_grids_say_the_same() -> None:
    inputs, wrong = scanned(TRUTH, seed=5), with_an_atom_too_many()
    fine = reconstruct(inputs, "fourier-eb", grid="plan")
    coarse = reconstruct(inputs, "fourier-eb", grid="native")
    assert fine.contradiction is not None
    assert coarse.contradiction is not None
    assert np.abs(coarse.contradiction).max() == np.abs(fine.contradiction).max()
    assert wrong.shape == fine.image.shape


@pytest.mark.parametrize("sigma", [2.0, 3.0, 4.25])
@pytest.mark.parametrize(("per_block", "dose"), [(3, 10.0), (1, 10.0), (6, 1.0)])
def test_width_of_columns_from_the_samples(sigma: float, per_block: int, dose: float) -> None:
    image = render(crystal(512, 1), sigma=sigma)
    inputs = scanned(image, per_block=per_block, dose=dose)
    assert detail_width(inputs.S, inputs.V) == pytest.approx(sigma, rel=0.3)


def test_width_where_there_is_no_detail() -> None:
    for seed in range(5):
        inputs = scanned(np.full((128, 128), 0.4), seed=seed)
        assert detail_width(inputs.S, inputs.V) == 4.0


def test_everything_dark_or_in_one_pixel() -> None:
    visits: Any = np.ones((1, 32, 32), int)
    dark = Inputs.from_arrays(np.zeros((1, 32, 32)), visits, 10.0)
    assert not contradiction(dark, np.zeros((32, 32), np.float32)).z.any()
    lonely = np.zeros((1, 32, 32), int)
    lonely[0, 3, 3] = 4
    counted = np.where(lonely, 400.0, 0.0)
    made = contradiction(Inputs.from_arrays(counted, lonely, 10.0), np.full((32, 32), 0.5, np.float32))
    assert made.z[3, 3] > 10
    assert not made.z[20:, 20:].any()
