"""Declaration of a trained network: `Architecture`, made once, beside its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Architecture"]


@dataclass(frozen=True)
class Architecture:
    """A trained network.

    Attributes
    ----------
    name : str
        By which weights files and training configurations name it.
    network : str
        Its class, as ``module:name``.
    method : str
        The method that runs it.
    task : str
        Its learning task: a class of `stemscan.recon.training.tasks`, or another such, as ``module:name``.
    description : str
        One line for people.
    frames_argument : str
        Argument of the class for the number of frames that it is built for; empty where any number of passes goes in.
    reads_prior : bool
        True if an initial reconstruction goes in beside the frames.
    arguments : mapping
        Further arguments of the class.
    chain : str
        Its way from inputs to image, as ``module:name``; empty where the method has one way for all its networks.
    """

    name: str
    network: str
    method: str
    task: str
    description: str
    frames_argument: str = ""
    reads_prior: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    chain: str = ""

    @property
    def takes_frames(self) -> bool:
        """Tell whether it is built for a number of frames; else any number of passes goes in as (S, V)."""
        return bool(self.frames_argument)
