"""Columns of a synthetic specimen as its truth, and what of them is not known."""

from __future__ import annotations

import numpy as np

from stemscan.simulators.specimens.synthetic.lattice import NO_SITE, Sites, site_indices
from stemscan.store.true_columns import TrueColumns

__all__ = ["true_columns"]

_UNORDERED = "without order"


def true_columns(sites: Sites, gain: float, shape: tuple[int, int]) -> TrueColumns | None:
    """Columns inside a field.

    Sites move with strain and dislocations; a displacement is what a column has beyond that. Black and white levels cut
    the peaks of few; amplitudes are those before.

    Parameters
    ----------
    sites : Sites
        Amounts are heights of peaks in the picture before it was brought to [0, 1].
    gain : float
        Of that step; below 0 where it inverts.
    shape : tuple of int
        Rows and columns of the field.

    Returns
    -------
    TrueColumns or None
        None where there are atoms without order alone, or no contrast.
    """
    grain = sites.known[:, 3].astype(np.int64)
    if gain == 0 or not (grain >= 0).any():
        return None
    indices = np.where(grain[:, None] >= 0, site_indices(sites.numbers), [0, 0, -1])
    indices[indices[:, 2] == NO_SITE, 2] = -1
    kinds, own = np.unique(np.stack([grain, indices[:, 2]], axis=1), axis=0, return_inverse=True)
    names = [_named(g, k) for g, k in kinds.tolist()]
    centre = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    columns = TrueColumns.of(
        tuple(names),
        row=sites.rows + centre[0],
        col=sites.columns + centre[1],
        amplitude=sites.amounts * gain,
        **{"class": own.reshape(-1)},
        site=indices[:, 2],
        site_i=indices[:, 0],
        site_j=indices[:, 1],
        displacement_row=sites.known[:, 0],
        displacement_col=sites.known[:, 1],
        defect=sites.known[:, 2],
    )
    return columns.within(shape)


def _named(grain: int, place: int) -> str:
    """Name of a class of columns, by grain and place in the basis."""
    if grain < 0:
        return _UNORDERED
    return f"grain {grain}, column {place}" if place >= 0 else f"grain {grain}, interstitial"
