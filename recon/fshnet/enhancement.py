"""Steps after a network: the non-local step, its patch size and bandwidth as the scan asks for; a regression."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from stemscan.recon.fshnet.nonlocal_step import NEIGHBOURS, bandwidth, check_step, nonlocal_step
from stemscan.recon.fshnet.patch_size import patch_size
from stemscan.types import Image

__all__ = ["Enhancement"]


class Enhancement(NamedTuple):
    """Settings of equation 13, and of the regression; None for what the scan or the network decides.

    Attributes
    ----------
    wanted : bool or None
        Apply it.
    neighbours : int or "all"
        Patches averaged; "all" is the equation as printed.
    h : float or None
        Bandwidth in standard deviations of the image.
    patch : int or None
        Patch size in pixels of the image, a multiple of 4.
    regression : bool
        Correct the image of the network on the full grid by samples that were held out.
    """

    wanted: bool | None = None
    neighbours: int | Literal["all"] = NEIGHBOURS
    h: float | None = None
    patch: int | None = None
    regression: bool = False

    def check(self) -> None:
        """Refuse settings without a meaning, be the step applied or not."""
        check_step(4 if self.patch is None else self.patch, 1.0 if self.h is None else self.h, self.neighbours)

    def apply(
        self, summed: Image, visits: Image, passes: int, image: Image, factor: int
    ) -> tuple[Image, dict[str, Any]]:
        """The step on an image of `factor` scan pixels per pixel, from S and V of so many passes; and its settings."""
        h = bandwidth(float(visits.mean(dtype=np.float64)) / passes) if self.h is None else self.h
        patch = patch_size(summed, visits, factor=factor) if self.patch is None else self.patch
        enhanced = nonlocal_step(image, patch, h=h, neighbours=self.neighbours)
        return enhanced, {"patch": patch, "h": h, "neighbours": self.neighbours}
