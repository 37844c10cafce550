"""Columns read off a picture, as tools for atomic-resolution images do: a Gaussian and a background at each site.

Each site is fitted by least squares in a disc about it with a round Gaussian of free place, height and width on a
constant of its own. The disc's radius is 0.4 of the distance of the nearest sites, as usual, but 1.2 widths of the core
at least: dumbbells stand so close that less holds no summit. Neighbours' Gaussians of the round before are taken off
first, three times over, so that columns that overlap do not pull each other. Places stay inside of the disc.

What a picture shows at a site where no column need be is a height at the site itself, with the median width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.types import Floats

__all__ = ["PictureFit", "fit_picture"]

_SHARE = 0.4
_LEAST = 1.2
_ROUNDS = 3
_STEPS = 25
_REACH = 4.0
_WIDTHS = (0.5, 2.0)
_STILL = 1e-3
_STUCK = 1e6


@dataclass(frozen=True, eq=False)
class PictureFit:
    """Gaussians at the sites of a picture.

    Attributes
    ----------
    places : float64 (n, 2)
        Row and column.
    heights, widths : float64 (n,)
        Of the Gaussians; widths are standard deviations in pixels.
    at_sites : float64 (n,)
        Height at each site with the place held there and the width at its median.
    """

    places: Floats
    heights: Floats
    widths: Floats
    at_sites: Floats


def fit_picture(image: npt.NDArray[np.floating], sites: Floats, spacing: float, sigma: float) -> PictureFit:
    """Fit the columns of a picture.

    Parameters
    ----------
    image : ndarray, (H, W)
    sites : float64 (n, 2)
        Places where columns are expected, in pixels.
    spacing : float
        Distance of the nearest sites.
    sigma : float
        Width to begin with, in pixels.
    """
    picture = np.asarray(image, np.float64)
    disc = _Discs.of(picture, sites, max(_SHARE * spacing, _LEAST * sigma))
    start = np.stack([*np.zeros((2, len(sites))), np.full(len(sites), math.log(sigma))], axis=1)
    heights, pairs = np.zeros(len(sites)), _pairs(sites, disc.radius + _REACH * sigma)
    for _ in range(_ROUNDS):
        values = disc.values - disc.others(start, heights, pairs)
        start, heights = disc.fitted(values, start, math.log(sigma))
    values = disc.values - disc.others(start, heights, pairs)
    held = np.stack([*np.zeros((2, len(sites))), np.full(len(sites), float(np.median(start[:, 2])))], axis=1)
    at_sites = disc.linear(values, disc.shapes(held)[0])[0]
    return PictureFit(sites + start[:, :2], heights, np.exp(start[:, 2]), at_sites)


def _pairs(sites: Floats, distance: float) -> npt.NDArray[np.int64]:
    """Ordered pairs of sites within a distance of each other, (m, 2)."""
    found = cKDTree(sites).query_pairs(distance, output_type="ndarray").astype(np.int64).reshape(-1, 2)
    return np.concatenate([found, found[:, ::-1]])


@dataclass(frozen=True, eq=False)
class _Discs:
    """Pixels around sites: offsets from the site, values and weights (0 outside of the disc or the picture), (n, m)."""

    down: Floats
    right: Floats
    values: Floats
    weights: Floats
    radius: float
    sites: Floats

    @classmethod
    def of(cls, picture: Floats, sites: Floats, radius: float) -> _Discs:
        """Discs of one radius."""
        half = math.ceil(radius) + 1
        y, x = (axis.ravel() for axis in np.mgrid[-half : half + 1, -half : half + 1])
        rows = np.rint(sites[:, :1]).astype(np.int64) + y
        columns = np.rint(sites[:, 1:]).astype(np.int64) + x
        down, right = rows - sites[:, :1], columns - sites[:, 1:]
        there = (rows >= 0) & (columns >= 0) & (rows < picture.shape[0]) & (columns < picture.shape[1])
        values = picture[rows.clip(0, picture.shape[0] - 1), columns.clip(0, picture.shape[1] - 1)]
        weights = (there & (down**2 + right**2 <= radius**2)).astype(np.float64)
        return cls(down, right, values, weights, radius, sites)

    def shapes(self, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Gaussians of height 1 and their slopes' factors; `at` has place and ln width of each, (n, 3)."""
        width = np.exp(at[:, 2:])
        y, x = (self.down - at[:, :1]) / width, (self.right - at[:, 1:2]) / width
        return np.exp(-0.5 * (y * y + x * x)), y / width, x / width

    def others(self, at: Floats, heights: Floats, pairs: npt.NDArray[np.int64]) -> Floats:
        """Sum of the neighbours' Gaussians in each disc."""
        total = np.zeros_like(self.values)
        own, other = pairs.T
        offset = self.sites[own] - self.sites[other] - at[other, :2]
        square = (self.down[own] + offset[:, :1]) ** 2 + (self.right[own] + offset[:, 1:]) ** 2
        np.add.at(total, own, heights[other, None] * np.exp(-0.5 * square / np.exp(2 * at[other, 2:])))
        return total

    def linear(self, values: Floats, shape: Floats) -> tuple[Floats, Floats]:
        """Heights and backgrounds that fit best for given shapes, (n,) each."""
        w = self.weights
        n, s, v = w.sum(axis=1), (w * shape).sum(axis=1), (w * values).sum(axis=1)
        ss, sv = (w * shape * shape).sum(axis=1), (w * shape * values).sum(axis=1)
        heights = (n * sv - s * v) / np.maximum(n * ss - s * s, 1e-12)
        return heights, (v - heights * s) / np.maximum(n, 1.0)

    def fitted(self, values: Floats, start: Floats, usual: float) -> tuple[Floats, Floats]:
        """Places and ln widths, (n, 3), and heights, by damped least squares; those that stand still are left."""
        at, damping = start.copy(), np.full(len(start), 1e-2)
        height, level, cost = self._solved(values, at)
        going = np.arange(len(start))
        for _ in range(_STEPS):
            part, of_part = self.only(going), values[going]
            step = part.step(of_part, at[going], height[going], level[going], damping[going])
            tried = part.bounded(at[going] + step, usual)
            found = part._solved(of_part, tried)
            better = found[2] < cost[going]
            moved = going[better]
            at[moved] = tried[better]
            height[moved], level[moved], cost[moved] = (one[better] for one in found)
            damping[going] = np.where(better, damping[going] / 4, damping[going] * 6)
            going = going[(np.abs(step).max(axis=1) > _STILL) & (damping[going] < _STUCK)]
            if not going.size:
                break
        return at, height

    def only(self, chosen: npt.NDArray[np.int64]) -> _Discs:
        """Some of the discs."""
        parts = (self.down[chosen], self.right[chosen], self.values[chosen], self.weights[chosen])
        return _Discs(*parts, self.radius, self.sites[chosen])

    def _solved(self, values: Floats, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Heights and backgrounds for places and widths, and the sums of squares that are left."""
        shape = self.shapes(at)[0]
        height, level = self.linear(values, shape)
        left = (self.weights * (values - height[:, None] * shape - level[:, None]) ** 2).sum(axis=1)
        return height, level, left

    def step(self, values: Floats, at: Floats, height: Floats, level: Floats, damping: Floats) -> Floats:
        """A damped Gauss-Newton step of place and ln width."""
        shape, y, x = self.shapes(at)
        tall = height[:, None] * shape
        wide = tall * (y * y + x * x) * np.exp(2 * at[:, 2:])
        slopes = np.stack([tall * y, tall * x, wide, shape, np.ones_like(shape)], axis=2) * self.weights[:, :, None]
        off = (values - tall - level[:, None]) * self.weights
        normal = np.einsum("nmi,nmj->nij", slopes, slopes)
        diagonal = np.diagonal(normal, axis1=1, axis2=2)
        normal = normal + (damping[:, None] * diagonal + 1e-12)[:, :, None] * np.eye(5)
        return np.asarray(np.linalg.solve(normal, np.einsum("nmi,nm->ni", slopes, off)[:, :, None])[:, :3, 0])

    def bounded(self, at: Floats, usual: float) -> Floats:
        """Places inside of the disc, and widths near the usual one."""
        length = np.hypot(at[:, 0], at[:, 1])
        shrink = np.minimum(1.0, self.radius / np.maximum(length, 1e-12))
        low, high = (usual + math.log(factor) for factor in _WIDTHS)
        return np.stack([at[:, 0] * shrink, at[:, 1] * shrink, at[:, 2].clip(low, high)], axis=1)
