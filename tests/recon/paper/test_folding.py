"""The folded network: the numbers of the plain one everywhere, borders included, and its parts one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.errors import ReconError
from stemscan.recon.paper import folding
from stemscan.recon.paper.bands import Convolved, Given, Image, Repeated, affine, in_pairs, whole
from stemscan.recon.paper.folding import folded
from stemscan.recon.paper.inference import infer
from stemscan.recon.paper.network import FSHNet
from tests.recon.fshnet.fshnet_kit import seeded_network, uniform


def inputs_of(shape: tuple[int, int], batch: int = 1, frames: int = 4) -> tuple[Tensor, Tensor]:
    values = torch.from_numpy(uniform(11, (batch, frames, *shape)) - 0.5).float()
    values *= torch.from_numpy(uniform(12, (batch, frames, *shape)) < 0.1)
    return values, torch.from_numpy(uniform(13, (batch, 1, *shape)) - 0.5).float()


def plain(network: FSHNet, frames: Tensor, prior: Tensor) -> Tensor:
    with torch.inference_mode():
        output: Tensor = network(frames, prior)
        return output


def with_negative_scales(network: FSHNet) -> FSHNet:
    """Norms that turn signs around, and shifts far from zero, which padding must not see."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data[::3] *= -1
            module.bias.data += 0.7
    return network


@pytest.mark.parametrize("shape", [(160, 96), (64, 256), (16, 16), (45, 50), (17, 131), (1, 1)])
@pytest.mark.parametrize("hostile", [False, True])
def test_output_is_that_of_the_plain_network_everywhere(shape: tuple[int, int], hostile: bool) -> None:
    network = seeded_network()
    if hostile:
        network = with_negative_scales(network)
    frames, prior = inputs_of(shape)
    expected = plain(network, frames, prior)
    torch.testing.assert_close(
        folded(network)(frames, prior), expected, rtol=0, atol=1e-5 * float(expected.abs().max())
    )


@pytest.mark.parametrize("band", [16, 32, 48, 1024])
def test_bands_of_any_height_give_the_same(band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, prior = inputs_of((112, 64))
    expected = plain(seeded_network(), frames, prior)
    monkeypatch.setattr(folding, "_BAND", band)
    torch.testing.assert_close(folded(seeded_network())(frames, prior), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("batch", "frames"), [(3, 4), (1, 1), (2, 7)])
def test_batches_and_other_numbers_of_frames(batch: int, frames: int) -> None:
    network, inputs = seeded_network(frames), inputs_of((48, 32), batch, frames)
    torch.testing.assert_close(folded(network)(*inputs), plain(network, *inputs), rtol=0, atol=1e-5)


def test_inference_on_a_cpu_takes_the_folded_network_and_training_weights_stay() -> None:
    network, (frames, prior) = seeded_network(), inputs_of((80, 48))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    output = infer(network, frames[0].numpy(), prior[0, 0].numpy())
    np.testing.assert_array_equal(output, folded(network)(frames, prior)[0, 0].numpy())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_bfloat16_is_close_and_single_precision_in_the_end() -> None:
    network, inputs = seeded_network(), inputs_of((96, 64))
    expected, output = plain(network, *inputs), folded(network, torch.bfloat16)(*inputs)
    assert output.dtype == torch.float32
    error = float((output - expected).square().mean().sqrt() / expected.std())
    assert 1e-6 < error < 0.02


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ReconError, match="expected frames of shape"):
        folded(seeded_network())(torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))


@pytest.mark.parametrize(
    ("outputs", "size", "stride"), [(8, 7, 1), (1, 3, 1), (16, 5, 1), (8, 7, 2), (6, 1, 1), (3, 3, 2)]
)
@pytest.mark.parametrize("bias", [False, True])
def test_any_rows_of_a_block_are_the_blocks_own(outputs: int, size: int, stride: int, bias: bool) -> None:
    conv = nn.Conv2d(5, outputs, size, stride, size // 2, bias=bias)
    norm = nn.BatchNorm2d(outputs).eval()
    for index, parameter in enumerate((*conv.parameters(), *norm.parameters(), norm.running_mean, norm.running_var)):
        assert parameter is not None
        parameter.data = torch.from_numpy(0.1 + uniform(200 + index, tuple(parameter.shape))).float()
    x = torch.from_numpy(uniform(14, (1, 5, 22, 36)) - 0.5).float()
    with torch.inference_mode():
        expected = functional.pad(norm(functional.leaky_relu(conv(x), 0.2)), (2, 2, 2, 2))[0].permute(1, 2, 0)
        parts: list[Image] = [Given(x[0, :3].permute(1, 2, 0), x.dtype), Given(x[0, 3:].permute(1, 2, 0), x.dtype)]
        block = Convolved(parts, conv, norm)
        height = block.shape[0]
        for first, last in ((0, height), (0, 1), (3, 7), (height - 2, height)):
            torch.testing.assert_close(block.rows(first, last, 2), expected[first : last + 4], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(whole(block, 4), expected[2:-2, 2:-2], rtol=1e-5, atol=1e-5)


def test_repeated_patterns_are_doubling_and_pixel_shuffle() -> None:
    x = torch.from_numpy(uniform(15, (1, 12, 5, 7))).float()
    expected = functional.pixel_shuffle(functional.interpolate(x, scale_factor=2), 2)
    image = Repeated(torch.unflatten(x[0], 0, (3, 4)).permute(2, 3, 1, 0).flatten(2).contiguous())
    assert image.shape == (20, 28, 3)
    padded = functional.pad(expected, (1, 1, 1, 1))[0].permute(1, 2, 0)
    for first, last in ((0, 20), (2, 3), (5, 14), (19, 20)):
        assert torch.equal(image.rows(first, last, 1), padded[first : last + 2])


@pytest.mark.parametrize("size", [3, 5, 7])
def test_pairs_are_the_same_convolution(size: int) -> None:
    weight = torch.from_numpy(uniform(16, (4, 3, size, size)))
    image = torch.from_numpy(uniform(17, (10, 24 + size - 1, 3)))
    expected = functional.conv2d(image.permute(2, 0, 1)[None], weight)[0].permute(1, 2, 0)
    pairs = image.view(10, -1, 6).permute(2, 0, 1)[None]
    output = functional.conv2d(pairs, in_pairs(weight))[0].permute(1, 2, 0).reshape(expected.shape)
    torch.testing.assert_close(output, expected)


def test_affine_is_the_norm() -> None:
    norm = with_negative_scales(seeded_network()).shuffle[2].get_submodule("norm")
    assert isinstance(norm, nn.BatchNorm2d)
    x = torch.from_numpy(uniform(18, (1, 8, 4, 4))).float()
    scale, shift = affine(norm)
    torch.testing.assert_close(x * scale[:, None, None] + shift[:, None, None], norm(x))
