"""The user's own points, from a file beside the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from stemscan.files.by_content import (
    FileName,
    Sha256,
    load_points,
    name_from,
    points_sha256,
    read_points,
    remember_place,
)
from stemscan.plan.options import Option
from stemscan.plan.patterns.base import Way
from stemscan.types import Points

__all__ = ["PointList"]


class PointList(Way):
    """The points of a file in its order, the same in every pass; a pixel may stand in it several times.

    Parameters
    ----------
    file : str
        CSV with a row and a column in each line, or npy of shape (N, 2); absolute, or relative to the plan file.
    sha256 : str
        SHA-256 of the points, see `stemscan.files.by_content.points_sha256`; another content is refused.
    samples : int
        Number of points.
    """

    needs_file: ClassVar[bool] = True
    kind: Literal["list"] = "list"
    file: Annotated[
        FileName,
        Option("--points", help="table (csv, txt) or npy file of (row, column); names of columns, as x,y, decide"),
    ]
    sha256: Sha256
    samples: Annotated[int, Field(ge=1, le=2**32)]

    @classmethod
    def from_file(cls, path: str | Path, shape: tuple[int, int], *, folder: str | Path | None = None) -> Self:
        """Make the pattern of a file's points.

        Parameters
        ----------
        path : str or pathlib.Path
            Table (csv, txt) or npy file of (row, column) in pixels.
        shape : tuple of int
            Rows and columns of the grid.
        folder : str or pathlib.Path, optional
            Folder of the plan file, from which the file is named; absolute unless given.

        Raises
        ------
        InputNotFoundError, DataError, PlanError
            When there is no such file, or it holds something else.
        """
        pattern = cls.of(read_points(Path(path), shape), Path(path), None if folder is None else Path(folder))
        remember_place(pattern.sha256, Path(path).absolute())
        return pattern

    @classmethod
    def of(cls, points: Points, path: Path, folder: Path | None) -> Self:
        """Make the pattern of points that stand, or will stand, in a file; parameters as of `from_file`."""
        return cls(file=name_from(path, folder), sha256=points_sha256(points), samples=len(points))

    def samples_per_pass(self, shape: tuple[int, int]) -> int:
        """Number of points."""
        return self.samples

    def check_file(self, shape: tuple[int, int], folder: Path) -> None:
        """Refuse points that are missing or other ones."""
        load_points(self.file, self.sha256, shape, folder, samples=self.samples)
