"""CSNet (Shi et al., IEEE Transactions on Image Processing 29, 2020): block sampling, linear reconstruction, CNN.

Sampling is a convolution with one kernel of 32 x 32 pixels per measurement, at a stride of 32, without bias. A 1 x 1
convolution without bias turns the 62 measurements of a block into its 1024 pixels; five convolutions of 3 x 3 and 64
channels add what the linear map lacks. With four channels that makes 429,441 parameters (the FSHNet paper prints
428,936), and fixes the geometry: a block of 32 x 32 scan pixels gives 32 x 32 pixels, so the output is on the scan
grid.

The method was made for cameras that measure what a network wants. A scan has its samples already, so the learned
"sampling" is applied to the zero-filled frames, as a comparison with FSHNet must have done. Such a network sees no
mask: a dark pixel and one that was not visited are the same to it. `mask_aware` repairs both: values and visits are
the inputs, and enter the first 3 x 3 convolution beside the linear reconstruction, so that what was measured is not
lost in 62 numbers per block.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.recon.networks.padding import mirrored
from stemscan.recon.paper.network_inputs import MASK_AWARE_CHANNELS, check_channels, check_images

__all__ = ["CSNet"]

_BLOCK: Final = 32
_MEASUREMENTS: Final = 62
_WIDTH: Final = 64


class CSNet(nn.Module):
    """The network.

    Parameters
    ----------
    channels : int
        Channels that go in: 4 frames as the paper must have run it, 2 if `mask_aware`.
    mask_aware : bool
        True if the channels are values and visits, and are seen by the convolutions, too.

    Attributes
    ----------
    factor : int
        Scan pixels per pixel of the output, in each direction.

    Raises
    ------
    ReconError
        When the channels do not fit.
    """

    factor: ClassVar[int] = 1

    def __init__(self, channels: int = 4, mask_aware: bool = False) -> None:
        super().__init__()
        check_channels(channels, mask_aware)
        self.channels = channels
        self.mask_aware = mask_aware
        self.sampling = nn.Conv2d(channels, _MEASUREMENTS, _BLOCK, _BLOCK, bias=False)
        self.initial = nn.Conv2d(_MEASUREMENTS, _BLOCK * _BLOCK, 1, bias=False)
        seen = 1 + (MASK_AWARE_CHANNELS if mask_aware else 0)
        widths = (seen, *(4 * (_WIDTH,)), 1)
        self.refinement = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct.

        Parameters
        ----------
        x : Tensor of float32, (N, channels, H, W)
            Standardised frames, 0 where not visited; if `mask_aware`, the standardised mean of each pixel's samples
            (S / V; 0 where not visited) and its visits V.

        Returns
        -------
        Tensor of float32, (N, 1, H, W)
            Standardised.

        Raises
        ------
        ReconError
            When the shape does not fit.
        """
        height, width = check_images(x, self.channels)
        x = mirrored(x, _BLOCK)
        linear = functional.pixel_shuffle(cast(Tensor, self.initial(self.sampling(x))), _BLOCK)
        refined = torch.cat([linear, x], dim=1) if self.mask_aware else linear
        for layer in self.refinement[:-1]:
            refined = functional.relu(layer(refined))
        refined = linear + cast(Tensor, self.refinement[-1](refined))
        return refined[:, :, :height, :width]
