"""The network on the corrected Fourier estimate: untrained, it gives that estimate."""

from __future__ import annotations

import numpy as np
import torch

from stemscan.recon.fourier_eb.method import fourier_eb
from stemscan.recon.fshnet.full_grid import FullGridNet, RegressedNet, correct
from stemscan.recon.fshnet.full_grid_features import features
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.networks.registry import build
from stemscan.simulators.api import synthetic_specimen


def test_untrained_it_gives_the_corrected_estimate() -> None:
    truth = synthetic_specimen((128, 128), seed=3, index=4).signal
    random = np.random.default_rng(1)
    visits = random.random((4, 128, 128)) < 6 / 64
    inputs = Inputs.from_arrays(random.poisson(20 * truth * visits), visits, 20.0)
    torch.manual_seed(0)
    network = build("fshnet-regressed")
    assert isinstance(network, RegressedNet)
    made = features(inputs.S, inputs.V, inputs.electrons_per_sample, analyse=network.analyse)
    image, std = correct(network, made)
    expected = fourier_eb(inputs)
    assert expected.factor == made.analysis.factor
    coarse = np.maximum(made.analysis.image, 0)
    np.testing.assert_array_equal(coarse, expected.image)
    np.testing.assert_allclose(image, made.estimate.numpy()[:128, :128], atol=1e-6)
    assert std.shape == image.shape
    plain = features(inputs.S, inputs.V, inputs.electrons_per_sample, analyse=FullGridNet.analyse)
    assert not torch.equal(plain.estimate, made.estimate)
