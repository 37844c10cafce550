"""The pre-flight report: what running a plan on a controller takes and does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stemscan.hardware.quantisation import Quantisation

__all__ = ["Duration", "Finding", "Maps", "Preflight"]


@dataclass(frozen=True)
class Duration:
    """Parts of a scan's time, in ns.

    Attributes
    ----------
    dwell, settle, flyback, stall, switch : int
        On samples, waiting after moves, waiting after moves back, for a link that is slower than the scan, and once for
        the switch that gives the scan to the controller.
    """

    dwell: int
    settle: int
    flyback: int
    stall: int
    switch: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.dwell + self.settle + self.flyback + self.stall + self.switch


@dataclass(frozen=True)
class Finding:
    """Something that the user should know.

    Attributes
    ----------
    level : {"note", "warning", "error"}
        An error is what must not be run; a note does not change the verdict.
    text : str
        Finding, and advice.
    """

    level: Literal["note", "warning", "error"]
    text: str


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of what happens where, on the plan's grid.

    Attributes
    ----------
    visits : ndarray of uint32, (H, W)
    exposed : ndarray of float32, (H, W)
        Time in ns with the beam on.
    since : ndarray of float32, (H, W)
        Shortest time in ns from a visit of the neighbourhood to one of the pixel; infinite where there was none.
    apart : ndarray of float32, (H, W)
        Shortest distance in pixels of a visit of the pixel to the nearest of the 8 samples before; infinite where there
        was none.
    """

    visits: npt.NDArray[np.uint32]
    exposed: npt.NDArray[np.float32]
    since: npt.NDArray[np.float32]
    apart: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Preflight:
    """The report; electrons are detected ones at signal 1.

    Attributes
    ----------
    samples, examined : int
        Samples of the plan, and those that were walked.
    duration : Duration
        Of the whole scan.
    electrons_per_sample : float
        Of the dwell as it will be.
    electrons_per_pass : tuple of float
        Of passes that were walked whole, moves and stalls counted.
    mean_electrons_per_pass : float
        Over all passes, moves and stalls counted; in proportion where only a part was walked.
    unblanked_share : float
        Electrons of waiting with the beam on, over those of the dwells.
    stall_share : float
        Electrons of stalls over those of the dwells, at most: a beam may be on wherever its commands run dry. Spread
        evenly over passes and pixels.
    dose_e_per_A2 : float or None
        Mean incident dose over the field of view, or the plan's region, moves and stalls counted; None without a pixel
        size.
    pixel_dose : tuple of (float, float), optional
        Electrons of a visited pixel at the 0, 5, 50, 95 and 100 % quantiles, as (quantile, electrons), of the samples
        that were walked.
    pixel_dose_histogram : tuple of (float, float, int), optional
        Visited pixels whose electrons lie between two bounds, as (low, high, pixels), without empty bins.
    jumps : tuple of int
        Numbers of jumps of 0 to 1, 1 to 2, 2 to 4, ... pixels between the samples that were walked.
    lag_rms_px, lag_longest_px : float or None
        Distance of the mean position during a dwell from the commanded one, for a profile with a time constant.
    lag_examined : int
        Samples, from the first, for which that was computed.
    revisit_ns : tuple of (float, float), optional
        Time from the latest visit of the neighbourhood (2 pixels) to a sample, at the 0, 1, 5 and 50 % quantiles; all
        but the least within 1.2 %.
    revisit_px : tuple of (float, float), optional
        Distance in pixels of a sample to the nearest of the 8 samples before it, at the same quantiles.
    link_needed, link_there : float or None
        Bytes a second that the program needs, and that the link carries.
    maps : Maps or None
        None for a grid that is too large.
    """

    profile: str
    samples: int
    examined: int
    duration: Duration
    quantisation: Quantisation
    electrons_per_sample: float
    electrons_per_pass: tuple[float, ...]
    mean_electrons_per_pass: float
    unblanked_share: float
    stall_share: float
    dose_e_per_A2: float | None
    pixel_dose: tuple[tuple[float, float], ...] | None
    pixel_dose_histogram: tuple[tuple[float, float, int], ...] | None
    jumps: tuple[int, ...]
    mean_jump_px: float
    longest_jump_px: float
    lag_rms_px: float | None
    lag_longest_px: float | None
    lag_examined: int
    revisit_ns: tuple[tuple[float, float], ...] | None
    revisit_px: tuple[tuple[float, float], ...] | None
    link_needed: float | None
    link_there: float | None
    findings: tuple[Finding, ...] = ()
    maps: Maps | None = None

    @property
    def verdict(self) -> Literal["ok", "warnings", "cannot run"]:
        """Verdict on the findings."""
        levels = {finding.level for finding in self.findings}
        return "cannot run" if "error" in levels else "warnings" if "warning" in levels else "ok"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the maps."""
        data = {name: value for name, value in self.__dict__.items() if name != "maps"}
        data |= {
            "verdict": self.verdict,
            "duration": {**asdict(self.duration), "total": self.duration.total},
            "quantisation": self.quantisation.to_dict(),
            "findings": [asdict(finding) for finding in self.findings],
        }
        return data
