"""A campaign from beginning to end: what is missing is made, the rest is read, all is put into tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stemscan.errors import StoreMismatchError, UsageError
from stemscan.recon.evaluation.campaign.design import Design
from stemscan.recon.evaluation.campaign.folder import RESULTS, SUMMARY, begin_folder
from stemscan.recon.evaluation.campaign.jobs import Job, contender_key
from stemscan.recon.evaluation.campaign.results import Results
from stemscan.recon.evaluation.campaign.runners import Runner
from stemscan.recon.evaluation.campaign.summary import Summary, write_summary
from stemscan.units import counted

__all__ = ["Report", "failures_in_words", "run_campaign"]

_TOLD: Final = 20

Progress = Callable[[int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Report:
    """A campaign that was done.

    Attributes
    ----------
    acquisitions : int
        In all.
    computed : int
        Made or judged by this call.
    seconds : float
        Of this call.
    """

    acquisitions: int
    computed: int
    seconds: float
    summary: Summary


def run_campaign(
    design: Design,
    folder: Path,
    runner: Runner,
    *,
    text: str = "",
    retries: int = 2,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Make what is missing of a campaign, and write its tables.

    Parameters
    ----------
    text : str
        Of the campaign file, of which the folder gets a copy.
    retries : int
        Times that a job is tried again after a failure, at least 0.
    resume, overwrite : bool
        Go on with a campaign that is there, which may have grown since, or replace it.
    progress : callable, optional
        Takes (acquisitions done, in all, numbers by name).

    Raises
    ------
    OutputExistsError, InputNotFoundError, StoreMismatchError
        As `check_folder`; or when the folder holds acquisitions of another campaign.
    StemscanError
        When the folder cannot be written, or the cluster is lost. What was done is kept.
    """
    if retries < 0:
        raise UsageError(f"expected 0 or more retries, got {retries}")
    began = time.perf_counter()
    begin_folder(folder, text, resume=resume, overwrite=overwrite)
    design = design.kept_in(folder)
    with Results(folder / RESULTS) as results:
        missing = sum(1 for _ in _missing(design, results))
        _refuse_another(design, results, folder)
        total, done = len(design), len(design) - missing
        failed, samples = 0, 0
        if progress is not None:
            progress(done, total, {})
        if missing:
            with closing(runner.run(_missing(design, results), retries)) as outcomes:
                for job, made, attempts in outcomes:
                    results.put(job.digest, made, attempts)
                    done, failed, samples = done + 1, failed + bool(made.error), samples + job.plan.total_samples
                    if progress is not None:
                        rate = samples / (time.perf_counter() - began)
                        progress(done, total, {"samples/s": rate, **({"failed": failed} if failed else {})})
        summary = write_summary(design, results, folder)
    return Report(total, missing, time.perf_counter() - began, summary)


def _missing(design: Design, results: Results) -> Iterator[Job]:
    """Jobs of which something is missing, with the contenders that are to be run."""
    of_columns = design.common.of_columns
    keyed = {contender_key(one, of_columns=of_columns): one for one in design.common.contenders}
    common = design.common
    for job in design.jobs():
        done = results.done(job.digest)
        images = {key: job.image(one) for key, one in keyed.items()} if "images" in common.keep else {}
        wanted = tuple(
            one for key, one in keyed.items() if key not in done or ((place := images.get(key)) and not place.is_file())
        )
        if wanted or not done or (job.store is not None and not job.store.is_dir()):
            yield job if wanted == common.contenders else replace(job, common=replace(common, contenders=wanted))


def _refuse_another(design: Design, results: Results, folder: Path) -> None:
    """Refuse a folder with acquisitions that are none of the campaign's."""
    foreign = set(results) - {job.digest for job in design.jobs()}
    if foreign:
        raise StoreMismatchError(
            f"expected the campaign that {str(folder)!r} holds, or a larger one, got one without "
            f"{counted(len(foreign), 'acquisition')} of it; take another folder, or --overwrite it"
        )


def failures_in_words(summary: Summary) -> Iterator[str]:
    """The first failures, a line each, and the number of others."""
    for one in summary.failures[:_TOLD]:
        yield f"{one.job}: {one.contender or 'all'}: {one.error}"
    if summary.failed > _TOLD:
        yield f"{counted(summary.failed - _TOLD, 'failure')} more, in the column error of {SUMMARY}"
