"""FSHNet on the full scan grid: the hybrid of the paper with a better start, and an output for every scan pixel.

The parts are the paper's: a branch at the finest grid on the samples (`shuffle`), an encoder of the initial
reconstruction down to a sixteenth of the scan grid (`prior`), residual blocks there (`middle`), a decoder that comes
back by doublings, and a `fusion` of the two. What differs, each for a reason that an ablation measures
(docs/fshnet.md): the initial reconstruction is the Fourier empirical-Bayes estimate and the network corrects it, so
that without a correction (as it is initialised) it is no worse; visits are an input; all four phases of the scan grid
are put out; any number of passes enters through (S, V); and a standard deviation comes with the image. There is no
batch norm: the features have their scale by construction (`full_grid_features`), and results do not depend on what
else is in a batch.
"""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.recon.fourier_eb.analysis import FourierAnalysis, analyse
from stemscan.recon.fourier_eb.shared import analysed
from stemscan.recon.fshnet.full_grid_features import CHANNELS, PHASES, Analyse, Features
from stemscan.recon.inputs.grids import upsample_linear
from stemscan.recon.networks.exact import exact_convolutions
from stemscan.recon.networks.tiling import tiled
from stemscan.types import Image, Noise

__all__ = ["WIDTHS", "Correction", "FullGridNet", "RegressedNet", "correct"]


WIDTHS: Final = (16, 32, 48, 48)
"""Channels at a half, a quarter, an eighth and a sixteenth of the scan grid."""

_SLOPE: Final = 0.1
_WHOLE: Final = 1 << 20  # pixels of the features up to which a frame is computed at once
_TILE: Final = 512
_OVERLAP: Final = 64  # leaves differences below a thousandth of the estimate's error; 110 would leave none
_LARGEST_LOG: Final = 2.0
_BEYOND: Final = 0.25  # of what a corrected image has beyond the estimate's range


class Correction(NamedTuple):
    """Output of the network on an estimate.

    Attributes
    ----------
    image : Tensor of float32, (N, 1, 2 h, 2 w)
        To add to the estimate, in its unit, on the scan grid.
    log_ratio : Tensor of float32, (N, 1, h, w)
        Natural logarithm of the corrected image's standard deviation over the estimate's.
    """

    image: Tensor
    log_ratio: Tensor


class Residual(nn.Module):
    """Two 3 x 3 convolutions, added to the input; the second starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(cast(Tensor, self.second.bias))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) to the same."""
        return x + cast(Tensor, self.second(functional.leaky_relu(self.first(x), _SLOPE)))


class FullGridNet(nn.Module):
    """The network.

    Parameters
    ----------
    channels : int
        Of the input.
    blocks : int
        Residual blocks in the middle.
    phases : int
        Values put out for each pixel of the features: all four phases, or for an ablation one.

    Attributes
    ----------
    analyse : callable
        Makes the initial reconstruction that it corrects.
    """

    analyse: ClassVar[Analyse] = staticmethod(analysed)

    def __init__(
        self,
        channels: int = CHANNELS,
        blocks: int = 4,
        widths: tuple[int, int, int, int] = WIDTHS,
        phases: int = PHASES,
    ) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.shuffle = nn.Sequential(nn.Conv2d(channels, half, 3, padding=1), Residual(half))
        self.prior = nn.ModuleList(
            nn.Sequential(nn.Conv2d(fine, coarse, 3, stride=2, padding=1), Residual(coarse))
            for fine, coarse in ((half, quarter), (quarter, eighth))
        )
        self.prior_end = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        self.middle = nn.Sequential(*(Residual(sixteenth) for _ in range(blocks)))
        self.narrow = nn.ModuleList(
            nn.Conv2d(coarse, fine, 1) for coarse, fine in ((sixteenth, eighth), (eighth, quarter), (quarter, half))
        )
        self.decoder = nn.ModuleList((Residual(eighth), Residual(quarter)))
        self.fusion = Residual(half)
        self.end = nn.Conv2d(half, phases + 1, 3, padding=1)
        nn.init.zeros_(self.end.weight)
        nn.init.zeros_(cast(Tensor, self.end.bias))

    def forward(self, channels: Tensor) -> Correction:
        """Correct an estimate.

        Parameters
        ----------
        channels : Tensor of float, (N, CHANNELS, h, w)
            Features; h and w are multiples of 8.
        """
        return correction_of(self.raw(channels))

    def raw(self, channels: Tensor) -> Tensor:
        """Output before `correction_of` makes a correction of it: (N, phases + 1, h, w), local."""
        fine = self.shuffle(channels)
        quarter = self.prior[0](fine)
        eighth = self.prior[1](quarter)
        x = self.middle(self.prior_end(eighth))
        x = self.decoder[0](eighth + _doubled(self.narrow[0](x)))
        x = self.decoder[1](quarter + _doubled(self.narrow[1](x)))
        x = functional.leaky_relu(self.fusion(fine + _doubled(self.narrow[2](x))), _SLOPE)
        return cast(Tensor, self.end(x)).float()


