"""The networks of the paper's ablation study (Section 4.7, Table 4) that are not FSHNet with another loss or end.

Without the non-local step is a setting of the method; without structure prior a loss without guidance (`losses`). Here
are the two that need a network of their own:

- `FSHNetWithoutInitial`: no initial reconstruction. The paper does not say what became of the encoder that reads it. It
  is taken out: nothing takes its place, and the channels that it fills further on are zero, so that all other layers
  stay as they are. (Left in place with an input of zeros it would be a stack of batch norms of constants.)
- `FSHNetLinearInitial`: the initial reconstruction is a learned linear map, block by block: 205 measurements (5 %) of
  64 x 64 pixels of the four frames, without bias, and from these the 4096 pixels, with bias. That makes the paper's
  4,364,257 parameters, counted as the paper counts.

Both take the arguments of FSHNet and need no prior.
"""

from __future__ import annotations

from typing import Final, cast

from torch import Tensor, nn
from torch.nn import functional

from stemscan.recon.networks.padding import mirrored
from stemscan.recon.paper.network import FRAMES, FSHNet

__all__ = ["FSHNetLinearInitial", "FSHNetWithoutInitial", "LinearInitialReconstruction"]

_BLOCK: Final = 64
_MEASUREMENTS: Final = 205


class FSHNetWithoutInitial(FSHNet):
    """FSHNet without initial reconstruction and without the encoder that reads it.

    Parameters
    ----------
    frames : int
        Frames that go in.
    """

    def __init__(self, frames: int = FRAMES) -> None:
        super().__init__(frames)
        self.prior = nn.Sequential(_Silence(32, 8))
        self.prior_end = _Silence(32, 2)  # type: ignore[assignment]

    def forward(self, frames: Tensor, prior: Tensor | None = None) -> Tensor:
        """Reconstruct from (N, frames, H, W); a prior may be given as to FSHNet and is not read."""
        return super().forward(frames, frames[:, :1])


class LinearInitialReconstruction(nn.Module):
    """Learned linear map of the frames to an image, in blocks of 64 x 64.

    Parameters
    ----------
    frames : int
        Frames that go in.
    """

    def __init__(self, frames: int = FRAMES) -> None:
        super().__init__()
        self.sampling = nn.Conv2d(frames, _MEASUREMENTS, _BLOCK, _BLOCK, bias=False)
        self.blocks = nn.Conv2d(_MEASUREMENTS, _BLOCK * _BLOCK, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """(N, frames, H, W) to (N, 1, H, W), continued by mirror images to whole blocks."""
        height, width = frames.shape[2:]
        pixels = cast(Tensor, self.blocks(self.sampling(mirrored(frames, _BLOCK))))
        return functional.pixel_shuffle(pixels, _BLOCK)[:, :, :height, :width]


class FSHNetLinearInitial(FSHNet):
    """FSHNet whose initial reconstruction is a learned linear map of the frames.

    Parameters
    ----------
    frames : int
        Frames that go in.
    """

    def __init__(self, frames: int = FRAMES) -> None:
        super().__init__(frames)
        self.initial = LinearInitialReconstruction(frames)

    def forward(self, frames: Tensor, prior: Tensor | None = None) -> Tensor:
        """Reconstruct from (N, frames, H, W); a prior may be given as to FSHNet and is not read."""
        if frames.ndim != 4 or frames.shape[1] != self.frames:
            return super().forward(frames, frames)  # which says what is wrong
        return super().forward(frames, cast(Tensor, self.initial(frames)))


class _Silence(nn.Module):
    """Zeros in the place of a stage of the network.

    Parameters
    ----------
    channels, stride : int
        Of the stage.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, any, H, W) to zeros of (N, channels, ceil(H / stride), ceil(W / stride))."""
        return x.new_zeros(x.shape[0], self.channels, -(-x.shape[2] // self.stride), -(-x.shape[3] // self.stride))
