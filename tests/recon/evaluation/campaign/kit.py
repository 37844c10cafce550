"""Small campaigns, and runners that cost nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from stemscan.recon.evaluation.campaign.design import Design, design_of
from stemscan.recon.evaluation.campaign.jobs import Job, contender_key
from stemscan.recon.evaluation.campaign.runners import Done, Here, Runner
from stemscan.recon.evaluation.campaign.session import Report, run_campaign
from stemscan.recon.evaluation.campaign.settings import Campaign
from stemscan.recon.evaluation.campaign.work import Made, Row
from stemscan.recon.evaluation.rows import Measured

__all__ = ["Pretended", "Stopping", "campaign_text", "design", "run", "tables"]

PLAN = (
    "{version: 1, pattern: {kind: block-random, block: 8, samples_per_block: 6}, shape: [64, 64], passes: 2, "
    "dwell_ns: 1000, dose: {electrons_per_sample: 20}, pixel_size_nm: 0.02, seed: 7}"
)


def campaign_text(**keys: object) -> str:
    """A campaign file of two specimens, two doses, a seed and two methods; keys stand as YAML has them."""
    known: dict[str, object] = {
        "version": 1,
        "specimens": '["synthetic:5/{0..1}"]',
        "plans": f"[{PLAN}]",
        "doses": "[10, 40]",
        "methods": "[normconv, nearest]",
    }
    return "".join(f"{name}: {value}\n" for name, value in {**known, **keys}.items())


def design(folder: Path = Path(), **keys: object) -> Design:
    """A campaign by its keys, files found from a folder."""
    return design_of(Campaign.from_yaml(campaign_text(**keys)), folder)


def run(asked: Design, folder: Path, runner: Runner | None = None, **options: Any) -> Report:
    """Run a campaign in this process, or by another runner."""
    return run_campaign(asked, folder, runner or Here(), **options)


def tables(folder: Path) -> bytes:
    """The bytes of the summary."""
    return (folder / "summary.parquet").read_bytes()


class Pretended:
    """Does nothing for a job but to remember it; what comes of it follows from its digest."""

    def __init__(self, fail: str = "") -> None:
        self.done: list[tuple[str, tuple[str, ...]]] = []
        self.fail = fail

    def run(self, jobs: Iterator[Job], retries: int) -> Generator[Done, None, None]:
        """See `Runner`."""
        for job in jobs:
            self.done.append((str(job), tuple(one.label for one in job.common.contenders)))
            yield Done(job, self._made(job), 1)

    def _made(self, job: Job) -> Made:
        """A result."""
        if self.fail and self.fail in str(job):
            return Made.failed(job, "no luck")
        rows = {
            contender_key(one, of_columns=job.common.of_columns): Row(Measured(psnr=int(job.digest[:4], 16) / 1000))
            for one in job.common.contenders
        }
        return Made({"samples": job.plan.total_samples}, rows, 0.25, 0.125, 99)


class Stopping:
    """Ends in the middle, as Ctrl-C ends it."""

    def __init__(self, after: int, inner: Runner) -> None:
        self.after, self.inner = after, inner

    def run(self, jobs: Iterator[Job], retries: int) -> Generator[Done, None, None]:
        """See `Runner`."""
        for number, done in enumerate(self.inner.run(jobs, retries)):
            if number == self.after:
                raise KeyboardInterrupt
            yield done
