"""Signal that repeats from cell to cell of a lattice and is no fitted column.

Columns too weak to be fitted one by one, and what the profiles lack, are the same in all cells. What the counts say
beyond the drawn columns is folded into one cell of each lattice and expanded in the cell's harmonics, up to those that
a column's width lets through. Harmonics of about the same spacing share a prior variance that the evidence chooses
(`stemscan.recon.columns.evidence`): where the cells have nothing in common, because there is nothing or the lattice is
not regular enough, it is zero. The mean over hundreds of cells says nothing of any one of them, so that an exception is
as much of one as before.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from stemscan.recon.columns.evidence import shrunk
from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.sites import Lattice, Surroundings, predict
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["repeated"]

_BAND = 0.42
"""Cycles per width of a column up to which harmonics count; a Gaussian column has 3 % of its amplitude left there."""
_BINS = 3
"""Of the folded cell, a width of a column."""
_MOST = 400
"""Harmonics at most: in large cells the band ends earlier."""
_SEAM = 0.55
"""Share of a translation up to which a pixel belongs to a site's cell: strained cells do not tile."""
_FEWEST = 12
_NEW = 0.05
"""Least share of a lattice's pixels that no larger lattice has, or it is one of the same translations."""

Phases = npt.NDArray[np.float32]


def repeated(finding: Finding, pull: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Signal that cells have in common beyond the drawn columns.

    Parameters
    ----------
    pull : ndarray of float64, (H, W)
        Slope of ln L by the signal of each pixel, at the drawn columns.
    known : ndarray of float64, (H, W)
        Fisher information on the signal of each pixel.

    Returns
    -------
    signal, variance : ndarray of float64, (H, W)
        On the absolute scale; 0 outside of lattices.
    """
    signal, variance = np.zeros(pull.shape), np.zeros(pull.shape)
    free = np.ones(pull.shape, bool)
    for lattice in finding.lattices:
        phases = _phases(finding, lattice)
        here = np.isfinite(phases[0])
        mine, cell = here & free, abs(float(np.linalg.det(lattice.basis)))
        if mine.sum() < max(_NEW * here.sum(), _FEWEST * cell):
            continue
        free &= ~here
        bins = [max(4, math.ceil(_BINS * float(np.hypot(*v)) / finding.model.profiles[0].sigma)) for v in lattice.basis]
        own = phases[:, mine]
        tables = _folded(lattice.basis, finding.model.profiles[0].sigma, bins, own, pull[mine], known[mine])
        for image, table in zip((signal, variance), tables, strict=True):
            places = own * np.array(bins)[:, None] - 0.5
            image[mine] = map_coordinates(table, places, order=1, mode="grid-wrap")
    return signal, np.maximum(variance, 0.0)


def _folded(
    basis: Floats, sigma: float, bins: list[int], phases: Phases, pull: Floats, known: Floats
) -> tuple[Floats, Floats]:
    """Mean and variance of what repeats, at the middle of each bin of a cell."""
    place = np.ravel_multi_index(tuple((phases * np.array(bins)[:, None]).astype(np.int64)), bins, mode="wrap")
    count = bins[0] * bins[1]
    slopes, groups = _harmonics(basis, sigma, bins)
    information = slopes.T @ (np.bincount(place, known, count)[:, None] * slopes)
    found, covariance = shrunk(information, slopes.T @ np.bincount(place, pull, count), groups)
    variance = np.einsum("nm,nm->n", slopes @ covariance, slopes)
    return (slopes @ found).reshape(bins), variance.reshape(bins)


def _harmonics(basis: Floats, sigma: float, bins: list[int]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Values of a cell's harmonics at the middle of its bins, (bins, m), and their groups, of like spacing, (m,)."""
    band = min(_BAND / sigma, math.sqrt(_MOST / (math.pi * abs(float(np.linalg.det(basis))))))
    most = [math.ceil(band * float(np.hypot(*vector))) for vector in basis]
    orders = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1).reshape(-1, 2)
    half = orders[(orders[:, 0] > 0) | ((orders[:, 0] == 0) & (orders[:, 1] > 0))]
    frequency = np.hypot(*(half @ np.linalg.inv(basis).T).T)
    half, frequency = half[frequency <= band], frequency[frequency <= band]
    middles = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n for n in bins), indexing="ij"), axis=-1).reshape(-1, 2)
    angle = 2 * math.pi * middles @ half.T
    slopes = np.concatenate([np.ones((len(middles), 1)), np.cos(angle), np.sin(angle)], axis=1)
    ring = np.rint(frequency / frequency.min(initial=math.inf)).astype(np.int64) if len(half) else np.empty(0, np.int64)
    groups = np.unique(np.concatenate([[0], ring, ring]), return_inverse=True)[1]
    return slopes, groups.astype(np.int64)


def _phases(finding: Finding, lattice: Lattice) -> Phases:
    """Place of each pixel in its cell in shares of the translations, 0 to 1, (2, H, W); NaN outside of the lattice."""
    shape = finding.scan.shape
    around = Surroundings.of(lattice, finding.places)
    margin = float(np.hypot(*lattice.basis.T).max())
    indices = np.concatenate([lattice.indices, around.empty(shape), around.beyond(shape, margin)])
    sites = predict(lattice, finding.places, indices).places
    phases = np.full((2, *shape), np.nan, np.float32)
    _place_cells(
        sites, lattice.basis, np.asarray(np.linalg.inv(lattice.basis), np.float64), np.full(shape, np.inf), phases
    )
    return phases


@compiled()
def _place_cells(sites: Floats, basis: Floats, inverse: Floats, nearest: Floats, phases: Phases) -> None:
    """Fill the pixels of each site's cell; where two overlap the nearer site counts."""
    down = _SEAM * (abs(basis[0, 0]) + abs(basis[1, 0]))
    across = _SEAM * (abs(basis[0, 1]) + abs(basis[1, 1]))
    for k in range(len(sites)):
        y, x = sites[k]
        for i in range(max(0, math.ceil(y - down)), min(nearest.shape[0], math.floor(y + down) + 1)):
            for j in range(max(0, math.ceil(x - across)), min(nearest.shape[1], math.floor(x + across) + 1)):
                a = (i - y) * inverse[0, 0] + (j - x) * inverse[1, 0]
                b = (i - y) * inverse[0, 1] + (j - x) * inverse[1, 1]
                far = max(abs(a), abs(b))
                if far <= _SEAM and far < nearest[i, j]:
                    nearest[i, j] = far
                    phases[0, i, j], phases[1, i, j] = a - math.floor(a), b - math.floor(b)
