"""Several channels as one: lines found, counts merged, channels that have nothing to do with one another left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stemscan.acquisition.session import acquire
from stemscan.errors import ReconError, UsageError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.joint.merging import merged
from stemscan.recon.joint.reading import load_channels
from stemscan.recon.run import reconstruct
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.instrument.collection import Collection, Scattering
from stemscan.store.reader import Acquisition

SHAPE = (96, 96)
DOSE = 10.0


def lattice() -> NDArray[np.float64]:
    """Signal of a lattice, 0.1 to 0.9."""
    row, column = np.indices(SHAPE)
    grid: NDArray[np.float64] = 0.5 + 0.2 * (np.cos(2 * np.pi * row / 8) + np.cos(2 * np.pi * column / 8))
    return grid


def scan(signal: NDArray[np.float64], seed: int) -> Inputs:
    """Poisson counts at pixels that are the same for every seed."""
    visits = np.random.default_rng(99).random((3, *SHAPE)) < 0.1
    counts = np.random.default_rng(seed).poisson(DOSE * signal, visits.shape) * visits
    return Inputs.from_arrays(counts, visits, DOSE, truth=signal)


def rms(image: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((image - lattice()) ** 2)))


def test_two_halves_of_a_detector_are_the_whole() -> None:
    first, second = scan(lattice(), 11), scan(lattice(), 12)
    made = merged(first, [second])
    (relation,) = made.relations
    assert abs(relation.slope - 1) < 4 * relation.slope_error < 0.2
    assert 0.35 < relation.weight < 0.6
    assert made.inputs.electrons_per_sample == pytest.approx(2 * DOSE, rel=0.1)
    single, joint = (reconstruct(one, "fourier-eb", regression=False).image for one in (first, made.inputs))
    assert rms(joint) < 0.85 * rms(single)


def test_a_line_with_an_image_of_its_own() -> None:
    own = np.zeros(SHAPE)
    own[30:60, 30:60] = 0.2
    (relation,) = merged(scan(lattice(), 3), [scan(0.75 - 0.6 * lattice() + own, 4)]).relations
    assert abs(relation.slope + 0.6) < 4 * relation.slope_error
    assert 0.03 < relation.rest < 0.1


def test_a_channel_of_something_else_changes_nothing() -> None:
    wanted = scan(lattice(), 5)
    other = scan(0.3 + 0.4 * np.random.default_rng(1).random(SHAPE), 6)
    made = merged(wanted, [other])
    assert made.inputs is wanted
    assert made.relations[0].weight == 0


def test_nothing_to_learn_from_a_flat_image() -> None:
    wanted = scan(np.full(SHAPE, 0.4), 7)
    assert merged(wanted, [scan(np.full(SHAPE, 0.4), 8)]).inputs is wanted


def test_samples_between_pixels_are_merged_one_by_one() -> None:
    rng = np.random.default_rng(3)
    places = rng.uniform(0, 95, (3000, 2))
    signal = lattice()[tuple(np.rint(places).astype(int).T)]
    pair = [PlacedSamples.of(rng.poisson(DOSE * signal), places, (0, 1500, 3000), SHAPE) for _ in range(2)]
    first, second = (Inputs.from_samples(one, DOSE) for one in pair)
    made = merged(first, [second])
    assert made.inputs.placed is not None
    np.testing.assert_array_equal(made.inputs.visits, first.visits)
    assert made.inputs.electrons_per_sample > 1.5 * DOSE


def test_other_samples_are_refused() -> None:
    other = Inputs.from_arrays(np.ones((1, *SHAPE)), np.ones((1, *SHAPE), int), DOSE)
    with pytest.raises(ReconError, match="same samples"):
        merged(scan(lattice(), 1), [other])


def test_a_store_of_detectors(tmp_path: Path) -> None:
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 6},
            "shape": SHAPE,
            "passes": 3,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": DOSE},
            "seed": 1,
        }
    )
    specimen = specimen_from_array(lattice().astype(np.float32))
    microscope = VirtualMicroscope(specimen, plan, seed=1, detectors=("haadf", "bf"))
    store = acquire(plan, microscope, tmp_path / "a.zarr")
    alone = load_channels(store, "bf")
    assert alone.truth is not None
    assert alone.source["channel"] == "bf"
    dark, bright = Collection(kind="bf").response(Scattering())
    np.testing.assert_allclose(alone.truth, dark + bright * lattice(), atol=1e-6)
    joint = load_channels(store, "bf+haadf")
    assert list(joint.source["merged"]) == ["haadf"]
    assert joint.own is not None
    np.testing.assert_array_equal(joint.own.S, alone.S)
    made = reconstruct(store, "fourier-eb", channel="all", regression=False)
    assert made.source["channel"] == "haadf"
    assert rms(made.image) < rms(reconstruct(store, "fourier-eb", regression=False).image)
    for wrong in ("dark", "bf+bf", 2):
        with pytest.raises(UsageError):
            reconstruct(store, channel=wrong)
    with pytest.raises(UsageError, match="store beside a channel"):
        reconstruct(alone, channel=0)
    again = Acquisition.open(store.path)
    one = VirtualMicroscope(specimen, plan, seed=1)
    np.testing.assert_array_equal(again.counts(), acquire(plan, one, tmp_path / "b.zarr").counts())
