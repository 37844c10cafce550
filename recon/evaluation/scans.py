"""Cases that are scanned with a plan and judged on the absolute scale; and what any protocol gives of a case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Protocol, cast

from stemscan.recon.evaluation.cases import Case
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.images import loaded
from stemscan.recon.evaluation.protocols import PROTOCOLS
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
from stemscan.simulators.api import sampled_frames
from stemscan.types import Image

__all__ = ["SCANS", "Made", "Scans", "scanned", "scans_of"]


_ANY = Contender("", "")


@dataclass(frozen=True, eq=False)
class Made:
    """A reconstruction on the truth's grid and scale.

    Attributes
    ----------
    image : ndarray of float32, (H, W)
    std : ndarray of float32, (H, W), or None
    factor : int
        Plan pixels per pixel of the grid on which the method worked.
    """

    image: Image
    std: Image | None
    seconds: float
    factor: int


class Scans(Protocol):
    """Everything that depends on the protocol of a case."""

    def reconstructed(self, case: Case, threads: int) -> tuple[Made, Image]:
        """Reconstruct the scan of a case's image; the result and the truth, which has the data range 1."""
        ...

    def pictured(self, case: Case) -> tuple[Inputs, Image]:
        """Counts and truth of a case on the scan grid, for a picture."""
        ...

    def on_scan_grid(self, image: Image) -> Image:
        """An image of the truth's grid on the scan grid."""
        ...


def scans_of(noise: str) -> Scans:
    """The scans of a protocol; imports its module."""
    return cast(Scans, import_module(PROTOCOLS[noise].module).SCANS)


class _PlannedScans:
    """See `Scans`: noise "poisson" or "eq5"."""

    def reconstructed(self, case: Case, threads: int) -> tuple[Made, Image]:
        """See `Scans`."""
        inputs, truth = scanned(case, threads), loaded(case.image).fine
        contender, method = case.contender, case.contender.find()
        if method.sees_truth:
            inputs = replace(inputs, truth=truth)
        done = reconstruct(
            inputs,
            method,
            weights=contender.weights,
            device=case.device,
            threads=threads,
            contradictions=False,
            **dict(contender.settings),
        )
        return Made(done.image, done.std, done.seconds, done.native_factor), truth

    def pictured(self, case: Case) -> tuple[Inputs, Image]:
        """See `Scans`."""
        return scanned(case), loaded(case.image).fine

    def on_scan_grid(self, image: Image) -> Image:
        """See `Scans`."""
        return image


SCANS: Final[Scans] = _PlannedScans()


def scanned(case: Case, threads: int = 1) -> Inputs:
    """The scan of a case's image, the same for all contenders.

    Parameters
    ----------
    case : Case
        Of noise "poisson" or "eq5".
    threads : int
        Threads of the detector; the scan does not depend on it.

    Returns
    -------
    Inputs
        Without truth.
    """
    return _scan(replace(case, contender=_ANY, device="cpu"), threads)


@lru_cache(maxsize=2)
def _scan(case: Case, threads: int) -> Inputs:
    """Counts and visits of a scan; the last ones are kept."""
    noise: Any = case.cell.noise
    image, plan = loaded(case.image), case.plan()
    frames, visits = sampled_frames(image.fine, plan, noise=noise, seed=case.scan_seed, threads=threads)
    return Inputs.from_arrays(frames, visits, case.cell.dose, noise=noise, pixel_size_nm=image.pixel_size_nm)
