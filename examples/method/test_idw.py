"""The method passes the suite for methods, and its standard error is not far off."""

import numpy as np
from stemscan_idw import idw

from stemscan.recon.conformance import MethodConformance
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct


class TestIdw(MethodConformance):
    """As it is installed, by its name."""

    method = "idw"


def test_error_of_a_flat_specimen() -> None:
    """Two thirds of pixels are within one standard error."""
    generator = np.random.default_rng(1)
    visits = generator.random((4, 64, 64)) < 0.05
    counts = generator.poisson(10 * 0.4, visits.shape) * visits
    made = reconstruct(Inputs.from_arrays(counts, visits, 10.0), idw, neighbours=30)
    assert made.std is not None
    error = np.abs(made.image - 0.4)
    assert 0.5 < np.mean(error < made.std) < 0.85
