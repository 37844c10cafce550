"""The trained networks by name, found in the declarations of the rooms that hold them.

A weights file (`stemscan.recon.weights.file`) and a training configuration (`stemscan.recon.training`) name one of
`ARCHITECTURES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from stemscan.errors import UsageError
from stemscan.named import import_named
from stemscan.recon.declared import declarations
from stemscan.recon.networks.architecture import Architecture

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURES", "architecture_of", "build", "network_class"]

ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {one.name: one for one in declarations("ARCHITECTURES")}
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
    return cast("type[nn.Module]", import_named(architecture_of(name).network))


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
    number = {found.frames_argument: frames} if found.takes_frames else {}
    return network_class(name)(**found.arguments, **number)
