"""Validation: weights as users run them, on scans that no training sees, against the truth.

The images are those of a folder, prepared as the paper prepares its ground truth (top left 512 x 512, smoothed,
doubled), or synthetic specimens of a seed that training may not use, of the variety that it learns from. Every image is
scanned at a sparse and a usual sampling ratio with the same seeds each time, so that the figures of a run can be
compared with each other; beside them stands what is gained over the Fourier estimate, which needs no training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from stemscan.errors import StemscanError, TrainingError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.recon.reconstruction import Reconstruction
from stemscan.recon.run import reconstruct
from stemscan.recon.training.config import TEST_SEEDS_FROM, Variety
from stemscan.simulators.api import (
    Specimen,
    image_paths,
    load_corner,
    resample_specimen,
    sampled_frames,
    synthetic_specimen,
)

__all__ = ["Validation", "validation_specimens"]

_SEED: Final = TEST_SEEDS_FROM + 2
_SYNTHETIC: Final = 8
_SIZE: Final = 1024
_CORNER: Final = 512
_PER_BLOCK: Final = (1, 3)
_DOSE: Final = 10.0
_FLOOR: Final = "fourier-eb"


def validation_specimens(folder: Path | None, variety: Variety = "usual") -> list[Specimen]:
    """The images of a folder, or synthetic ones without.

    Raises
    ------
    InputNotFoundError
        When there is no such folder.
    TrainingError
        When the folder holds no image that can be used.
    """
    if folder is None:
        indices = range(_SYNTHETIC)
        return [synthetic_specimen((_SIZE, _SIZE), seed=_SEED, index=index, variety=variety) for index in indices]
    found = []
    for path in image_paths(folder):
        with suppress(StemscanError):  # what cannot be read is no image to validate on
            corner = load_corner(path, _CORNER)
            found.append(resample_specimen(corner, (2 * corner.shape[0], 2 * corner.shape[1])))
    if not found:
        raise TrainingError(
            f"expected images to validate on, got none that can be read in {str(folder)!r}; name another folder or "
            "leave it out"
        )
    return found


class Validation:
    """Scans to validate on, made once.

    Parameters
    ----------
    passes : int
        Of every scan.
    """

    def __init__(self, specimens: Sequence[Specimen], passes: int) -> None:
        self._scans = [
            (per_block, _scan(specimen, per_block, passes, number))
            for per_block in _PER_BLOCK
            for number, specimen in enumerate(specimens)
        ]
        self._estimates: list[float] = []

    def run(self, method: str, weights: Path, device: str = "cpu") -> dict[str, float]:
        """Mean absolute PSNR in dB by sampling ratio, gain over the Fourier estimate, errors within a deviation."""
        if not self._estimates:
            self._estimates = [
                _psnr(inputs, reconstruct(inputs, _FLOOR, contradictions=False)) for _, inputs in self._scans
            ]
        psnr: dict[int, list[float]] = {}
        gains: list[float] = []
        within: list[float] = []
        for (per_block, inputs), floor in zip(self._scans, self._estimates, strict=True):
            done = reconstruct(inputs, method, weights=weights, device=device, contradictions=False)
            psnr.setdefault(per_block, []).append(_psnr(inputs, done))
            gains.append(psnr[per_block][-1] - floor)
            if done.std is not None and inputs.truth is not None:
                within.append(float((np.abs(done.image - inputs.truth) <= done.std).mean()))
        found = {f"psnr_{per_block}_of_64": float(np.mean(values)) for per_block, values in psnr.items()}
        found["over_fourier_eb_dB"] = float(np.mean(gains))
        return found | ({"within_1_sd": float(np.mean(within))} if within else {})


def _scan(specimen: Specimen, per_block: int, passes: int, number: int) -> Inputs:
    """Scan a specimen; counts are Poisson."""
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": per_block},
            "shape": list(specimen.shape),
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": _DOSE},
            "seed": number,
        }
    )
    frames, visits = sampled_frames(specimen.signal, plan, seed=number)
    return Inputs.from_arrays(frames, visits, _DOSE, truth=specimen.signal)


def _psnr(inputs: Inputs, done: Reconstruction) -> float:
    """Absolute PSNR in dB; the scan was made with its truth."""
    return math.nan if inputs.truth is None else compare(done.image, inputs.truth).psnr
