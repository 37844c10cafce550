"""The result of a method (`Estimate`) and that of a user's call (`Reconstruction`).

A method estimates on whatever grid suits it: factor f means that pixel (i, j) of the estimate stands for the plan's
pixels f i .. f i + f - 1 by f j .. f j + f - 1, so that a plan of H x W pixels needs ceil(H / f) x ceil(W / f) of them.
`stemscan.recon.run.reconstruct` calls the method, brings its estimate to the grid that was asked for and adds what
the method does not know: its name, its time, the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stemscan.display import as_html, as_text
from stemscan.named import import_named
from stemscan.types import ReadOnlyMapping

if TYPE_CHECKING:
    from pathlib import Path

    from stemscan.recon.contradiction.contradiction import Contradiction, Place
    from stemscan.recon.metrics import Metrics

__all__ = ["Estimate", "Reconstruction"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """The result of a method.

    Attributes
    ----------
    image : ndarray of float32, (ceil(H / factor), ceil(W / factor))
        Estimated signal on the absolute scale (counts over dose; a specimen's signal lies in [0, 1]).
    std : ndarray of float32, of the image's shape, or None
        Standard deviation of the image's error, per pixel.
    factor : int
        Plan pixels per pixel of the estimate, in each direction.
    settings : mapping
        Everything that was set or found out and that is needed to do it again: JSON types only.
    """

    image: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32] | None = None
    factor: int = 1
    settings: Mapping[str, Any] = field(default_factory=ReadOnlyMapping)


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction:
    """An image of the specimen and how it came about.

    Attributes
    ----------
    image : ndarray of float32
        Estimated signal on the absolute scale; (H, W) on the plan's grid, or the method's own coarser grid.
    std : ndarray of float32, of the image's shape, or None
        Standard deviation of the image's error, per pixel.
    method : str
        Name of the method, as ``stemscan methods`` lists it, or of the plug-in.
    settings : mapping
        Settings of the method, given and found.
    seconds : float
        Wall time of the method, upsampling included; NaN for one that was read, for files hold no times.
    factor : int
        Plan pixels per pixel of `image` in each direction: 1 on the plan's grid.
    native_factor : int
        The same for the grid on which the method worked.
    pixel_size_nm : float or None
        Size of a pixel of `image` in nm, where it is known.
    source : mapping
        The `source` of the inputs.
    checked : Contradiction or None
        The image held against its counts; None where that was not asked for, or not kept.
    """

    image: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32] | None
    method: str
    settings: Mapping[str, Any]
    seconds: float
    factor: int = 1
    native_factor: int = 1
    pixel_size_nm: float | None = None
    source: Mapping[str, Any] = field(default_factory=ReadOnlyMapping)
    checked: Contradiction | None = None

    @property
    def contradiction(self) -> npt.NDArray[np.float32] | None:
        """Standard deviations by which the counts around a pixel are above the image, float32 of the image's shape."""
        return None if self.checked is None else self.checked.z

    @property
    def contradictions(self) -> tuple[Place, ...]:
        """Places (row, col, z) where the counts contradict the image, the worst first; see `Contradiction.places`."""
        return () if self.checked is None else self.checked.places

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """The image, for numpy."""
        return np.array(self.image, dtype=dtype, copy=copy)

    def compare(self, truth: npt.ArrayLike | None) -> Metrics:
        """Compare the image with the truth by every metric; see `stemscan.recon.metrics.compare`.

        Parameters
        ----------
        truth : array_like, (H, W)
            The specimen's signal in [0, 1], as a simulation's `Acquisition.truth` has it.

        Raises
        ------
        ReconError
            Where there is no truth, or it has another shape.
        """
        from stemscan.errors import ReconError
        from stemscan.recon.metrics import compare

        if truth is None:
            raise ReconError("expected the truth, got None; only simulations have one")
        return compare(self.image, truth)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write it in the format that the suffix names; see `stemscan.recon.output.writing.write_reconstruction`.

        Parameters
        ----------
        path : str or Path
            Ends in .zarr (holds everything), .tif, .ome.tif, .hspy, .zspy, .npy or .png.
        overwrite : bool
            Replace what is there.

        Returns
        -------
        Path
            File or store that was written.

        Raises
        ------
        UsageError, InputNotFoundError, OutputExistsError, MissingDependencyError
            When the place, its suffix or a package for it does not fit.
        """
        from stemscan.objects.path import as_path

        import_named("stemscan.recon.output.writing:write_reconstruction")(self, path, overwrite=overwrite)
        return as_path(path)

    def _rows(self) -> list[tuple[str, str]]:
        rows, columns = self.image.shape
        size = "unknown" if self.pixel_size_nm is None else f"{self.pixel_size_nm:g} nm"
        found = [
            ("image", f"{rows} x {columns} pixels, {self.image.min():.3g} to {self.image.max():.3g}"),
            ("pixel size", size),
        ]
        if self.std is not None:
            found.append(("standard deviation", f"{self.std.mean():.3g} on average"))
        if self.checked is not None:
            found.append(("contradictions", str(self.checked)))
        if self.source.get("path") is not None:
            found.append(("source", str(self.source["path"])))
        return found if np.isnan(self.seconds) else [*found, ("time", f"{self.seconds:.2f} s")]

    def __repr__(self) -> str:
        """A few lines for people."""
        return as_text(f"Reconstruction by {self.method}", self._rows())

    def _repr_html_(self) -> str:
        """The image with a scale bar, and a table."""
        from io import BytesIO

        from stemscan.recon.pictures.single import draw_picture

        png = BytesIO()
        draw_picture(self.image, png, pixel_size_nm=self.pixel_size_nm, checked=self.checked)
        return as_html(f"Reconstruction by {self.method}", self._rows(), png.getvalue())
