"""Shifts of passes against one another: where a trajectory begins.

Each pass, or each part of one that covers the field on its own, gives an image by normalised convolution; pairs are
cross-correlated, and the peak is refined by a parabola. On a lattice there are peaks a unit cell apart, and by noise
any may be the highest: the one nearest to what earlier pairs predict is taken, first by consecutive pairs, then for all
pairs, whose shifts are joined by least squares. Where two peaks are about as near there is no telling, and none is
guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.drift.leave_out import Scale, smoothed_slabs

if TYPE_CHECKING:
    from stemscan.recon.drift.timed import TimedSamples

__all__ = ["PassShifts", "covering_parts", "pass_shifts"]

Floats = npt.NDArray[np.float64]

_PARTS: Final = 4
"""Parts of a pass that are looked at on their own, where they cover the field."""

_FEWEST_SAMPLES: Final = 2000
"""Of a part."""

_TAPERED: Final = 0.1
"""Share of the field at each border over which images fall to 0."""

_COVERED: Final = 0.9
_COVER_CELLS: Final = 16
_REACH: Final = 0.25
"""Largest shift between parts, as a share of the field's shorter side."""

_AS_NEAR: Final = 0.4
"""Share of the way between two peaks from which on it is not clear which of them is meant."""

_LOWER: Final = 0.02
_SMEARED: Final = 0.12
"""Share of the highest peak by which the right one may lie below it, where a pass is distorted."""

_NOISE: Final = 6.0
_SEEN: Final = 6.0
"""Standard deviations of a correlation of noise by which a peak is one, and others may lie below the highest."""

_MOST_APART: Final = 6
"""Parts between the two of a pair at most."""


@dataclass(frozen=True, eq=False)
class PassShifts:
    """Places of parts of a scan.

    Attributes
    ----------
    part : ndarray of int64, (n,)
        Part of each sample.
    shifts : ndarray of float64, (M, 2)
        (row, column) in pixels; their mean is 0.
    std : float
        Standard deviation of one, by how well pairs agree; infinite where that cannot be told.
    unclear : tuple of float or None
        The two shifts, in pixels, between which there is no telling: of the peak taken, and of the one about as near.
    """

    part: npt.NDArray[np.int64]
    shifts: Floats
    std: float
    unclear: tuple[float, float] | None


