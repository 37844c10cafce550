"""Beta-process factor analysis: a dictionary of patches, learned from the samples by Gibbs sampling.

The model and its sampler are in `gibbs`. Here is what goes round it: the samples are binned to
the coarsest grid that keeps the specimen's band, their mean is taken away, and they are put in units of their standard
deviation; the chain runs; the images of its last sweeps, each the mean of overlapping patches, are averaged.

There is no standard deviation. The spread of the chain's images is a small part of their error: patches that overlap
are taken for independent, so that each pixel's samples count once for every patch that covers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from stemscan.errors import UsageError
from stemscan.recon.fourier_eb.band_limit import find_band
from stemscan.recon.fourier_eb.domain import bin_sum
from stemscan.recon.fourier_eb.samples import as_tensor, mean_and_variance
from stemscan.recon.paper.bpfa.gibbs import GibbsSampler
from stemscan.recon.paper.bpfa.patches import Patches
from stemscan.recon.reconstruction import Estimate
from stemscan.runtime.work import stepped
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["bpfa"]


_MOST_PATCHES: Final = 1 << 18
_FLAT: Final = 1e-6  # standard deviation of samples, relative to their mean, that counts as none


def bpfa(
    inputs: Inputs,
    *,
    patch: int = 8,
    atoms: int = 128,
    sweeps: int = 30,
    averaged: int = 10,
    stride: int | None = None,
    factor: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Reconstruct by beta-process factor analysis.

    Parameters
    ----------
    patch : int
        Rows and columns of a patch, 2 to 32.
    atoms : int
        Size K of the dictionary, 1 to 256.
    sweeps : int
        Gibbs sweeps, at least 1; the time grows in proportion.
    averaged : int
        Of these the last that are averaged, at least 1.
    stride : int, optional
        Pixels from one patch to the next, 1 to `patch`. By default the smallest power of two up to half a patch with
        at most 2**18 patches, so that up to 2048 x 2048 takes as long as 512 x 512.
    factor : {1, 2, 4}, optional
        Scan pixels per pixel of the estimate; by default the coarsest that keeps the specimen's band.
    seed : int
        Of the chain, at least 0.

    Returns
    -------
    Estimate
        On the grid of `factor`, without standard deviation, at least 0 unless counts are negative. Settings: all of the
        above; ``noise_sd``, the standard deviation of a single sample that the chain found in its last sweep, in units
        of the signal, and ``atoms_in_use``, ``atoms_per_patch`` of that sweep.

    Raises
    ------
    UsageError
        When a setting is out of range.
    """
    _check(patch, atoms, sweeps, averaged, stride, factor, seed)
    inputs = inputs.whole  # the chain takes samples for independent
    chosen = factor or _coarsest(inputs)
    summed, visits = bin_sum(inputs.S, chosen), bin_sum(inputs.V, chosen)
    step = stride or _stride((summed.shape[0], summed.shape[1]), patch)
    settings: dict[str, int | float] = {
        "patch": patch,
        "atoms": atoms,
        "sweeps": sweeps,
        "averaged": min(averaged, sweeps),
        "stride": step,
        "factor": chosen,
        "seed": seed,
    }
    values, scale = _standardised(summed, visits, inputs.mean)
    image = np.full(summed.shape, inputs.mean, dtype=np.float32)
    if scale > 0:
        sampler = GibbsSampler(Patches.of(values, visits, patch, step), atoms, seed)
        image += np.float32(scale) * _mean_image(sampler, image.shape, sweeps, min(averaged, sweeps))
        settings |= {
            "noise_sd": scale * sampler.noise_precision**-0.5,
            "atoms_in_use": sampler.atoms_in_use,
            "atoms_per_patch": round(sampler.atoms_per_patch, 3),
        }
    if inputs.S.min() >= 0:
        np.maximum(image, 0, out=image)
    return Estimate(image=image, factor=chosen, settings=settings)


def _mean_image(sampler: GibbsSampler, shape: tuple[int, ...], sweeps: int, averaged: int) -> Image:
    """Run the chain; mean image of its last sweeps, in units of the patches' values."""
    total = np.zeros(shape, dtype=np.float32)
    for sweep in stepped(range(sweeps), sweeps):
        sampler.sweep(sweep)
        if sweep >= sweeps - averaged:
            sampler.add_image(total)
    total /= np.float32(averaged)
    return total


def _standardised(summed: Image, visits: Image, mean: float) -> tuple[Image, float]:
    """Means of visited pixels less the mean of all, over their standard deviation, which is 0 if all are the same."""
    values = np.zeros_like(summed)
    np.divide(summed, visits, out=values, where=visits > 0)
    values -= np.float32(mean)
    values[visits == 0] = 0
    scale = float(np.sqrt(np.average(np.square(values, dtype=np.float64), weights=visits)))
    if scale <= _FLAT * abs(mean):
        return values, 0.0
    values /= np.float32(scale)
    return values, scale


def _stride(shape: tuple[int, int], patch: int) -> int:
    """Smallest power of two up to half a patch that leaves few enough patches."""
    stride = 1
    while 2 * stride <= patch // 2 and np.prod([max(0, n - patch) // stride + 1 for n in shape]) > _MOST_PATCHES:
        stride *= 2
    return stride


def _coarsest(inputs: Inputs) -> int:
    """Coarsest binning that keeps the specimen's band, as the samples show it."""
    place = torch.device("cpu")
    mean, variance = mean_and_variance(inputs.S, inputs.V, inputs.electrons_per_sample, inputs.noise)
    return find_band(as_tensor(inputs.S, place), as_tensor(inputs.V, place), mean, variance).factor


def _check(
    patch: int, atoms: int, sweeps: int, averaged: int, stride: int | None, factor: int | None, seed: int
) -> None:
    """Refuse settings that are out of range."""
    for name, value, low, high in (
        ("patch", patch, 2, 32),
        ("atoms", atoms, 1, 256),
        ("sweeps", sweeps, 1, 1 << 20),
        ("averaged", averaged, 1, 1 << 20),
        ("stride", stride, 1, patch),
        ("seed", seed, 0, (1 << 64) - 1),
    ):
        if value is not None and not low <= value <= high:
            raise UsageError(f"expected {name} of {low} to {high}, got {value}; leave it out for the default")
    if factor not in (None, 1, 2, 4):
        raise UsageError(f"expected factor 1, 2 or 4, got {factor}; leave it out for the default")
