"""Who does the jobs: this process, or the workers of a dask cluster. What comes of a job does not depend on it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from stemscan import __version__
from stemscan.errors import ReconError, StemscanError
from stemscan.recon.evaluation.campaign.folder import MARK
from stemscan.recon.evaluation.campaign.jobs import Job
from stemscan.recon.evaluation.campaign.work import Made, check_worker, run_job
from stemscan.recon.evaluation.run import failure_text

__all__ = ["Cluster", "Done", "Here", "Runner"]

_LEAST_AHEAD: Final = 16
_AHEAD_A_THREAD: Final = 4
_COUNTED_EVERY_S: Final = 5.0


class Done(NamedTuple):
    """A job, what came of it, and how often it was tried."""

    job: Job
    made: Made
    attempts: int


class Runner(Protocol):
    """Does jobs."""

    def run(self, jobs: Iterator[Job], retries: int) -> Generator[Done, None, None]:
        """Do all jobs, each again after a failure up to so many times; give them as they are done."""
        ...


class Here:
    """One after the other in this process."""

    def run(self, jobs: Iterator[Job], retries: int) -> Generator[Done, None, None]:
        """See `Runner`."""
        for job in jobs:
            attempts = 1
            while (made := _made_here(job)).error and attempts <= retries:
                attempts += 1
            yield Done(job, made, attempts)


def _made_here(job: Job) -> Made:
    """Result of a job in this process."""
    try:
        return run_job(job)
    except Exception as problem:  # noqa: BLE001 - the others go on
        return Made.failed(job, problem)


class Cluster:
    """On the workers of a dask cluster, a few jobs for each ahead, so that a million take no memory."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._ahead, self._counted = _LEAST_AHEAD, -_COUNTED_EVERY_S

    @property
    def dashboard(self) -> str:
        """Address of the dashboard, and what its pages need where that is missing."""
        if find_spec("bokeh") is None:
            return f"{self.client.dashboard_link} (its pages need bokeh: pip install 'stemscan[cluster]')"
        return str(self.client.dashboard_link)

    @property
    def is_empty(self) -> bool:
        """Tell whether no worker has come yet."""
        return not self.client.nthreads()

    def check(self, mark: Path | None) -> None:
        """See that a worker can do jobs; waits for the first one.

        Parameters
        ----------
        mark : Path or None
            A file that workers must see, where something is kept beside it.

        Raises
        ------
        ReconError
            When it cannot.
        """
        try:
            complaint = self.client.submit(check_worker, __version__, mark, pure=False).result()
        except StemscanError:
            raise
        except Exception as problem:  # noqa: BLE001 - as a worker without this package raises
            complaint = f"{failure_text(problem)}; install the same version there"
        if complaint:
            raise ReconError(f"expected workers that can do the jobs, got {complaint}")

    def run(self, jobs: Iterator[Job], retries: int) -> Generator[Done, None, None]:
        """See `Runner`."""
        from distributed import as_completed

        if (first := next(jobs, None)) is None:
            return
        self.check(first.common.folder and first.common.folder / MARK)
        jobs = chain([first], jobs)
        flying: dict[Any, tuple[Job, int]] = {}
        landed = as_completed()

        def send(job: Job, attempt: int) -> None:
            future = self.client.submit(run_job, job, pure=False)
            flying[future] = (job, attempt)
            landed.add(future)

        def fill() -> None:
            while len(flying) < self._window() and (job := next(jobs, None)) is not None:
                send(job, 1)

        try:
            fill()
            for future in landed:
                job, attempt = flying.pop(future)
                made = self._made(future, job)
                if made.error and attempt <= retries:
                    send(job, attempt + 1)
                else:
                    yield Done(job, made, attempt)
                fill()
        finally:
            self.client.cancel(list(flying))

    def _made(self, future: Any, job: Job) -> Made:
        """Result of a job."""
        if future.cancelled():
            raise ReconError(
                "expected the dask scheduler to live, got its end; what was done is kept, --resume goes on from there"
            )
        problem = future.exception()
        made: Made = Made.failed(job, problem) if problem is not None else future.result()
        return made

    def _window(self) -> int:
        """Jobs that may be under way, by the workers that there are now."""
        if time.monotonic() - self._counted >= _COUNTED_EVERY_S:
            self._ahead = max(_LEAST_AHEAD, _AHEAD_A_THREAD * sum(self.client.nthreads().values()))
            self._counted = time.monotonic()
        return self._ahead
