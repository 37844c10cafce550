"""FSHNet as a method: from counts and visits to an image on the absolute scale.

Two kinds of network come through here, told apart by their weights.

The published one, and those trained as the paper says, know neither counts nor dose. Samples are standardised for them,
the output (a grid of factor 2) is enhanced by the non-local step, and gain and offset are refitted on the visited
samples: the output's own scale is not trustworthy, and an image that cannot be compared with the counts is of no use to
a microscopist. A network of 4 frames gets more passes than that by adding those of equal number modulo 4; pixels that
are visited several times in a sum enter with the mean of their visits, as in training a pixel is visited once. Fewer
passes are an error: empty frames are nothing the network has seen.

The one on the full grid (`full_grid`) corrects the Fourier estimate on the absolute scale, takes any number of passes,
puts out every scan pixel and a standard deviation, and needs neither refit nor, as measured, the non-local step.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt

from stemscan.recon.fshnet.full_grid import FullGridNet, correct
from stemscan.recon.fshnet.full_grid_features import features
from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction
from stemscan.recon.fshnet.network import FACTOR, FSHNet, infer
from stemscan.recon.fshnet.nonlocal_step import bandwidth
from stemscan.recon.fshnet.nonlocal_step import nonlocal_step as enhance
from stemscan.recon.fshnet.patch_size import patch_size
from stemscan.recon.fshnet.scale import Scale, refit, sample_scale, standardised_frames, standardised_sum
from stemscan.recon.inputs.grids import upsample
from stemscan.recon.paper.published_weights import prior_input
from stemscan.recon.reconstruction import Estimate
from stemscan.recon.weights import find_weights
from stemscan.recon.weights.file import load_weights

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.weights.file import Convention

__all__ = ["fshnet"]

Image = npt.NDArray[np.float32]


def fshnet(
    inputs: Inputs,
    *,
    weights: str | Path | None = None,
    device: str = "cpu",
    nonlocal_step: bool | None = None,
    neighbours: int | Literal["all"] = 5,
    h: float | None = None,
    patch: int | None = None,
) -> Estimate:
    """Reconstruct with FSHNet (He et al., ICCV 2021).

    Parameters
    ----------
    inputs : Inputs
        For a network of frames at least as many passes as it takes, 4 for the published one.
    weights : str or Path, optional
        A weights file, or the name of weights that are shipped; `fshnet` by default.
    device : str
        A torch device for network and Fourier analysis; everything else runs on the CPU.
    nonlocal_step : bool, optional
        Whether to apply equation 13 to the network's output; by default for networks of frames.
    neighbours : int or "all"
        Patches averaged by it; "all" is the equation as printed.
    h : float, optional
        Its bandwidth in standard deviations of the image; by the paper's rule when not given.
    patch : int, optional
        Its patch size in pixels of the output, a multiple of 4; by equation 14 when not given.

    Returns
    -------
    Estimate
        On the absolute scale: at factor 1 with standard deviation from the full-grid network, at factor 2 without from
        a network of frames.

    Raises
    ------
    WeightsError
        When the file does not hold weights of this method.
    InputNotFoundError
        When the weights file does not exist.
    ReconError
        When there are too few passes, the device is not there, or a setting is out of its range.
    """
    path = find_weights(weights, "fshnet")
    network, info = load_weights(path)
    settings: dict[str, Any] = {
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "architecture": info.architecture,
        "convention": info.convention,
        "device": device,
    }
    if isinstance(network, FullGridNet):
        return _on_full_grid(inputs, network, settings, device, nonlocal_step, neighbours, h, patch)
    scale = sample_scale(inputs)
    frames = standardised_frames(inputs, info.frames, scale)
    output = infer(cast(FSHNet, network), frames, _prior(inputs, frames, scale, info.convention), device)
    chosen = nonlocal_step is not False
    settings |= {"frames": info.frames, "nonlocal_step": chosen}
    if chosen:
        output, used = _enhanced(inputs, output, FACTOR, neighbours, h, patch)
        settings |= used
    gain, offset = refit(inputs, upsample(output, FACTOR, inputs.shape))
    settings |= {"mean": scale.mean, "deviation": scale.deviation, "gain": gain, "offset": offset}
    image = (gain * output.astype(np.float64) + offset).astype(np.float32)
    return Estimate(image=image, factor=FACTOR, settings=settings)


def _on_full_grid(
    inputs: Inputs,
    network: FullGridNet,
    settings: dict[str, Any],
    device: str,
    nonlocal_step: bool | None,
    neighbours: int | Literal["all"],
    h: float | None,
    patch: int | None,
) -> Estimate:
    """The Fourier estimate, corrected."""
    made = features(
        inputs.S, inputs.V, inputs.electrons_per_sample, noise=inputs.noise, device=device, initial=network.initial
    )
    image, std = correct(network, made, device)
    settings |= {"analysis": made.analysis.settings, "nonlocal_step": bool(nonlocal_step)}
    if nonlocal_step:
        image, used = _enhanced(inputs, image, 1, neighbours, h, patch)
        settings |= used
    if inputs.S.min() >= 0:
        np.maximum(image, 0, out=image)
    return Estimate(image=image, std=std, settings=settings)


def _prior(inputs: Inputs, frames: npt.NDArray[np.float32], scale: Scale, convention: Convention) -> Image:
    """The input of the prior encoder, by the convention of the weights."""
    if convention == "published":
        return prior_input(frames)
    return initial_reconstruction(standardised_sum(inputs, scale), inputs.V)


def _enhanced(
    inputs: Inputs,
    output: Image,
    factor: int,
    neighbours: int | Literal["all"],
    h: float | None,
    patch: int | None,
) -> tuple[Image, dict[str, object]]:
    """The non-local step on the output, and the settings it took."""
    if h is None:
        h = bandwidth(float(inputs.V.mean(dtype=np.float64)) / inputs.T)
    if patch is None:
        patch = patch_size(inputs.S, inputs.V, factor=factor)
    return enhance(output, patch, h=h, neighbours=neighbours), {"patch": patch, "h": h, "neighbours": neighbours}
