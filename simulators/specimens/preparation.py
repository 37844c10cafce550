"""A picture on its way to a specimen, and the record of what was done to it, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import SpecimenError
from stemscan.files.images import Picture
from stemscan.runtime.memory import require_memory
from stemscan.simulators.specimens.intensity import Range, grey, min_max, outliers, real_values, scaled
from stemscan.simulators.specimens.smoothing import PAPER_SIGMA, paper_smoothed, resampled
from stemscan.units import counted, format_count

__all__ = ["Fit", "Preparation"]

Fit = Literal["error", "crop", "resample"]

_TOLERANCE = 0.01

_BYTES_A_VALUE = 8
"""Memory of a picture as float64."""


@dataclass
class Preparation:
    """A picture on its way to a specimen, and the record of what was done to it."""

    name: str
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    floating: bool = False
    pixel_sizes: tuple[float, float] | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def read(self, picture: Picture) -> None:
        """Take a picture in, as finite grey values."""
        raw = picture.values
        remedy = "take a smaller picture, or a machine with more"
        purpose = f"for a picture of {counted(raw.size, 'value')} in {self.name!r}"
        require_memory(_BYTES_A_VALUE * raw.size, purpose, remedy)
        step: dict[str, Any] = {"step": "read", "shape": list(raw.shape), "dtype": str(raw.dtype)}
        if picture.frames > 1:
            step |= {"frame": picture.frame, "frames": picture.frames}
        if picture.name:
            step["signal"] = picture.name
        self.steps.append(step | ({"notes": list(picture.notes)} if picture.notes else {}))
        plane, grey_step = grey(raw)
        if grey_step:
            self.steps.append(grey_step)
        self.values = real_values(plane, self.name)
        self.floating = raw.dtype.kind == "f"
        self.pixel_sizes = picture.pixel_size_nm
        self.warnings += [f"{self.name}: {warning}" for warning in picture.warnings]

    def crop(self, shape: tuple[int, int], fit: Fit) -> None:
        """Keep the top left corner, or check that nothing needs to be done."""
        have = self.values.shape
        if have == tuple(shape) or fit == "resample":
            return
        done = "".join(f", {note}" for note in self.steps[0].get("notes", ()))
        known = f"got {have[0]} x {have[1]} pixels in {self.name!r}{done}"
        if fit == "error":
            raise SpecimenError(
                f"expected the plan's grid of {shape[0]} x {shape[1]} pixels, {known}; choose fit 'crop' or "
                "'resample' (--fit), or a plan of that shape"
            )
        if have[0] < shape[0] or have[1] < shape[1]:
            raise SpecimenError(
                f"expected at least the plan's {shape[0]} x {shape[1]} pixels to crop, {known}; choose fit 'resample' "
                "(--fit) or a smaller plan"
            )
        self.values = np.ascontiguousarray(self.values[: shape[0], : shape[1]])
        self.steps.append({"step": "crop", "corner": "top left", "from": list(have), "to": list(shape)})

    def scale(self, value_range: Range | None) -> None:
        """Bring the values into [0, 1]."""
        found = outliers(self.values) if value_range is None else None
        if found is not None:
            few, low, high, share = found
            self.warnings.append(
                f"{self.name}: {format_count(few)} of {counted(self.values.size, 'pixel')} "
                f"{'holds' if few == 1 else 'hold'} {100 * share:.4g} % "
                f"of the range, the others go from {low:g} to {high:g}; try --range 0.1%,99.9%"
            )
        self.values, step = scaled(self.values, floating=self.floating, value_range=value_range, name=self.name)
        self.steps.append(step)

    def smooth(self, median: int) -> None:
        """Smooth as the paper does, and use the whole of [0, 1] again."""
        self.values = paper_smoothed(self.values, median=median)
        self.steps.append({"step": "smooth", "gaussian_px": PAPER_SIGMA, "median_3x3": median})
        self.values, step = min_max(self.values, self.name)
        self.steps.append(step)

    def resample(self, shape: tuple[int, int]) -> None:
        """Go to the plan's grid; overshoot is clipped."""
        have = self.values.shape
        if have == tuple(shape):
            return
        values = resampled(self.values, shape)
        outside = int(np.count_nonzero((values < 0) | (values > 1)))
        self.values = values.clip(0, 1)
        self.steps.append(
            {"step": "resample", "kernel": "cubic", "from": list(have), "to": list(shape), "clipped": outside}
        )
        ratios = (have[0] / shape[0], have[1] / shape[1])
        if self.pixel_sizes is not None:
            self.pixel_sizes = (self.pixel_sizes[0] * ratios[0], self.pixel_sizes[1] * ratios[1])
        if _differ(*ratios):
            self.warnings.append(
                f"{self.name} was stretched: {have[0]} x {have[1]} pixels resampled to {shape[0]} x {shape[1]}"
            )

    def finished(self, plan_pixel_nm: float | None) -> tuple[NDArray[np.float32], float | None, dict[str, Any]]:
        """Signal, pixel size (the plan's, else the file's) and record."""
        own = self._own_pixel_size(plan_pixel_nm)
        record: dict[str, Any] = {"source": "image", "steps": self.steps, "warnings": self.warnings}
        if self.pixel_sizes is not None:
            record["file_pixel_size_nm"] = list(self.pixel_sizes)
        return self.values.astype(np.float32), own if plan_pixel_nm is None else plan_pixel_nm, record

    def _own_pixel_size(self, plan_pixel_nm: float | None) -> float | None:
        """The file's pixel size, where it is one number; says what does not agree."""
        if self.pixel_sizes is None:
            return None
        rows, columns = self.pixel_sizes
        if plan_pixel_nm is not None and (_differ(rows, plan_pixel_nm) or _differ(columns, plan_pixel_nm)):
            stated = f"{columns:.4g}" if not _differ(rows, columns) else f"{rows:.4g} x {columns:.4g}"
            self.warnings.append(
                f"pixel size: {self.name} says {stated} nm on this grid, the plan {plan_pixel_nm:.4g} nm; "
                "the plan's is used"
            )
        elif _differ(rows, columns):
            self.warnings.append(f"{self.name} has pixels of {rows:.4g} x {columns:.4g} nm, which are not square")
            return None
        return columns


def _differ(first: float, second: float) -> bool:
    """Tell whether two lengths differ by more than a hundredth."""
    return abs(first - second) > _TOLERANCE * max(abs(first), abs(second))
