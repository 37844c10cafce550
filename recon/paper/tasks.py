"""Tasks of the paper's networks in training: FSHNet with the paper's loss, and those that it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction
from stemscan.recon.inputs.grids import bin_mean
from stemscan.recon.networks.registry import architecture_of
from stemscan.recon.paper.losses import fshnet_loss
from stemscan.recon.paper.network_inputs import network_input
from stemscan.recon.paper.scale import sample_scale, standardised_frames, standardised_sum
from stemscan.recon.paper.structure import global_structure
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.scans import Scan
from stemscan.recon.training.tasks import Batch, Example, Losses

if TYPE_CHECKING:
    from stemscan.recon.weights.file import Convention

__all__ = ["BaselineTask", "FSHNetTask"]


class FSHNetTask:
    """FSHNet and its ablations: equations 15 to 17, standardised, on the grid of half the size."""

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
    """CSNet and ReconNet: mean squared error of the standardised signal on the scan grid."""

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
