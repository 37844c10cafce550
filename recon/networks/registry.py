"""The trained networks by name: what each is, and which method runs it.

A weights file (`stemscan.recon.weights.file`) and a training configuration (`stemscan.recon.training`) name an
architecture of this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from stemscan.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURES", "Architecture", "architecture_of", "build", "network_class"]


class Architecture(NamedTuple):
    """Where a network is and what it is for.

    Attributes
    ----------
    module, name : str
        Where its class is.
    method : str
        The method of `stemscan.recon.registry` that runs it.
    description : str
        One line for people.
    takes_frames : bool
        Whether it is built for a number of frames; else any number of passes goes in as (S, V).
    arguments : mapping
        Further arguments of the class.
    """

    module: str
    name: str
    method: str
    description: str
    takes_frames: bool = True
    arguments: Mapping[str, Any] = MappingProxyType({})


_FSHNET: Final = "stemscan.recon.fshnet"
_PAPER: Final = "stemscan.recon.paper"
_MASK_AWARE: Final = MappingProxyType({"channels": 2, "mask_aware": True})

ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "fshnet": Architecture(f"{_FSHNET}.network", "FSHNet", "fshnet", "FSHNet as published"),
        "fshnet-full": Architecture(
            f"{_FSHNET}.full_grid",
            "FullGridNet",
            "fshnet",
            "FSHNet on the full scan grid, from Fourier analysis and visits",
            takes_frames=False,
        ),
        "fshnet-no-initial": Architecture(
            f"{_PAPER}.ablations", "FSHNetWithoutInitial", "fshnet", "FSHNet without initial reconstruction"
        ),
        "fshnet-linear-initial": Architecture(
            f"{_PAPER}.ablations",
            "FSHNetLinearInitial",
            "fshnet",
            "FSHNet with a learned linear start",
        ),
        "fshnet-full-from-low-pass": Architecture(
            f"{_FSHNET}.full_grid_ablations",
            "FullGridFromLowPass",
            "fshnet",
            "FSHNet on the full scan grid, from the paper's initial reconstruction",
            takes_frames=False,
        ),
        "fshnet-full-no-visits": Architecture(
            f"{_FSHNET}.full_grid_ablations",
            "FullGridWithoutVisits",
            "fshnet",
            "FSHNet on the full scan grid that does not see visits",
            takes_frames=False,
        ),
        "fshnet-full-one-phase": Architecture(
            f"{_FSHNET}.full_grid_ablations",
            "FullGridOnePhase",
            "fshnet",
            "FSHNet on the full scan grid with one value per 2 x 2 pixels",
            takes_frames=False,
        ),
        "csnet": Architecture(f"{_PAPER}.csnet", "CSNet", "csnet", "CSNet on zero-filled frames"),
        "csnet-mask": Architecture(
            f"{_PAPER}.csnet", "CSNet", "csnet", "CSNet on values and visits", False, _MASK_AWARE
        ),
        "reconnet": Architecture(f"{_PAPER}.reconnet", "ReconNet", "reconnet", "ReconNet on zero-filled frames"),
        "reconnet-mask": Architecture(
            f"{_PAPER}.reconnet", "ReconNet", "reconnet", "ReconNet on values and visits", False, _MASK_AWARE
        ),
    }
)


def architecture_of(name: str) -> Architecture:
    """An architecture by name.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise UsageError(f"expected a network of {', '.join(ARCHITECTURES)}, got {name!r}")
    return ARCHITECTURES[name]


def network_class(name: str) -> type[nn.Module]:
    """The class of an architecture, imported.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    found = architecture_of(name)
    return cast("type[nn.Module]", getattr(import_module(found.module), found.name))


def build(name: str, frames: int = 4) -> nn.Module:
    """Build a network with initial weights, which come from torch's generator.

    Parameters
    ----------
    name : str
        In `ARCHITECTURES`.
    frames : int
        Frames that go in, where the network is built for a number of them.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    found = architecture_of(name)
    kind = network_class(name)
    arguments = dict(found.arguments)
    if found.takes_frames:
        arguments["frames" if found.method == "fshnet" else "channels"] = frames
    return kind(**arguments)
