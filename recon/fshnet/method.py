"""FSHNet as a method: from counts and visits to an image on the absolute scale.

The network knows neither counts nor dose. Samples are standardised for it (mean and deviation of the samples, the noise
taken out of the deviation), its output is enhanced by the non-local step, and gain and offset are refitted on the
visited samples: the output's own scale is not trustworthy, and an image that cannot be
compared with the counts is of no use to a microscopist. The output is a grid of factor 2.

A network of 4 frames gets more passes than that by adding those of equal number modulo 4; pixels that are visited
several times in a sum enter with the mean of their visits, as in training a pixel is visited once. Fewer passes are an
error: empty frames are nothing the network has seen.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError, WeightsError
from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction
from stemscan.recon.fshnet.network import FACTOR, infer
from stemscan.recon.fshnet.nonlocal_step import bandwidth
from stemscan.recon.fshnet.nonlocal_step import nonlocal_step as enhance
from stemscan.recon.fshnet.patch_size import patch_size
from stemscan.recon.fshnet.published import prior_input
from stemscan.recon.fshnet.weights_file import load_weights
from stemscan.recon.grids import upsample
from stemscan.recon.reconstruction import Estimate

if TYPE_CHECKING:
    from stemscan.recon.fshnet.weights_file import Convention
    from stemscan.recon.inputs import Inputs

__all__ = ["Scale", "fshnet", "refit", "sample_scale", "standardised_frames"]

Image = npt.NDArray[np.float32]


class Scale(NamedTuple):
    """Mean and deviation of the signal, on the absolute scale."""

    mean: float
    deviation: float


def fshnet(
    inputs: Inputs,
    *,
    weights: str | Path | None = None,
    device: str = "cpu",
    nonlocal_step: bool = True,
    neighbours: int | Literal["all"] = 5,
    h: float | None = None,
    patch: int | None = None,
) -> Estimate:
    """Reconstruct with FSHNet (He et al., ICCV 2021) and the non-local step.

    Parameters
    ----------
    inputs : Inputs
        At least as many passes as the network takes frames, 4 for the published one.
    weights : str or Path
        A weights file; without it there is no method.
    device : str
        A torch device for the network; everything else runs on the CPU.
    nonlocal_step : bool
        Whether to apply equation 13 to the network's output.
    neighbours : int or "all"
        Patches averaged by it; "all" is the equation as printed.
    h : float, optional
        Its bandwidth in standard deviations of the image; by the paper's rule when not given.
    patch : int, optional
        Its patch size in pixels of the output, a multiple of 4; by equation 14 when not given.

    Returns
    -------
    Estimate
        At factor 2, on the absolute scale, without standard deviation.

    Raises
    ------
    WeightsError
        When no weights are given, or the file does not hold them.
    InputNotFoundError
        When the weights file does not exist.
    ReconError
        When there are too few passes, the device is not there, or a setting is out of its range.
    """
    if weights is None:
        raise WeightsError(
            "expected a weights file for method fshnet, got none; take FILE, the authors' weights, from the repository "
            "that the paper names (github.com/ictihrm/Sparse-Sampling-Reconstruction), run "
            "'stemscan weights import FILE -o fshnet.safetensors' and give --weights fshnet.safetensors"
        )
    network, info = load_weights(weights)
    scale = sample_scale(inputs)
    frames = standardised_frames(inputs, network.frames, scale)
    output = infer(network, frames, _prior(inputs, frames, scale, info.convention), device)
    settings: dict[str, object] = {
        "weights_sha256": hashlib.sha256(Path(weights).read_bytes()).hexdigest(),
        "convention": info.convention,
        "frames": info.frames,
        "device": device,
        "nonlocal_step": nonlocal_step,
    }
    if nonlocal_step:
        output, used = _enhanced(inputs, output, neighbours, h, patch)
        settings |= used
    gain, offset = refit(inputs, upsample(output, FACTOR, inputs.shape))
    settings |= {"mean": scale.mean, "deviation": scale.deviation, "gain": gain, "offset": offset}
    image = (gain * output.astype(np.float64) + offset).astype(np.float32)
    return Estimate(image=image, factor=FACTOR, settings=settings)


def sample_scale(inputs: Inputs) -> Scale:
    """Mean and deviation of the signal over the samples, without the counting noise.

    The variance of the samples is that of the signal and that of the noise, which for Poisson counts is
    mean / lambda, for equation 5 the mean square over lambda. At least a hundredth of the samples' variance is left
    to the signal.

    Parameters
    ----------
    inputs : Inputs

    Returns
    -------
    Scale
        The deviation is above 0; 1 where all samples are equal.
    """
    dose = inputs.electrons_per_sample
    visited = inputs.visits > 0
    times = inputs.visits[visited].astype(np.float64)
    values = inputs.frames[visited] / (dose * times)
    total = times.sum()
    mean = float((times * values).sum() / total)
    spread = float((times * (values - mean) ** 2).sum() / total)
    noise = values.size / (total * dose)  # of one visit, over those averaged in a pixel of a frame
    signal = (spread - noise * mean**2) / (1 + noise) if inputs.noise == "eq5" else spread - noise * mean
    variance = max(signal, 0.01 * spread)
    return Scale(mean, float(np.sqrt(variance)) if variance > 0 else 1.0)


def standardised_frames(inputs: Inputs, count: int, scale: Scale) -> npt.NDArray[np.float32]:
    """Passes summed by their number modulo `count`: mean per visit, standardised, 0 where not visited.

    Parameters
    ----------
    inputs : Inputs
    count : int
        Frames that the network takes.
    scale : Scale

    Returns
    -------
    ndarray of float32, (count, H, W)

    Raises
    ------
    ReconError
        When there are fewer passes than frames.
    """
    if count > inputs.T:
        raise ReconError(
            f"expected at least {count} passes for weights of {count} frames, got {inputs.T}; "
            f"scan {count} passes or choose another method"
        )
    frames = np.zeros((count, *inputs.shape), dtype=np.float32)
    for index in range(count):
        electrons = inputs.frames[index::count].sum(axis=0, dtype=np.float64)
        times = inputs.visits[index::count].sum(axis=0, dtype=np.int64)
        visited = times > 0
        means = electrons[visited] / (inputs.electrons_per_sample * times[visited])
        frames[index][visited] = (means - scale.mean) / scale.deviation
    return frames


def refit(inputs: Inputs, image: Image) -> tuple[float, float]:
    """Gain and offset that bring an image closest to the visited samples.

    A pixel weighs as often as it was visited, as its mean is the less uncertain. That dark pixels are less noisy is
    left out on purpose: the output is not an affine image of the signal, and weights that depend on the signal fit the
    dark part of the image alone (1 dB worse under equation 5).

    Parameters
    ----------
    inputs : Inputs
    image : ndarray of float32, (H, W)
        On any scale, on the plan's grid.

    Returns
    -------
    (float, float)
        gain * image + offset is on the absolute scale. The gain is 0 where the image is constant.
    """
    visited = inputs.V > 0
    weight = inputs.V[visited].astype(np.float64)
    measured = inputs.S[visited] / weight
    estimate = image[visited].astype(np.float64)
    weight /= weight.sum()
    mean_estimate, mean_measured = float(weight @ estimate), float(weight @ measured)
    variance = float(weight @ (estimate - mean_estimate) ** 2)
    if variance <= 1e-12 * mean_estimate**2:
        return 0.0, mean_measured
    gain = float(weight @ ((estimate - mean_estimate) * (measured - mean_measured))) / variance
    return gain, mean_measured - gain * mean_estimate


def _prior(inputs: Inputs, frames: npt.NDArray[np.float32], scale: Scale, convention: Convention) -> Image:
    """The input of the prior encoder, by the convention of the weights."""
    if convention == "published":
        return prior_input(frames)
    standardised = (inputs.S - np.float32(scale.mean) * inputs.V) / np.float32(scale.deviation)
    return initial_reconstruction(standardised, inputs.V)


def _enhanced(
    inputs: Inputs,
    output: Image,
    neighbours: int | Literal["all"],
    h: float | None,
    patch: int | None,
) -> tuple[Image, dict[str, object]]:
    """The non-local step on the output, and the settings it took."""
    if h is None:
        h = bandwidth(float(inputs.V.mean(dtype=np.float64)) / inputs.T)
    if patch is None:
        patch = patch_size(inputs.S, inputs.V, factor=FACTOR)
    return enhance(output, patch, h=h, neighbours=neighbours), {"patch": patch, "h": h, "neighbours": neighbours}
