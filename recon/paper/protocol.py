"""The evaluation protocol of the published code, to compare with published numbers. It needs no store.

The published code standardises the smoothed image, doubles it bicubically and applies equation 5 to the result:
samples are x Poisson(lambda) / lambda of a *signed* x, so that pixels at the mean carry no noise at all. No detector
counts like that; `stemscan simulate --noise eq5` applies the equation to the signal in [0, 1], and
`--noise poisson` is physics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError

__all__ = ["PublishedScan", "published_scan"]

PASSES: Final = 4
BLOCK: Final = 8
FACTOR: Final = 2


@dataclass(frozen=True, eq=False)
class PublishedScan:
    """One draw of the protocol.

    Attributes
    ----------
    frames : ndarray of float32, (4, 2 H, 2 W)
        Samples in standard deviations of the truth, mean 0; 0 where not visited.
    visits : ndarray of uint16, (4, 2 H, 2 W)
        0 or 1.
    truth : ndarray of float32, (H, W)
        The standardised truth, which the published network's output is compared with; data range its max - min.
    fine_truth : ndarray of float32, (2 H, 2 W)
        Signal that was sampled.
    """

    frames: npt.NDArray[np.float32]
    visits: npt.NDArray[np.uint16]
    truth: npt.NDArray[np.float32]
    fine_truth: npt.NDArray[np.float32]


def published_scan(
    truth: npt.NDArray[np.floating[Any]], samples_per_block: int = 3, dose: float = 10.0, seed: int = 0
) -> PublishedScan:
    """Sample a truth as the published code does: 4 frames, block-random in 8 x 8 blocks, equation 5 on signed values.

    Parameters
    ----------
    truth : ndarray of float, (H, W)
        Smoothed image of any scale, not constant; 512 x 512 in the paper. Both sides multiples of 4.
    samples_per_block : int
        1 to 64; the paper takes 1, 2, 3, 4, 5, 6.
    dose : float
        Lambda, above 0; the paper takes 10 and 25.
    seed : int
        At least 0.

    Raises
    ------
    ReconError
        When an argument is out of its range.
    """
    _check(truth, samples_per_block, dose)
    standardised = ((truth - truth.mean()) / truth.std()).astype(np.float32)
    fine = _doubled(standardised)
    generator = np.random.Generator(np.random.Philox(seed))
    visits = _block_random(generator, cast("tuple[int, int]", fine.shape), samples_per_block)
    rows = np.nonzero(visits)
    frames = np.zeros(visits.shape, dtype=np.float32)
    frames[rows] = fine[rows[1:]] * (generator.poisson(dose, rows[0].size) / dose)
    return PublishedScan(frames, visits, standardised, fine)


def _check(truth: npt.NDArray[np.floating[Any]], samples_per_block: int, dose: float) -> None:
    """Refuse what cannot be sampled."""
    if truth.ndim != 2 or any(size == 0 or size * FACTOR % BLOCK for size in truth.shape):
        raise ReconError(f"expected a truth whose sides are multiples of 4, got shape {truth.shape}; crop it")
    if not (np.isfinite(truth).all() and truth.std() > 0):
        raise ReconError("expected a finite truth that is not constant, got one that cannot be standardised; check it")
    if not 1 <= samples_per_block <= BLOCK * BLOCK:
        raise ReconError(f"expected 1 to 64 samples per block, got {samples_per_block}; the paper takes 1 to 6")
    if not (np.isfinite(dose) and dose > 0):
        raise ReconError(f"expected a dose above 0, got {dose!r}; the paper takes 10 or 25")


def _doubled(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bicubic upsampling by 2, pixel centres in the middle of their 2 x 2 blocks."""
    import torch
    from torch.nn import functional

    whole = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    fine = functional.interpolate(whole, scale_factor=FACTOR, mode="bicubic", align_corners=False)
    return cast("npt.NDArray[np.float32]", fine[0, 0].numpy())


def _block_random(
    generator: np.random.Generator, shape: tuple[int, int], samples_per_block: int
) -> npt.NDArray[np.uint16]:
    """Visits (4, H, W): exactly `samples_per_block` in every block of every pass."""
    rows, columns = shape[0] // BLOCK, shape[1] // BLOCK
    order = generator.random((PASSES, rows, columns, BLOCK * BLOCK), dtype=np.float32)
    chosen = np.argpartition(order, samples_per_block - 1, axis=-1)[..., :samples_per_block]
    visits = np.zeros(order.shape, dtype=np.uint16)
    np.put_along_axis(visits, chosen, 1, axis=-1)
    blocks = visits.reshape(PASSES, rows, columns, BLOCK, BLOCK)
    return np.ascontiguousarray(blocks.transpose(0, 1, 3, 2, 4).reshape(PASSES, *shape))
