"""Fitted columns and all that follows from them: lattices, empty sites, ratios and empirical-Bayes estimates."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.classes import Classes, find_classes
from stemscan.recon.columns.fitting import linearised
from stemscan.recon.columns.lattice import find_lattices
from stemscan.recon.columns.prior import occupancy, shrink
from stemscan.recon.columns.ratios import absent, added, at_sites
from stemscan.recon.columns.sites import Lattice, Sites, Surroundings, adopted, predict
from stemscan.recon.columns.table import FIELDS, ColumnTable
from stemscan.recon.columns.whole import Found
from stemscan.types import Floats, Integers

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["Finding", "empty_table"]

_ALLOYED = 0.1
"""Least share of columns whose amplitude is an exception."""

_OF_A_COLUMN = 0.03
"""Least spread of the amplitude at an empty site, over a column's: its neighbours' tails are no better known."""


_NOTHING = 4.0
"""Height over its error above which a site may hold a column after all."""

_APART = 1.5
"""Widths of a column from another one, or from a site of a larger lattice, within which no site is empty."""

_FEW = 6
"""So many empty sites tell half of how far heights vary beyond their errors."""

_OF_NONE = -1


class Finding:
    """Fitted columns and all that follows from them.

    Attributes
    ----------
    model, errors, beyond, uncertain, scan
        As of `Found`.
    inside : ndarray of bool, (n,)
        Columns whose centre lies in the frame.
    columns : dict of str to ndarray, (n,)
        The fields of `FIELDS` of every column, those outside of the frame, too.
    empty : dict of str to ndarray, (m,)
        The same of empty sites.
    bars : ndarray of float64, (n, 3)
        Errors within which 68.3 % of the posteriors of row, column and amplitude lie.
    """

    def __init__(self, inputs: Inputs, found: Found) -> None:
        self.inputs = inputs
        model, errors, *_ = self.model, self.errors, self.beyond, self.uncertain, self.scan = found
        self.places = np.stack([model.rows, model.columns], axis=1)
        self.inside = ((self.places > -0.5) & (self.places < np.array(self.scan.shape) - 0.5)).all(axis=1)
        self.classes = find_classes(model.amplitudes, errors.std[:, 2])
        self.bars = errors.std[:, :3].copy()
        self.lattices: list[Lattice] = []
        inner = np.nonzero(self.inside)[0]
        grown = [
            replace(lattice, members=inner[lattice.members])
            for lattice in find_lattices(self.places[inner], model.amplitudes[inner], errors.std[inner, 2])
        ]
        free = np.ones(len(self.places), bool)
        for lattice in grown:
            free[lattice.members] = False
        for lattice in grown:
            self.lattices.append(adopted(lattice, self.places, free, self.scan.shape, model.reach / 4))
            free[self.lattices[-1].members] = False
        self.columns = self._columns()
        self.empty = self._empty()

    def table(self) -> ColumnTable:
        """Rows of the columns in the frame, then of empty sites."""
        rows = {
            name: np.concatenate([a[self.inside], b])
            for (name, a), b in zip(self.columns.items(), self.empty.values(), strict=True)
        }
        settings = {
            "profiles": [asdict(profile) for profile in self.model.profiles],
            "classes": [
                {"amplitude": mean, "spread": spread, "share": share}
                for mean, spread, share in zip(
                    *(values.tolist() for values in (self.classes.means, self.classes.spreads, self.classes.shares)),
                    strict=True,
                )
            ],
            "lattices": [
                {"columns": len(lattice.members), "basis": lattice.basis.tolist()} for lattice in self.lattices
            ],
            "weak": self._weak(),
        }
        return _table(self.inputs, rows, "", settings)

    def _weak(self) -> list[dict[str, Any]]:
        """Number and amplitude of the columns in the frame that were not fitted one by one, by their amplitude."""
        inside = ((self.beyond.places > 0) & (self.beyond.places < np.array(self.scan.shape) - 1)).all(axis=1)
        amplitudes, counts = np.unique(self.beyond.amplitudes[inside], return_counts=True)
        return [
            {"columns": count, "amplitude": amplitude}
            for amplitude, count in zip(amplitudes.tolist(), counts.tolist(), strict=True)
        ]

    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        """Rows of the columns that were found."""
        model, std = self.model, self.errors.std
        count = len(model.rows)
        rows = _rows(count)
        rows["kind"] = np.full(count, "column", dtype="<U8")
        rows["row"], rows["col"], rows["amplitude"] = model.rows, model.columns, model.amplitudes
        rows["background"] = model.background(model.rows, model.columns) - self.scan.raised
        for position, name in enumerate(("row_std", "col_std", "amplitude_std", "background_std")):
            rows[name] = std[:, position]
        rows["class"] = self.classes.best
        rows["llr_absent"], rows["llr_added"] = self._ratios()
        rows["llr_class"] = _class_ratio(self.classes)
        self._shrink_amplitudes(rows)
        for name in ("row", "col"):
            rows[f"eb_{name}"], rows[f"eb_{name}_std"] = rows[name].copy(), rows[f"{name}_std"].copy()
        for number, lattice in enumerate(self.lattices):
            self._on_lattice(rows, number, lattice)
        if self.lattices:
            rows["kind"][rows["lattice"] < 0] = "added"
        return rows

    def _ratios(self) -> tuple[Floats, Floats]:
        """ln likelihood ratios for absent and for added."""
        gone, more = np.empty(len(self.places)), np.empty(len(self.places))
        for tile, local, members in self.scan.pieces(self.model):
            own = tile.owns(self.places[members])
            if own.any():
                points = self.scan.points(tile)
                here = linearised(local, points)
                gone[members[own]] = absent(here, self.errors.columns[members, 2, 2], points)[own]
                more[members[own]] = added(here, points, 2.5 * local.profiles[0].sigma)[own]
        return gone, more

    def _shrink_amplitudes(self, rows: dict[str, npt.NDArray[Any]]) -> None:
        """Empirical-Bayes amplitudes: about that of the class which is usual at a column's site.

        Columns at no site, where others have one, are exceptions, and of a kind of their own: they are drawn to their
        own mean, as far as they are alike, and where they are few not at all. Without any lattice columns are drawn to
        their own class.
        """
        rows["eb_amplitude"], rows["eb_amplitude_std"] = rows["amplitude"].copy(), rows["amplitude_std"].copy()
        usual = np.full(len(self.places), _OF_NONE) if self.lattices else self.classes.best
        for lattice in self.lattices:
            usual[lattice.members] = np.bincount(self.classes.best[lattice.members]).argmax()
        for kind in np.unique(usual):
            mine = usual == kind
            centre = float(np.median(self.model.amplitudes[mine]) if kind == _OF_NONE else self.classes.means[kind])
            variances = self.errors.columns[mine, 2:3, 2:3]
            found = shrink(self.model.amplitudes[mine, None] - centre, variances, least=_ALLOYED)
            rows["eb_amplitude"][mine] = centre + found.mean[:, 0]
            rows["eb_amplitude_std"][mine], self.bars[mine, 2] = found.std[:, 0], found.half[:, 0]

    def _on_lattice(self, rows: dict[str, npt.NDArray[Any]], number: int, lattice: Lattice) -> None:
        """Sites, displacements and empirical-Bayes positions of a lattice's members."""
        mine = lattice.members
        sites = predict(lattice, self.places, lattice.indices)
        off = self.places[mine] - sites.places
        covariance = self.errors.columns[mine, :2, :2] + sites.variances[:, None, None] * np.eye(2)
        found = shrink(off, covariance)
        rows["lattice"][mine] = number
        rows["p_displaced"][mine] = found.exceptional
        for axis, (name, index) in enumerate((("row", "site_i"), ("col", "site_j"))):
            rows[index][mine] = lattice.indices[:, axis]
            rows[f"site_{name}"][mine] = sites.places[:, axis]
            rows[f"displacement_{name}"][mine] = off[:, axis]
            rows[f"displacement_{name}_std"][mine] = np.sqrt(covariance[:, axis, axis])
            rows[f"eb_{name}"][mine] = sites.places[:, axis] + found.mean[:, axis]
            rows[f"eb_{name}_std"][mine] = np.sqrt(found.std[:, axis] ** 2 + sites.variances)
            self.bars[mine, axis] = np.sqrt(found.half[:, axis] ** 2 + sites.variances)

    def _empty(self) -> dict[str, npt.NDArray[Any]]:
        """Rows of the lattices' empty sites inside the image, with the amplitude that a column there would have."""
        found, taken = [], self.places
        for number, lattice in enumerate(self.lattices):
            indices = Surroundings.of(lattice, self.places).empty(self.scan.shape)
            if len(indices):
                sites = predict(lattice, self.places, indices)
                inside = ((sites.places >= 0) & (sites.places <= np.array(self.scan.shape) - 1)).all(axis=1)
                inside &= cKDTree(taken).query(sites.places)[0] > _APART * self.model.profiles[0].sigma
                taken = np.concatenate([taken, sites.places[inside]])
                if inside.any():
                    kind = int(np.bincount(self.classes.best[lattice.members]).argmax())
                    there = Sites(sites.places[inside], sites.variances[inside])
                    found.append((number, kind, indices[inside], there))
        if not found:
            return _no_rows()
        places = np.concatenate([sites.places for *_, sites in found])
        kinds = np.concatenate([np.full(len(indices), kind, np.int64) for _, kind, indices, _ in found])
        starts = (np.zeros(len(places)), self.classes.means[kinds])
        fitted = np.concatenate([at_sites(self.scan, self.model, places, kinds, start) for start in starts])
        each = np.split(fitted, np.cumsum([len(indices) for _, _, indices, _ in found])[:-1], axis=1)
        excess = _beyond_errors(*fitted[:2])
        parts = [self._empty_of(*one, own, excess) for one, own in zip(found, each, strict=True)]
        rows = {name: np.concatenate([part[name] for part in parts]) for name in FIELDS}
        rows["amplitude_std"] = np.hypot(fitted[1], excess)
        return rows

    def _empty_of(
        self, number: int, kind: int, indices: Integers, sites: Sites, fitted: Floats, excess: float
    ) -> dict[str, npt.NDArray[Any]]:
        """Rows of the empty sites of one lattice.

        `fitted`, (4, n), has amplitudes and errors of an empty and of an occupied site; `excess` is what heights
        scatter by beyond these errors.
        """
        lattice, places = self.lattices[number], sites.places
        amplitude, std, occupied, occupied_std = fitted
        rows = _rows(len(places))
        rows["kind"] = np.full(len(places), "empty", dtype="<U8")
        rows["amplitude"], rows["amplitude_std"] = amplitude, std
        rows["background"] = self.model.background(places[:, 0], places[:, 1]) - self.scan.raised
        rows["class"][:], rows["lattice"][:] = kind, number
        rows["llr_absent"] = 0.5 * (amplitude / std) ** 2
        expected, spread = float(self.classes.means[kind]), float(self.classes.spreads[kind])
        both = occupied_std**2 + spread**2
        rows["llr_class"] = (
            -0.5 * (amplitude - expected) ** 2 / both - 0.5 * np.log(both) + 0.5 * (amplitude / std) ** 2 + np.log(std)
        )
        mine = lattice.members
        present = occupancy(
            np.concatenate([amplitude, self.model.amplitudes[mine]]),
            np.concatenate([std, self.errors.std[mine, 2]]),
            np.concatenate([occupied_std, self.errors.std[mine, 2]]),
            expected,
            spread,
        )[: len(places)]
        here, here_variance = _drawn_to(occupied, occupied_std, expected, spread)
        wide = np.hypot(std, excess)
        least = _OF_A_COLUMN * abs(expected)
        none, none_variance = _drawn_to(amplitude, wide, 0.0, max(least, _varied(amplitude, wide)))
        rows["eb_amplitude"] = none + present * (here - none)
        variance = none_variance + present * (here_variance - none_variance)
        rows["eb_amplitude_std"] = np.sqrt(variance + present * (1 - present) * (here - none) ** 2)
        for axis, (name, index) in enumerate((("row", "site_i"), ("col", "site_j"))):
            rows[index] = indices[:, axis]
            rows[name] = rows[f"site_{name}"] = rows[f"eb_{name}"] = places[:, axis]
            rows[f"{name}_std"] = rows[f"eb_{name}_std"] = np.sqrt(sites.variances)
        return rows


