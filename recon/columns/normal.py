"""The normal matrix of columns, background and profiles, and solving it by conjugate gradients.

Vectors hold three numbers per column (row, column, amplitude), then the nodes of the background, then the profiles. The
profiles couple to everything and are few: they are kept as a border. In place of the inverse stand each column's own
block with the profiles, and the background's diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from stemscan.recon.columns.model import System
from stemscan.recon.columns.normal_kernels import SHARES, of_background, of_columns, slopes
from stemscan.recon.columns.product_kernels import invert, product, substitute
from stemscan.recon.threads import in_stretches
from stemscan.types import Floats

__all__ = ["Normal", "Preconditioner", "Solver"]

_LEAST_SHARE = 0.01

_COLUMNS, _POINTS = 500, 50000
"""Columns and points that are worth a thread."""


@dataclass(frozen=True, eq=False)
class Normal:
    """J^T W J and J^T W (S / V - u) of a system, with the prior of the background.

    Attributes
    ----------
    blocks : ndarray of float64, (pairs, 3, 3)
        For the pairs of columns in `system.links.overlaps`.
    mixed : ndarray of float64, (pairs, 3)
        For its pairs of a column and a node.
    flat : csr matrix, (p, p)
    border : ndarray of float64, (3 n + p, m)
    corner : ndarray of float64, (m, m)
    gradient : ndarray of float64, (3 n + p + m,)
    """

    system: System
    blocks: Floats
    mixed: Floats
    flat: sp.csr_array
    border: Floats
    corner: Floats
    gradient: Floats

    @classmethod
    def of(cls, system: System) -> Normal:
        """Sum over the points."""
        links = system.links
        pairs, nodes, kinds = links.overlaps, links.nodes.shape[1], system.shared.shape[1]
        count = len(links.starts) - 1
        blocks, mixed = np.zeros((len(pairs.found), 3, 3)), np.zeros((len(pairs.node_found), 3))
        border, pull = np.zeros((count, 3, kinds)), np.empty((count, 3))
        in_stretches(lambda begin, end: of_columns(
            begin, end, links.starts, links.points, links.positions, links.point_starts, links.owners, *pairs[:5],
            links.nodes.indices, links.nodes.data, system.own, system.shared, system.weights, system.residual,
            nodes, blocks, mixed, border, pull,
        ), count, _COLUMNS)  # fmt: skip
        sums = [
            np.zeros((SHARES, *shape)) for shape in ((nodes, 4, 4), (nodes, kinds), (nodes + kinds,), (kinds, kinds))
        ]
        in_stretches(lambda begin, end: of_background(
            begin, end, links.nodes.indices, links.nodes.data, system.shared, system.weights, system.residual, *sums
        ), SHARES, 1 + SHARES * _POINTS // (1 + len(system.weights)))  # fmt: skip
        cells, side, pulls, corner = (part.sum(axis=0) for part in sums)
        pulls[:nodes] += system.drawn
        return cls(
            system,
            blocks,
            mixed,
            sp.csr_array(_flat(cells, links.nodes.indices) + system.prior),
            np.concatenate([border.reshape(3 * count, kinds), side]),
            corner,
            np.concatenate([pull.ravel(), pulls]),
        )

    def at(self, system: System) -> Normal:
        """The same matrix with the slopes of a system that is near."""
        links, pull = system.links, system.weights * system.residual
        own = np.empty((len(links.starts) - 1, 3))
        slopes(links.starts, links.points, links.positions, system.own, pull, own)
        return replace(
            self,
            system=system,
            gradient=np.concatenate([own.ravel(), links.nodes.T @ pull + system.drawn, system.shared.T @ pull]),
        )

    def times(self, values: Floats, extra: Floats) -> Floats:
        """The matrix, to whose diagonal something is added, times a vector, (3 n + p + m,)."""
        pairs, out = self.system.links.overlaps, np.empty_like(values)
        product(
            pairs.first, pairs.found, self.blocks, pairs.node_first, pairs.node_found, self.mixed,
            self.flat.indptr, self.flat.indices, self.flat.data, self.border, self.corner, extra, values, out,
        )  # fmt: skip
        return out

    @cached_property
    def diagonal(self) -> Floats:
        """The diagonal."""
        own = np.diagonal(self.blocks[self.system.links.overlaps.own], axis1=1, axis2=2).ravel()
        return np.concatenate([own, self.flat.diagonal(), np.diagonal(self.corner)])

    @cached_property
    def counted(self) -> Floats:
        """The diagonal without the prior of the background."""
        out, nodes = self.diagonal.copy(), self.system.prior.diagonal()
        inner = len(self.border)
        out[inner - len(nodes) : inner] -= nodes
        return np.maximum(out, 0.0)


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """Stand-in for the inverse of a normal matrix to whose diagonal something was added.

    Attributes
    ----------
    inverse : ndarray of float64, (n, 3, 3)
        Of each column's own block.
    cross : ndarray of float64, (n, 3, m)
        Columns' part of the border.
    background : callable
        Solves with the background's diagonal and its prior.
    schur : ndarray of float64, (m, m)
        The profiles' block less what the columns' own blocks explain of it, inverted.
    """

    inverse: Floats
    cross: Floats
    background: Callable[[Floats], Floats]
    schur: Floats

    @classmethod
    def of(cls, normal: Normal, extra: Floats) -> Preconditioner:
        """Invert what is inverted."""
        own = normal.system.links.overlaps.own
        rows, inner = 3 * len(own), len(normal.border)
        inverse, cross = np.empty((len(own), 3, 3)), normal.border[:rows].reshape(len(own), 3, len(extra) - inner)
        left = normal.corner + np.diag(extra[inner:])
        invert(own, normal.blocks, extra, cross, inverse, left)
        stiffness = normal.system.prior
        scale = (normal.diagonal + extra)[rows:inner] - stiffness.diagonal()
        background = splu(sp.csc_array(stiffness + sp.diags_array(scale))).solve
        return cls(inverse, cross, background, _inverse(left, np.diagonal(normal.corner)))

    def times(self, values: Floats) -> Floats:
        """The inverse times a vector, (3 n + p + m,)."""
        out, nodes = np.empty_like(values), slice(3 * len(self.inverse), len(values) - len(self.schur))
        substitute(self.inverse, self.cross, self.schur, values, out)
        out[nodes] = self.background(values[nodes])
        return out


class Solver:
    """A normal matrix to whose diagonal something was added, and what stands in for its inverse.

    Parameters
    ----------
    extra : ndarray of float64, (3 n + p + m,)
        Added to the diagonal.
    """

    def __init__(self, normal: Normal, extra: Floats) -> None:
        self.normal, self.extra = normal, extra
        self._instead = Preconditioner.of(normal, extra)

    def solve(self, right: Floats, *, share: float, start: Floats | None = None, steps: int = 100) -> Floats:
        """Solve for a right side, (3 n + p + m,), by conjugate gradients.

        Parameters
        ----------
        right : ndarray of float64, (3 n + p + m,)
        share : float
            The error that may be left, in the norm that the matrix makes, as a share of the solution.
        start : ndarray of float64, (3 n + p + m,), optional
            Start, in place of 0.
        steps : int
            At most.
        """
        way = self._instead.times(right)
        energy = float(right @ way)
        goal = share**2 * energy
        found, left = np.zeros_like(right), right.copy()
        if start is not None:
            found, left = start.copy(), right - self.normal.times(start, self.extra)
            way = self._instead.times(left)
            energy = float(left @ way)
        for _ in range(steps):
            if energy <= goal:
                break
            along = self.normal.times(way, self.extra)
            length = energy / max(float(way @ along), 1e-300)
            found += length * way
            left -= length * along
            turned = self._instead.times(left)
            before, energy = energy, float(left @ turned)
            way = turned + energy / max(before, 1e-300) * way
        return found


def _flat(cells: Floats, node_indices: npt.NDArray[np.int32]) -> sp.csr_array:
    """The background's part from that of each cell."""
    count = len(cells)
    if not len(node_indices):
        return sp.csr_array((count, count))
    filled = np.nonzero(cells.any(axis=(1, 2)))[0]
    corners = filled[:, None] + (node_indices[:4] - node_indices[0])
    down = np.broadcast_to(corners[:, :, None], (len(filled), 4, 4)).ravel()
    across = np.broadcast_to(corners[:, None, :], (len(filled), 4, 4)).ravel()
    return sp.csr_array((cells[filled].ravel(), (down, across)), (count, count))


def _inverse(matrix: Floats, scale: Floats) -> Floats:
    """Inverse of a small symmetric matrix, of which no direction is worth less than a hundredth of its own scale."""
    unit = 1.0 / np.sqrt(np.maximum(scale, 1e-300))
    values, vectors = np.linalg.eigh(matrix * np.outer(unit, unit))
    turned = vectors * unit[:, None]
    return np.asarray((turned / np.maximum(values, _LEAST_SHARE)) @ turned.T)
