"""Lattice of a plan's grid on a controller's codes: from pixels to codes, and back to the nearest pixel.

Rows and columns have one step, so that pixels stay square. Which corner of the image has code (0, 0), and whether the
controller's columns run across the image or down it, its profile says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stemscan.hardware.profile import Grid

__all__ = ["Lattice"]

Codes = npt.NDArray[np.int32]


class Lattice:
    """A plan's grid on a controller's codes.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the plan's grid.
    grid : Grid
        Of the controller's profile.

    Attributes
    ----------
    step : float
        Codes a pixel, at least 1.

    Examples
    --------
    >>> from stemscan.hardware.profile import Grid
    >>> lattice = Lattice((2, 3), Grid(columns=9, rows=9, origin="bottom-left"))
    >>> lattice.step
    4.0
    >>> x, y = lattice.codes(np.array([[0, 0], [1, 2]], np.int32))
    >>> x.tolist(), y.tolist()
    ([0, 8], [6, 2])
    """

    def __init__(self, shape: tuple[int, int], grid: Grid) -> None:
        self._shape, self._grid = shape, grid
        self._turned = grid.transform == "transpose"
        self._extent = (shape[1], shape[0]) if self._turned else shape  # pixels along the controller's rows, columns
        self.step, self._first = _place(self._extent, grid)

    @property
    def position_error_px(self) -> float:
        """Largest distance of a code from where the plan wants it, along one axis, in pixels."""
        if self.step.is_integer():
            return 0.0
        places = np.arange(max(self._extent)) * self.step
        return float(np.abs(np.rint(places) - places).max() / self.step)

    @property
    def field_used(self) -> float:
        """Share of the controller's field over which the plan's grid goes, along the axis where it is larger; 0 to 1.

        A single pixel has no extent.
        """
        spans = [
            (pixels - 1) * self.step / max(codes - 1, 1)
            for pixels, codes in zip(self._extent, (self._grid.rows, self._grid.columns), strict=True)
        ]
        return min(max(spans), 1.0)

    def shift(self, offset: tuple[float, float]) -> tuple[tuple[int, int], tuple[float, float]]:
        """Codes by which the grid is moved, as near to an offset as the controller's codes allow.

        Parameters
        ----------
        offset : (float, float)
            (row, column) in pixels.

        Returns
        -------
        codes : (int, int)
            Of column and row, to be added to those of `codes`; the whole grid stays on the controller's.
        offset : (float, float)
            The offset that they make.

        Examples
        --------
        >>> from stemscan.hardware.profile import Grid
        >>> Lattice((2, 3), Grid(columns=30, rows=30, fit="pixels")).shift((0.7, -1.0))
        ((0, 1), (1.0, 0.0))
        """
        row, column = self._signed(offset)
        wanted = (column, row) if self._turned else (row, column)
        sides = zip(wanted, self._first, self._extent, (self._grid.rows, self._grid.columns), strict=True)
        down, across = (self._held(want, first, codes - 1 - self._used(pixels)) for want, first, pixels, codes in sides)
        row, column = self._signed((across, down) if self._turned else (down, across))
        return (across, down), (row / self.step + 0.0, column / self.step + 0.0)

    def _held(self, pixels: float, first: int, room: int) -> int:
        """Whole codes nearest to a number of pixels that leave the first code within 0 .. room."""
        return round(float(np.clip(np.rint(pixels * self.step), -first, max(room - first, -first))))

    def _used(self, pixels: int) -> int:
        """Codes between the first pixel and the last of so many."""
        return round((pixels - 1) * self.step)

    def _signed(self, offset: tuple[float, float]) -> tuple[float, float]:
        """An offset counted from the corner that has code (0, 0), and back."""
        row, column = offset
        origin = self._grid.origin
        return (-row if "bottom" in origin else row), (-column if "right" in origin else column)

    def codes(self, positions: npt.NDArray[np.int32]) -> tuple[Codes, Codes]:
        """Codes of column and row, int32 (n,) each, of pixels (row, column), int32 (n, 2)."""
        down, across = self._along_codes(positions)
        x = np.rint(across * self.step).astype(np.int32) + self._first[1]
        y = np.rint(down * self.step).astype(np.int32) + self._first[0]
        return x, y

    def pixels(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Codes:
        """Pixels (row, column), int32 (n, 2), nearest to codes of column and row, (n,) each."""
        down, across = (
            np.ceil((codes - first) / self.step - 0.5).clip(0, pixels - 1).astype(np.int32)
            for codes, first, pixels in zip((y, x), self._first, self._extent, strict=True)
        )
        rows, columns = (across, down) if self._turned else (down, across)
        return np.stack(self._mirrored(rows, columns), axis=1)

    def beyond(self, positions: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """For which of the pixels (row, column), int32 (n, 2), the controller has no codes, bool (n,)."""
        down, across = self._along_codes(positions)
        return (down * self.step >= self._grid.rows) | (across * self.step >= self._grid.columns)

    @property
    def whole(self) -> bool:
        """Tell whether the controller has codes for all pixels."""
        return self._extent[0] <= self._grid.rows and self._extent[1] <= self._grid.columns

    def _along_codes(self, positions: npt.NDArray[np.int32]) -> tuple[Codes, Codes]:
        """Pixels along the controller's rows and columns."""
        rows, columns = self._mirrored(positions[:, 0], positions[:, 1])
        return (columns, rows) if self._turned else (rows, columns)

    def _mirrored(self, rows: Codes, columns: Codes) -> tuple[Codes, Codes]:
        """Rows and columns from the corner that has code (0, 0), and from there back."""
        if self._grid.origin in ("bottom-left", "bottom-right"):
            rows = self._shape[0] - 1 - rows
        if self._grid.origin in ("top-right", "bottom-right"):
            columns = self._shape[1] - 1 - columns
        return rows, columns


def _place(extent: tuple[int, int], grid: Grid) -> tuple[float, tuple[int, int]]:
    """Codes a pixel, and the first code along rows and columns."""
    room = min(
        (
            (codes * (1 - 2 * grid.margin) - 1) / (pixels - 1)
            for codes, pixels in zip((grid.rows, grid.columns), extent, strict=True)
            if pixels > 1
        ),
        default=1.0,
    )
    if grid.fit == "pixels" or room < 1:
        return 1.0, (0, 0)
    step = room if grid.fit == "stretch" else float(int(room))
    used = [round((pixels - 1) * step) for pixels in extent]
    rows, columns = (grid.rows - 1 - used[0]) // 2, (grid.columns - 1 - used[1]) // 2
    return step, (max(rows, 0), max(columns, 0))
