"""The correction by samples that were held out, and its parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stemscan.recon.fourier_eb import regression
from stemscan.recon.fourier_eb.evidence import ridge
from stemscan.recon.fourier_eb.folds import fold_labels
from stemscan.recon.fourier_eb.measures import Measures, Seen
from stemscan.recon.fourier_eb.method import estimate_signal
from stemscan.recon.fourier_eb.regression import FOLDS, Fold, correction
from stemscan.recon.run import reconstruct
from tests.recon.sampling_kit import lattice, scan

Image = npt.NDArray[np.float32]

NOISE = 0.05


def rms(values: npt.NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def test_labels_part_the_pixels_evenly_and_depend_on_place_alone() -> None:
    labels = fold_labels((200, 300), 4)
    assert np.abs(np.bincount(labels.ravel(), minlength=4) / labels.size - 0.25).max() < 0.01
    np.testing.assert_array_equal(fold_labels((50, 300), 4), labels[:50])
    assert (fold_labels((200, 300), 4, seed=1) != labels).mean() > 0.7


def problem(number: int, truth: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    rng = np.random.default_rng(number)
    phi = rng.normal(size=(number, len(truth)))
    seen = phi @ truth + rng.normal(size=number) * np.sqrt(NOISE)
    return phi.T @ phi, phi.T @ seen


def test_ridge_finds_what_is_told_and_draws_noise_to_zero() -> None:
    groups = np.repeat([0, 1], [3, 40])
    truth = np.r_[1.0, -2.0, 0.5, np.zeros(40)]
    found = ridge(*problem(300, truth), NOISE, groups)
    np.testing.assert_allclose(found[:3], truth[:3], atol=0.05)
    assert rms(found[3:]) < 0.2 * np.sqrt(NOISE / 300)
    assert not ridge(np.zeros((3, 3)), np.zeros(3), NOISE, np.zeros(3, int)).any()


def test_ridge_leaves_out_measures_that_repeat_others() -> None:
    gram, moments = problem(300, np.array([1.0, 2.0]))
    twice = np.block([[gram, gram], [gram, gram]])
    found = ridge(twice, np.r_[moments, moments], NOISE, np.zeros(4, int))
    np.testing.assert_allclose(found[:2] + found[2:], [1.0, 2.0], atol=0.05)


def seen_and_folds(visits_a_pixel: float, shrunk: float) -> tuple[Image, Seen, list[Fold]]:
    """A lattice, an estimate of it with less contrast, and samples of each fold."""
    rng = np.random.default_rng(3)
    truth = (lattice((128, 128)) - 0.5).astype(np.float32)
    part = (shrunk * truth).astype(np.float32)
    labels, visits = fold_labels((128, 128), FOLDS), rng.poisson(visits_a_pixel, truth.shape).astype(np.float32)
    counts = (visits * truth + np.sqrt(NOISE * visits) * rng.normal(size=truth.shape)).astype(np.float32)
    folds = []
    for number in range(FOLDS):
        held = labels == number
        kept = Seen(part, (part, part), np.where(held, 0, counts), np.where(held, 0, visits))
        folds.append(Fold(kept, np.where(held, counts, np.float32(0)), np.where(held, visits, np.float32(0))))
    return truth, Seen(part, (part, part), counts, visits), folds


def test_held_out_samples_tell_how_far_shrinkage_went() -> None:
    truth, seen, folds = seen_and_folds(1.0, 0.8)
    made = correction(seen, NOISE, rms(seen.image - truth) ** 2, folds.__getitem__)
    assert rms(seen.image + made.image - truth) < 0.35 * rms(seen.image - truth)
    assert made.gain == pytest.approx(rms(seen.image - truth) ** 2, rel=0.15)


def test_an_estimate_without_error_stays_nearly_as_it_is() -> None:
    truth, seen, folds = seen_and_folds(1.0, 1.0)
    made = correction(seen, NOISE, 1e-4, folds.__getitem__)
    assert rms(made.image) < 0.05 * rms(truth)
    assert made.gain < 2e-4


def test_few_samples_change_nothing() -> None:
    _, seen, folds = seen_and_folds(0.05, 0.8)
    assert not correction(seen, NOISE, 1e-3, folds.__getitem__).image.any()


@pytest.mark.parametrize("rare", [1, 20_000])
def test_a_measure_that_few_samples_tell_of_says_nothing_of_other_pixels(
    rare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is 0.01 at one held-out sample, or at every second one, and 10 at a pixel without samples."""
    _, seen, folds = seen_and_folds(1.0, 1.0)
    never = np.argwhere(seen.visits == 0)[0]
    marked = np.argwhere(seen.visits > 0)[::2][:rare]
    extra = np.zeros(seen.image.shape, np.float32)
    extra[tuple(marked.T)] = 0.01
    extra[tuple(never)] = 10.0
    push = (extra * 100 * (seen.visits > 0)).astype(np.float32)
    for fold in folds:
        fold.summed[:] += push * fold.visits

    class WithExtra(Measures):
        def __init__(self, *given: float) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            self.groups = np.r_[self.groups, 2]

        def stretches(self, seen, where=None):  # type: ignore[no-untyped-def]
            values = torch.from_numpy(extra.reshape(-1) if where is None else extra[where])
            for part, phi in super().stretches(seen, where):
                yield part, torch.cat([phi, values[None, part]])

    monkeypatch.setattr(regression, "Measures", WithExtra)
    made = correction(seen, NOISE, 1e-4, folds.__getitem__)
    assert abs(made.image[tuple(never)]) < 1.5


def test_measures_of_some_pixels_are_those_of_the_whole_image() -> None:
    _, seen, _ = seen_and_folds(1.0, 0.8)
    measures = Measures(seen, 40.0)
    some = fold_labels((128, 128), FOLDS) == 1
    whole = np.concatenate([phi.numpy() for _, phi in measures.stretches(seen, np.ones_like(some))], axis=1)
    few = np.concatenate([phi.numpy() for _, phi in measures.stretches(seen, some)], axis=1)
    assert len(whole) == len(measures.groups)
    np.testing.assert_allclose(few, whole[:, some.ravel()], atol=1e-5)


def test_corrected_estimates_are_better_and_do_not_depend_on_threads() -> None:
    signal = lattice((256, 256))
    signal[100:150, 60:200] = 0.1
    inputs = scan(signal)
    plain = reconstruct(inputs, "fourier-eb", threads=1, regression=False)
    once, twice = (reconstruct(inputs, "fourier-eb", threads=threads) for threads in (1, 2))
    assert once.settings["regression"] is True
    assert rms(once.image - signal) < 0.98 * rms(plain.image - signal)
    np.testing.assert_allclose(once.image, twice.image, atol=2e-4)
    assert once.std is not None
    assert plain.std is not None
    assert once.std.mean() < plain.std.mean()


def test_samples_between_pixels_are_not_held_out() -> None:
    inputs = scan(lattice((64, 64)))
    half = np.float32(0.5)
    made = estimate_signal(inputs.S * half, (inputs.V * half).astype(np.float32), 10.0, regression=True)
    assert made.settings["regression"] is False
