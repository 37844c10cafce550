"""A job: one acquisition, and what is made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from stemscan import __version__
from stemscan.errors import DataError, InputNotFoundError, refusal
from stemscan.plan.dose import Dose
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.evaluation.contenders import Contender
from stemscan.simulators.api import Instrument
from stemscan.types import Noise

__all__ = ["Common", "Job", "Source", "contender_key", "file_digest"]

_SCHEMA: Final = 1
"""Of results; a new number for another way of making or judging them."""


@dataclass(frozen=True)
class Source:
    """A specimen before it is drawn or read.

    Attributes
    ----------
    label : str
        As the campaign file names it, spans written out.
    place : str
        Path of a file, or name of what is drawn.
    sha256 : str
        Of the file's bytes; empty for what is drawn.
    """

    label: str
    place: str
    sha256: str = ""

    @property
    def identity(self) -> str:
        """Text that changes with what is seen."""
        return self.sha256 or self.place


@dataclass(frozen=True)
class Common:
    """Parts that all jobs of a campaign have in common.

    Attributes
    ----------
    noise : {"poisson", "eq5"}
    of_columns : bool
        Judge columns too.
    keep : tuple of str
        Of "acquisitions" and "images".
    reading : mapping
        Of `load_specimen`, for image files.
    folder : Path or None
        Of the campaign, where something is kept.
    version : str
        Of the package that made the job, and that is to do it.
    """

    noise: Noise
    contenders: tuple[Contender, ...]
    of_columns: bool = False
    keep: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    version: str = __version__


@dataclass(frozen=True)
class Job:
    """One acquisition, and the contenders that are to be run on it.

    Attributes
    ----------
    plan : ScanPlan
        With the campaign's dose.
    plan_folder : Path
        From which files that the plan names are found.
    seed : int
        Of the detector.
    own_path : bool
        The path has the seed of the detector, too.
    """

    source: Source
    plan: ScanPlan
    plan_label: str
    plan_digest: str
    plan_folder: Path
    instrument: Instrument
    instrument_label: str
    seed: int
    own_path: bool
    common: Common

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides the acquisition."""
        known = {
            "schema": _SCHEMA,
            "specimen": self.source.identity,
            "reading": dict(self.common.reading) if self.source.sha256 else {},
            "plan": self.plan_digest,
            "own_path": self.own_path,
            "instrument": self.instrument.settings(),
            "seed": self.seed,
            "noise": self.common.noise,
            "version": self.common.version,
        }
        return hashlib.sha256(json.dumps(known, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def scan_plan(self) -> ScanPlan:
        """The plan by which is scanned."""
        return self.plan.replace(seed=self.seed) if self.own_path else self.plan

    @property
    def dose(self) -> Dose:
        """Dose of the scan."""
        return self.plan.dose

    @property
    def store(self) -> Path | None:
        """Place of the acquisition, where it is kept."""
        if self.common.folder is None or "acquisitions" not in self.common.keep:
            return None
        return self.common.folder / "acquisitions" / self.digest[:2] / f"{self.digest}.zarr"

    def image(self, contender: Contender) -> Path | None:
        """Place of a contender's image, where it is kept."""
        if self.common.folder is None or "images" not in self.common.keep or contender.judged != "picture":
            return None
        name = quote(contender.label, safe=" ,=()+")
        return self.common.folder / "images" / self.digest[:2] / self.digest / f"{name}.tif"

    def __str__(self) -> str:
        return (
            f"{self.source.label}, {self.plan_label}, {self.plan.electrons_per_sample:g} e- per sample, "
            f"{self.instrument_label}, seed {self.seed}"
        )


def contender_key(contender: Contender, *, of_columns: bool) -> str:
    """Digest of everything that decides what a contender makes of an acquisition, 16 hexadecimal digits."""
    known = {
        "method": contender.method,
        "settings": dict(contender.settings),
        "weights": contender.weights_sha256,
        "code": contender.code,
        "judged": [contender.judged, of_columns],
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, which may be a store, of its files' names and bytes.

    Raises
    ------
    InputNotFoundError, DataError
        When it is missing, or cannot be read.
    """
    if not path.exists():
        raise InputNotFoundError(
            f"expected an image file, crystal:NAME or synthetic:SEED/INDEX, got {str(path)!r}, which does not exist; "
            "check it"
        )
    try:
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(path)).encode())
                with file.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
    except OSError as problem:
        raise DataError(f"expected to read {str(path)!r}, got: {refusal(problem)}") from problem
    return digest.hexdigest()
