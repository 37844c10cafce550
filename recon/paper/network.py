"""FSHNet, the frequency-spatial hybrid network of He et al., ICCV 2021, layer by layer as published.

Two ways lead into a common middle and out again. One mixes the frames at full size (`shuffle`), the other takes the
initial reconstruction down to a sixteenth (`prior`); the frames' maxima over 8 x 8 blocks join there (`blocks`). The
middle and the decoder bring the result back to full size, where the shuffled frames join it (`fusion`). Every
convolution block is convolution, LeakyReLU 0.2, batch norm, in this order, with zeros beyond the border.

Only every second pixel in each direction is put out (and was supervised): pixel (i, j) of the output is the network's
pixel (2 i, 2 j), and shows what lies at the middle of the 2 x 2 block that begins there, for it was trained against
images of half the size. So the output is a grid of factor 2 in the sense of `stemscan.recon.inputs.grids`.

Grids that 16 does not divide are continued by their mirror image for the pass, on the far sides.
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.errors import ReconError
from stemscan.recon.networks.padding import mirrored

__all__ = [
    "FACTOR",
    "FRAMES",
    "MULTIPLE",
    "RECEPTIVE_RADIUS",
    "UNUSED_PARAMETERS",
    "FSHNet",
    "multiply_accumulates",
    "parameter_count_paper",
]

FRAMES: Final = 4
"""Frames of the published network."""

FACTOR: Final = 2
"""Pixels of the scan grid per pixel of the output, in each direction."""

UNUSED_PARAMETERS: Final = {
    "fusion_2_1": (8, 8, 3, 3),
    "fusion_2_2": (1, 8, 3, 3),
    "fusion_2_3": (1, 1, 1, 1),
    "extract.loG": (1, 1, 5, 5),
    "extract.loG4": (4, 1, 5, 5),
    "extract.sobel_1": (4, 1, 3, 3),
    "extract.sobel_2": (4, 1, 3, 3),
    "extract1.loG": (1, 1, 5, 5),
    "extract1.loG4": (4, 1, 5, 5),
    "extract1.sobel_1": (4, 1, 3, 3),
    "extract1.sobel_2": (4, 1, 3, 3),
}
"""Parameters of the published model that its output does not depend on: a second fusion, and fixed edge filters."""

MULTIPLE: Final = 16
"""Product of the strides on the longest way through the network: its phase repeats every so many pixels."""

RECEPTIVE_RADIUS: Final = 138
"""Scan pixels around one that its output depends on, at most: 11 by way of the shuffle branch, the rest by way of the
middle, whose five 3 x 3 convolutions reach 16 pixels each. (Before the pixel; behind it 129 are reached.)"""


class ConvBlock(nn.Module):
    """Convolution, LeakyReLU 0.2, batch norm.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    size : int
        Side of the kernel, odd.
    bias : bool
        True if the convolution has one; most have not, for the normalisation follows.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=bias)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        return cast(Tensor, self.norm(functional.leaky_relu(self.conv(x), 0.2)))


class ResidualBlock(nn.Module):
    """1 x 1 to half the channels, 3 x 3, 1 x 1 back, added to the input.

    Parameters
    ----------
    channels : int
        Even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = ConvBlock(channels, channels // 2, 1)
        self.mix = ConvBlock(channels // 2, channels // 2, 3)
        self.expand = ConvBlock(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        return x + cast(Tensor, self.expand(self.mix(self.reduce(x))))


class Decoder(nn.Module):
    """From a sixteenth to full size: nearest-neighbour doubling three times, pixel shuffle once."""

    def __init__(self) -> None:
        super().__init__()
        self.to_eighth = ConvBlock(64, 32, 3)
        self.to_quarter = nn.Sequential(ConvBlock(64, 32, 3), ConvBlock(32, 32, 3))
        self.to_half = ConvBlock(32, 32, 1, bias=True)

    def forward(self, middle: Tensor, prior_eighth: Tensor) -> Tensor:
        """(N, 64, H/16, W/16) and the prior's (N, 32, H/8, W/8) to (N, 8, H, W)."""
        x = self.to_eighth(_doubled(middle))
        x = self.to_quarter(_doubled(torch.cat([x, prior_eighth], dim=1)))
        return functional.pixel_shuffle(self.to_half(_doubled(x)), 2)


