"""The blend: columns where there are some, FSHNet's image where there are none, error bars that hold."""

from __future__ import annotations

import numpy as np
import pytest

from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.recon.reconstruction import Reconstruction
from stemscan.recon.run import reconstruct
from tests.recon.columns.columns_kit import Crystal, crystal, render, sparse_scan


@pytest.fixture(scope="module")
def lattice() -> tuple[Crystal, Inputs, dict[str, Reconstruction]]:
    truth = crystal(size=256, seed=5)
    signal = render(truth) / 1.05
    inputs = sparse_scan(signal, seed=6)
    return truth, inputs, {name: reconstruct(inputs, name) for name in ("fshnet", "columns", "blend")}


def test_a_lattice_is_seen_far_better(lattice: tuple[Crystal, Inputs, dict[str, Reconstruction]]) -> None:
    truth, _, images = lattice
    signal = render(truth) / 1.05
    gained = {name: compare(image.image, signal).psnr for name, image in images.items()}
    assert gained["columns"] > gained["fshnet"] + 3
    assert gained["blend"] > gained["fshnet"] + 2
    assert images["blend"].settings["weight_of_columns"] > 0.6


@pytest.mark.parametrize("name", ["columns", "blend"])
def test_error_bars_hold(name: str, lattice: tuple[Crystal, Inputs, dict[str, Reconstruction]]) -> None:
    truth, _, images = lattice
    std = images[name].std
    assert std is not None
    z = np.abs(images[name].image - render(truth) / 1.05) / std
    assert 0.6 < np.mean(z < 1) < 0.95
    assert np.mean(z < 2) > 0.9


def test_vacancies_stay_empty(lattice: tuple[Crystal, Inputs, dict[str, Reconstruction]]) -> None:
    truth, _, images = lattice
    gone = truth.sites[(truth.amplitudes == 0) & truth.inside(30)].round().astype(int)
    assert len(gone)
    for row, column in gone:
        assert images["columns"].image[row, column] < 0.1 + 0.15


def test_without_columns_the_image_is_fshnets() -> None:
    """A ramp has no column."""
    ramp = np.tile(np.linspace(0.2, 0.6, 128), (128, 1))
    inputs = sparse_scan(ramp, seed=3)
    blended = reconstruct(inputs, "blend")
    if blended.settings.get("columns", 0) == 0:
        assert np.array_equal(blended.image, reconstruct(inputs, "fshnet", regression=True).image)
    assert compare(blended.image, ramp).psnr > compare(reconstruct(inputs, "fshnet").image, ramp).psnr - 0.3


def test_nothing_counted_is_no_error() -> None:
    inputs = Inputs.from_arrays(np.zeros((1, 32, 32)), np.ones((1, 32, 32), int), 10.0)
    assert reconstruct(inputs, "blend").image.max() < 1e-4
    assert reconstruct(inputs, "columns").image.max() < 1e-4
