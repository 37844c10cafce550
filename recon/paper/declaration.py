"""The methods that the FSHNet paper compares with; its own network, theirs, and those of ablations."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from stemscan.recon.method import Method
from stemscan.recon.networks.architecture import Architecture

__all__ = ["ARCHITECTURES", "METHODS"]

_ROOM: Final = "stemscan.recon.paper"

METHODS: Final = (
    Method(
        "csnet",
        f"{_ROOM}.trained:csnet",
        "CSNet (Shi et al. 2020): learned block sampling and a convolutional network; weights by training",
        needs_weights=True,
        uses_torch=True,
        memory=(760, 0),
        cost=1,
        rank=3,
    ),
    Method(
        "reconnet",
        f"{_ROOM}.trained:reconnet",
        "ReconNet (Kulkarni et al. 2016): learned block sampling and two small units; weights by training",
        needs_weights=True,
        uses_torch=True,
        memory=(650, 0),
        cost=1,
        rank=3,
    ),
    Method(
        "bpfa",
        f"{_ROOM}.bpfa.method:bpfa",
        "beta-process factor analysis: a dictionary of patches learned from the samples",
        memory=(24, 2e8),
        cost=110,
        rank=6,
    ),
)

_MASK_AWARE: Final = MappingProxyType({"channels": 2, "mask_aware": True})

_ON_FRAMES: Final = f"{_ROOM}.on_frames:on_frames"
_FULL_GRID: Final = "stemscan.recon.training.tasks:FullGridTask"
_ON_FULL_GRID: Final = "stemscan.recon.fshnet.method:on_full_grid"

ARCHITECTURES: Final = (
    Architecture(
        "fshnet",
        f"{_ROOM}.network:FSHNet",
        "fshnet",
        f"{_ROOM}.tasks:FSHNetTask",
        "FSHNet as published",
        frames_argument="frames",
        reads_prior=True,
        chain=_ON_FRAMES,
    ),
    Architecture(
        "fshnet-no-initial",
        f"{_ROOM}.ablations:FSHNetWithoutInitial",
        "fshnet",
        f"{_ROOM}.tasks:FSHNetTask",
        "FSHNet without initial reconstruction",
        frames_argument="frames",
        chain=_ON_FRAMES,
    ),
    Architecture(
        "fshnet-linear-initial",
        f"{_ROOM}.ablations:FSHNetLinearInitial",
        "fshnet",
        f"{_ROOM}.tasks:FSHNetTask",
        "FSHNet with a learned linear start",
        frames_argument="frames",
        chain=_ON_FRAMES,
    ),
    Architecture(
        "fshnet-full-from-low-pass",
        f"{_ROOM}.full_grid_ablations:FullGridFromLowPass",
        "fshnet",
        _FULL_GRID,
        "FSHNet on the full scan grid, from the paper's initial reconstruction",
        chain=_ON_FULL_GRID,
    ),
    Architecture(
        "fshnet-full-no-visits",
        f"{_ROOM}.full_grid_ablations:FullGridWithoutVisits",
        "fshnet",
        _FULL_GRID,
        "FSHNet on the full scan grid that does not see visits",
        chain=_ON_FULL_GRID,
    ),
    Architecture(
        "fshnet-full-one-phase",
        f"{_ROOM}.full_grid_ablations:FullGridOnePhase",
        "fshnet",
        _FULL_GRID,
        "FSHNet on the full scan grid with one value per 2 x 2 pixels",
        chain=_ON_FULL_GRID,
    ),
    Architecture(
        "csnet",
        f"{_ROOM}.csnet:CSNet",
        "csnet",
        f"{_ROOM}.tasks:BaselineTask",
        "CSNet on zero-filled frames",
        frames_argument="channels",
    ),
    Architecture(
        "csnet-mask",
        f"{_ROOM}.csnet:CSNet",
        "csnet",
        f"{_ROOM}.tasks:BaselineTask",
        "CSNet on values and visits",
        arguments=_MASK_AWARE,
    ),
    Architecture(
        "reconnet",
        f"{_ROOM}.reconnet:ReconNet",
        "reconnet",
        f"{_ROOM}.tasks:BaselineTask",
        "ReconNet on zero-filled frames",
        frames_argument="channels",
    ),
    Architecture(
        "reconnet-mask",
        f"{_ROOM}.reconnet:ReconNet",
        "reconnet",
        f"{_ROOM}.tasks:BaselineTask",
        "ReconNet on values and visits",
        arguments=_MASK_AWARE,
    ),
)
