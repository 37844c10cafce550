"""FSHNet: the method, and our network; the published one is declared in `stemscan.recon.paper`."""

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
        cost=1.5,
        tiles=True,
        rank=1,
    ),
)

ARCHITECTURES: Final = (
    Architecture(
        "fshnet-full",
        "stemscan.recon.fshnet.full_grid:FullGridNet",
        "fshnet",
        "stemscan.recon.training.tasks:FullGridTask",
        "FSHNet on the full scan grid, from Fourier analysis and visits",
        chain="stemscan.recon.fshnet.method:on_full_grid",
    ),
    Architecture(
        "fshnet-regressed",
        "stemscan.recon.fshnet.full_grid:RegressedNet",
        "fshnet",
        "stemscan.recon.training.tasks:FullGridTask",
        "FSHNet on the full scan grid, from the Fourier estimate that held-out samples corrected; more coarse channels",
        arguments={"widths": (16, 32, 64, 64), "blocks": 4},
        chain="stemscan.recon.fshnet.method:on_full_grid",
    ),
)
