"""Fourier iterative hard thresholding, the number of coefficients chosen on held-out samples.

The image is its mean plus as few Fourier coefficients as predict best: a lattice needs hardly more than its peaks. How
many is found on a tenth of the samples, held out at random: k grows step by step, each time from where the last left
off, until held-out samples are no longer predicted better. Then all samples are used with the best k. The arithmetic is
in `stemscan.recon.classical.fourier_threshold`. What is aperiodic and weak (vacancies, boundaries) falls below the
threshold first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from stemscan.errors import UsageError
from stemscan.recon.classical.fourier_threshold import FourierThreshold, Spectrum
from stemscan.recon.inputs.held_out import Split, split_samples
from stemscan.recon.reconstruction import Estimate
from stemscan.runtime.work import part, stepped
from stemscan.types import Floats, Image
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["iht"]


_HELD_OUT: Final = 0.1
_FEWEST, _GROWTH, _PATIENCE, _STEPS = 8, 2**0.5, 3, 2
_FINAL_STEPS, _TOLERANCE = 30, 1e-3
_SIGMAS: Final = 3.0


class _Choice(NamedTuple):
    """The best number of coefficients, the spectrum found with it, and mean squared errors of held-out samples."""

    coefficients: int
    spectrum: Spectrum | None
    error: float | None
    error_of_mean: float | None


def iht(inputs: Inputs, *, coefficients: int | None = None, seed: int = 0) -> Estimate:
    """Reconstruct by iterative hard thresholding in Fourier space.

    Parameters
    ----------
    coefficients : int, optional
        Number k of Fourier coefficients to keep beside the mean, from 0 (the mean alone) to the number of pixels;
        chosen by cross-validation by default. They come in pairs, so that k is rounded down to an even number.
    seed : int
        Of the held-out samples, at least 0.

    Returns
    -------
    Estimate
        On the plan's grid, without standard deviation, at least 0 unless counts are negative. Settings:
        ``coefficients``, whether it was chosen (``coefficients_chosen``), ``held_out_error``, the mean squared error of
        held-out samples with it, their own noise included, ``held_out_error_of_mean``, that of a constant; ``seed``.

    Raises
    ------
    UsageError
        When `coefficients` or `seed` is negative, or there are more coefficients than pixels.
    """
    pixels = math.prod(inputs.shape)
    if coefficients is not None and coefficients > pixels:
        raise UsageError(
            f"expected at most {counted(pixels, 'coefficient')}, one for each pixel, got {coefficients}; take fewer"
        )
    for name, value in (("coefficients", coefficients), ("seed", seed)):
        if value is not None and value < 0:
            raise UsageError(f"expected {name} of at least 0, got {value}; leave it out for the default")
    mean = np.float32(inputs.mean)
    if coefficients is None:
        with part(0.5):
            choice = _choose(split_samples(inputs.whole, _HELD_OUT, seed), mean)
    else:
        choice = _Choice(coefficients, None, None, None)
    image = np.full(inputs.shape, mean, dtype=np.float32)
    if choice.coefficients > 1:
        problem = FourierThreshold(inputs.S - mean * inputs.V, inputs.V)
        spectrum = _path(problem, choice.coefficients) if choice.spectrum is None else choice.spectrum
        image += problem.image(problem.iterate(spectrum, choice.coefficients, _FINAL_STEPS, _TOLERANCE))
    if inputs.S.min() >= 0:
        np.maximum(image, 0, out=image)
    return Estimate(
        image=image,
        settings={
            "coefficients": choice.coefficients,
            "coefficients_chosen": coefficients is None,
            "held_out_error": choice.error,
            "held_out_error_of_mean": choice.error_of_mean,
            "seed": seed,
        },
    )


def _choose(split: Split, mean: np.float32) -> _Choice:
    """Let k grow until `_PATIENCE` steps in turn have brought no better prediction.

    The mean alone stays unless held-out samples are predicted better beyond chance: noise has strong coefficients, too.
    """
    held = split.held_visits > 0
    if not (held.any() and split.kept_visits.any()):
        return _Choice(0, None, None, None)
    visits = split.held_visits[held].astype(np.float64)
    measured = split.held_sum[held] / visits - mean

    def errors_of(image: Image | None) -> Floats:
        predicted = 0.0 if image is None else image[held]
        squares: Floats = visits * np.square(measured - predicted)
        return squares

    problem = FourierThreshold(split.kept_sum - mean * split.kept_visits, split.kept_visits)
    best = of_mean = errors_of(None)
    chosen, found, spectrum, misses = 0, None, problem.start(), 0
    numbers = _numbers(int(np.count_nonzero(split.kept_visits)) // 2)
    for k in stepped(numbers, max(len(numbers) // 2, 1)):  # it ends about half way
        spectrum = problem.iterate(spectrum, k, _STEPS)
        errors = errors_of(problem.image(spectrum))
        misses += 1
        if errors.sum() < best.sum():
            best, chosen, found, misses = errors, k, spectrum, 0
        elif misses >= _PATIENCE:
            break
    gain = of_mean - best
    if gain.sum() <= _SIGMAS * gain.std() * gain.size**0.5:
        best, chosen, found = of_mean, 0, None
    return _Choice(chosen, found, float(best.sum() / visits.sum()), float(of_mean.sum() / visits.sum()))


def _path(problem: FourierThreshold, coefficients: int) -> Spectrum:
    """The spectrum from which a given number of coefficients starts: along fewer, as in cross-validation."""
    spectrum = problem.start()
    for k in _numbers(coefficients):
        spectrum = problem.iterate(spectrum, k, _STEPS)
    return spectrum


def _numbers(most: int) -> list[int]:
    """Even numbers that grow by a constant factor, up to `most`."""
    steps = int(np.log(max(most / _FEWEST, 1)) / np.log(_GROWTH)) + 1
    return [n for n in sorted({2 * round(_FEWEST * _GROWTH**step / 2) for step in range(steps)}) if n <= most]
