"""FSHNet: the method, and the networks that it runs."""

from __future__ import annotations

from typing import Final

from stemscan.recon.method import Method
from stemscan.recon.networks.architecture import Architecture

__all__ = ["ARCHITECTURES", "METHODS"]

METHODS: Final = (
    Method(
        "fshnet",
        "stemscan.recon.fshnet.method:fshnet",
        "FSHNet, the hybrid frequency-spatial network: corrects the Fourier estimate; or as published (He et al. 2021)",
        needs_weights=True,
        uses_torch=True,
        gives_std=True,
        memory=(50, 3e8),
        rank=1,
    ),
)

_ROOM: Final = "stemscan.recon.fshnet"
_FULL_GRID: Final = "stemscan.recon.training.tasks:FullGridTask"

ARCHITECTURES: Final = (
    Architecture(
        "fshnet",
        f"{_ROOM}.network:FSHNet",
        "fshnet",
        "stemscan.recon.training.tasks:FSHNetTask",
        "FSHNet as published",
        frames_argument="frames",
        reads_prior=True,
    ),
    Architecture(
        "fshnet-full",
        f"{_ROOM}.full_grid:FullGridNet",
        "fshnet",
        _FULL_GRID,
        "FSHNet on the full scan grid, from Fourier analysis and visits",
    ),
    Architecture(
        "fshnet-full-from-low-pass",
        f"{_ROOM}.full_grid_ablations:FullGridFromLowPass",
        "fshnet",
        _FULL_GRID,
        "FSHNet on the full scan grid, from the paper's initial reconstruction",
    ),
    Architecture(
        "fshnet-full-no-visits",
        f"{_ROOM}.full_grid_ablations:FullGridWithoutVisits",
        "fshnet",
        _FULL_GRID,
        "FSHNet on the full scan grid that does not see visits",
    ),
    Architecture(
        "fshnet-full-one-phase",
        f"{_ROOM}.full_grid_ablations:FullGridOnePhase",
        "fshnet",
        _FULL_GRID,
        "FSHNet on the full scan grid with one value per 2 x 2 pixels",
    ),
)
