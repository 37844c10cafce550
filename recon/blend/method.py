"""Reconstruction by columns where they explain the counts, and by FSHNet elsewhere, without a seam.

A fifth of the samples is held out of both; from what each says of those follows its weight at each place
(`stemscan.recon.blend.weighting`). The image is then made of all samples, FSHNet's part with its regression. That it is
judged without saves several analyses and favours columns a little. Where no column is found the image is FSHNet's.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stemscan.recon.blend.weighting import weigh
from stemscan.recon.columns.method import columns, columns_estimate
from stemscan.recon.fourier_eb.shared import analysed, shared_analyses
from stemscan.recon.fshnet.method import fshnet
from stemscan.recon.inputs.held_out import split_samples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.reconstruction import Estimate
from stemscan.recon.threads import fits_together, side_by_side
from stemscan.runtime.work import in_part, part

if TYPE_CHECKING:
    from stemscan.recon.inputs.held_out import Split
    from stemscan.types import Image

__all__ = ["blend"]

_HELD_OUT = 0.2

_BYTES_A_PIXEL = 1200
"""Memory where all runs side by side, by `benchmarks/memory.py`; the declaration has that of one at a time."""


def blend(inputs: Inputs, *, device: str = "cpu", seed: int = 0) -> Estimate:
    """Reconstruct by columns and by FSHNet, each where it predicts the counts.

    Parameters
    ----------
    device : str
        Of torch.
    seed : int
        Of the choice of samples that are held out.

    Returns
    -------
    Estimate
        On the scan grid; the standard deviation is the mean of the two, weighted like the image.
    """
    whole = inputs.whole
    split = split_samples(whole, _HELD_OUT, seed)
    seen = _without_held_out(whole, split)
    tasks = in_part(0.6, partial(_both, whole, device)), in_part(0.38, partial(_judged, seen, device))
    network: Estimate
    crystal: Estimate
    judged: tuple[Image, Image] | None
    if fits_together(whole.shape, device):
        (network, crystal), judged = side_by_side(tasks, memory=_BYTES_A_PIXEL * math.prod(whole.shape))
    else:
        network, crystal = tasks[0]()
        judged = tasks[1]() if crystal.settings["columns"] else None
    if not crystal.settings["columns"] or network.std is None or crystal.std is None or judged is None:
        return network
    plain, by_columns = judged
    weighed = weigh(
        plain,
        by_columns,
        split.held_sum,
        split.held_visits,
        whole.electrons_per_sample,
        of_all=crystal.image,
    )
    share = weighed.local
    return Estimate(
        image=(network.image + share * (crystal.image - network.image)).astype(np.float32),
        std=(network.std + share * (crystal.std - network.std)).astype(np.float32),
        settings={
            **network.settings,
            **crystal.settings,
            "seed": seed,
            "weight_of_columns": float(share.mean()),
            "weight_of_columns_whole": weighed.whole,
            "weight_of_columns_whole_std": weighed.whole_std,
        },
    )


def _both(whole: Inputs, device: str) -> tuple[Estimate, Estimate]:
    """Estimates by FSHNet and by columns."""
    with shared_analyses():
        with part(0.08):
            analysed(whole.S, whole.V, whole.electrons_per_sample, noise=whole.noise, device=device)  # for both
        by_columns, by_network = partial(columns, whole, device=device), partial(fshnet, whole, device=device)
        tasks = in_part(0.4, by_columns), in_part(0.52, partial(by_network, regression=True))
        crystal, network = side_by_side(tasks, together=fits_together(whole.shape, device))
    return network, crystal


def _judged(seen: Inputs | None, device: str) -> tuple[Image, Image] | None:
    """Images by FSHNet, without its regression, and by columns; None without a sample or a column."""
    if seen is None:
        return None
    with shared_analyses():
        with part(0.75):
            crystal = columns_estimate(seen, device, with_std=False)
        return (fshnet(seen, device=device).image, crystal.image) if crystal.settings["columns"] else None


def _without_held_out(inputs: Inputs, split: Split) -> Inputs | None:
    """The samples that were not held out, as one pass; None without any."""
    if not split.kept_visits.any() or not split.held_visits.any():
        return None
    return Inputs.from_arrays(
        split.kept_sum[None] * np.float32(inputs.electrons_per_sample),
        split.kept_visits[None].astype(np.int64),
        inputs.electrons_per_sample,
        noise=inputs.noise,
        pixel_size_nm=inputs.pixel_size_nm,
        analogue=bool(inputs.S.min() < 0),
    )
