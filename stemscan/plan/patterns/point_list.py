"""The user's own points, from a file beside the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stemscan.files.by_content import FileName, Sha256, load_points
from stemscan.plan.options import Option
from stemscan.plan.patterns.base import Way

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

    def samples_per_pass(self, shape: tuple[int, int]) -> int:
        """Number of points."""
        return self.samples

    def check_file(self, shape: tuple[int, int], folder: Path) -> None:
        """Refuse points that are missing or other ones."""
        load_points(self.file, self.sha256, shape, folder, samples=self.samples)
