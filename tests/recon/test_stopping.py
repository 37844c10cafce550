"""The expected gain of another pass against the true one, which the rule never sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import UsageError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon import stopping
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.run import reconstruct
from stemscan.recon.stopping import PsnrGain, expected_gain
from stemscan.simulators.api import synthetic_specimen
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition


def scan(folder: Path, passes: int, coil_tau_ns: float | None = None) -> Acquisition:
    """A crystal of a seed that training cannot have, in so many passes of one path."""
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [256, 256],
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 3,
        }
    )
    path = folder / f"{passes}.zarr"
    simulate(plan, synthetic_specimen(plan.shape, seed=2**63 + 1, index=3), path, seed=5, coil_tau_ns=coil_tau_ns)
    return Acquisition.open(path)


def true_psnr(store: Acquisition) -> float:
    assert store.truth is not None
    inputs = load_inputs(store.path, drift="off")
    image = reconstruct(inputs, "fourier-eb", regression=False, contradictions=False).image
    return float(-10 * np.log10(np.mean((image - store.truth) ** 2)))


def test_the_expectation_is_near_the_gain_and_falls_with_passes(tmp_path: Path) -> None:
    stores = {passes: scan(tmp_path, passes) for passes in (2, 3, 8, 9)}
    gains = {}
    for passes in (2, 8):
        gain = expected_gain(stores[passes], passes)
        assert gain is not None
        true = true_psnr(stores[passes + 1]) - true_psnr(stores[passes])
        assert true / 3 < gain < 3 * true
        gains[passes] = gain
    assert gains[8] < gains[2]
    middle = (gains[8] + gains[2]) / 2
    assert PsnrGain(middle)(stores[2], 2) is None
    assert "less than" in str(PsnrGain(middle)(stores[8], 8))


def test_samples_count_where_a_lagging_beam_was(tmp_path: Path) -> None:
    stores = {passes: scan(tmp_path, passes, coil_tau_ns=2000.0) for passes in (2, 3)}
    gain = expected_gain(stores[2], 2)
    assert gain is not None
    true = true_psnr(stores[3]) - true_psnr(stores[2])
    assert true / 3 < gain < 3 * true


def test_powers_of_the_number_of_samples() -> None:
    assert stopping._gain(0.2, 0.1, 1) == pytest.approx(10 * np.log10(2))
    assert stopping._gain(0.2, 0.1, 4) == pytest.approx(10 * np.log10(5 / 4))
    assert stopping._gain(0.1, 0.2, 1) == 0
    assert stopping._gain(-0.1, 0.2, 1) is None


@pytest.mark.parametrize("decibel", [0.0, -1.0, float("nan"), float("inf")])
def test_gains_that_are_none(decibel: float) -> None:
    with pytest.raises(UsageError, match="above 0 dB"):
        PsnrGain(decibel)
