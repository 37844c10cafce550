"""Tasks: what a network learns from a scan, its inputs and targets, and the loss.

An example holds a whole scan as tensors (channels, rows, columns), each on a grid of some factor, and numbers; crops
of it are stacked into a batch. What a network is given here is what its method gives it: the same functions make both.
The task of a network is the one that its architecture declares; those of the paper's are in `stemscan.recon.paper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.named import import_named
from stemscan.recon.fshnet.full_grid import FullGridNet
from stemscan.recon.fshnet.full_grid_features import features
from stemscan.recon.networks.registry import architecture_of, network_class
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.scans import Scan

if TYPE_CHECKING:
    from stemscan.recon.weights.file import Convention

__all__ = ["Batch", "Example", "Losses", "Task", "crop", "stack", "task_of"]

Batch = dict[str, Tensor]
Losses = dict[str, Tensor]
"""Scalars by name, means over the batch; "loss" is the one to minimise."""


@dataclass(frozen=True, eq=False)
class Example:
    """A scan as a network learns from it.

    Attributes
    ----------
    maps : dict of str to (int, Tensor)
        Factor of the grid, and a tensor (C, H / factor, W / factor).
    """

    maps: dict[str, tuple[int, Tensor]]
    numbers: dict[str, float]


class Task(Protocol):
    """Learning task of a network.

    Attributes
    ----------
    convention : {"published", "paper", "analysis"}
        The way in which the network's inputs are made, as its weights file says it.
    half : bool
        True if its weights are written in float16.
    """

    convention: ClassVar[Convention]
    half: ClassVar[bool]

    def example(self, scan: Scan) -> Example:
        """Inputs and targets of a scan."""
        ...

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Run the network on a batch and compare."""
        ...


def crop(example: Example, origin: tuple[int, int], size: int) -> Batch:
    """Cut a square of `size` scan pixels out of an example; numbers become (1, 1, 1)."""
    row, column = origin
    cut = {
        name: whole[:, row // factor : (row + size) // factor, column // factor : (column + size) // factor]
        for name, (factor, whole) in example.maps.items()
    }
    return cut | {name: torch.full((1, 1, 1), number) for name, number in example.numbers.items()}


def stack(crops: Sequence[Batch]) -> Batch:
    """A batch of crops."""
    return {name: torch.stack([one[name] for one in crops]) for name in crops[0]}


def task_of(config: TrainingConfig) -> Task:
    """The task of a configuration's network, which its architecture declares."""
    return cast(Task, import_named(architecture_of(config.network).task)(config))


class FullGridTask:
    """The correction of the Fourier estimate, on the full scan grid, and the standard deviation of what remains.

    The loss of a crop is the logarithm of its mean squared error in units of the error that the estimate predicts, as
    what counts is decibels at every dose and ratio alike; crops that are already better than `_GOOD` count less.
    Squared errors at columns that depart from their lattice count `loss.exceptions` times as much, for a mean over all
    pixels is least where what is rare is erased: with weight w the best image is the one that would be best if
    exceptions were w times as likely as they are. The likelihood of the remaining error teaches the standard deviation,
    from all pixels alike and without a say in the image.
    """

    convention: ClassVar[Convention] = "analysis"
    half: ClassVar[bool] = True

    _GOOD: Final = 0.02
    _LIKELIHOOD: Final = 0.1
    _LARGEST_SQUARE: Final = 30.0

    def __init__(self, config: TrainingConfig) -> None:
        self._weight = config.loss.exceptions
        self._analyse = cast(type[FullGridNet], network_class(config.network)).analyse

    def example(self, scan: Scan) -> Example:
        """Features, estimate and its standard deviation, truth."""
        inputs = scan.inputs
        made = features(inputs.S, inputs.V, inputs.electrons_per_sample, noise=inputs.noise, analyse=self._analyse)
        maps = {
            "channels": (2, made.channels),
            "estimate": (1, made.estimate[None]),
            "std": (2, made.std[None]),
            "truth": (1, torch.tensor(scan.truth)[None]),
        }
        if self._weight > 1:
            maps["weight"] = (
                1,
                torch.from_numpy(np.where(scan.exceptions, np.float32(self._weight), np.float32(1)))[None],
            )
        return Example(maps, {"unit": made.unit})

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """See the class; "gain_dB" is how much better the image is than the estimate."""
        correction = network(batch["channels"])
        with torch.autocast(batch["truth"].device.type, enabled=False):
            before = (batch["estimate"] - batch["truth"]) / batch["unit"]
            error = before + correction.image
            squared = error.square().mean(dim=(1, 2, 3))
            fidelity = torch.log(_weighted_mean(error.square(), batch.get("weight")) + self._GOOD).mean()
            relative = functional.avg_pool2d(error.detach().square(), 2) * (batch["unit"] / batch["std"]).square()
            relative = relative.clamp(max=self._LARGEST_SQUARE)
            likelihood = (0.5 * relative * torch.exp(-2 * correction.log_ratio) + correction.log_ratio).mean()
            gain = 10 * torch.log10(before.square().mean(dim=(1, 2, 3)) / squared.clamp(min=1e-12)).mean()
        return {
            "loss": fidelity + self._LIKELIHOOD * likelihood,
            "fidelity": fidelity.detach(),
            "likelihood": likelihood.detach(),
            "gain_dB": gain.detach(),
        }


def _weighted_mean(squares: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of each crop's squares, (N,)."""
    if weight is None:
        return squares.mean(dim=(1, 2, 3))
    return (weight * squares).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))
