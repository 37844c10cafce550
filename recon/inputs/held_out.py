"""Split an acquisition's samples in two, to choose a setting on those that were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.random import Stream, random_words, uniform53
from stemscan.runtime.compiled import compiled
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["Split", "split_samples"]


class Split(NamedTuple):
    """Counts over dose and visits of two parts of the samples, (H, W) each; the parts add up to S and V.

    Attributes
    ----------
    kept_sum, kept_visits : ndarray of float32
        S and V of the samples to estimate from.
    held_sum, held_visits : ndarray of float32
        S and V of the samples to be predicted.
    """

    kept_sum: Image
    kept_visits: Image
    held_sum: Image
    held_visits: Image


def split_samples(inputs: Inputs, fraction: float, seed: int = 0) -> Split:
    """Hold out each visit of a pixel in a pass with the same probability; visits of one pass stay together.

    Parameters
    ----------
    inputs : Inputs
        With whole visits, see `Inputs.whole`.
    fraction : float
        Probability, 0 to 1.
    seed : int
        Of the choice, which is drawn with the counter-based generator.

    Returns
    -------
    Split
        Either part may be empty when there are few samples.
    """
    held_sum, held_visits = (np.zeros(inputs.shape, dtype=np.float32) for _ in range(2))
    _hold_out(inputs.frames, inputs.visits, fraction, np.uint64(seed), Stream.CROSS_VALIDATION, held_sum, held_visits)
    held_sum /= np.float32(inputs.electrons_per_sample)
    kept = np.where(held_visits < inputs.V, inputs.S - held_sum, np.float32(0.0))
    return Split(kept, inputs.V - held_visits, held_sum, held_visits)


@compiled()
def _hold_out(
    frames: Image,
    visits: npt.NDArray[Any],
    fraction: float,
    seed: np.uint64,
    stream: int,
    held_sum: Image,
    held_visits: Image,
) -> None:
    """Add up the held-out samples; the random number of a pixel's visit is that of its place in `frames`."""
    passes, rows, columns = frames.shape
    for t in range(passes):
        for row in range(rows):
            for column in range(columns):
                if visits[t, row, column] > 0:
                    words = random_words(seed, stream, np.uint64((t * rows + row) * columns + column), 0)
                    if uniform53(words[0], words[1]) < fraction:
                        held_sum[row, column] += frames[t, row, column]
                        held_visits[row, column] += visits[t, row, column]
