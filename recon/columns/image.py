"""The image that fitted columns make: posterior mean and standard deviation, pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.profile import shape_and_slopes
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["paint"]

_FIELDS = ("row", "col", "amplitude")


def paint(finding: Finding) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw columns at their empirical-Bayes places and amplitudes over the fitted background.

    A column's share of the variance follows from the covariance of its fit, drawn together as the central 68.3 % of its
    empirical-Bayes posterior are: a third of the errors are to be larger than the standard deviation, although most
    columns are regular and a few, unknown ones are not. The background's share is that at the nearest column. Columns
    that overlap are taken as independent. A site that stands empty has the amplitude that a column may have there,
    times its probability.

    Returns
    -------
    image, std : ndarray of float32, (H, W)
        On the absolute scale.
    """
    model, shape = finding.model, finding.scan.shape
    places, amplitudes, covariances, classes = _drawn(finding)
    image, variance = np.zeros(shape), np.zeros(shape)
    for kind, profile in enumerate(model.profiles):
        mine = classes == kind
        _paint(
            places[mine, 0], places[mine, 1], amplitudes[mine], np.ascontiguousarray(covariances[mine]),
            profile.array(), model.reach, image, variance,
        )  # fmt: skip
    down, across = (axis.ravel().astype(np.float64) for axis in np.indices(shape))
    image += (model.background(down, across) - finding.scan.raised).reshape(shape)
    nearest = cKDTree(finding.places).query(np.stack([down, across], axis=1))[1]
    variance += finding.errors.columns[nearest, 3, 3].reshape(shape)
    return image.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _drawn(finding: Finding) -> tuple[Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """Places (n, 2), amplitudes, covariances (n, 3, 3) and classes of columns, empty sites, and columns beyond."""
    fields, empty, beyond = finding.columns, finding.empty, finding.beyond
    fitted = np.maximum(finding.errors.std[:, :3], 1e-12)
    shrunk = finding.bars / fitted
    columns = finding.errors.columns[:, :3, :3] * shrunk[:, :, None] * shrunk[:, None, :]
    sites = np.stack([empty[f"eb_{name}_std"] for name in _FIELDS], axis=1)
    usual = np.diag([_usual(fields, "row"), _usual(fields, "col"), float(finding.classes.spreads.max() ** 2)])
    drawn = [np.concatenate([fields[f"eb_{name}"], empty[f"eb_{name}"]]) for name in _FIELDS]
    return (
        np.concatenate([np.stack(drawn[:2], axis=1), np.stack([beyond.rows, beyond.columns], axis=1)]),
        np.concatenate([drawn[2], beyond.amplitudes]),
        np.concatenate([columns, sites[:, :, None] ** 2 * np.eye(3), np.tile(usual, (len(beyond.rows), 1, 1))]),
        np.concatenate([finding.model.classes, empty["class"].astype(np.int64), beyond.classes]),
    )


def _usual(fields: dict[str, npt.NDArray[Any]], name: str) -> float:
    """Variance of the lattices' columns about their sites, along one axis; 0 without a lattice."""
    squares = (fields[f"eb_{name}"] - fields[f"site_{name}"]) ** 2 + fields[f"eb_{name}_std"] ** 2
    known = np.isfinite(squares)
    return float(squares[known].mean()) if known.any() else 0.0


@compiled()
def _paint(
    rows: Floats,
    columns: Floats,
    amplitudes: Floats,
    covariances: Floats,
    profile: Floats,
    reach: float,
    image: Floats,
    variance: Floats,
) -> None:
    """Add columns of one profile to an image, and their variances to another."""
    out = np.empty(8)
    for k in range(rows.size):
        top, bottom = max(0, math.ceil(rows[k] - reach)), min(image.shape[0], int(rows[k] + reach) + 1)
        left, right = max(0, math.ceil(columns[k] - reach)), min(image.shape[1], int(columns[k] + reach) + 1)
        own = covariances[k]
        for i in range(top, bottom):
            for j in range(left, right):
                y, x = i - rows[k], j - columns[k]
                if y * y + x * x < reach * reach:
                    shape_and_slopes(y, x, profile, reach, out)
                    a, b, c = amplitudes[k] * out[1], amplitudes[k] * out[2], out[0]
                    image[i, j] += amplitudes[k] * c
                    variance[i, j] += a * a * own[0, 0] + b * b * own[1, 1] + c * c * own[2, 2]
                    variance[i, j] += 2 * (a * b * own[0, 1] + a * c * own[0, 2] + b * c * own[1, 2])
