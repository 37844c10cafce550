"""From inputs to image by FSHNet as published, and by networks that are trained as the paper says.

They know neither counts nor dose. Samples are standardised for them, the output (a grid of factor 2) is enhanced by the
non-local step, and gain and offset are refitted on the visited samples: the output's own scale is not trustworthy, and
an image that cannot be compared with the counts is of no use to a microscopist. A network of 4 frames gets more passes
than that by adding those of equal number modulo 4; pixels that are visited several times in a sum enter with the mean
of their visits, as in training a pixel is visited once. Fewer passes are an error: empty frames are nothing the network
has seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from stemscan.errors import ReconError
from stemscan.recon.fshnet.enhancement import Enhancement
from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction
from stemscan.recon.inputs.grids import upsample
from stemscan.recon.paper.inference import infer
from stemscan.recon.paper.network import FACTOR, FSHNet
from stemscan.recon.paper.published_weights import prior_input
from stemscan.recon.paper.scale import refit, sample_scale, standardised_frames, standardised_sum
from stemscan.recon.reconstruction import Estimate

if TYPE_CHECKING:
    from torch import nn

    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.weights.file import WeightsInfo

__all__ = ["on_frames"]


def on_frames(inputs: Inputs, network: nn.Module, info: WeightsInfo, device: str, enhancement: Enhancement) -> Estimate:
    """Standardise, run, enhance, refit; see `stemscan.recon.fshnet.method.Chain`."""
    if enhancement.regression:
        raise ReconError("expected no regression for a network of frames, got regression=True; take other weights")
    scale = sample_scale(inputs)
    frames = standardised_frames(inputs, info.frames, scale)
    published = info.convention == "published"
    prior = prior_input(frames) if published else initial_reconstruction(standardised_sum(inputs, scale), inputs.V)
    output = infer(cast(FSHNet, network), frames, prior, device)
    chosen = enhancement.wanted is not False
    settings: dict[str, Any] = {"frames": info.frames, "nonlocal_step": chosen}
    if chosen:
        output, used = enhancement.apply(inputs.S, inputs.V, inputs.T, output, FACTOR)
        settings |= used
    gain, offset = refit(inputs, upsample(output, FACTOR, inputs.shape))
    settings |= {"mean": scale.mean, "deviation": scale.deviation, "gain": gain, "offset": offset}
    image = (gain * output.astype(np.float64) + offset).astype(np.float32)
    return Estimate(image=image, factor=FACTOR, settings=settings)
