"""The full-grid network without each of its improvements: what is taken out is out, and the rest is as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stemscan.recon.fshnet.full_grid import FullGridNet, correct
from stemscan.recon.fshnet.full_grid_features import CHANNELS, VISIT_CHANNELS, features
from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction
from stemscan.recon.fshnet.method import fshnet
from stemscan.recon.networks.registry import build
from stemscan.recon.paper.full_grid_ablations import FullGridFromLowPass, FullGridOnePhase, FullGridWithoutVisits
from stemscan.recon.weights.file import WeightsInfo, save_weights
from tests.recon.fshnet.fshnet_kit import lattice, sparse_scan, uniform


def stirred(network: FullGridNet) -> FullGridNet:
    """With weights that do something."""
    state = network.state_dict()
    for index, (name, tensor) in enumerate(state.items()):
        state[name] = torch.from_numpy(uniform(900 + index, tuple(tensor.shape)) - 0.5).float() * 0.2
    network.load_state_dict(state)
    return network.eval()


def test_without_visits_only_residuals_and_the_analysis_are_seen() -> None:
    channels = torch.from_numpy(uniform(7, (1, CHANNELS, 32, 32)) - 0.5).float()
    other = channels.clone()
    other[:, list(VISIT_CHANNELS)] += 1
    with torch.inference_mode():
        blind, seeing = stirred(FullGridWithoutVisits()), stirred(FullGridNet())
        assert torch.equal(blind.raw(channels), blind.raw(other))
        assert not torch.equal(seeing.raw(channels), seeing.raw(other))
        for one in range(CHANNELS):
            changed = channels.clone()
            changed[:, one] += 1
            assert torch.equal(blind.raw(channels), blind.raw(changed)) == (one in VISIT_CHANNELS)


def test_the_channels_of_visits_are_precision_and_residual_means() -> None:
    """Beside the phases of the precision, the two residual means: moving visits about changes these."""
    inputs = sparse_scan(lattice((64, 64)))
    channels = features(inputs.S, inputs.V, inputs.electrons_per_sample).channels
    unvisited = torch.nn.functional.pixel_unshuffle(torch.from_numpy(inputs.V == 0).float()[None, None], 2)[0].bool()
    assert VISIT_CHANNELS[:4] == (8, 9, 10, 11)
    assert (channels[8:12][unvisited] == 0).all()
    assert (channels[8:12][~unvisited] > 0).all()
    plain = features(inputs.S, inputs.V, inputs.electrons_per_sample).channels[list(VISIT_CHANNELS[4:])]
    assert float(plain.abs().max()) > 0
    assert CHANNELS - 2 - VISIT_CHANNELS[-1] == 1  # two scalars follow


def test_one_phase_is_the_same_for_every_two_by_two_pixels() -> None:
    channels = torch.from_numpy(uniform(8, (1, CHANNELS, 16, 24)) - 0.5).float()
    with torch.inference_mode():
        image = stirred(FullGridOnePhase())(channels).image[0, 0].numpy()
        four = stirred(FullGridNet())(channels).image[0, 0].numpy()
    assert image.shape == four.shape == (32, 48)
    blocks = image.reshape(16, 2, 24, 2)
    assert np.ptp(blocks, axis=(1, 3)).max() == 0
    assert np.ptp(four.reshape(16, 2, 24, 2), axis=(1, 3)).min() > 0


def test_from_the_low_pass_an_untrained_network_gives_the_initial_reconstruction() -> None:
    inputs = sparse_scan(lattice((64, 64)))
    network = FullGridFromLowPass()
    made = features(inputs.S, inputs.V, inputs.electrons_per_sample, analyse=network.analyse)
    image, std = correct(network, made)
    np.testing.assert_allclose(image, initial_reconstruction(inputs.S, inputs.V), atol=1e-6)
    assert inputs.truth is not None
    off = made.estimate.numpy() - inputs.truth
    unvisited = inputs.V == 0
    assert float(std.mean()) == pytest.approx(float(np.sqrt(np.mean(off[unvisited] ** 2))), rel=0.25)


@pytest.mark.parametrize("name", ["fshnet-full-from-low-pass", "fshnet-full-no-visits", "fshnet-full-one-phase"])
def test_weights_come_back_as_the_network_they_were(tmp_path: Path, name: str) -> None:
    network = build(name)
    assert isinstance(network, FullGridNet)
    path = tmp_path / "weights.safetensors"
    save_weights(stirred(network), path, WeightsInfo(frames=4, convention="analysis", architecture=name))
    inputs = sparse_scan(lattice((48, 80)))
    made = fshnet(inputs, weights=path)
    direct, _ = correct(
        network, features(inputs.S, inputs.V, inputs.electrons_per_sample, noise=inputs.noise, analyse=network.analyse)
    )
    assert made.settings["architecture"] == name
    np.testing.assert_array_equal(made.image, np.maximum(direct, np.float32(0)))
