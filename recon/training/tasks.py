"""What each network learns from a scan: its inputs and targets, and the loss.

An example holds a whole scan as tensors (channels, rows, columns), each on a grid of some factor, and numbers; crops
of it are stacked into a batch. What a network is given here is what its method gives it (`stemscan.recon.fshnet`,
`stemscan.recon.paper`): the same functions make both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.recon.declared import import_named
from stemscan.recon.fshnet.full_grid import FullGridNet
from stemscan.recon.fshnet.full_grid_features import features
from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction
from stemscan.recon.fshnet.losses import fshnet_loss
from stemscan.recon.fshnet.scale import sample_scale, standardised_frames, standardised_sum
from stemscan.recon.fshnet.structure import global_structure
from stemscan.recon.inputs.grids import bin_mean
from stemscan.recon.networks.registry import architecture_of, network_class
from stemscan.recon.paper.network_inputs import network_input
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
    numbers : dict of str to float
    """

    maps: dict[str, tuple[int, Tensor]]
    numbers: dict[str, float]


class Task(Protocol):
    """What a network learns.

    Attributes
    ----------
    convention : {"published", "paper", "analysis"}
        How the network's inputs are made, as its weights file says it.
    half : bool
        Whether its weights are kept in float16.
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

    The loss of a crop is the logarithm of its mean squared error in units of the error that the estimate foretells, as
    what counts is decibels at every dose and ratio alike; crops that are already better than `_GOOD` count less. The
    likelihood of the remaining error teaches the standard deviation, without a say in the image.

    Parameters
    ----------
    config : TrainingConfig
    """

    convention: ClassVar[Convention] = "analysis"
    half: ClassVar[bool] = True

    _GOOD: Final = 0.02
    _LIKELIHOOD: Final = 0.1
    _LARGEST_SQUARE: Final = 30.0

    def __init__(self, config: TrainingConfig) -> None:
        self._initial = cast(type[FullGridNet], network_class(config.network)).initial

    def example(self, scan: Scan) -> Example:
        """Features, estimate and its standard deviation, truth."""
        inputs = scan.inputs
        made = features(inputs.S, inputs.V, inputs.electrons_per_sample, noise=inputs.noise, initial=self._initial)
        return Example(
            {
                "channels": (2, made.channels),
                "estimate": (1, made.estimate[None]),
                "std": (2, made.std[None]),
                "truth": (1, torch.tensor(scan.truth)[None]),
            },
            {"unit": made.unit},
        )

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """See the class; "gain_dB" is how much better the image is than the estimate."""
        correction = network(batch["channels"])
        with torch.autocast(batch["truth"].device.type, enabled=False):
            before = (batch["estimate"] - batch["truth"]) / batch["unit"]
            error = before + correction.image
            squared = error.square().mean(dim=(1, 2, 3))
            fidelity = torch.log(squared + self._GOOD).mean()
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


class FSHNetTask:
    """FSHNet and its ablations: equations 15 to 17, standardised, on the grid of half the size.

    Parameters
    ----------
    config : TrainingConfig
    """

    convention: ClassVar[Convention] = "paper"
    half: ClassVar[bool] = False

    def __init__(self, config: TrainingConfig) -> None:
        self._frames = config.frames
        self._loss = config.loss
        self._with_prior = architecture_of(config.network).reads_prior

    def example(self, scan: Scan) -> Example:
        """Frames, initial reconstruction and structure of the whole scan, and the truth."""
        inputs = scan.inputs
        scale = sample_scale(inputs)
        maps = {
            "frames": (1, torch.from_numpy(standardised_frames(inputs, self._frames, scale))),
            "truth": (2, _standardised(scan.half, scale.mean, scale.deviation)),
        }
        if self._with_prior:
            prior = initial_reconstruction(standardised_sum(inputs, scale), inputs.V)
            maps["prior"] = (1, torch.from_numpy(prior)[None])
        if self._loss.guidance:
            structure = bin_mean(global_structure(standardised_sum(inputs, scale), inputs.V), 2)
            maps["structure"] = (2, torch.from_numpy(structure)[None])
        return Example(maps, {})

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Equation 15 and its parts."""
        frames = batch["frames"]
        estimate = network(frames, batch["prior"]) if self._with_prior else network(frames)
        parts = fshnet_loss(estimate, batch["truth"], batch.get("structure"), self._loss.guidance, self._loss.variation)
        return {
            "loss": parts.total,
            "discrepancy": parts.discrepancy.detach(),
            "guidance": parts.guidance.detach(),
            "variation": parts.variation.detach(),
        }


class BaselineTask:
    """CSNet and ReconNet: mean squared error of the standardised signal on the scan grid.

    Parameters
    ----------
    config : TrainingConfig
    """

    convention: ClassVar[Convention] = "paper"
    half: ClassVar[bool] = False

    def __init__(self, config: TrainingConfig) -> None:
        self._frames = config.frames if architecture_of(config.network).takes_frames else None

    def example(self, scan: Scan) -> Example:
        """The network's channels and the truth."""
        scale = sample_scale(scan.inputs)
        channels = network_input(scan.inputs, scale, self._frames)
        truth = _standardised(scan.truth, scale.mean, scale.deviation)
        return Example({"channels": (1, torch.from_numpy(channels)), "truth": (1, truth)}, {})

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Mean squared error."""
        return {"loss": functional.mse_loss(network(batch["channels"]).float(), batch["truth"])}


def _standardised(image: npt.NDArray[np.float32], mean: float, deviation: float) -> Tensor:
    """An image in standard deviations of the signal, (1, h, w)."""
    return torch.from_numpy(((image - np.float32(mean)) / np.float32(deviation)).astype(np.float32))[None]
