"""ReconNet (Kulkarni et al., CVPR 2016): linear reconstruction block by block, then two units of three convolutions.

The FSHNet paper counts 40,578 parameters. That is 13 kernels of 16 x 16 pixels (5 % of a block, without bias), a map
of the 13 measurements to 1024 pixels with bias, and two units of 11 x 11 to 64 channels, 1 x 1 to 32 and 7 x 7 to one.
Blocks of 16 x 16 that give 32 x 32 pixels double the grid. As the paper's images are 512 x 512 and are scanned at
1024 x 1024, the sampling is taken to see the image on its own grid: the frames are summed, also over 2 x 2 scan
pixels, so that a block covers 32 x 32 scan pixels and gives as many. The output is on the scan grid.

As in `csnet`, the learned "sampling" is applied to what a scan has measured already; `mask_aware` gives the network
values and visits instead of zero-filled frames, to the linear map and to the first unit. Inside a unit ReLU follows the
first two convolutions; the output of a unit is an image, which may be negative when it is standardised, and has none.
"""

from __future__ import annotations

from typing import ClassVar, Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.recon.networks.padding import mirrored
from stemscan.recon.paper.network_inputs import MASK_AWARE_CHANNELS, check_channels, check_images

__all__ = ["ReconNet"]

_BINNING: Final = 2
_BLOCK: Final = 16
_MEASUREMENTS: Final = 13
_PIXELS: Final = _BLOCK * _BINNING


class ReconNet(nn.Module):
    """The network.

    Parameters
    ----------
    channels : int
        Channels that go in: 4 frames as the paper must have run it (they are summed, so that their number changes no
        parameter), 2 if `mask_aware`.
    mask_aware : bool
        True if the channels are values and visits, and are seen by the first unit, too.

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
        extra = MASK_AWARE_CHANNELS if mask_aware else 0
        self.sampling = nn.Conv2d(extra or 1, _MEASUREMENTS, _BLOCK, _BLOCK, bias=False)
        self.initial = nn.Conv2d(_MEASUREMENTS, _PIXELS * _PIXELS, 1)
        self.units = nn.Sequential(_unit(1 + extra), _unit(1))

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
        x = mirrored(x, _PIXELS)
        binned = _binned_means(x) if self.mask_aware else _binned_sums(x.sum(dim=1, keepdim=True))
        linear = functional.pixel_shuffle(cast(Tensor, self.initial(self.sampling(binned))), _PIXELS)
        refined = self.units(torch.cat([linear, x], dim=1) if self.mask_aware else linear)
        return cast(Tensor, refined)[:, :, :height, :width]


def _unit(inputs: int) -> nn.Sequential:
    """A ReconNet unit: from `inputs` channels to one, at the same size."""
    return nn.Sequential(
        nn.Conv2d(inputs, 64, 11, padding=5),
        nn.ReLU(),
        nn.Conv2d(64, 32, 1),
        nn.ReLU(),
        nn.Conv2d(32, 1, 7, padding=3),
    )


def _binned_sums(x: Tensor) -> Tensor:
    """Sums over 2 x 2 pixels, (N, C, H, W) to (N, C, H / 2, W / 2)."""
    return _BINNING**2 * functional.avg_pool2d(x, _BINNING)


def _binned_means(x: Tensor) -> Tensor:
    """Values and visits, (N, 2, H, W), on the grid of half the size: mean per visit, and the sum of visits."""
    values, visits = x[:, :1], x[:, 1:]
    times = _binned_sums(visits)
    return torch.cat([_binned_sums(values * visits) / times.clamp(min=1.0), times], dim=1)
