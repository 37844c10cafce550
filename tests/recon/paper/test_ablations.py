"""The networks of the ablation study: numbers of parameters, and what is read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stemscan.errors import ReconError
from stemscan.recon.paper.ablations import FSHNetLinearInitial, FSHNetWithoutInitial, LinearInitialReconstruction
from stemscan.recon.paper.network import FSHNet, parameter_count_paper
from tests.recon.fshnet.fshnet_kit import seeded_network, uniform

Ablation = type[FSHNetLinearInitial] | type[FSHNetWithoutInitial]
ABLATIONS = pytest.mark.parametrize("kind", [FSHNetLinearInitial, FSHNetWithoutInitial])


def frames_of(shape: tuple[int, int], batch: int = 1) -> Tensor:
    return torch.from_numpy(uniform(50, (batch, 4, *shape)) - 0.5).float()


def seeded(kind: Ablation) -> FSHNet:
    """An ablation with FSHNet's seeded weights where they have the same names."""
    network = kind().eval()
    shared = seeded_network().state_dict()
    own = {name: tensor for name, tensor in network.state_dict().items() if name not in shared}
    for index, (name, tensor) in enumerate(own.items()):
        own[name] = torch.from_numpy(uniform(600 + index, tuple(tensor.shape)) - 0.5).float() * 0.1
    network.load_state_dict({name: shared.get(name, own.get(name)) for name in network.state_dict()})
    return network


def test_parameters() -> None:
    assert parameter_count_paper(FSHNetLinearInitial()) == 4_364_257  # as published
    assert sum(p.numel() for p in LinearInitialReconstruction().parameters()) == 4_364_257 - 161_761
    encoder = 8 * 49 + 8 * 8 * 49 + 8 * 16 * 25 + 16 * 16 * 25 + 16 * 32 * 9 + 32 * 32 * 9 + 2 * (8 + 8 + 16 + 16 + 64)
    assert parameter_count_paper(FSHNetWithoutInitial()) == 161_761 - encoder


@ABLATIONS
@pytest.mark.parametrize("shape", [(64, 96), (45, 50), (1, 1)])
def test_any_grid_and_no_prior_is_read(kind: Ablation, shape: tuple[int, int]) -> None:
    network, frames = seeded(kind), frames_of(shape, 2)
    with torch.inference_mode():
        output = network(frames)
        assert output.shape == (2, 1, (shape[0] + 1) // 2, (shape[1] + 1) // 2)
        assert torch.equal(network(frames, torch.ones(2, 1, *shape)), output)


def test_without_initial_is_fshnet_whose_prior_stages_are_silenced() -> None:
    frames = frames_of((48, 32))
    full = seeded_network()
    for stage in (full.prior, full.prior_end):
        stage.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    with torch.inference_mode():
        expected = full(frames, torch.ones(1, 1, 48, 32))
        torch.testing.assert_close(seeded(FSHNetWithoutInitial)(frames), expected)


def test_linear_initial_is_fshnet_with_the_linear_map_as_prior() -> None:
    network, frames = seeded(FSHNetLinearInitial), frames_of((72, 130))
    assert isinstance(network, FSHNetLinearInitial)
    with torch.inference_mode():
        prior = network.initial(frames)
        assert prior.shape == (1, 1, 72, 130)
        torch.testing.assert_close(network(frames), seeded_network()(frames, prior))


def test_linear_map_works_block_by_block() -> None:
    initial, frames = seeded(FSHNetLinearInitial).get_submodule("initial"), frames_of((128, 192))
    other = frames.clone()
    other[0, 1, 70, 100] += 1.0  # in the block of rows 64..127, columns 64..127
    with torch.inference_mode():
        changed = (initial(frames) != initial(other))[0, 0].nonzero()
    assert changed.min(dim=0).values.tolist() == [64, 64]
    assert changed.max(dim=0).values.tolist() == [127, 127]


@ABLATIONS
def test_gradients_reach_everything_that_is_not_silenced(kind: Ablation) -> None:
    network = seeded(kind)
    output = network(frames_of((64, 64)))
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(output.square().sum(), list(parameters.values()))
    assert [name for name, grad in zip(parameters, gradients, strict=True) if not grad.abs().max() > 0] == []


@ABLATIONS
def test_shapes_that_do_not_fit_are_refused(kind: Ablation) -> None:
    with pytest.raises(ReconError, match="expected frames of shape"):
        kind()(torch.zeros(1, 3, 64, 64))
