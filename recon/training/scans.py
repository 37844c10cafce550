"""Training scans by index: specimen, plan, counts. Scan i of a configuration is the same wherever and whenever made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.plan.scan_plan import ScanPlan
from stemscan.random import Stream, random_words
from stemscan.recon.inputs.grids import bin_mean
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.training.config import DataSettings
from stemscan.recon.training.exceptions import exception_mask
from stemscan.simulators.api import paper_smoothed, resampled, sampled_frames, synthetic_specimen
from stemscan.store.true_columns import TrueColumns
from stemscan.types import Image, Noise

__all__ = ["Scan", "crop_origin", "training_scan"]


_BLOCK: Final = 8
_DWELL_NS: Final = 1000
_ALIGNMENT: Final = 64  # of crops, so that every network sees its blocks as in a whole scan
_DRAWS: Final = 8  # words of a scan; those of its crops follow


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan to learn from.

    Attributes
    ----------
    inputs : Inputs
        Counts and visits, with the truth.
    truth : ndarray of float32, (H, W)
        The specimen's signal on the scan grid.
    half : ndarray of float32, (H / 2, W / 2)
        The same on the grid of half the size: what was doubled, or the means over 2 x 2 pixels.
    exceptions : ndarray of bool, (H, W)
        Pixels at columns that depart from their lattice; none where no columns are known.
    """

    inputs: Inputs
    truth: Image
    half: Image
    exceptions: npt.NDArray[np.bool_]


def training_scan(data: DataSettings, seed: int, index: int) -> Scan:
    """Make a scan.

    Parameters
    ----------
    seed : int
        Of the run.
    index : int
        Number of the scan, at least 0.
    """
    specimen = index if data.specimens is None else index % data.specimens
    noise: Noise = "poisson"
    if data.generator == "paper":
        truth, half, columns = _as_in_the_paper(data, seed, specimen)
        noise = "eq5"
    else:
        if _unit(seed, index, 0) < data.smoothed:
            truth, half, columns = _as_in_the_paper(data, seed, specimen)
        else:
            drawn = synthetic_specimen((data.size, data.size), seed=seed, index=specimen, variety=data.variety)
            truth, columns = drawn.signal, drawn.columns
            half = bin_mean(truth, 2)
        noise = "eq5" if _unit(seed, index, 1) < data.eq5 else "poisson"
    plan = _plan(data, seed, index)
    frames, visits = sampled_frames(truth, plan, noise=noise, seed=_word64(seed, index, 2))
    inputs = Inputs.from_arrays(frames, visits, plan.electrons_per_sample, noise=noise, truth=truth)
    return Scan(inputs, truth, half, exception_mask(columns, inputs.shape))


def crop_origin(data: DataSettings, seed: int, index: int, number: int) -> tuple[int, int]:
    """Row and column where crop `number` of a scan begins."""
    places = (data.size - data.crop) // _ALIGNMENT + 1
    row, column = (int(_unit(seed, index, _DRAWS + 2 * number + axis) * places) for axis in (0, 1))
    return row * _ALIGNMENT, column * _ALIGNMENT


def _plan(data: DataSettings, seed: int, index: int) -> ScanPlan:
    """The plan of the scan."""
    per_block = data.samples_per_block[int(_unit(seed, index, 3) * len(data.samples_per_block))]
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": _BLOCK, "samples_per_block": per_block},
            "shape": [data.size, data.size],
            "passes": data.passes[int(_unit(seed, index, 4) * len(data.passes))],
            "dwell_ns": _DWELL_NS,
            "dose": {"electrons_per_sample": _between(data.dose, _unit(seed, index, 5))},
            "seed": _word64(seed, index, 6),
        }
    )


def _as_in_the_paper(data: DataSettings, seed: int, specimen: int) -> tuple[Image, Image, TrueColumns | None]:
    """Section 4.1: a specimen of half the size, smoothed, scaled to [0, 1], and doubled by a cubic."""
    half_size = data.size // 2
    whole = synthetic_specimen((half_size, half_size), seed=seed, index=specimen, variety=data.variety)
    drawn = whole.signal
    if data.micrograph_dose is not None:
        drawn = _micrograph(drawn, data.micrograph_dose, seed, specimen)
    smooth = paper_smoothed(drawn.astype(np.float64))
    low, high = float(smooth.min()), float(smooth.max())
    half = (smooth - low) / (high - low) if high > low else np.full_like(smooth, 0.5)
    truth = np.clip(resampled(half, (data.size, data.size)), 0.0, 1.0)
    size = (data.size, data.size)
    columns = None if whole.columns is None else whole.columns.resampled(whole.shape, size)
    return truth.astype(np.float32), half.astype(np.float32), columns


def _micrograph(signal: Image, doses: tuple[float, float], seed: int, specimen: int) -> Image:
    """A specimen as a microscope records it, every pixel once; over the dose."""
    dose = _between(doses, _unit(seed, specimen, 7))
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "raster"},
            "shape": list(signal.shape),
            "passes": 1,
            "dwell_ns": _DWELL_NS,
            "dose": {"electrons_per_sample": dose},
            "seed": 0,
        }
    )
    frames, _ = sampled_frames(signal, plan, noise="poisson", seed=_word64(seed, specimen, 7))
    counted: Image = (frames[0] / np.float32(dose)).astype(np.float32)
    return counted


def _between(span: tuple[float, float], share: float) -> float:
    """A dose of a range, uniform in the logarithm."""
    low, high = span
    return low * math.exp(math.log(high / low) * share)


def _unit(seed: int, index: int, draw: int) -> float:
    """A number in [0, 1) for this draw of a scan."""
    return int(random_words(np.uint64(seed), Stream.TRAINING, np.uint64(index), draw)[0]) * 2.0**-32


def _word64(seed: int, index: int, draw: int) -> int:
    """A seed for this draw of a scan."""
    words = random_words(np.uint64(seed), Stream.TRAINING, np.uint64(index), draw)
    return (int(words[0]) << 32) | int(words[1])
