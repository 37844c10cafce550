"""Labels that part a scan's samples into folds, each of which is held out in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.random import Stream, bounded, random_words
from stemscan.runtime.compiled import compiled

__all__ = ["fold_labels"]


def fold_labels(shape: tuple[int, int], folds: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Labels 0 to `folds` - 1, a function of seed and pixel: all samples of a pixel are held out together.

    Parameters
    ----------
    shape : (int, int)
        (H, W) of the scan grid.
    folds : int
        1 to 255.

    Returns
    -------
    ndarray of uint8, (H, W)
    """
    labels = np.empty(shape, dtype=np.uint8)
    _draw(labels.reshape(-1), folds, np.uint64(seed), Stream.FOLDS)
    return labels


@compiled()
def _draw(labels: npt.NDArray[Any], folds: int, seed: np.uint64, stream: int) -> None:
    """Draw each label by its place."""
    for index in range(len(labels)):
        labels[index] = bounded(random_words(seed, stream, np.uint64(index), 0)[0], folds)
