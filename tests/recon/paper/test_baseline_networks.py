"""CSNet and ReconNet: the published numbers of parameters, geometry, what reaches the output."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.errors import ReconError
from stemscan.recon.paper.csnet import CSNet
from stemscan.recon.paper.reconnet import ReconNet
from tests.recon.fshnet.fshnet_kit import uniform

Kind = type[CSNet] | type[ReconNet]
KINDS = pytest.mark.parametrize("kind", [CSNet, ReconNet])
VARIANTS = pytest.mark.parametrize(("channels", "mask_aware"), [(4, False), (2, True)])


def seeded(kind: Kind, channels: int = 4, mask_aware: bool = False) -> CSNet | ReconNet:
    """A network with weights of a sensible size."""
    network = kind(channels, mask_aware)
    for index, parameter in enumerate(network.parameters()):
        values = torch.from_numpy(uniform(400 + index, tuple(parameter.shape)) - 0.5).float()
        parameter.data = values * (12.0 / parameter[0].numel()) ** 0.5
    return network


def images(shape: tuple[int, ...], seed: int = 8) -> Tensor:
    return torch.from_numpy(uniform(seed, shape)).float()


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters_are_as_many_as_published() -> None:
    assert count(CSNet()) == 429_441
    assert count(ReconNet()) == 40_578


def test_parameters_that_the_mask_adds() -> None:
    assert count(CSNet(2, mask_aware=True)) == 429_441 - 2 * 32 * 32 * 62 + 2 * 9 * 64
    assert count(ReconNet(2, mask_aware=True)) == 40_578 + 13 * 16 * 16 + 2 * 121 * 64


@KINDS
@VARIANTS
@pytest.mark.parametrize("shape", [(64, 96), (33, 50), (5, 3), (1, 1)])
def test_output_is_on_the_scan_grid_whatever_its_size(
    kind: Kind, channels: int, mask_aware: bool, shape: tuple[int, int]
) -> None:
    network = seeded(kind, channels, mask_aware)
    with torch.inference_mode():
        output = network(images((2, channels, *shape)))
    assert kind.factor == 1
    assert output.shape == (2, 1, *shape)
    assert bool(torch.isfinite(output).all())


@KINDS
@VARIANTS
def test_all_parameters_are_used(kind: Kind, channels: int, mask_aware: bool) -> None:
    network = seeded(kind, channels, mask_aware)
    output = network(images((2, channels, 64, 64)))
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(output.square().sum(), list(parameters.values()))
    assert [name for name, grad in zip(parameters, gradients, strict=True) if not grad.abs().max() > 0] == []


@KINDS
def test_linear_map_puts_each_block_back_where_it_was(kind: Kind) -> None:
    """With silent convolutions only the linear map is left; a changed pixel changes its own block of 32 x 32 alone."""
    network = seeded(kind)
    image = images((1, 4, 96, 64))
    seen: list[Tensor] = []
    network.initial.register_forward_hook(lambda module, inputs, output: seen.append(output))
    other = image.clone()
    other[0, 2, 40, 35] += 1.0  # in the block of rows 32..63, columns 32..63
    with torch.inference_mode():
        network(image)
        network(other)
    first, second = (functional.pixel_shuffle(output, 32)[0, 0] for output in seen)
    changed = (first != second).nonzero()
    assert changed.min(dim=0).values.tolist() == [32, 32]
    assert changed.max(dim=0).values.tolist() == [63, 63]


def test_csnet_is_the_linear_map_where_the_convolutions_are_silent() -> None:
    network = seeded(CSNet)
    assert isinstance(network, CSNet)
    with torch.inference_mode():
        for parameter in network.refinement[-1].parameters():
            parameter.zero_()
        image = images((1, 4, 64, 64))
        torch.testing.assert_close(
            network(image), functional.pixel_shuffle(network.initial(network.sampling(image)), 32)
        )


@KINDS
def test_grids_that_blocks_do_not_divide_are_continued_by_their_mirror_image(kind: Kind) -> None:
    network, image = seeded(kind), images((1, 4, 40, 58))
    wide = torch.cat([image, image.flip(2)[:, :, :24]], dim=2)
    wide = torch.cat([wide, wide.flip(3)[..., :6]], dim=3)
    with torch.inference_mode():
        torch.testing.assert_close(network(image), network(wide)[..., :40, :58])


def test_published_reconnet_sees_the_sum_alone() -> None:
    network, image = seeded(ReconNet), images((1, 4, 64, 64))
    with torch.inference_mode():
        torch.testing.assert_close(network(image.flip(1)), network(image))
        shifted = image.clone()
        shifted[:, :, ::2, ::2], shifted[:, :, 1::2, 1::2] = image[:, :, 1::2, 1::2], image[:, :, ::2, ::2]
        torch.testing.assert_close(network(shifted), network(image))


@KINDS
def test_mask_aware_networks_tell_a_zero_from_a_missing_sample(kind: Kind) -> None:
    network = seeded(kind, 2, True)
    values, visits = images((1, 1, 64, 64)) - 0.5, (images((1, 1, 64, 64), 9) < 0.2).float()
    values = values * visits
    more = visits.clone()
    more[0, 0, (visits[0, 0] == 0).nonzero()[7, 0], (visits[0, 0] == 0).nonzero()[7, 1]] = 1.0
    with torch.inference_mode():
        difference = network(torch.cat([values, more], 1)) - network(torch.cat([values, visits], 1))
    assert difference.abs().max() > 1e-4


@KINDS
def test_what_does_not_fit_is_refused(kind: Kind) -> None:
    with pytest.raises(ReconError, match=r"expected images of shape \(N, 4, H, W\), got \(1, 3, 32, 32\)"):
        kind()(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ReconError, match="expected 2 channels"):
        kind(4, mask_aware=True)
    with pytest.raises(ReconError, match="expected at least 1 channel, got 0"):
        kind(0)