def _drawn_to(values: Floats, std: Floats, centre: float, spread: float) -> tuple[Floats, Floats]:
    """Means and variances of values, known with errors, that are drawn from a normal law."""
    share = spread**2 / (spread**2 + std**2)
    return centre + share * (values - centre), share * std**2


def _varied(values: Floats, std: Floats) -> float:
    """Spread about 0 of values known with errors, by moments."""
    return float(np.sqrt(np.maximum(np.mean(values**2 - std**2), 0.0)))


def _beyond_errors(values: Floats, std: Floats) -> float:
    """Spread of heights of empty sites beyond their errors, which the model of profile and background lacks.

    Neighbours' tails that are not those of the profile, and a background that varies between its nodes, are seen where
    no column stands. Few sites tell little of that.
    """
    none = np.abs(values) < _NOTHING * std
    count = int(none.sum())
    return _varied(values[none], std[none]) * math.sqrt(count / (count + _FEW)) if count else 0.0


def _class_ratio(classes: Classes) -> Floats:
    """ln likelihood of each column's class over that of the most likely other one; NaN with a single class."""
    logs = np.sort(classes.log_likelihood - np.log(classes.shares), axis=1)
    own = np.take_along_axis(classes.log_likelihood - np.log(classes.shares), classes.best[:, None], axis=1)[:, 0]
    if logs.shape[1] == 1:
        return np.full(len(logs), np.nan)
    return np.where(own >= logs[:, -1], own - logs[:, -2], own - logs[:, -1])


def _rows(count: int) -> dict[str, npt.NDArray[Any]]:
    """Fields without values."""
    rows: dict[str, npt.NDArray[Any]] = {name: np.full(count, np.nan) for name in FIELDS}
    rows["kind"] = np.full(count, "", dtype="<U8")
    rows["class"], rows["lattice"] = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    rows["site_i"], rows["site_j"] = np.zeros(count, np.int64), np.zeros(count, np.int64)
    return rows


def _no_rows() -> dict[str, npt.NDArray[Any]]:
    """Fields of an empty table."""
    return _rows(0)


def empty_table(inputs: Inputs, reason: str) -> ColumnTable:
    """A table without a row, and why."""
    return _table(inputs, _no_rows(), reason, {})


def _table(inputs: Inputs, rows: dict[str, npt.NDArray[Any]], note: str, settings: dict[str, Any]) -> ColumnTable:
    """A table of a scan."""
    return ColumnTable(rows, inputs.shape, inputs.electrons_per_sample, inputs.pixel_size_nm, note, settings)
