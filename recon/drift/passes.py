"""Shifts of passes against one another: where a trajectory begins.

Each pass, or each part of one that covers the field on its own, gives an image by normalised convolution; pairs are
cross-correlated, and the peak is refined by a parabola. On a lattice there are peaks a unit cell apart, and by noise
any may be the highest: the one nearest to what earlier pairs predict is taken, first by consecutive pairs, then for all
pairs, whose shifts are joined by least squares. Where two peaks are about as near there is no telling, and none is
guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.recon.drift.leave_out import Scale, smoothed_slabs

if TYPE_CHECKING:
    from stemscan.recon.drift.timed import TimedSamples

__all__ = ["PassShifts", "Peak", "TrackedParts", "covering_parts", "pass_shifts"]

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
        (row, column) in pixels of the grid, as it was moved where drift was followed; their mean is 0.
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
    tracked = TrackedParts(samples.shape, scale, apart)
    tracked.add(samples, number, samples.mean)
    shifts, std = _joined(list(tracked.pairs), np.array([one.shift for one in tracked.pairs.values()]), count)
    return PassShifts(number, shifts, std, tracked.unclear)


class TrackedParts:
    """Parts of a scan, one after another, each held against those shortly before it.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    apart : int
        Parts between the two of a pair at most.

    Attributes
    ----------
    pairs : dict
        Peak of each pair of parts (earlier, later): how much farther the beam was on the specimen, in pixels of the
        grid as it was moved.
    unclear : tuple of float or None
        As of `PassShifts`.
    """

    def __init__(self, shape: tuple[int, int], scale: Scale, apart: int = _MOST_APART) -> None:
        self._spectra, self._apart = _Spectra(shape, scale), apart
        self._moved: list[Floats] = []
        self._steps: list[Floats] = []
        self._velocity = np.zeros(2)
        self.pairs: dict[tuple[int, int], Peak] = {}
        self.unclear: tuple[float, float] | None = None

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self._moved)

    def add(self, samples: TimedSamples, number: npt.NDArray[np.int64], mean: float) -> None:
        """Add the next parts: of each sample the part, from 0 on, and the mean signal where none lies."""
        before = self.count
        self._spectra.add(samples, number, mean)
        counts = np.maximum(np.bincount(number), 1)
        moves = [np.bincount(number, samples.moves[:, axis]) / counts for axis in (0, 1)]
        self._moved += list(np.stack(moves, axis=1))
        for new in range(before, self.count):
            self._pair(new)
            self._spectra.forget(new - self._apart)

    def _pair(self, new: int) -> None:
        """Hold a part against those before it: the one just before, whose drift goes on, and then the others."""
        if new == 0:
            return
        step = self._moved[new] - self._moved[new - 1]
        peak = self._spectra.peak(new - 1, new, self._velocity + step)
        if peak.rival is not None and self.unclear is None:
            self.unclear = float(np.hypot(*peak.shift)), float(np.hypot(*peak.rival))
        self._velocity = peak.shift - step
        self._steps.append(peak.shift)
        self.pairs[new - 1, new] = peak
        for old in range(max(0, new - self._apart), new - 1):
            self.pairs[old, new] = self._spectra.peak(old, new, np.sum(self._steps[old:new], axis=0))


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


class Peak(NamedTuple):
    """Shift between two parts in pixels, a rival about as near to what was predicted, and the shift's error.

    `std` is the standard deviation a direction; infinite where no peak was seen, and the shift is what was predicted.
    """

    shift: Floats
    rival: Floats | None = None
    std: float = math.inf


class _Spectra:
    """Fourier transforms of the images of parts."""

    def __init__(self, shape: tuple[int, int], scale: Scale) -> None:
        from scipy.fft import next_fast_len, rfft2

        self._scale, self._bin, self._shape = scale, scale.bin, scale.shape(shape)
        self._reach = max(2, int(_REACH * min(self._shape)))
        self._taper = taper = np.outer(*(_taper(side) for side in self._shape)).astype(np.float32)
        self._padded = tuple(next_fast_len(side + self._reach, real=True) for side in self._shape)
        self._overlap = np.maximum(self._lags(np.abs(rfft2(taper, self._padded)) ** 2), 1e-3) / float((taper**2).sum())
        self._independent = float(np.prod(self._shape) * scale.bin**2 / (4 * np.pi * scale.width**2))
        self._spectra: dict[int, npt.NDArray[Any]] = {}
        self._norms: list[float] = []

    def add(self, samples: TimedSamples, number: npt.NDArray[np.int64], mean: float) -> None:
        """Transform the images of the next parts."""
        from scipy.fft import rfft2

        sums, visits = smoothed_slabs(samples, samples.positions, number, self._scale)
        floor = np.float32(1e-2 * visits.mean())
        images = (sums + floor * np.float32(mean)) / (visits + floor)
        images -= np.average(images, axis=(1, 2), weights=np.broadcast_to(self._taper, images.shape))[:, None, None]
        images *= self._taper
        for image in images:
            self._spectra[len(self._norms)] = rfft2(image, self._padded)
            self._norms.append(math.sqrt(np.sum(image.astype(np.float64) ** 2)))
        self._independent = min(self._independent, samples.count / len(images))

    def forget(self, one: int) -> None:
        """Drop a transform that is held against none any more."""
        self._spectra.pop(one, None)

    def peak(self, one: int, other: int, predicted: Floats) -> Peak:
        """Shift between two parts: the peak nearest to the prediction."""
        from scipy.ndimage import maximum_filter

        near = self._lags(np.conj(self._spectra[one]) * self._spectra[other])
        near /= self._overlap * max(self._norms[one] * self._norms[other], 1e-300)
        top = float(near.max())
        if top < _SEEN / np.sqrt(self._independent):
            return Peak(predicted)
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
                return Peak(best, rival, self._std(near, peaks[first]))
            if heights[1] > heights[0]:
                return Peak(rival, None, self._std(near, peaks[others[0]]))
        return Peak(best, None, self._std(near, peaks[first]))

    def _std(self, values: Floats, peak: npt.NDArray[np.int64]) -> float:
        """Standard deviation of a peak's place in pixels: by its height h and bend, that of noise being 1 - h^2."""
        row, column = np.clip(peak, 1, np.array(values.shape) - 2)
        here = values[row - 1 : row + 2, column - 1 : column + 2]
        height = min(max(float(here[1, 1]), 1e-3), 1.0)
        bend = 2 * height - 0.5 * float(here[0, 1] + here[2, 1] + here[1, 0] + here[1, 2])
        return self._bin * math.sqrt((1 - height**2) / max(self._independent * height * bend, 1e-12))

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
