"""The protocol of the published code for every contender: signed, standardised samples, half the resolution as truth.

FSHNet gets the standardised frames as they are and the initial reconstruction of its weights' convention; on the full
grid, and Fourier empirical Bayes, there is a mode for signed signals. All other methods expect counts:
they get the samples shifted and scaled to [0, 1], with the dose at which Poisson counts of that mean would have the
noise that the samples have. Nothing of that looks at the truth, and the images are shifted and scaled back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from stemscan.errors import ReconError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.paper.protocol import FACTOR, PublishedScan
from stemscan.recon.run import reconstruct
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.evaluation.contenders import Contender

__all__ = ["Shifted", "binned", "reconstruct_published", "shifted_inputs"]


class Made(NamedTuple):
    """An image in standard deviations of the truth, on the truth's grid, and the seconds that it took."""

    image: Image
    seconds: float
    factor: int


@dataclass(frozen=True, eq=False)
class Shifted:
    """Signed samples as counts.

    Attributes
    ----------
    inputs : Inputs
        Of signal (x - low) / span.
    """

    inputs: Inputs
    low: float
    span: float

    def back(self, image: Image) -> Image:
        """An image of the shifted signal in standard deviations of the truth."""
        return (image.astype(np.float64) * self.span + self.low).astype(np.float32)


def reconstruct_published(
    drawn: PublishedScan, dose: float, contender: Contender, *, device: str = "cpu", threads: int | None = None
) -> Made:
    """Reconstruct one draw of the protocol.

    Parameters
    ----------
    dose : float
        Lambda of the draw.
    contender : Contender
        Not the oracle.

    Returns
    -------
    Made
        Image of float32 (H, W), to be compared with ``drawn.truth``.

    Raises
    ------
    StemscanError
        As the method.
    """
    from stemscan.recon.threads import limit_threads

    settings = dict(contender.settings)
    if contender.method == "fourier-eb":
        with limit_threads(threads):
            return _fourier_eb(drawn, dose, settings, device)
    if contender.method == "fshnet":
        with limit_threads(threads):
            return _fshnet(drawn, dose, contender, settings, device)
    shifted = shifted_inputs(drawn, dose)
    done = reconstruct(
        shifted.inputs,
        contender.find(),
        weights=contender.weights,
        device=device,
        threads=threads,
        contradictions=False,
        **settings,
    )
    return Made(shifted.back(binned(done.image)), done.seconds, done.native_factor)


def shifted_inputs(drawn: PublishedScan, dose: float) -> Shifted:
    """Signed samples as counts of equal relative noise.

    A sample x Poisson(lambda) / lambda has the mean square x^2 (1 + 1 / lambda), so that the noise's variance, x^2 /
    lambda on average, is the samples' mean square over lambda + 1.
    """
    visited = drawn.visits > 0
    values = drawn.frames[visited].astype(np.float64)
    low, span = float(values.min()), float(np.ptp(values))
    if span == 0:
        raise ReconError("expected samples that differ, got equal ones, which cannot be scaled; take a larger image")
    signal = (values - low) / span
    noise = float((values**2).mean()) / (dose + 1) / span**2
    matched = float(signal.mean()) / noise
    frames = np.zeros_like(drawn.frames)
    frames[visited] = signal * matched
    return Shifted(Inputs.from_arrays(frames, drawn.visits, matched), low, span)


def binned(image: Image) -> Image:
    """Means of 2 x 2 pixels: the scan grid's image on the truth's grid."""
    rows, columns = (side // FACTOR for side in image.shape)
    blocks = image.reshape(rows, FACTOR, columns, FACTOR)
    return cast("Image", blocks.mean(axis=(1, 3), dtype=np.float64).astype(np.float32))


def _fourier_eb(drawn: PublishedScan, dose: float, settings: dict[str, Any], device: str) -> Made:
    """Fourier empirical Bayes of the summed frames, on the grid of the truth."""
    from stemscan.recon.fourier_eb.method import estimate_signal

    began = time.perf_counter()
    summed, visits = drawn.frames.sum(axis=0), drawn.visits.sum(axis=0, dtype=np.float32)
    options = {"factor": FACTOR, **settings}
    image = estimate_signal(summed, visits, dose, noise="eq5", signed=True, device=device, **options).image
    seconds = time.perf_counter() - began
    if image.shape != drawn.truth.shape:
        raise ReconError(f"expected factor 2 under the protocol published, got {options['factor']}; leave the setting")
    return Made(image, seconds, FACTOR)


def _fshnet(drawn: PublishedScan, dose: float, contender: Contender, settings: dict[str, Any], device: str) -> Made:
    """FSHNet on signed samples, each network with the kind of input that it was trained on."""
    from stemscan.recon.fshnet.enhancement import Enhancement
    from stemscan.recon.fshnet.full_grid import FullGridNet, correct
    from stemscan.recon.fshnet.full_grid_features import features
    from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction
    from stemscan.recon.networks.registry import architecture_of
    from stemscan.recon.paper.inference import infer
    from stemscan.recon.paper.network import FSHNet
    from stemscan.recon.paper.published_weights import prior_input
    from stemscan.recon.weights.file import load_weights

    began = time.perf_counter()
    network, info = load_weights(cast("Any", contender.weights))
    summed, visits = drawn.frames.sum(axis=0), drawn.visits.sum(axis=0, dtype=np.float32)
    takes_frames = architecture_of(info.architecture).takes_frames
    if takes_frames:
        prior = prior_input(drawn.frames) if info.convention == "published" else initial_reconstruction(summed, visits)
        image = infer(cast(FSHNet, network), drawn.frames, prior, device)
    else:
        full = cast(FullGridNet, network)
        made = features(summed, visits, dose, noise="eq5", signed=True, device=device, analyse=full.analyse)
        image = binned(correct(full, made, device)[0])
    enhancement = Enhancement(settings.pop("nonlocal_step", takes_frames), **settings)
    if enhancement.wanted:
        image, _ = enhancement.apply(summed, visits, len(drawn.visits), image, FACTOR)
    return Made(image, time.perf_counter() - began, FACTOR)
