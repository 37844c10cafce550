"""The methods that the FSHNet paper compares with, and their networks."""

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
        rank=3,
    ),
    Method(
        "reconnet",
        f"{_ROOM}.trained:reconnet",
        "ReconNet (Kulkarni et al. 2016): learned block sampling and two small units; weights by training",
        needs_weights=True,
        uses_torch=True,
        memory=(650, 0),
        rank=3,
    ),
    Method(
        "bpfa",
        f"{_ROOM}.bpfa:bpfa",
        "beta-process factor analysis: a dictionary of patches learned from the samples",
        memory=(24, 2e8),
        rank=6,
    ),
)

_TASKS: Final = "stemscan.recon.training.tasks"
_MASK_AWARE: Final = MappingProxyType({"channels": 2, "mask_aware": True})

ARCHITECTURES: Final = (
    Architecture(
        "fshnet-no-initial",
        f"{_ROOM}.ablations:FSHNetWithoutInitial",
        "fshnet",
        f"{_TASKS}:FSHNetTask",
        "FSHNet without initial reconstruction",
        frames_argument="frames",
    ),
    Architecture(
        "fshnet-linear-initial",
        f"{_ROOM}.ablations:FSHNetLinearInitial",
        "fshnet",
        f"{_TASKS}:FSHNetTask",
        "FSHNet with a learned linear start",
        frames_argument="frames",
    ),
    Architecture(
        "csnet",
        f"{_ROOM}.csnet:CSNet",
        "csnet",
        f"{_TASKS}:BaselineTask",
        "CSNet on zero-filled frames",
        frames_argument="channels",
    ),
    Architecture(
        "csnet-mask",
        f"{_ROOM}.csnet:CSNet",
        "csnet",
        f"{_TASKS}:BaselineTask",
        "CSNet on values and visits",
        arguments=_MASK_AWARE,
    ),
    Architecture(
        "reconnet",
        f"{_ROOM}.reconnet:ReconNet",
        "reconnet",
        f"{_TASKS}:BaselineTask",
        "ReconNet on zero-filled frames",
        frames_argument="channels",
    ),
    Architecture(
        "reconnet-mask",
        f"{_ROOM}.reconnet:ReconNet",
        "reconnet",
        f"{_TASKS}:BaselineTask",
        "ReconNet on values and visits",
        arguments=_MASK_AWARE,
    ),
)
