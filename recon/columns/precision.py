"""Precision of fitted columns, before a scan: the joint Cramer-Rao bound of a known specimen at a plan's samples.

The model of the fit (columns, classes with profiles, a smooth background) is fitted to the counts that the plan's
samples have in expectation, from the places that the specimen knows. Its Fisher information there, with neighbours,
background and profiles unknown, is that of the fit to come. Information is proportional to the dose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.columns.candidates import Pilot
from stemscan.recon.columns.errors import amplitude_std, joint_errors
from stemscan.recon.columns.fitting import Fitted, fit
from stemscan.recon.columns.links import ColumnModel
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import Profile
from stemscan.recon.columns.search import Scale, beginning
from stemscan.recon.columns.whole import with_own_profiles
from stemscan.recon.inputs.inputs import Inputs
from stemscan.types import Floats, Integers

if TYPE_CHECKING:
    from stemscan.store.true_columns import TrueColumns

__all__ = ["MARGIN", "SURELY_FOUND", "ClassPrecision", "KnownColumns", "expected_precision", "scene_shape"]

SURELY_FOUND: Final = 7.0
"""Amplitude over its standard deviation from which on all columns of a class are found, and as well as the bound says.

At 5 a fifth of them is missed and the others are found where noise put them; see `benchmarks/wishes.py`.
"""

_BEYOND: Final = 1.5
"""Widths of a column by which it may lie outside of what is scanned to be fitted; a search knows those farther out."""

_INSIDE: Final = 3.0
"""Widths of a column by which it lies inside what was scanned, where it counts."""

MARGIN: Final = 24
"""Pixels by which a specimen is drawn larger than what is scanned of it, for the columns whose flanks reach inside."""

_SEEN: Final = 4.0
"""Amplitude over its standard deviation below which a class is hardly found, and no part of the model of the others."""

_ROUNDS: Final = 20
_SCENE_NM: Final = 3.2


@dataclass(frozen=True, eq=False)
class KnownColumns:
    """A specimen that knows its columns.

    Attributes
    ----------
    signal : ndarray of float32, (H, W)
        Relative intensity, 0 to 1.
    places : ndarray of float64, (n, 2)
        Rows and columns in pixels.
    classes : ndarray of int64, (n,)
        Kind of each column, an index of `names`.
    """

    signal: npt.NDArray[np.float32]
    places: Floats
    classes: npt.NDArray[np.int64]
    names: Sequence[str]

    def without(self, classes: Sequence[int]) -> KnownColumns:
        """The same signal, of which the columns of some classes are not known."""
        kept = ~np.isin(self.classes, classes)
        return replace(self, places=self.places[kept], classes=self.classes[kept])

    @classmethod
    def of(cls, signal: npt.NDArray[np.float32], columns: TrueColumns) -> KnownColumns:
        """The inner part of a specimen, without its outermost `MARGIN` pixels, and the columns that it knows.

        Vacancies are left out, columns outside of the part, whose flanks are inside, are not.
        """
        there = columns.where(columns["amplitude"] != 0)
        places = np.stack([there["row"], there["col"]], axis=1) - MARGIN
        inner = signal[MARGIN:-MARGIN, MARGIN:-MARGIN]
        return cls(inner, places, there["class"].astype(np.int64), there.classes)


@dataclass(frozen=True)
class ClassPrecision:
    """Precision that a scan will have for a class of columns.

    Attributes
    ----------
    columns : int
        Columns over which it is a mean, those well inside of what is scanned.
    position_px : float
        Standard deviation of a position per axis, root mean square.
    amplitude : float
        Mean height above the background, on the absolute scale.
    significance : float
        Amplitude over its standard deviation, mean.
    """

    name: str
    columns: int
    position_px: float
    amplitude: float
    significance: float

    @property
    def surely_found(self) -> bool:
        """Tell whether all columns of the class will be found."""
        return self.significance >= SURELY_FOUND


def scene_shape(plan: ScanPlan) -> tuple[int, int]:
    """Rows and columns of a specimen to judge a plan by: 3.2 nm, or 256 to 768 px, of its grid, and the margin."""
    side = round(min(max(_SCENE_NM / (plan.pixel_size_nm or _SCENE_NM), 256), 768))
    return min(side, plan.shape[0]) + 2 * MARGIN, min(side, plan.shape[1]) + 2 * MARGIN


def expected_precision(
    plan: ScanPlan, specimen: KnownColumns, *, progress: Callable[[int, int], None] | None = None
) -> tuple[ClassPrecision, ...]:
    """Precision with which each class of a specimen's columns will be known after a scan.

    Parameters
    ----------
    specimen : KnownColumns
        On the plan's grid, or on a smaller one, which is taken to lie in the middle of what is scanned.
    progress : callable, optional
        Called with (samples of the path done, samples in all).

    Returns
    -------
    tuple of ClassPrecision
        Of the classes with a column well inside of what is scanned, the most precise first.

    Raises
    ------
    UsageError
        When there is no such column.
    """
    visits = _visits(plan, specimen.signal.shape, progress)
    dose = plan.electrons_per_sample
    frames = visits * (dose * specimen.signal.astype(np.float64))
    points = Observations.of(Inputs.from_arrays(frames[None], visits[None], dose))
    every = _precision(points, visits, specimen)
    hidden = [number for number, one in every.items() if one.significance < _SEEN]
    if hidden and len(hidden) < len(every):
        every |= _precision(points, visits, specimen.without(hidden))
    return tuple(sorted(every.values(), key=lambda one: one.position_px))


def _precision(
    points: Observations, visits: npt.NDArray[np.int64], specimen: KnownColumns
) -> dict[int, ClassPrecision]:
    """Precision of each class, by its number, when all columns of a specimen are part of the model."""
    fitted, classes = _fitted(points, specimen)
    model = fitted.model
    inner = _scanned_around(visits, model)
    if not inner.any():
        raise UsageError(
            f"expected a column at least {_INSIDE * model.profiles[0].sigma:.0f} pixels inside of what is scanned, got "
            "none; scan a larger field, or take a smaller pixel size"
        )
    errors, alone = joint_errors(fitted, points.shape).std, amplitude_std(fitted, points.shape)
    found = {}
    for number in np.unique(classes[inner]).tolist():
        mine = inner & (classes == number)
        amplitudes = np.abs(model.amplitudes[mine])
        found[number] = ClassPrecision(
            specimen.names[number],
            int(mine.sum()),
            math.sqrt(float(np.mean(errors[mine, :2] ** 2))),
            float(np.mean(amplitudes)),
            float(np.mean(amplitudes / alone[mine])),
        )
    return found


def _visits(
    plan: ScanPlan, shape: tuple[int, ...], progress: Callable[[int, int], None] | None
) -> npt.NDArray[np.int64]:
    """Visits of each pixel in the middle of what a plan scans."""
    path = ScanPath(plan)
    visits = np.zeros(plan.shape, np.uint16)
    for start, positions in path.batches():
        np.add.at(visits, (positions[:, 0], positions[:, 1]), 1)
        if progress is not None:
            progress(min(start + len(positions), len(path)), len(path))
    rows, columns = np.nonzero(visits)
    corner = [
        int(np.clip(round(float(np.median(axis))) - part // 2, 0, whole - part))
        for axis, part, whole in zip((rows, columns), shape, plan.shape, strict=True)
    ]
    return visits[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]].astype(np.int64)


def _fitted(points: Observations, specimen: KnownColumns) -> tuple[Fitted, Integers]:
    """The model of the fit at its best, from the places that are known, and the class of each of its columns."""
    pilot = Pilot(specimen.signal)
    scale = Scale.of([pilot], points.shape)
    start = beginning(points, pilot, scale, Profile(scale.sigma))
    off = (np.abs(specimen.places - (np.array(points.shape) - 1) / 2) - (np.array(points.shape) - 1) / 2).max(axis=1)
    near = off < _BEYOND * start.profiles[0].sigma
    places, classes = specimen.places[near], specimen.classes[near].astype(np.int64)
    rows, columns = np.clip(np.rint(places).astype(np.int64), 0, np.array(points.shape) - 1).T
    model = replace(
        start,
        rows=places[:, 0].astype(np.float64),
        columns=places[:, 1].astype(np.float64),
        amplitudes=specimen.signal[rows, columns].astype(np.float64) - start.nodes.flat[0],
        classes=np.zeros(len(rows), np.int64),
    )
    fitted = fit(model, points, rounds=_ROUNDS, tolerance=0.02)
    kinds, own = np.unique(classes, return_inverse=True)
    return with_own_profiles([fitted], [points], [own.astype(np.int64)], len(kinds))[0], classes


def _scanned_around(visits: npt.NDArray[np.int64], model: ColumnModel) -> npt.NDArray[np.bool_]:
    """Tell which columns lie well inside of what was scanned."""
    from scipy.ndimage import uniform_filter

    size = 2 * math.ceil(_INSIDE * model.profiles[0].sigma) + 1
    density = uniform_filter((visits > 0).astype(np.float64), size, mode="constant")
    scanned = density > 0.6 * float(np.median(density[visits > 0]))
    rows, columns = np.rint(model.rows).astype(np.int64), np.rint(model.columns).astype(np.int64)
    inside = (rows >= 0) & (columns >= 0) & (rows < visits.shape[0]) & (columns < visits.shape[1])
    rows, columns = rows.clip(0, visits.shape[0] - 1), columns.clip(0, visits.shape[1] - 1)
    return np.asarray(inside & scanned[rows, columns])
