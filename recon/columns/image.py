"""The image that fitted columns make: posterior mean and standard deviation, pixel by pixel."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.links import bilinear
from stemscan.recon.columns.profile import shape_and_slopes
from stemscan.recon.threads import workers
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["Drawn", "drawn_columns", "paint", "spread"]

_FIELDS = ("row", "col", "amplitude")


class Drawn(NamedTuple):
    """Columns of an image: those that were found, empty sites, columns beyond the frame, and weak ones.

    Attributes
    ----------
    places : ndarray of float64, (n, 2)
    amplitudes : ndarray of float64, (n,)
    covariances : ndarray of float64, (n, 3, 3)
        Of row, column and amplitude.
    classes : ndarray of int64, (n,)
    """

    places: Floats
    amplitudes: Floats
    covariances: Floats
    classes: npt.NDArray[np.int64]


def paint(finding: Finding, drawn: Drawn) -> tuple[npt.NDArray[np.float32], Floats]:
    """Draw columns at their empirical-Bayes places and amplitudes over the fitted background.

    A column's share of the variance follows from the covariance of its fit, drawn together as the central 68.3 % of its
    empirical-Bayes posterior are: a third of the errors are to be larger than the standard deviation, although most
    columns are regular and a few, unknown ones are not. Columns that overlap are taken as independent. A site that
    stands empty has the amplitude that a column may have there, times its probability; that column may be displaced as
    the others are.

    Returns
    -------
    image : ndarray of float32, (H, W)
        On the absolute scale.
    variance : ndarray of float64, (H, W)
        That of the columns; `spread` adds the background's.
    """
    model, shape = finding.model, finding.scan.shape
    places, amplitudes, covariances, classes = drawn
    image, variance = np.zeros(shape), np.zeros(shape)
    for kind, profile in enumerate(model.profiles):
        mine = classes == kind
        _paint(
            places[mine, 0], places[mine, 1], amplitudes[mine], np.ascontiguousarray(covariances[mine]),
            profile.array(), model.reach, image, variance,
        )  # fmt: skip
    image += bilinear(model.nodes, shape, model.spacing) - finding.scan.raised
    return image.astype(np.float32), variance


def spread(finding: Finding, variance: Floats) -> npt.NDArray[np.float32]:
    """Standard deviation of an image, (H, W), from its columns' variance, (H, W), and that of the background.

    The background's share is that at the nearest column, far from any that at the nodes.
    """
    model, shape = finding.model, finding.scan.shape
    places = np.indices(shape).reshape(2, -1).T.astype(np.float64)
    distance, nearest = cKDTree(finding.places).query(places, workers=workers())
    far = np.clip(2 * distance / model.spacing - 1, 0, 1)
    near = finding.errors.columns[nearest, 3, 3]
    nodes = bilinear(finding.errors.nodes, shape, model.spacing).ravel()
    std: npt.NDArray[np.float32] = np.sqrt(variance + (near + far * (nodes - near)).reshape(shape)).astype(np.float32)
    return std


def drawn_columns(finding: Finding) -> Drawn:
    """Everything that is drawn of what was found, at its empirical-Bayes place and amplitude."""
    fields, empty, beyond = finding.columns, finding.empty, finding.beyond
    fitted = np.maximum(finding.errors.std[:, :3], 1e-12)
    shrunk = finding.bars / fitted
    columns = finding.errors.columns[:, :3, :3] * shrunk[:, :, None] * shrunk[:, None, :]
    sites = np.stack([empty[f"eb_{name}_std"] for name in _FIELDS], axis=1)
    varied = float((finding.classes.spreads / np.abs(finding.classes.means)).max())
    moved = np.diag([_usual(fields, "row"), _usual(fields, "col"), 0.0])
    usual = np.tile(moved, (len(beyond.rows), 1, 1))
    usual[:, 2, 2] = (varied * beyond.amplitudes) ** 2 + finding.uncertain**2
    values = [np.concatenate([fields[f"eb_{name}"], empty[f"eb_{name}"]]) for name in _FIELDS]
    return Drawn(
        np.concatenate([np.stack(values[:2], axis=1), np.stack([beyond.rows, beyond.columns], axis=1)]),
        np.concatenate([values[2], beyond.amplitudes]),
        np.concatenate([columns, sites[:, :, None] ** 2 * np.eye(3) + moved, usual]),
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
