"""The published network on one scan, wherever it runs."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from stemscan.errors import ReconError
from stemscan.recon.networks.exact import exact_convolutions
from stemscan.recon.paper.folding import folded
from stemscan.recon.paper.network import FSHNet

__all__ = ["infer"]


def infer(
    network: FSHNet,
    frames: npt.NDArray[np.float32],
    prior: npt.NDArray[np.float32],
    device: str = "cpu",
) -> npt.NDArray[np.float32]:
    """Run a network on one scan, in evaluation mode and full single precision; FSHNet on a CPU by way of `folding`.

    Parameters
    ----------
    network : FSHNet
        It is moved to the device and set to evaluation mode.
    frames : ndarray of float32, (network.frames, H, W)
    prior : ndarray of float32, (H, W)
    device : str
        A torch device ("cpu", "cuda", "cuda:1").

    Returns
    -------
    ndarray of float32, (ceil(H / 2), ceil(W / 2))

    Raises
    ------
    ReconError
        When the shapes do not fit, or the device is not there or too small.
    """
    try:
        target = torch.device(device)
        network = network.to(device=target, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        run = folded(network) if target.type == "cpu" and type(network) is FSHNet else network
        with torch.inference_mode(), exact_convolutions(target):
            frames_there = torch.from_numpy(frames)[None].to(target, memory_format=torch.channels_last)
            prior_there = torch.from_numpy(prior)[None, None].to(target, memory_format=torch.channels_last)
            output = run(frames_there, prior_there)
            return cast("npt.NDArray[np.float32]", output[0, 0].contiguous().cpu().numpy())
    except (RuntimeError, AssertionError) as problem:  # torch reports devices in both ways
        raise ReconError(
            f"expected the network to run on device {device!r}, got: {str(problem).splitlines()[0]}; try device 'cpu'"
        ) from problem