def _regressed(
    summed: Image,
    visits: Image,
    electrons_per_sample: float,
    *,
    noise: Noise = "poisson",
    signed: bool = False,
    device: str = "cpu",
) -> FourierAnalysis:
    """The Fourier analysis with the regression on held-out samples."""
    return analyse(summed, visits, electrons_per_sample, noise=noise, signed=signed, device=device, regression=True)


class RegressedNet(FullGridNet):
    """The network on the Fourier estimate that held-out samples have corrected.

    That estimate is 3 dB better on what is no lattice (`python -m benchmarks.non_lattices`), more than the network
    gains there; it takes five to six times as long.
    """

    analyse: ClassVar[Analyse] = staticmethod(_regressed)


def correction_of(raw: Tensor) -> Correction:
    """The phases and a bounded logarithm of what the network put out, (N, phases + 1, h, w)."""
    ratio = _LARGEST_LOG * torch.tanh(raw[:, -1:] / _LARGEST_LOG)
    return Correction(functional.pixel_shuffle(raw[:, :-1].expand(-1, PHASES, -1, -1), 2), ratio)


def _doubled(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling by 2."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def correct(network: FullGridNet, made: Features, device: str = "cpu") -> tuple[Image, Image]:
    """Run the network on a scan's features.

    What goes beyond the range of the estimate counts a quarter: where many pixels are corrected, the extremes are those
    of which the correction errs most (0.1 to 0.5 dB of the min-max PSNR on real micrographs, nothing of the others).

    Large frames are computed tile by tile, so that memory does not grow with the network's layers; the Fourier analysis
    is that of the whole frame. Convolutions are in bfloat16 on processors that multiply it, which takes half the time;
    the correction alone is rounded, and the image changes by thousandths of its error (`benchmarks/fshnet_chain.py`
    prints the decibels).

    Parameters
    ----------
    network : FullGridNet
        It is moved to the device and set to evaluation mode.
    device : str
        A torch device.

    Returns
    -------
    image : ndarray of float32, (H, W)
        The corrected estimate, not clipped.
    std : ndarray of float32, (H, W)
        Standard deviation of its error.
    """
    target = torch.device(device)
    network = network.to(device=target, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    half = torch.autocast("cpu", torch.bfloat16, enabled=target.type == "cpu" and _multiplies_bfloat16())
    with torch.inference_mode(), exact_convolutions(target), half:
        correction = correction_of(_raw(network, made.channels, target))
        image = _within(made.estimate + made.unit * correction.image[0, 0], made.estimate, made.shape)
        error = made.std * torch.exp(correction.log_ratio[0, 0])
    rows, columns = made.shape
    coarse = error.cpu().numpy()[: -(-rows // 2), : -(-columns // 2)]
    return image[:rows, :columns].cpu().numpy().copy(), upsample_linear(np.ascontiguousarray(coarse), 2, made.shape)


def _within(image: Tensor, estimate: Tensor, shape: tuple[int, int]) -> Tensor:
    """The corrected image, with a part of what is beyond the estimate's range on the scan grid."""
    low, high = torch.aminmax(estimate[: shape[0], : shape[1]])
    inside = image.clamp(low, high)
    return inside + _BEYOND * (image - inside)


def _raw(network: FullGridNet, channels: Tensor, device: torch.device) -> Tensor:
    """The network's output on whole features, (1, phases + 1, h, w)."""

    def run(part: Tensor) -> Tensor:
        return network.raw(part[None].to(device, memory_format=torch.channels_last))

    if channels.shape[1] * channels.shape[2] <= _WHOLE:
        return run(channels)

    def run_tile(part: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made: npt.NDArray[np.float32] = run(torch.from_numpy(part))[0].cpu().numpy()
        return made

    whole = tiled(run_tile, [channels.cpu().numpy()], 1, _TILE, _OVERLAP, multiple=8)
    return torch.from_numpy(whole)[None].to(device)


def _multiplies_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 itself; else rounding costs time and gains nothing."""
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
