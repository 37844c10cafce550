"""Atomic columns as a simulated specimen knows them: the truth by which what is found in a scan is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError

__all__ = ["DEFECTS", "FIELDS", "TrueColumns"]

FIELDS: Final[dict[str, str]] = {
    "row": "position, px from the centre of the top left pixel",
    "col": "position, px",
    "amplitude": "height of the column's own peak in the signal; 0 of a vacancy",
    "class": "kind of column, a number in `classes`",
    "site": "number of the site in the repeating cell; -1 for none",
    "site_i": "index of the cell along the lattice's first translation",
    "site_j": "index of the cell along its second translation",
    "displacement_row": "position less site, px",
    "displacement_col": "position less site, px",
    "defect": "kind of defect, a number in `DEFECTS`",
}
"""Name and meaning of each field, in order."""

DEFECTS: Final = ("none", "vacancy", "substitution", "interstitial", "displaced")
"""Kinds of defects. A vacancy is a site that lost its column, an interstitial a column without a site."""


@dataclass(frozen=True, eq=False)
class TrueColumns:
    """Columns of a specimen inside its field, vacancies among them.

    Attributes
    ----------
    values : ndarray of float64, (n, fields)
        One line a column, fields as in `FIELDS`; read-only.
    classes : tuple of str
        Names of the kinds of columns.

    Raises
    ------
    UsageError
        If the values are not finite numbers of this form.

    Examples
    --------
    >>> columns = TrueColumns.of(("Sr",), row=[3.0, 9.0], col=[4.0, 4.0], amplitude=[0.9, 0.0], defect=[0, 1])
    >>> len(columns), columns["amplitude"], columns.of_defect("vacancy")
    (2, array([0.9, 0. ]), array([False,  True]))
    """

    values: npt.NDArray[np.float64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, np.float64).view()
        if values.ndim != 2 or values.shape[1] != len(FIELDS) or not np.isfinite(values).all():
            raise UsageError(f"expected finite true columns of {len(FIELDS)} fields, got shape {values.shape}; mend it")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        for name, options in (("class", self.classes), ("defect", DEFECTS)):
            if not np.isin(self[name], np.arange(len(options))).all():
                raise UsageError(f"expected the {name} of true columns below {len(options)}, got another; mend it")

    @classmethod
    def of(cls, classes: tuple[str, ...], **fields: npt.ArrayLike) -> Self:
        """Columns by their fields; those left out are 0."""
        count = np.size(fields["row"])
        arrays = [np.broadcast_to(np.asarray(fields.get(name, 0), np.float64), count) for name in FIELDS]
        return cls(np.stack(arrays, axis=1), classes)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        """A field of all columns, (n,) float64."""
        if name not in FIELDS:
            raise UsageError(f"expected a field of true columns, {', '.join(FIELDS)}, got {name!r}; give one of these")
        return self.values[:, list(FIELDS).index(name)]

    def fields(self) -> dict[str, npt.NDArray[np.float64]]:
        """All fields by name."""
        return {name: self.values[:, number] for number, name in enumerate(FIELDS)}

    def of_defect(self, kind: str) -> npt.NDArray[np.bool_]:
        """Tell which columns have a kind of defect, (n,)."""
        return np.asarray(self["defect"] == DEFECTS.index(kind))

    def where(self, mask: npt.NDArray[np.bool_]) -> TrueColumns:
        """Those of a mask."""
        return TrueColumns(self.values[mask], self.classes)

    def within(self, shape: tuple[int, int]) -> TrueColumns:
        """Those whose centre lies on a grid of rows and columns."""
        row, col = self["row"], self["col"]
        return self.where((row >= -0.5) & (row < shape[0] - 0.5) & (col >= -0.5) & (col < shape[1] - 0.5))

    def resampled(self, old: tuple[int, int], new: tuple[int, int]) -> TrueColumns:
        """On another grid over the same field of view."""
        ratios = np.array(new) / np.array(old)
        values = self.values.copy()
        values[:, :2] = (values[:, :2] + 0.5) * ratios - 0.5
        first = list(FIELDS).index("displacement_row")
        values[:, first : first + 2] *= ratios
        return TrueColumns(values, self.classes)
