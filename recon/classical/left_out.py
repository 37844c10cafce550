"""Cross-validation of Gaussian normalised convolution: every sample predicted by all others.

For a linear estimate, leaving a sample out needs no second estimate: its own contribution is subtracted from both sums.
So each sample of a random subset is left out alone; nothing is lost to a split in two, and a pixel that was visited in
several passes keeps its other samples, so that well-measured pixels may ask for a narrow Gaussian. The subset is drawn
with the counter-based generator and depends on the samples' number alone.

Predictions are scored by their squared error. Whatever the noise, its mean is the image's mean squared error plus the
samples' own variance, which is the same for every width, so the best score means the best PSNR. (Likelihoods weigh by
the inverse of the variance. Under Poisson noise they choose almost the same; under eq5 dark pixels decide alone, and up
to 0.6 dB were lost.) Widths are tried from narrow to wide. The wider the window, the fewer samples of the subset are
looked at, always its first ones, and scores are linked by the samples that two widths share.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stemscan.random import Stream, bounded, random_words
from stemscan.recon.threads import workers
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Image, Integers

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["BACKGROUND", "WIDEST", "LeftOut", "gaussian_weights"]

BACKGROUND = 1e-5
"""Weight of the mean of all samples at every pixel; a sample at the pixel itself has weight 1."""


_TRUNCATE = 4.0
_SUBSET = 16384
_WORK = 1.5e7
_NARROWEST, WIDEST, _STEP, _PATIENCE = 0.35, 64.0, 2**0.5, 3


def gaussian_weights(width: float) -> Floats:
    """Weights of a Gaussian, 1 at the centre, cut off at four widths: odd number of them.

    Not `scipy.signal.windows.gaussian`, whose last bits differ: it squares before it divides.
    """
    radius = int(_TRUNCATE * width + 0.5)
    return np.exp(-0.5 * (np.arange(-radius, radius + 1) / width) ** 2)


class _Points(NamedTuple):
    """Visited pixels row by row: width of the grid, first point of each row, and each point's column, S and V."""

    columns: int
    starts: Integers
    column: Integers
    summed: Image
    visits: Image

    @classmethod
    def of(cls, inputs: Inputs, visited: Integers) -> _Points:
        """Gather from the grid at flat indices in ascending order."""
        rows, columns = inputs.shape
        starts = np.searchsorted(visited, np.arange(rows + 1) * columns)
        return cls(columns, starts, visited % columns, inputs.S.ravel()[visited], inputs.V.ravel()[visited])


class LeftOut:
    """A subset of an acquisition's samples, to be predicted by all others.

    Parameters
    ----------
    inputs : Inputs
        With whole visits, see `Inputs.whole`.
    seed : int
        Of the subset.
    """

    def __init__(self, inputs: Inputs, seed: int = 0) -> None:
        self._mean = inputs.mean
        visited = np.flatnonzero(inputs.V)
        self._filled = len(visited) / inputs.V.size
        self._points = _Points.of(inputs, visited)
        number = min(_SUBSET, inputs.samples)
        # Sample numbers count visited pixels in order, and in each pixel its passes.
        chosen = _choose(np.uint64(seed), Stream.CROSS_VALIDATION, number, inputs.samples)
        ends = np.cumsum(self._points.visits, dtype=np.int64)
        points = np.searchsorted(ends, chosen, side="right")
        rank = chosen - (ends[points] - self._points.visits[points].astype(np.int64))
        self._pixels = visited[points]
        visits = inputs.visits.reshape(inputs.T, -1)[:, self._pixels].astype(np.int64)
        passes = np.argmax(np.cumsum(visits, axis=0) > rank, axis=0)
        self._visits = visits[passes, np.arange(number)].astype(np.float64)
        self._signal = inputs.frames.reshape(inputs.T, -1)[passes, self._pixels] / inputs.electrons_per_sample

    def best_width(self) -> float:
        """Width of the Gaussian that predicts the left-out samples best, in pixels.

        Returns
        -------
        float
            Between 0.35 and 64; the lowest point of a parabola through the best width tried and its neighbours.
        """
        widths, scores = [_NARROWEST], [0.0]
        previous = self._score(_NARROWEST)
        while widths[-1] * _STEP <= WIDEST:
            best = int(np.argmin(scores))
            if widths[-1] ** 2 * self._filled > 1 and len(scores) - 1 - best >= _PATIENCE:
                break
            widths.append(widths[-1] * _STEP)
            score = self._score(widths[-1])
            shared = min(len(score), len(previous))
            scores.append(scores[-1] + float(np.mean(score[:shared] - previous[:shared])))
            previous = score
        best = int(np.argmin(scores))
        if not 0 < best < len(scores) - 1:
            return widths[best]
        left, middle, right = scores[best - 1 : best + 2]
        bend = left - 2 * middle + right
        return widths[best] * float(_STEP ** (0.5 * (left - right) / bend if bend > 0 else 0.0))

    def _score(self, width: float) -> Floats:
        """Squared error of each sample's prediction, for as many samples as the work allows."""
        predicted = self._predict(width)
        visits, signal = self._visits[: len(predicted)], self._signal[: len(predicted)]
        score: Floats = visits * (signal / visits - predicted) ** 2
        return score

    def _predict(self, width: float) -> Floats:
        """Predictions of the first samples of the subset, as many as the work allows."""
        weights = gaussian_weights(width)
        number = min(len(self._pixels), max(1, int(_WORK / (self._filled * len(weights) ** 2))))
        predicted = np.empty(number)
        points, mean = self._points, self._mean

        def predict(part: slice) -> None:
            left_out = self._pixels[part], self._signal[part], self._visits[part]
            _predict(*points, weights, BACKGROUND, mean, *left_out, predicted[part])

        edges = np.linspace(0, number, workers() + 1).astype(int)
        with ThreadPoolExecutor(workers()) as pool:
            for _ in pool.map(predict, [slice(*pair) for pair in pairwise(edges)]):
                pass
        return predicted


@compiled()
def _choose(seed: np.uint64, stream: int, number: int, total: int) -> Integers:
    """Random sample numbers below `total`, one after another from the generator."""
    chosen = np.empty(number, dtype=np.int64)
    for i in range(number):
        words = random_words(seed, stream, np.uint64(i), 0)
        chosen[i] = bounded(words[0], total)
    return chosen


@compiled()
def _predict(
    columns: int,
    starts: Integers,
    column: Integers,
    summed: Image,
    visits: Image,
    weights: Floats,
    background: float,
    mean: float,
    left_pixels: Integers,
    left_signal: Floats,
    left_visits: Floats,
    predicted: Floats,
) -> None:
    """Predict samples by normalised convolution of all others."""
    rows, radius = len(starts) - 1, len(weights) // 2
    for k in range(len(left_pixels)):
        at_row, at_column = left_pixels[k] // columns, left_pixels[k] % columns
        total, weight = background * mean, background
        for r in range(max(0, at_row - radius), min(rows, at_row + radius + 1)):
            vertical = weights[r - at_row + radius]
            stop = starts[r + 1]
            i = starts[r] + np.searchsorted(column[starts[r] : stop], at_column - radius)
            while i < stop and column[i] <= at_column + radius:
                w = vertical * weights[column[i] - at_column + radius]
                if r != at_row or column[i] != at_column:
                    total += w * summed[i]
                    weight += w * visits[i]
                elif visits[i] > left_visits[k]:
                    total += summed[i] - left_signal[k]
                    weight += visits[i] - left_visits[k]
                i += 1
        predicted[k] = total / weight