def covering_parts(samples: TimedSamples) -> int:
    """Number of parts of equal time into which passes can be cut so that each still covers what a pass covers."""
    parts = min(_PARTS, int(np.diff(samples.pass_starts).min()) // _FEWEST_SAMPLES)
    if parts < 2:
        return 1
    cells = np.clip(samples.positions * _COVER_CELLS / np.array(samples.shape), 0, _COVER_CELLS - 1).astype(np.int64)
    cell = cells[:, 0] * _COVER_CELLS + cells[:, 1]
    first = slice(0, int(samples.pass_starts[1]))
    whole = len(np.unique(cell[first]))
    number = samples.parts(parts)[first]
    covered = [len(np.unique(cell[first][number == part])) for part in range(parts)]
    return parts if min(covered) >= _COVERED * whole else 1


def pass_shifts(samples: TimedSamples, scale: Scale, apart: int = _MOST_APART) -> PassShifts:
    """Shifts of passes, or of parts of them that cover the field; of pairs so many parts apart at most."""
    number = samples.parts(covering_parts(samples))
    count = int(number.max()) + 1
    if count == 1:
        return PassShifts(number, np.zeros((1, 2)), np.inf, None)
    spectra = _Spectra(samples, number, scale)
    consecutive, unclear = [], None
    predicted = np.zeros(2)
    for one in range(count - 1):
        peak, rival = spectra.peak(one, one + 1, predicted)
        if rival is not None and unclear is None:
            unclear = float(np.hypot(*peak)), float(np.hypot(*rival))
        consecutive.append(peak)
        predicted = peak
    steps = np.array(consecutive)
    pairs = [(a, b) for a, b in combinations(range(count), 2) if b - a <= apart]
    found = [steps[a] if b - a == 1 else spectra.peak(a, b, steps[a:b].sum(axis=0))[0] for a, b in pairs]
    shifts, std = _joined(pairs, np.array(found), count)
    return PassShifts(number, shifts, std, unclear)


def _joined(pairs: list[tuple[int, int]], found: Floats, count: int) -> tuple[Floats, float]:
    """Shifts of parts from shifts of pairs, by least squares, and the standard deviation of one."""
    design = np.zeros((len(pairs) + 1, count))
    for row, (a, b) in enumerate(pairs):
        design[row, a], design[row, b] = -1.0, 1.0
    design[-1] = 1.0
    shifts = np.asarray(np.linalg.lstsq(design, np.vstack([found, np.zeros((1, 2))]), rcond=None)[0], np.float64)
    left = found - design[:-1] @ shifts
    freedom = len(pairs) - count + 1
    std = float(np.sqrt((left**2).sum() / (2 * freedom) / count)) if freedom > 0 else np.inf
    return shifts, std


class _Spectra:
    """Fourier transforms of the images of parts."""

    def __init__(self, samples: TimedSamples, number: npt.NDArray[np.int64], scale: Scale) -> None:
        from scipy.fft import next_fast_len, rfft2

        sums, visits = smoothed_slabs(samples, samples.positions, number, scale)
        self._bin, self._shape = scale.bin, sums.shape[1:]
        self._reach = max(2, int(_REACH * min(self._shape)))
        taper = np.outer(*(_taper(side) for side in self._shape)).astype(np.float32)
        floor = np.float32(1e-2 * visits.mean())
        images = (sums + floor * np.float32(samples.mean)) / (visits + floor)
        images -= np.average(images, axis=(1, 2), weights=np.broadcast_to(taper, images.shape))[:, None, None]
        images *= taper
        self._norms = np.sqrt((images.astype(np.float64) ** 2).sum(axis=(1, 2)))
        self._padded = tuple(next_fast_len(side + self._reach, real=True) for side in self._shape)
        self._spectra = [rfft2(image, self._padded) for image in images]
        self._overlap = np.maximum(self._lags(np.abs(rfft2(taper, self._padded)) ** 2), 1e-3) / float((taper**2).sum())
        independent = np.prod(self._shape) * scale.bin**2 / (4 * np.pi * scale.width**2)
        self._independent = min(float(independent), samples.count / len(images))

    def peak(self, one: int, other: int, predicted: Floats) -> tuple[Floats, Floats | None]:
        """Shift in pixels between two parts, and that of a rival peak where it is about as near to the prediction."""
        from scipy.ndimage import maximum_filter

        near = self._lags(np.conj(self._spectra[one]) * self._spectra[other])
        near /= self._overlap * max(self._norms[one] * self._norms[other], 1e-300)
        top = float(near.max())
        if top < _SEEN / np.sqrt(self._independent):
            return predicted, None
        lower = _LOWER + _NOISE * (1 - min(max(top, 0.0), 1.0)) * np.sqrt(2 / self._independent)
        peaks = np.argwhere((near == maximum_filter(near, 3)) & (near >= top - lower - _SMEARED * top))
        # The beam that moves by d over a specimen sees it move by -d.
        places = -np.array([_refined(near, *peak) for peak in peaks]).reshape(-1, 2) + self._reach
        away = np.hypot(*(places * self._bin - predicted).T)
        first, *others = np.argsort(away)[:2]
        best = places[first] * self._bin
        if others and away[first] > _AS_NEAR * (away[first] + away[others[0]]):
            rival = places[others[0]] * self._bin
            heights = near[tuple(peaks[first])], near[tuple(peaks[others[0]])]
            if abs(heights[0] - heights[1]) <= lower:
                return best, rival
            return (best if heights[0] > heights[1] else rival), None
        return best, None

    def _lags(self, spectrum: npt.NDArray[Any]) -> Floats:
        """A correlation of that spectrum, at lags up to the reach."""
        from scipy.fft import irfft2

        reach = self._reach
        around = np.roll(irfft2(spectrum, self._padded), (reach, reach), (0, 1))
        return np.asarray(around[: 2 * reach + 1, : 2 * reach + 1], np.float64)


def _taper(count: int) -> Floats:
    """A cosine-tapered window; that of SciPy costs a second to import."""
    away = np.minimum(np.arange(count), np.arange(count)[::-1]) / max(1.0, _TAPERED * (count - 1))
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.minimum(away, 1.0)))


def _refined(values: npt.NDArray[Any], row: int, column: int) -> tuple[float, float]:
    """Place of a peak by parabolas through its neighbours."""
    place = []
    for axis, at in ((0, row), (1, column)):
        line = values[:, column] if axis == 0 else values[row]
        if 0 < at < len(line) - 1:
            before, here, after = line[at - 1 : at + 2]
            bend = before - 2 * here + after
            place.append(at + (0.5 * (before - after) / bend if bend < 0 else 0.0))
        else:
            place.append(float(at))
    return place[0], place[1]
