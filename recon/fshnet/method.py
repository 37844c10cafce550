"""FSHNet as a method: from counts and visits to an image on the absolute scale.

The weights decide which network runs, and its architecture declares the chain from inputs to image. Ours
(`full_grid`) corrects the Fourier estimate on the absolute scale, takes any number of passes, puts out every scan
pixel and a standard deviation, and needs neither refit nor, as measured, the non-local step. The published network, and
those trained as the paper says, know neither counts nor dose; their chain is in `stemscan.recon.paper.on_frames`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import numpy as np

from stemscan.named import import_named
from stemscan.recon.fshnet.enhancement import Enhancement
from stemscan.recon.fshnet.full_grid import FullGridNet, correct
from stemscan.recon.fshnet.full_grid_features import features
from stemscan.recon.networks.registry import architecture_of
from stemscan.recon.reconstruction import Estimate
from stemscan.recon.weights import find_weights
from stemscan.recon.weights.file import load_weights
from stemscan.runtime.work import part

if TYPE_CHECKING:
    from torch import nn

    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.weights.file import WeightsInfo

__all__ = ["Chain", "fshnet", "on_full_grid"]


_OWN_SHARE = 0.2
"""Cost of analysis and network, over that with the correction by held-out samples."""


class Chain(Protocol):
    """The way from inputs to image of an architecture, which declares it."""

    def __call__(
        self, inputs: Inputs, network: nn.Module, info: WeightsInfo, device: str, enhancement: Enhancement
    ) -> Estimate:
        """Reconstruct; the settings of the estimate are those that the chain adds."""
        ...


def fshnet(
    inputs: Inputs,
    *,
    weights: str | Path | None = None,
    device: str = "cpu",
    nonlocal_step: bool | None = None,
    neighbours: int | Literal["all"] = 5,
    h: float | None = None,
    patch: int | None = None,
    regression: bool = False,
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
        Apply equation 13 to the network's output; by default for networks of frames.
    neighbours : int or "all"
        Patches averaged by it; "all" is the equation as printed.
    h : float, optional
        Its bandwidth in standard deviations of the image; by the paper's rule when not given.
    patch : int, optional
        Its patch size in pixels of the output, a multiple of 4; by equation 14 when not given.
    regression : bool
        Correct the image by samples that were held out, before that step: analysis and network run four times more.
        Only for our network; not done where samples are shared among pixels.

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
    enhancement = Enhancement(nonlocal_step, neighbours, h, patch, regression)
    enhancement.check()
    path = find_weights(weights, "fshnet")
    network, info = load_weights(path)
    settings: dict[str, Any] = {
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "architecture": info.architecture,
        "convention": info.convention,
        "device": device,
    }
    chain = cast(Chain, import_named(architecture_of(info.architecture).chain))
    made = chain(inputs, network, info, device, enhancement)
    return replace(made, settings=settings | dict(made.settings))


def on_full_grid(
    inputs: Inputs, network: nn.Module, info: WeightsInfo, device: str, enhancement: Enhancement
) -> Estimate:
    """The Fourier estimate, corrected; see `Chain`."""
    network = cast(FullGridNet, network)
    regression = enhancement.regression and np.array_equal(inputs.V, np.rint(inputs.V))
    own = _OWN_SHARE if regression else 1.0
    with part(0.55 * own):
        made = features(
            inputs.S, inputs.V, inputs.electrons_per_sample, noise=inputs.noise, device=device, analyse=network.analyse
        )
    with part(0.45 * own):
        image, std = correct(network, made, device)
    if regression:
        from stemscan.recon.fshnet.held_out import corrected  # compiled code, for which others need not wait

        with part(1 - own):
            image, std = corrected(network, inputs, made, image, std, device)
    settings: dict[str, Any] = {
        "analysis": made.analysis.settings,
        "nonlocal_step": bool(enhancement.wanted),
        "regression": regression,
    }
    if enhancement.wanted:
        image, used = enhancement.apply(inputs.S, inputs.V, inputs.T, image, 1)
        settings |= used
    if inputs.S.min() >= 0:
        np.maximum(image, 0, out=image)
    return Estimate(image=image, std=std, settings=settings)
