"""The product of a campaign's lists, and the check of what may be wrong with it before anything is scanned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stemscan.errors import InputNotFoundError, StemscanError, UsageError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.evaluation.campaign.entries import MOST, expanded, files_of
from stemscan.recon.evaluation.campaign.jobs import Common, Job, Source, file_digest
from stemscan.recon.evaluation.campaign.settings import Campaign
from stemscan.recon.evaluation.contenders import Contender, fitted_contenders, labelled_once, parse_contender
from stemscan.simulators.api import Instrument, Specimen, instrument_of, kind_of, load_specimen, virtual_microscope
from stemscan.units import counted

__all__ = ["Design", "Planned", "design_of"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Planned:
    """A plan with one of the doses."""

    label: str
    plan: ScanPlan
    digest: str
    folder: Path


@dataclass(frozen=True)
class Design:
    """A campaign whose files are found and read.

    Attributes
    ----------
    firsts : tuple of Source
        The first of each entry of the file.
    planned : tuple of Planned
        Plans x doses.
    instruments : tuple of (str, Instrument)
    """

    campaign: Campaign
    sources: tuple[Source, ...]
    firsts: tuple[Source, ...]
    planned: tuple[Planned, ...]
    instruments: tuple[tuple[str, Instrument], ...]
    common: Common

    def __len__(self) -> int:
        return len(self.sources) * len(self.planned) * len(self.instruments) * len(self.campaign.seeds)

    @property
    def samples(self) -> int:
        """Samples of all acquisitions."""
        return sum(one.plan.total_samples for one in self.planned) * (len(self) // len(self.planned))

    def jobs(self) -> Iterator[Job]:
        """All jobs; those of one specimen follow each other."""
        own_path = self.campaign.paths == "seed"
        for source in self.sources:
            for planned in self.planned:
                for label, instrument in self.instruments:
                    for seed in self.campaign.seeds:
                        yield Job(
                            source,
                            planned.plan,
                            planned.label,
                            planned.digest,
                            planned.folder,
                            instrument,
                            label,
                            seed,
                            own_path,
                            self.common,
                        )

    def kept_in(self, folder: Path) -> Design:
        """The same, with a folder for what is kept."""
        return replace(self, common=replace(self.common, folder=folder.resolve() if self.common.keep else None))

    def check(self, progress: Progress | None = None) -> list[str]:
        """Draw or read the first specimen of each entry, and put it into every microscope.

        Parameters
        ----------
        progress : callable, optional
            Takes (done, in all).

        Returns
        -------
        list of str
            Warnings about the specimens, a sentence each.

        Raises
        ------
        StemscanError
            Of what the campaign would find wrong with every one of them.
        """
        warnings: list[str] = []
        done, total = 0, len(self.firsts) * len(self.planned)
        for source in self.firsts:
            seen: dict[tuple[Any, ...], Specimen] = {}
            for planned in self.planned:
                grid = (planned.plan.shape, planned.plan.pixel_size_nm)
                try:
                    if grid not in seen:
                        seen[grid] = self._drawn(source, planned.plan)
                        warnings += seen[grid].warnings
                    for _, instrument in self.instruments:
                        noise = self.common.noise
                        virtual_microscope(planned.plan, seen[grid], noise=noise, instrument=instrument, threads=1)
                except StemscanError as problem:
                    raise type(problem)(f"{source.label} by {planned.label}: {problem}") from problem
                done += 1
                if progress is not None:
                    progress(done, total)
        return list(dict.fromkeys(warnings))

    def _drawn(self, source: Source, plan: ScanPlan) -> Specimen:
        """A specimen on a plan's grid."""
        reading = self.common.reading if source.sha256 else {}
        return load_specimen(source.place, plan.shape, pixel_size_nm=plan.pixel_size_nm, **reading)


def design_of(campaign: Campaign, folder: Path) -> Design:
    """Find and read what a campaign names.

    Parameters
    ----------
    folder : Path
        From which its files are found.

    Raises
    ------
    InputNotFoundError
        When a file is missing.
    UsageError, PlanError
        When an entry is none that can be meant, or a plan refuses a dose.
    """
    entries = [list(_sources(entry, folder)) for entry in campaign.specimens]
    sources = [source for entry in entries for source in entry]
    labels = [source.label for source in sources]
    if len(set(labels)) < len(labels):
        twice = next(label for number, label in enumerate(labels) if label in labels[:number])
        raise UsageError(f"specimens: expected each once, got {twice!r} twice; remove one")
    common = Common(
        campaign.noise,
        _contenders(campaign, folder),
        campaign.task == "columns",
        campaign.keep,
        campaign.reading.given(),
    )
    design = Design(
        campaign,
        tuple(sources),
        tuple(entry[0] for entry in entries),
        tuple(_planned(campaign, folder)),
        tuple((name, _instrument(name, folder)) for name in campaign.instruments),
        common,
    )
    if len(design) > MOST:
        raise UsageError(f"expected at most {MOST:,} acquisitions, got {len(design):,}; make several campaigns")
    return design


def _sources(entry: str, folder: Path) -> Iterator[Source]:
    """Specimens of an entry."""
    for text in expanded(entry):
        if kind_of(text) is not None:
            yield Source(text, text)
            continue
        names = files_of(text, folder)
        if not names:
            raise InputNotFoundError(f"expected files {text!r} in {str(folder)!r}, got none; correct the entry")
        for name in names:
            yield Source(name, str((folder / name).resolve()), file_digest(folder / name))


def _planned(campaign: Campaign, folder: Path) -> Iterator[Planned]:
    """Plans x doses."""
    for number, given in enumerate(campaign.plans, 1):
        label = given if isinstance(given, str) else f"plan {number}"
        plan = ScanPlan.load(folder / given) if isinstance(given, str) else given
        place = (folder / given).parent if isinstance(given, str) else folder
        try:
            plan.check_files(place)
            for dosed in [plan.replace(dose=dose) for dose in campaign.doses] or [plan]:
                yield Planned(label, dosed, dosed.digest(), place.resolve())
        except StemscanError as problem:
            raise type(problem)(f"{label}: {problem}") from problem


def _instrument(name: str, folder: Path) -> Instrument:
    """A virtual instrument by its name, or of a file."""
    return instrument_of(folder / name if (folder / name).is_file() else name)


def _contenders(campaign: Campaign, folder: Path) -> tuple[Contender, ...]:
    """The contenders of each acquisition."""
    asked = [parse_contender(text, folder=folder) for text in campaign.methods]
    fitted = fitted_contenders() if campaign.task == "columns" else []
    return tuple(labelled_once([*fitted, *asked]))


def described(design: Design) -> list[str]:
    """A campaign's size in words."""
    parts = (
        counted(len(design.sources), "specimen"),
        counted(len(design.planned), "plan and dose", "plans and doses"),
        counted(len(design.instruments), "instrument"),
        counted(len(design.campaign.seeds), "seed"),
    )
    return [
        f"{counted(len(design), 'acquisition')}: {' x '.join(parts)}",
        f"{counted(design.samples, 'sample')}, {counted(len(design.common.contenders), 'contender')} each",
    ]
