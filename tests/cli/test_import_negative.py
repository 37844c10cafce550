"""A store of readings about the dark level, imported and reconstructed."""

from __future__ import annotations

import numpy as np
import pytest

from stemscan.recon.inputs.reading import load_inputs
from tests.cli.conftest import Stemscan

SIGNAL, DOSE, READ = 0.02, 10.0, 1.0
VARIANCE = SIGNAL / DOSE + (READ / DOSE) ** 2


@pytest.mark.parametrize("fractional", [False, True])
def test_a_store_keeps_its_negative_readings(fractional: bool, stemscan: Stemscan) -> None:
    gain, offset, count = 25.0, 300.0, 2000
    generator = np.random.default_rng(5)
    electrons = generator.poisson(SIGNAL * DOSE, count) + generator.normal(0, READ, count)
    places = generator.random((count, 2)) * 47 if fractional else np.argwhere(np.ones((48, 48)))[:count]
    raw = gain * electrons + offset
    np.save("values.npy", raw)
    np.savetxt("points.csv", places, delimiter=",", header="row,column", comments="", fmt="%.8g")
    arguments = ("--positions", "points.csv", "--shape", "48x48", "--gain", gain, "--offset", offset, "--dose", DOSE)
    done = stemscan("import", "values.npy", *arguments, "-o", "a.zarr")
    assert done.code == 0, done.err
    inputs = load_inputs("a.zarr")
    assert inputs.frames.min() < 0
    assert inputs.frames.sum(dtype=np.float64) == pytest.approx(((raw - offset) / gain).sum(), abs=0.05)
    assert not any("zero" in warning for warning in inputs.source["warnings"])
    done = stemscan("recon", "a.zarr", "--method", "fourier-eb", "-o", "image.npy")
    assert (done.code, "zero" in done.err) == (0, False)
    assert abs(np.load("image.npy").ravel()[: 48 * 41].mean() - SIGNAL) < 5 * (VARIANCE / count) ** 0.5
