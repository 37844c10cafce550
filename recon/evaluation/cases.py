"""Cases to be run: the product of images, noise, ratios, doses and contenders, and the digest that names each case.

The seeds of path and detector follow from the evaluation's seed and the image's own digest: images have independent
noise, all contenders see the same scan, and an image keeps its scan whichever others are evaluated with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from stemscan import __version__
from stemscan.errors import UsageError, remedy_for
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.images import ImageSource
from stemscan.recon.evaluation.protocols import NOISES, PROTOCOLS
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["BLOCK", "Case", "Cell", "Grid", "all_cases", "percent"]

BLOCK: Final = 8

_SCHEMA: Final = 1
_COLUMNS_SCHEMA: Final = 1
"""Of what is kept of a case of the task of columns; a new number for another way of judging them."""


@dataclass(frozen=True)
class Cell:
    """Noise, samples in each 8 x 8 block of a pass, and dose per sample in electrons."""

    noise: str
    samples_per_block: int
    dose: float


@dataclass(frozen=True)
class Grid:
    """Cells and what they have in common.

    Attributes
    ----------
    noises : tuple of str
        Of `stemscan.recon.evaluation.protocols.NOISES`.
    samples_per_block : tuple of int
        1 to 64; the paper takes 1 to 6.
    doses : tuple of float
        Electrons per sample, above 0; the paper takes 10 and 25.
    passes : int
        1 to 256; some protocols have one number of passes only.
    seed : int
        0 to 2**63 - 1.

    Raises
    ------
    UsageError
        When one is out of range, empty or stands twice.
    """

    noises: tuple[str, ...] = ("poisson",)
    samples_per_block: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    doses: tuple[float, ...] = (10.0, 25.0)
    passes: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        for name, values in (("noise", self.noises), ("ratio", self.samples_per_block), ("dose", self.doses)):
            if not values or len(set(values)) != len(values):
                raise UsageError(f"expected each {name} once and at least one, got {list(values)}; correct the list")
        for noise in self.noises:
            if noise not in NOISES:
                remedy = remedy_for(noise, NOISES, "name one of them")
                raise UsageError(f"expected noise of {', '.join(NOISES)}, got {noise!r}; {remedy}")
            passes = PROTOCOLS[noise].passes
            if passes is not None and passes != self.passes:
                raise UsageError(
                    f"expected {counted(passes, 'pass')} under the protocol {noise}, got {self.passes}; drop one"
                )
        for number in self.samples_per_block:
            if not 1 <= number <= BLOCK * BLOCK:
                raise UsageError(f"expected ratios as 1 to 64 samples of 64, got {number}; the paper takes 1 to 6")
        for dose in self.doses:
            if not 1e-3 <= dose <= 1e6:
                raise UsageError(f"expected doses of 0.001 to 1000000 electrons, got {dose:g}; the paper takes 10, 25")
        if not 1 <= self.passes <= 256:
            raise UsageError(f"expected 1 to 256 passes, got {self.passes}; the paper takes 4")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"expected a seed of 0 to 2**63 - 1, got {self.seed}")

    def cells(self) -> list[Cell]:
        """All cells, by noise, ratio, dose."""
        return [Cell(n, k, d) for n in self.noises for k in self.samples_per_block for d in self.doses]


@dataclass(frozen=True)
class Case:
    """One contender on one image in one cell.

    Attributes
    ----------
    device : str
        Of torch.
    """

    image: ImageSource
    cell: Cell
    passes: int
    seed: int
    contender: Contender
    device: str = "cpu"

    @property
    def scan_seed(self) -> int:
        """Seed of path and detector, 0 to 2**63 - 1."""
        text = f"{self.seed}/{self.image.sha256}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

    def plan(self) -> ScanPlan:
        """The plan of the scan; where the protocol needs none, it names the scan."""
        return _plan(self.image.shape, self.cell.samples_per_block, self.cell.dose, self.passes, self.scan_seed)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides the case's row, seconds and label excepted."""
        known: dict[str, Any] = {
            "schema": _SCHEMA,
            "image": self.image.sha256,
            "plan": self.plan().digest(),
            "noise": self.cell.noise,
            "seed": self.scan_seed,
            "method": self.contender.method,
            "settings": dict(self.contender.settings),
            "weights": self.contender.weights_sha256,
            "version": __version__,
        }
        if self.image.set == "columns":
            known["task"] = [_COLUMNS_SCHEMA, self.contender.judged]
        if self.contender.code:
            known["code"] = self.contender.code
        if self.device != "cpu":
            known["device"] = self.device
        text = json.dumps(known, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def all_cases(
    images: Sequence[ImageSource], grid: Grid, contenders: Sequence[Contender], device: str = "cpu"
) -> list[Case]:
    """Every case there is to run; those of one scan follow each other.

    Parameters
    ----------
    contenders : sequence of Contender
        The oracle is left out where the protocol does not define it.
    device : str
        For methods that compute with torch.
    """
    devices = [device if contender.find().uses_torch else "cpu" for contender in contenders]
    return [
        Case(image, cell, grid.passes, grid.seed, contender, where)
        for image in images
        for cell in grid.cells()
        for contender, where in zip(contenders, devices, strict=True)
        if contender.competes or PROTOCOLS[cell.noise].has_oracle
    ]


@lru_cache(maxsize=64)
def _plan(shape: tuple[int, int], samples_per_block: int, dose: float, passes: int, seed: int) -> ScanPlan:
    """A plan; the last ones are kept, for all contenders share them."""
    from stemscan.plan.scan_plan import ScanPlan

    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": BLOCK, "samples_per_block": samples_per_block},
            "shape": list(shape),
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": dose},
            "seed": seed,
        }
    )


def percent(samples_per_block: int) -> str:
    """The sampling ratio of a pass with three digits; the paper calls 3 of 64, 4.69 %, five percent.

    Examples
    --------
    >>> percent(1), percent(3), percent(6), percent(7)
    ('1.56 %', '4.69 %', '9.38 %', '10.9 %')
    """
    return f"{100 * samples_per_block / BLOCK**2:.3g} %"
