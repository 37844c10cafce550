"""The full-grid network without one of what it has beyond the paper, each for a row of the table of ablations.

Any number of passes is the fourth of these improvements and needs no network of its own: it is learnt from scans of
many numbers of passes (the configurations `full-...`).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from stemscan.recon.fshnet.full_grid import FullGridNet
from stemscan.recon.fshnet.full_grid_features import CHANNELS, VISIT_CHANNELS, Analyse
from stemscan.recon.paper.low_pass_analysis import low_pass_analysis

__all__ = ["FullGridFromLowPass", "FullGridOnePhase", "FullGridWithoutVisits"]


class FullGridFromLowPass(FullGridNet):
    """Corrects the paper's initial reconstruction, equations 10 and 11, instead of the Fourier estimate."""

    analyse: ClassVar[Analyse] = staticmethod(low_pass_analysis)


class FullGridOnePhase(FullGridNet):
    """Puts out one value for every 2 x 2 pixels of the scan grid, as the paper does."""

    def __init__(self) -> None:
        super().__init__(phases=1)


class FullGridWithoutVisits(FullGridNet):
    """Sees no visits: residuals that are zero where nothing was visited, as the paper's frames, and no more."""

    def raw(self, channels: Tensor) -> Tensor:
        """As `FullGridNet.raw`, with zeros in the channels of visits."""
        seen = channels.new_ones(1, CHANNELS, 1, 1)
        seen[:, list(VISIT_CHANNELS)] = 0
        return super().raw(channels * seen)
