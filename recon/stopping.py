"""Worth of another pass: the PSNR that it would add, estimated without a truth from samples that were held out.

The samples of all passes are dealt into eight groups at random. Four times, each in another part of a large field, two
groups are held out, and the image is reconstructed from the other six and from three of them, by `fourier-eb` without
its regression. A held-out sample y of a pixel with the true signal x and the estimate e misses it by

    E (y - e)^2 = Var y + (x - e)^2,

and its variance is known without x: y / lambda for Poisson counts, and the read noise that readings below zero show. So
the mean of (y - e)^2 less that variance over held-out samples is the mean squared error of the estimate, and the
difference between those from n / 2 and n samples is known much better than each, for the sample's own noise is the same
in both. Errors fall as a power of the number of samples, n^-a; the two give a, and one more pass after t of them gains
10 a log10((t + 1) / t) dB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.random import Stream, random_words
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.recon.run import reconstruct
from stemscan.runtime.compiled import compiled
from stemscan.runtime.work import doing
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["PsnrGain", "expected_gain", "held_out_errors"]

Places = npt.NDArray[np.int32] | npt.NDArray[np.float32]

_GROUPS: Final = 8
_FOLDS: Final = 4
_SIDE: Final = 256
"""Pixels along each side that a fold looks at: a decision takes the same time whatever the frame."""

_METHOD: Final = "fourier-eb"
_LEAST_ERROR: Final = 0.2  # of the estimate from half the samples: what the one from all is taken for at least


@dataclass(frozen=True)
class PsnrGain:
    """Stop when the next pass is expected to add less than some decibels.

    Parameters
    ----------
    decibel : float
        Above 0.

    Raises
    ------
    UsageError
        When it is not above 0.
    """

    decibel: float

    def __post_init__(self) -> None:
        if not 0 < self.decibel < math.inf:
            raise UsageError(f"expected a gain above 0 dB, got {self.decibel!r}; give one such as 0.05dB")

    def __call__(self, acquisition: Acquisition, passes: int) -> str | None:
        """Why to stop after `passes` whole passes; None to go on."""
        with doing("weighing another pass"):
            gain = expected_gain(acquisition, passes)
        if gain is None or gain >= self.decibel:
            return None
        return f"psnr-gain: one more pass is expected to add {gain:.3f} dB, less than {self.decibel:g}"


def expected_gain(acquisition: Acquisition, passes: int) -> float | None:
    """PSNR in dB that one more pass is expected to add.

    Parameters
    ----------
    acquisition : Acquisition
        Of which `passes` whole passes are committed.
    passes : int
        At least 1.

    Returns
    -------
    float or None
        None where the samples are too few to tell.

    Raises
    ------
    UsageError
        For data that do not follow a plan.
    """
    if acquisition.plan_digest is None:
        raise UsageError("expected an acquisition that follows a plan to estimate a gain, got imported data")
    errors = held_out_errors(acquisition, acquisition.samples_committed)
    return None if errors is None else _gain(*errors, passes)


def held_out_errors(acquisition: Acquisition, samples: int) -> tuple[float, float] | None:
    """Mean squared errors of images by samples that were held out, relative to signal 1.

    Parameters
    ----------
    acquisition : Acquisition
        That follows a plan.
    samples : int
        So many of its samples, from the first on.

    Returns
    -------
    (float, float) or None
        Of images of three eighths and of three quarters of the samples; None where these are too few to tell.
    """
    values = acquisition.electrons(0, samples)
    actual = acquisition.actual(0, samples)
    places = acquisition.positions(0, samples) if actual is None else actual
    groups = _deal(samples)
    errors, count = np.zeros(2), 0
    for fold, corner in enumerate(_corners(acquisition.shape)):
        shape = tuple(int(side) for side in np.minimum(acquisition.shape - corner, _SIDE))
        there = np.flatnonzero(np.all((places >= corner) & (places <= corner + np.array(shape) - 1), axis=1))
        dealt, seen, signal = groups[there], places[there] - corner.astype(places.dtype), values[there]
        held = (dealt // 2) == fold
        if held.all() or not held.any():
            return None
        rest = np.flatnonzero(~held)
        order = (dealt[rest] - 2 * fold) % _GROUPS - 2  # 0 .. 5 of the six groups that are left
        for which, chosen in enumerate((rest[order < (_GROUPS - 2) // 2], rest)):
            if not len(chosen):
                return None
            image = _reconstructed(acquisition, shape, signal[chosen], seen[chosen])
            errors[which] += _squared_error(acquisition, image, signal[held], seen[held])
        count += int(np.count_nonzero(held))
    return float(errors[0] / count), float(errors[1] / count)


def _corners(shape: tuple[int, int]) -> list[npt.NDArray[np.int64]]:
    """First row and column of what each fold looks at: a small field, or a part of each quarter of a large one."""
    left = np.maximum(np.array(shape, np.int64) - _SIDE, 0)
    shares = np.array([[1, 1], [1, 3], [3, 1], [3, 3]])
    return [left * share // 4 for share in shares]


def _gain(from_half: float, from_all: float, passes: int) -> float | None:
    """The next pass's gain from the mean squared errors of half the samples and of all."""
    if from_half <= 0:
        return None
    exponent = math.log2(from_half / max(from_all, _LEAST_ERROR * from_half))
    return 10 * max(exponent, 0.0) * math.log10((passes + 1) / passes)


def _squared_error(acquisition: Acquisition, image: Image, values: npt.NDArray[np.float64], places: Places) -> float:
    """Sum over held-out samples of the squared error of an image, less the samples' own variance."""
    from scipy.ndimage import map_coordinates

    dose = acquisition.electrons_per_sample
    signal = values / dose
    variance = signal**2 / (dose + 1)
    if acquisition.noise == "poisson":
        variance = signal / dose + read_variance(signal, np.ones_like(signal))
    there = map_coordinates(image, places.T.astype(np.float64), order=1, mode="nearest")
    return float(np.sum((signal - there) ** 2 - variance))


def _reconstructed(
    acquisition: Acquisition, shape: tuple[int, ...], values: npt.NDArray[np.float64], places: Places
) -> Image:
    """The image of a part from some samples, laid on the grid as `load_inputs` lays them."""
    placed = PlacedSamples.of(values, places, (0, len(values)), (shape[0], shape[1]))
    analogue = acquisition.detector.unit != "electron"
    inputs = Inputs.from_samples(placed, acquisition.electrons_per_sample, noise=acquisition.noise, analogue=analogue)
    whole = places.dtype.kind == "i"
    return reconstruct(inputs.whole if whole else inputs, _METHOD, contradictions=False, regression=False).image


def _deal(samples: int) -> npt.NDArray[np.int64]:
    """Group of each sample, by its index alone."""
    groups = np.empty(samples, np.int64)
    _deal_groups(groups, Stream.CROSS_VALIDATION)
    return groups


@compiled()
def _deal_groups(groups: npt.NDArray[np.int64], stream: int) -> None:
    """Fill in groups of samples 0, 1, ..."""
    for index in range(len(groups)):
        words = random_words(np.uint64(0), stream, np.uint64(index), 1)
        groups[index] = words[0] % np.uint32(_GROUPS)
