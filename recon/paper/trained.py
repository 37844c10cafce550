"""CSNet and ReconNet as methods, with weights trained by `stemscan train`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from stemscan.recon.networks.exact import exact_convolutions
from stemscan.recon.networks.registry import ARCHITECTURES
from stemscan.recon.paper.network_inputs import network_input
from stemscan.recon.paper.scale import refit, sample_scale
from stemscan.recon.reconstruction import Estimate
from stemscan.recon.weights import find_weights
from stemscan.recon.weights.file import load_weights

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["csnet", "reconnet"]


def csnet(inputs: Inputs, *, weights: str | Path | None = None, device: str = "cpu") -> Estimate:
    """Reconstruct with CSNet (Shi et al. 2020) on the scan's frames, or on values and visits, as the weights say.

    Parameters
    ----------
    weights : str or Path
        A weights file; none is shipped.
    device : str
        A torch device.

    Returns
    -------
    Estimate
        On the plan's grid, gain and offset refitted on the visited samples, without standard deviation.

    Raises
    ------
    WeightsError, InputNotFoundError
        When there are no weights of this method.
    ReconError
        When there are fewer passes than the network takes frames.
    """
    return _run("csnet", inputs, weights, device)


def reconnet(inputs: Inputs, *, weights: str | Path | None = None, device: str = "cpu") -> Estimate:
    """Reconstruct with ReconNet (Kulkarni et al. 2016); as `csnet`."""
    return _run("reconnet", inputs, weights, device)


def _run(method: str, inputs: Inputs, weights: str | Path | None, device: str) -> Estimate:
    """Load, standardise, run, refit."""
    path = find_weights(weights, method)
    network, info = load_weights(path, method)
    scale = sample_scale(inputs)
    frames = info.frames if ARCHITECTURES[info.architecture].takes_frames else None
    channels = torch.from_numpy(network_input(inputs, scale, frames))[None]
    with torch.inference_mode(), exact_convolutions(torch.device(device)):
        output = network.to(device)(channels.to(device))[0, 0].cpu().numpy()
    gain, offset = refit(inputs, output)
    settings = {
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "architecture": info.architecture,
        "device": device,
        "gain": gain,
        "offset": offset,
    }
    return Estimate(image=(gain * output.astype(np.float64) + offset).astype(np.float32), settings=settings)
