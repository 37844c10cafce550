"""The evaluation protocol of the published code (`stemscan.recon.fshnet.published_protocol`), method by method."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.rows import Row, row_of
from stemscan.recon.fourier_eb import estimate_signal
from stemscan.recon.fshnet.network import infer
from stemscan.recon.fshnet.published import prior_input
from stemscan.recon.fshnet.published_protocol import PublishedScan, published_scan
from stemscan.recon.reconstruction import Reconstruction
from stemscan.recon.weights_file import load_fshnet

__all__ = ["published_rows"]

Image = npt.NDArray[np.float32]


def published_rows(
    image: str, truth: Image, samples_per_block: int, dose: float, weights: Path | None, seed: int = 0
) -> list[Row]:
    """Every method that takes signed values, on one draw of the protocol.

    Parameters
    ----------
    image : str
        Name of the image.
    truth : ndarray, (H, W)
        Smoothed image; cut to sides that are multiples of 4.
    samples_per_block : int
    dose : float
    weights : Path or None
        FSHNet weights; without them it is left out.
    seed : int

    Returns
    -------
    list of Row
        PSNRs against the standardised truth of shape (H, W).
    """
    rows, columns = (side // 4 * 4 for side in truth.shape)
    drawn = published_scan(truth[:rows, :columns], samples_per_block, dose, seed)
    methods: dict[str, Callable[[], Image]] = {"fourier-eb": lambda: _fourier_eb(drawn, dose)}
    if weights is not None:
        network, _ = load_fshnet(weights)
        methods["fshnet"] = lambda: infer(network, drawn.frames, prior_input(drawn.frames))
    done = [_timed(name, method) for name, method in methods.items()]
    return [row_of(image, "published", one, drawn.truth) for one in done]


def _fourier_eb(drawn: PublishedScan, dose: float) -> Image:
    """Fourier empirical Bayes of the summed frames on the grid of the truth."""
    summed, visits = drawn.frames.sum(axis=0), drawn.visits.sum(axis=0, dtype=np.float32)
    estimate = estimate_signal(summed, visits, dose, noise="eq5", signed=True, factor=2)
    return estimate.image


def _timed(name: str, method: Callable[[], Image]) -> Reconstruction:
    """Run a method and note its time."""
    began = time.perf_counter()
    image = method()
    return Reconstruction(
        image=image, std=None, method=name, settings={}, seconds=time.perf_counter() - began, native_factor=2
    )
