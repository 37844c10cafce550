"""Weights from held-out samples: the better estimate wins, place by place, and nothing is decided by noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from stemscan.recon.blend.weighting import weigh

Image = npt.NDArray[np.float32]
DOSE = 10.0


def scene(seed: int = 0, size: int = 256) -> tuple[Image, Image, Image]:
    """A signal, and S and V of samples that were held out."""
    random = np.random.default_rng(seed)
    signal = np.full((size, size), 0.3, np.float32)
    visits = (random.random(signal.shape) < 0.2).astype(np.float32)
    counts = random.poisson(DOSE * signal) * visits / np.float32(DOSE)
    return signal, counts.astype(np.float32), visits


def off(signal: Image, size: float, seed: int) -> Image:
    """An estimate with smooth errors of a size."""
    random = np.random.default_rng(seed)
    coarse = random.normal(0, size, (signal.shape[0] // 8, signal.shape[1] // 8))
    return (signal + np.kron(coarse, np.ones((8, 8)))).astype(np.float32)


def test_the_better_estimate_wins() -> None:
    signal, held_sum, held_visits = scene()
    good, bad = off(signal, 0.005, 1), off(signal, 0.06, 2)
    assert weigh(bad, good, held_sum, held_visits, DOSE).local.mean() > 0.9
    assert weigh(good, bad, held_sum, held_visits, DOSE).local.mean() < 0.1


def test_weights_follow_the_place() -> None:
    signal, held_sum, held_visits = scene(seed=3, size=512)
    good, bad = off(signal, 0.005, 1), off(signal, 0.08, 2)
    first, second = good.copy(), good.copy()
    first[:, :256], second[:, 256:] = bad[:, :256], bad[:, 256:]
    found = weigh(first, second, held_sum, held_visits, DOSE)
    assert found.spread > 0.2
    assert found.local[:, :128].mean() > 0.75
    assert found.local[:, -128:].mean() < 0.25


def test_the_weight_of_the_whole_is_unbiased() -> None:
    """Errors of equal size that do not depend on each other: half and half, within three standard deviations."""
    found = []
    for seed in range(8):
        signal, held_sum, held_visits = scene(seed)
        found.append(weigh(off(signal, 0.05, 20 + seed), off(signal, 0.05, 40 + seed), held_sum, held_visits, DOSE))
    assert abs(np.mean([one.whole - 0.5 for one in found])) < 3 * found[0].whole_std / np.sqrt(len(found))


@pytest.mark.parametrize("held", [0.0, 1.0])
def test_equal_estimates_and_no_samples_decide_nothing(held: float) -> None:
    signal, held_sum, held_visits = scene()
    other = off(signal, 0.05, 1) if held == 0 else signal
    found = weigh(signal, other, held * held_sum, held * held_visits, DOSE)
    assert not found.local.any()
