"""Lattices with known columns, vacancies and displacements, and sparse scans of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stemscan.recon.inputs.inputs import Inputs

__all__ = ["Crystal", "crystal", "render", "sparse_scan"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Crystal:
    """Two sublattices: places and undisplaced sites in pixels, amplitudes (0 for a vacancy)."""

    places: Floats
    sites: Floats
    amplitudes: Floats
    sublattice: npt.NDArray[np.int64]
    displaced: npt.NDArray[np.bool_]
    shape: tuple[int, int]

    def inside(self, margin: float) -> npt.NDArray[np.bool_]:
        """Tell which columns stand at least so far from the frame."""
        near = (self.places > margin) & (self.places < np.array(self.shape) - 1 - margin)
        return np.asarray(near.all(axis=1))


def crystal(size: int = 320, seed: int = 0, *, displaced: float = 0.2, vacancies: float = 0.02) -> Crystal:
    """A crystal like SrTiO3 at 10 pm: a cell of 39 px turned by 3 degrees, amplitudes 0.9 and 0.4."""
    random = np.random.default_rng(seed)
    turn = np.deg2rad(3.0)
    cell = 39.05 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    count = size // 39 + 6
    index = np.stack(np.meshgrid(np.arange(-count, count), np.arange(-count, count), indexing="ij"), -1).reshape(-1, 2)
    sites = np.concatenate([(index + shift) @ cell + size / 2 for shift in (0.0, 0.5)])
    kinds = np.repeat([0, 1], len(index))
    near = ((sites > -30) & (sites < size + 30)).all(axis=1)
    sites, kinds = sites[near], kinds[near]
    chance = random.random(len(sites))
    moved, gone = chance < displaced, chance > 1 - vacancies
    angle, length = random.uniform(0, 2 * np.pi, len(sites)), random.uniform(1.0, 4.0, len(sites))
    places = sites + np.where(moved, length, 0.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    amplitudes = np.where(gone, 0.0, np.array([0.9, 0.4])[kinds])
    return Crystal(places, sites, amplitudes, kinds, moved & ~gone, (size, size))


def render(truth: Crystal, *, sigma: float = 4.25, background: float = 0.1) -> Floats:
    """The signal of round Gaussian columns."""
    image = np.full(truth.shape, background)
    rows, columns = np.arange(truth.shape[0]), np.arange(truth.shape[1])
    for (row, column), amplitude in zip(truth.places, truth.amplitudes, strict=True):
        down, right = (np.exp(-0.5 * ((axis - at) / sigma) ** 2) for axis, at in ((rows, row), (columns, column)))
        image += amplitude * np.outer(down, right)
    return image


def sparse_scan(image: Floats, *, seed: int = 1, per_block: int = 3, passes: int = 4, dose: float = 10.0) -> Inputs:
    """Poisson counts of a block-random scan, 8 x 8 blocks."""
    random = np.random.default_rng(seed)
    rows, columns = image.shape
    visits = np.zeros((passes, rows, columns), np.uint16)
    for number in range(passes):
        order = np.argsort(random.random((rows // 8, columns // 8, 64)), axis=-1)
        chosen = (order < per_block).reshape(rows // 8, columns // 8, 8, 8)
        visits[number] = chosen.transpose(0, 2, 1, 3).reshape(rows, columns)
    frames = np.where(visits > 0, random.poisson(dose * np.broadcast_to(image, visits.shape)), 0)
    return Inputs.from_arrays(frames, visits, dose, pixel_size_nm=0.01)
