"""Everything that is known of a specimen's columns in one scan: truth, joint bound, likelihood ratios of an oracle.

Columns too weak to be seen count as known in the bound, as a part of the background: those of classes whose height is
less than five times its bound with all else known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stemscan.recon.evaluation.columns.bound import Samples, heights_alone, joint_bound
from stemscan.recon.evaluation.columns.oracle import likelihood_ratios
from stemscan.recon.evaluation.columns.profile import TrueProfile
from stemscan.recon.inputs.inputs import Inputs
from stemscan.simulators.api import Probe, Specimen
from stemscan.store.true_columns import TrueColumns
from stemscan.types import Floats

__all__ = ["Known", "known_columns"]

_SEEN = 5.0
_SHIFT_NM = (0.005, 0.04)
_LONE_PX = 50.0

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Known:
    """Columns of a specimen and what a scan of it could tell of them.

    Attributes
    ----------
    nominal : float64 (n,)
        Height of a regular column of the same class; an interstitial's own.
    seen : bool (n,)
        Columns that the scan can show.
    inside : bool (n,)
        Columns far enough from the frame for all neighbours to count.
    frame : tuple of float64 (2,)
        Least place that is so, and the first that is so no more.
    spacing : float
        Distance of the nearest sites whose columns are seen, in pixels.
    sigma : float
        Width of the profile's core in pixels.
    bound : float64 (n, 3)
        Standard deviations of row, column and height that no unbiased estimate falls below; NaN for what is not seen.
    missing, displaced : float64 (n,)
        ln of the oracle's likelihood ratios.
    """

    columns: TrueColumns
    nominal: Floats
    seen: Flags
    inside: Flags
    frame: tuple[Floats, Floats]
    spacing: float
    sigma: float
    bound: Floats
    missing: Floats
    displaced: Floats

    @property
    def places(self) -> Floats:
        """Row and column of each, (n, 2)."""
        return np.stack([self.columns["row"], self.columns["col"]], axis=1)

    @property
    def sites(self) -> Floats:
        """Row and column of each one's site, (n, 2)."""
        moved = np.stack([self.columns["displacement_row"], self.columns["displacement_col"]], axis=1)
        return self.places - moved


def known_columns(specimen: Specimen, inputs: Inputs) -> Known:
    """Work out what is known.

    Parameters
    ----------
    specimen : Specimen
        A crystal, which knows its columns and has its probe in its record.
    inputs : Inputs
        A scan of it, whole visits.
    """
    columns, pixel = specimen.columns, specimen.pixel_size_nm
    assert columns is not None
    assert pixel is not None
    profile = TrueProfile.of(Probe(**specimen.record["steps"][0]["probe"]), pixel)
    samples = Samples.of(inputs, specimen.signal)
    nominal, present = _nominal(columns), ~columns.of_defect("vacancy")
    places = np.stack([columns["row"], columns["col"]], axis=1)
    moved = np.stack([columns["displacement_row"], columns["displacement_col"]], axis=1)
    certainty = np.abs(nominal) / heights_alone(places, profile, samples)
    seen = _by_class(columns, certainty) >= _SEEN
    spacing = _nearest((places - moved)[seen & ~columns.of_defect("interstitial")])
    bound, chosen = np.full((len(columns), 3), np.nan), seen & present
    bound[chosen] = joint_bound(places[chosen], columns["amplitude"][chosen], profile, samples, spacing)
    margin = max(1.2 * spacing, 4 * profile.sigma)
    frame = (np.full(2, margin), np.array(specimen.shape) - margin)
    inside = np.asarray(((places >= frame[0]) & (places < frame[1])).all(axis=1))
    missing, displaced = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    shift = (_SHIFT_NM[0] / pixel, _SHIFT_NM[1] / pixel)
    missing[seen], displaced[seen] = likelihood_ratios(columns.where(seen), nominal[seen], profile, samples, shift)
    return Known(columns, nominal, seen, inside, frame, spacing, profile.sigma, bound, missing, displaced)


def _nominal(columns: TrueColumns) -> Floats:
    """Usual height of each column's class; its own where no column of the class is regular."""
    regular = columns.of_defect("none") | columns.of_defect("displaced")
    out = columns["amplitude"].copy()
    for number in range(len(columns.classes)):
        mine = columns["class"] == number
        if (mine & regular).any():
            out[mine] = float(np.median(columns["amplitude"][mine & regular]))
    return out


def _by_class(columns: TrueColumns, values: Floats) -> Floats:
    """Median of a class for each of its columns."""
    out = np.empty(len(columns))
    for number in np.unique(columns["class"]):
        mine = columns["class"] == number
        out[mine] = float(np.median(values[mine]))
    return out


def _nearest(sites: Floats) -> float:
    """Usual distance of neighbouring sites in pixels; that of a lone column is large."""
    from scipy.spatial import cKDTree

    if len(sites) < 2:
        return _LONE_PX
    return float(np.median(cKDTree(sites).query(sites, k=2)[0][:, 1]))
