"""FSHNet for inference on a CPU: the same numbers in a fraction of the time.

What is done differently than in `network`, none of it an approximation:

- Full-size stages are computed in bands that stay in the cache, activation and batch norm in place (`bands`). (Batch
  norm follows the activation, so it cannot be folded into its own convolution; folded into the next one it would be
  wrong at the borders, where zeros are put around its output. In the cache it costs next to nothing.)
- Convolutions of few outputs work on pairs of pixels, which fills the processor's vectors (`bands`).
- A convolution of an image that was doubled by repeating its pixels needs four 2 x 2 kernels on the image itself, not
  a 3 x 3 kernel on four times the pixels; a 1 x 1 convolution is done before doubling.
- The last convolution is computed at the pixels that are put out.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.recon.networks.padding import mirrored
from stemscan.recon.paper.bands import Convolved, Given, Image, Repeated, affine, convolve, whole
from stemscan.recon.paper.network import FACTOR, MULTIPLE, ConvBlock, FSHNet

__all__ = ["FoldedFSHNet", "folded"]

_BAND: Final = 64
"""Rows of the scan grid made at a time: large enough to waste little, small enough for the cache."""


class FoldedFSHNet:
    """The network with the weights that it had when this was made; called like it, without gradients.

    Parameters
    ----------
    network : FSHNet
        On the CPU.
    dtype : torch.dtype
        Of the shuffle branch and the prior encoder: float32, or bfloat16, which is faster on processors that have it
        and no longer exact. The decoder and the fusion, where rounding would show most, stay in float32.
    """

    def __init__(self, network: FSHNet, dtype: torch.dtype = torch.float32) -> None:
        self.network = network
        self.frames = network.frames
        self.dtype = dtype

    @torch.inference_mode()
    def __call__(self, frames: Tensor, prior: Tensor) -> Tensor:
        """Reconstruct.

        Parameters
        ----------
        frames : Tensor of float32, (N, frames, H, W)
            Samples, standardised; 0 where not visited.
        prior : Tensor of float32, (N, 1, H, W)
            Initial reconstruction, standardised.

        Returns
        -------
        Tensor of float32, (N, 1, ceil(H / 2), ceil(W / 2))

        Raises
        ------
        ReconError
            When the shapes do not fit each other or the network.
        """
        height, width = self.network.check(frames, prior)
        frames, prior = mirrored(frames, MULTIPLE), mirrored(prior, MULTIPLE)
        outputs = [self._one(*pair) for pair in zip(frames, prior, strict=True)]
        return torch.stack(outputs)[:, :, : -(-height // FACTOR), : -(-width // FACTOR)]

    def _one(self, frames: Tensor, prior: Tensor) -> Tensor:
        """(frames, H, W) and (1, H, W), multiples of 16, to (1, H / 2, W / 2)."""
        network = self.network
        prior_eighth = self._prior(prior)
        pooled = network.blocks(_channels_last(functional.max_pool2d(frames[None], 8)))
        deep = network.prior_end(_batch(prior_eighth))
        middle = network.middle(torch.cat([pooled, deep], dim=1))
        decoded = Repeated(self._decoded(_image(middle), prior_eighth))
        shuffled: Image = Given(frames.permute(1, 2, 0), self.dtype)
        for block in network.shuffle:
            shuffled = _block([shuffled], block, self.dtype)
        fused = _block([shuffled, decoded], network.fusion[0])
        output = _block([fused], network.fusion[1], stride=FACTOR)
        return whole(output, _BAND // FACTOR).permute(2, 0, 1)

    def _prior(self, prior: Tensor) -> Tensor:
        """The prior encoder, (1, H, W) to (H / 8, W / 8, 32)."""
        stages = list(self.network.prior)
        image = prior.permute(1, 2, 0)
        for first, band in ((0, _BAND // 2), (2, _BAND), (4, _BAND)):
            chain: Image = Given(image, self.dtype)
            for block in stages[first : first + 2]:
                chain = _block([chain], block, self.dtype)
            image = whole(chain, band)
        return image.float()

    def _decoded(self, middle: Tensor, prior_eighth: Tensor) -> Tensor:
        """The decoder, (H / 16, W / 16, 64) and (H / 8, W / 8, 32) to the 2 x 2 patterns of `Repeated`."""
        decoder = self.network.decoder
        eighth = _doubled_and_convolved(middle, decoder.to_eighth)
        quarter = _doubled_and_convolved(
            torch.cat([eighth, prior_eighth], dim=2), cast(ConvBlock, decoder.to_quarter[0])
        )
        last: Image = Given(quarter, torch.float32)
        for block in (decoder.to_quarter[1], decoder.to_half):
            last = _block([last], block)
        patterns = whole(last, _BAND)
        channels = patterns.shape[2] // 4  # from channel, row, column (pixel shuffle) to row, column, channel
        return torch.unflatten(patterns, 2, (channels, 4)).transpose(2, 3).flatten(2).contiguous()


def folded(network: FSHNet, dtype: torch.dtype = torch.float32) -> FoldedFSHNet:
    """An equivalent of a network for inference on the CPU.

    Parameters
    ----------
    network : FSHNet
        Set to evaluation mode; on the CPU.
    dtype : torch.dtype
        float32, or bfloat16.
    """
    return FoldedFSHNet(network.eval(), dtype)


def _doubled_and_convolved(image: Tensor, block: ConvBlock) -> Tensor:
    """Nearest-neighbour doubling and a 3 x 3 block, (H, W, C) to (2 H, 2 W, O), without making the doubled image."""
    height, width, _ = image.shape
    parts = convolve(functional.pad(image, (0, 0, 1, 1, 1, 1)), _kernels_before_doubling(block.conv.weight), None)
    parts = torch.unflatten(parts, 2, (2, 2, -1))  # row and column within 2 x 2, channel
    result = parts.new_empty(height, 2, width, 2, parts.shape[-1])
    for row in range(2):
        for column in range(2):
            result[:, row, :, column] = parts[row : row + height, column : column + width, row, column]
    functional.leaky_relu_(result, 0.2)
    scale, shift = affine(block.norm)
    flat = result.view(2 * height, -1)
    torch.addcmul(shift.repeat(2 * width), flat, scale.repeat(2 * width), out=flat)
    return result.view(2 * height, 2 * width, -1)


def _kernels_before_doubling(weight: Tensor) -> Tensor:
    """Kernels (4 O, C, 2, 2) on an image that do what (O, C, 3, 3) does on it doubled, for each pixel of 2 x 2."""
    rows = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], dtype=weight.dtype)  # pixel, tap, old tap
    kernels = torch.einsum("atk,bul,ockl->aboctu", rows, rows, weight)
    return kernels.flatten(0, 2).contiguous(memory_format=torch.channels_last)


def _block(
    sources: list[Image], block: nn.Module, dtype: torch.dtype = torch.float32, stride: int | None = None
) -> Convolved:
    """A convolution block of the network on images."""
    block = cast(ConvBlock, block)
    return Convolved(sources, block.conv, block.norm, stride, dtype)


def _channels_last(x: Tensor) -> Tensor:
    """The same numbers in the order that CPU convolutions like."""
    return x.contiguous(memory_format=torch.channels_last)


def _batch(image: Tensor) -> Tensor:
    """(H, W, C) to (1, C, H, W), the same memory."""
    return image.permute(2, 0, 1)[None]


def _image(batch: Tensor) -> Tensor:
    """(1, C, H, W) to (H, W, C)."""
    return batch[0].permute(1, 2, 0).contiguous()
