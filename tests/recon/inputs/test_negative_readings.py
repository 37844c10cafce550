"""Readings of an analogue detector about its dark level: half are below zero, and the image is unbiased."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stemscan.errors import ReconError
from stemscan.recon.columns.find import find_columns
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.recon.paper.low_pass_analysis import low_pass_analysis
from stemscan.recon.paper.scale import sample_scale
from stemscan.recon.registry import ready_methods
from stemscan.recon.run import reconstruct
from stemscan.recon.stopping import _squared_error

SIGNAL, DOSE, READ, SIDE = 0.02, 10.0, 1.0, 96
VARIANCE = SIGNAL / DOSE + (READ / DOSE) ** 2
FAST: dict[str, dict[str, Any]] = {"bpfa": {"sweeps": 4, "averaged": 2}}


def readings(count: int, seed: int = 0) -> Any:
    """Electrons of samples of a dark specimen with read noise."""
    generator = np.random.default_rng(seed)
    return generator.poisson(SIGNAL * DOSE, count) + generator.normal(0, READ, count)


def whole(passes: int = 4) -> Inputs:
    """Each pixel of each pass visited with probability 0.2."""
    visits = np.random.default_rng(1).random((passes, SIDE, SIDE)) < 0.2
    frames = np.zeros(visits.shape)
    frames[visits] = readings(int(visits.sum()))
    return Inputs.from_arrays(frames, visits, DOSE, analogue=True)


def between() -> Inputs:
    """Samples at positions between pixels."""
    count = 4 * SIDE**2 // 5
    positions = np.random.default_rng(2).random((count, 2)) * (SIDE - 1)
    placed = PlacedSamples.of(readings(count), positions, (0, count // 2, count), (SIDE, SIDE))
    return Inputs.from_samples(placed, DOSE, analogue=True)


@pytest.mark.parametrize("make", [whole, between])
@pytest.mark.parametrize("method", ready_methods())
def test_a_dark_specimen_has_its_mean(method: str, make: Any) -> None:
    inputs = make()
    assert inputs.S.min() < 0
    done = reconstruct(inputs, method, **FAST.get(method, {}))
    error = (VARIANCE / inputs.samples) ** 0.5
    # Five times: a mean over pixels weighs samples unevenly, by area in interpolation.
    assert abs(float(done.image.mean(dtype=np.float64)) - SIGNAL) < 5 * error
    assert inputs.source.get("warnings", []) == []


@pytest.mark.parametrize("make", [whole, between])
@pytest.mark.parametrize("method", ["fshnet", "fourier-eb", "normconv"])
def test_standard_deviations_hold_the_read_noise(method: str, make: Any) -> None:
    done = reconstruct(make(), method)
    assert done.std is not None
    assert float(np.sqrt(np.mean(((done.image - SIGNAL) / done.std) ** 2))) < 2.5


def test_the_paper_s_network_keeps_the_mean() -> None:
    inputs = whole()
    image = reconstruct(inputs, "fshnet", weights="fshnet-paper").image
    assert abs(float(image.mean()) - SIGNAL) < 5 * (VARIANCE / inputs.samples) ** 0.5


def test_read_noise_is_what_lies_below_zero() -> None:
    assert read_variance(whole().S, whole().V) == pytest.approx((READ / DOSE) ** 2, rel=0.3)
    dark = np.random.default_rng(0).normal(0, 0.1, (64, 64))
    assert read_variance(dark, np.ones_like(dark)) == pytest.approx(0.01, rel=0.1)
    assert read_variance(np.abs(dark), np.ones_like(dark)) == 0
    glitch = np.ones((64, 64))
    glitch[3, 3] = -50
    assert read_variance(glitch, np.ones_like(glitch)) == 0


def test_a_mean_below_zero_is_a_mean() -> None:
    """Few samples of nothing, or an offset that is a little too large."""
    visits = np.ones((1, 32, 32), int)
    frames = np.random.default_rng(3).normal(-0.2, READ, visits.shape)
    for noise in ("poisson", "eq5"):
        inputs = Inputs.from_arrays(frames, visits, DOSE, analogue=True, noise=noise)
        for method in ready_methods():
            image = reconstruct(inputs, method, **FAST.get(method, {})).image
            assert image.mean() == pytest.approx(inputs.mean, abs=0.01), method
        assert np.isfinite(find_columns(inputs).electrons_per_sample)
        assert sample_scale(inputs).deviation > 0
        assert np.isfinite(low_pass_analysis(inputs.S, inputs.V, DOSE, noise=inputs.noise).std).all()


def test_held_out_readings_know_their_own_variance() -> None:
    """The squared error of a perfect image, less the variance of the readings, is nothing."""
    count = 20000
    places = np.random.default_rng(6).integers(0, SIDE, (count, 2), dtype=np.int32)
    scan: Any = SimpleNamespace(electrons_per_sample=DOSE, noise="poisson")
    left = _squared_error(scan, np.full((SIDE, SIDE), SIGNAL, np.float32), readings(count), places)
    assert abs(left / count) < 0.3 * VARIANCE


def test_columns_on_a_dark_background_are_found() -> None:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    at = range(8, SIDE, 12)
    signal = 0.02 + sum(np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 8.0) for r in at for c in at)
    generator = np.random.default_rng(4)
    frames = generator.poisson(DOSE * signal) + generator.normal(0, READ, signal.shape)
    inputs = Inputs.from_arrays(frames[None], np.ones((1, SIDE, SIDE), int), DOSE, analogue=True)
    assert np.count_nonzero(find_columns(inputs).values["amplitude"] > 0.5) == 64


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    frames = np.ones((1, 4, 4))
    frames[0, 1, 2] = value
    with pytest.raises(ReconError, match="finite"):
        Inputs.from_arrays(frames, np.ones((1, 4, 4), int), DOSE, analogue=True)


def test_counted_electrons_are_not_negative() -> None:
    with pytest.raises(ReconError, match="at least 0 electrons, got -1.0 .*analogue=True"):
        Inputs.from_arrays(-np.ones((1, 4, 4)), np.ones((1, 4, 4), int), DOSE)
