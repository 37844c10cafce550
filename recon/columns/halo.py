"""Signal around columns that their profiles lack: the same around all, in proportion to their amplitudes.

A profile ends at its reach, and inside a crystal tails of all columns add up to what the background may as well
explain. At an edge they do not. What the counts say beyond the drawn columns is explained by rings about the columns,
where they were drawn, from two widths outwards and far beyond the reach; so far as the background's nodes explain a
ring it is left out. The evidence decides how much of them is believed (`stemscan.recon.columns.evidence`).
"""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import map_coordinates
from scipy.sparse.linalg import splu

from stemscan.recon.columns.evidence import shrunk
from stemscan.recon.columns.image import Drawn
from stemscan.recon.columns.links import ColumnModel, differences, node_weights
from stemscan.recon.threads import workers
from stemscan.types import Floats

__all__ = ["halo"]

_RADII = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0])
"""Widths of a column at which rings are highest, the first and last ones aside, where they begin and end."""


def halo(model: ColumnModel, drawn: Drawn, pull: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Signal that surrounds all columns beyond what is drawn of them.

    Parameters
    ----------
    model : ColumnModel
        Its background's nodes, and the width of its first profile, count.
    pull : ndarray of float64, (H, W)
        Slope of ln L by the signal of each pixel.
    known : ndarray of float64, (H, W)
        Fisher information on the signal of each pixel.

    Returns
    -------
    signal, variance : ndarray of float64, (H, W)
        On the absolute scale.
    """
    sigma = model.profiles[0].sigma
    step = max(1, int(sigma / 2))
    gained, weights = (_summed(values, step) for values in (pull, known))
    rings = _rings(_dots(drawn, weights.shape, step), sigma / step, weights.shape)
    middles = (np.indices(weights.shape).reshape(2, -1) + 0.5) * step - 0.5
    nodes = node_weights(middles[0], middles[1], model.nodes.shape, model.spacing)
    rings -= nodes @ _explained(nodes, model, weights.ravel(), rings)
    information = rings.T @ (weights.ravel()[:, None] * rings)
    found, covariance = shrunk(information, rings.T @ gained.ravel(), np.zeros(rings.shape[1], np.int64))
    variance = np.einsum("nm,nm->n", rings @ covariance, rings)
    places = (np.indices(pull.shape, np.float32) - 0.5 * (step - 1)) / step
    signal, spread = (
        map_coordinates(values.reshape(weights.shape), places, order=1, mode="nearest")
        for values in (rings @ found, variance)
    )
    return np.asarray(signal), np.maximum(spread, 0.0)


def _summed(values: Floats, step: int) -> Floats:
    """Sums over squares of pixels; those at the frame may be smaller."""
    down, across = (np.arange(0, side, step) for side in values.shape)
    return np.asarray(np.add.reduceat(np.add.reduceat(values, down, axis=0), across, axis=1), np.float64)


def _dots(drawn: Drawn, shape: tuple[int, ...], step: int) -> tuple[Floats, int]:
    """Amplitudes of columns at their places on a grid with a margin, and the margin."""
    places = (drawn.places - 0.5 * (step - 1)) / step
    margin = (
        math.ceil(max(0.0, float(-places.min(initial=0.0)), float((places - np.array(shape)).max(initial=0.0)))) + 2
    )
    dots = np.zeros((shape[0] + 2 * margin, shape[1] + 2 * margin))
    first = np.floor(places).astype(np.int64)
    part = places - first
    for down in (0, 1):
        for across in (0, 1):
            share = np.abs(1 - down - part[:, 0]) * np.abs(1 - across - part[:, 1])
            np.add.at(dots, tuple((first + margin + [down, across]).T), share * drawn.amplitudes)
    return dots, margin


def _rings(dots: tuple[Floats, int], sigma: float, shape: tuple[int, ...]) -> Floats:
    """Sum over the columns of each ring of height 1 times their amplitudes, (pixels, rings)."""
    image, margin = dots
    reach = math.ceil(float(_RADII[-1]) * sigma)
    size = [next_fast_len(side + 2 * reach, real=True) for side in image.shape]
    columns = rfft2(image, size, workers=workers())
    offsets = np.arange(-reach, reach + 1)
    distance = np.hypot(offsets[:, None], offsets[None, :]) / sigma
    out = np.empty((shape[0] * shape[1], len(_RADII) - 2))
    for number in range(1, len(_RADII) - 1):
        heights = np.zeros(len(_RADII))
        heights[number] = 1.0
        ring = np.interp(distance, _RADII, heights)
        whole = irfft2(columns * rfft2(ring, size, workers=workers()), size, workers=workers())
        first = margin + reach
        out[:, number - 1] = whole[first : first + shape[0], first : first + shape[1]].ravel()
    return out


def _explained(nodes: sp.csr_array, model: ColumnModel, weights: Floats, rings: Floats) -> Floats:
    """Nodes of a background that explain as much of the rings as they can, (nodes, rings)."""
    apart = differences(model.nodes.shape)
    matrix = nodes.T @ nodes.multiply(weights[:, None]) + model.stiffness * (apart.T @ apart)
    ridge = 1e-6 * float(matrix.diagonal().mean())
    solver = splu(sp.csc_array(matrix + ridge * sp.eye_array(matrix.shape[0])))
    return np.asarray(solver.solve(nodes.T @ (weights[:, None] * rings)))