class FSHNet(nn.Module):
    """The network.

    Parameters
    ----------
    frames : int
        Frames that go in; 4 as published.
    """

    def __init__(self, frames: int = FRAMES) -> None:
        super().__init__()
        self.frames = frames
        self.shuffle = nn.Sequential(
            ConvBlock(frames, frames, 1, bias=True),
            ConvBlock(frames, 8, 7),
            ConvBlock(8, 8, 7),
            ConvBlock(8, 16, 5),
            ConvBlock(16, 16, 3),
        )
        self.prior = nn.Sequential(
            ConvBlock(1, 8, 7),
            ConvBlock(8, 8, 7, stride=2),
            ConvBlock(8, 16, 5),
            ConvBlock(16, 16, 5, stride=2),
            ConvBlock(16, 32, 3, stride=2),
        )
        self.prior_end = ConvBlock(32, 32, 3, stride=2)
        self.blocks = nn.Sequential(ConvBlock(frames, 8, 3), ConvBlock(8, 16, 3), ConvBlock(16, 32, 3, stride=2))
        self.middle = nn.Sequential(*(ResidualBlock(64) for _ in range(5)))
        self.decoder = Decoder()
        self.fusion = nn.Sequential(ConvBlock(24, 8, 3), ConvBlock(8, 1, 3))

    def forward(self, frames: Tensor, prior: Tensor) -> Tensor:
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
        height, width = self.check(frames, prior)
        frames, prior = mirrored(frames, MULTIPLE), mirrored(prior, MULTIPLE)
        shuffled = self.shuffle(frames)
        prior_eighth = self.prior(prior)
        pooled = self.blocks(functional.max_pool2d(frames, 8))
        middle = self.middle(torch.cat([pooled, self.prior_end(prior_eighth)], dim=1))
        decoded = self.decoder(middle, prior_eighth)
        fused = cast(Tensor, self.fusion(torch.cat([shuffled, decoded], dim=1)))
        return fused[:, :, :height:FACTOR, :width:FACTOR]

    def check(self, frames: Tensor, prior: Tensor) -> tuple[int, int]:
        """Height and width of the input, or an error."""
        expected = (frames.shape[0], 1, *frames.shape[2:])
        if frames.ndim != 4 or frames.shape[1] != self.frames or prior.shape != expected:
            raise ReconError(
                f"expected frames of shape (N, {self.frames}, H, W) and a prior of shape (N, 1, H, W), "
                f"got {tuple(frames.shape)} and {tuple(prior.shape)}; give one prior per set of frames"
            )
        return int(frames.shape[2]), int(frames.shape[3])


def parameter_count_paper(network: FSHNet | None = None) -> int:
    """Number of parameters the way the paper counts: with those of the published model that are never used.

    Parameters
    ----------
    network : FSHNet, optional
        The published architecture when not given.

    Returns
    -------
    int
        161,761 for the published architecture, of which 160,718 are trainable and used.
    """
    if network is None:
        with torch.device("meta"):
            network = FSHNet()
    used = sum(parameter.numel() for parameter in network.parameters())
    return used + sum(int(np.prod(shape)) for shape in UNUSED_PARAMETERS.values())


def multiply_accumulates(shape: tuple[int, int], frames: int = FRAMES) -> dict[str, int]:
    """Multiply-accumulate operations of the convolutions in one pass, counted on a dry run without data.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the scan grid.

    Returns
    -------
    dict of str to int
        By part (shuffle, prior, blocks, middle, decoder, fusion), and their ``total``.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = FSHNet(frames).eval()
        inputs = torch.empty(1, frames, *shape), torch.empty(1, 1, *shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    found = {name.removeprefix("FSHNet."): sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}
    parts = ("shuffle", "prior", "blocks", "middle", "decoder", "fusion")
    return {part: found[part] + found.get(f"{part}_end", 0) for part in parts} | {"total": found["Global"]}


def _doubled(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling by 2."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")
