"""Runners of cases: this process, several processes, or the workers of a dask cluster.

Each gives (case, outcome) as cases are done, in any order; what a case gives does not depend on who runs it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from stemscan.errors import UsageError
from stemscan.recon.children import as_worker, worker_pool
from stemscan.recon.evaluation.cases import Case
from stemscan.recon.evaluation.clients import dask_client
from stemscan.recon.evaluation.rows import Measured
from stemscan.recon.evaluation.run import Outcome, case_bytes, failure_text, run_case
from stemscan.recon.threads import workers
from stemscan.runtime.memory import require_memory
from stemscan.units import counted

__all__ = ["Dask", "Here", "Processes", "Scheduler", "dask_cluster", "scheduler_for"]

Task = tuple[Case, bool]
"""A case, and whether its image is to be kept."""


Outcomes = Generator[tuple[Case, Outcome], None, None]


class Scheduler(Protocol):
    """Runs tasks."""

    def run(self, tasks: Sequence[Task], threads: int) -> Outcomes:
        """Run all tasks, each with so many threads; give them as they are done."""
        ...


class Here:
    """One after the other in this process."""

    def run(self, tasks: Sequence[Task], threads: int) -> Outcomes:
        """See `Scheduler`."""
        for case, keep_image in tasks:
            yield case, run_case(case, threads, keep_image)


class Processes:
    """Side by side in processes of their own, which end with this one.

    Parameters
    ----------
    number : int
        At least 1.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def run(self, tasks: Sequence[Task], threads: int) -> Outcomes:
        """See `Scheduler`."""
        from concurrent.futures import as_completed

        number = max(1, min(self.number, len(tasks)))
        largest = max((case_bytes(case) for case, _ in tasks), default=0.0)
        remedy = "take fewer --processes, smaller images, or a machine with more"
        require_memory(number * largest, f"for {counted(number, 'process')} at once", remedy)
        kept = "what was computed is kept, go on with the same command and fewer --processes"
        with worker_pool(number, kept, as_worker, script=True) as pool:
            cases = {pool.submit(run_case, case, threads, keep): case for case, keep in tasks}
            for future in as_completed(cases):
                yield cases.pop(future), future.result()


class Dask:
    """On the workers of a dask cluster, which must see the same files."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def run(self, tasks: Sequence[Task], threads: int) -> Outcomes:
        """See `Scheduler`."""
        from distributed import as_completed

        cases = {self.client.submit(run_case, case, threads, keep, pure=False): case for case, keep in tasks}
        for future in as_completed(list(cases)):
            case = cases.pop(future)
            problem = future.exception()
            if problem is None:
                yield case, future.result()
            else:  # a worker that died, or cannot import this package
                yield case, Outcome(Measured(error=failure_text(problem)), None, threads)


@contextmanager
def dask_cluster(address: str, processes: int) -> Iterator[Dask]:
    """Connect to a dask cluster.

    Parameters
    ----------
    address : str
        Of the scheduler, such as tcp://host:8786; or "local" for a cluster of processes on this machine.
    processes : int
        Workers of a local cluster.

    Raises
    ------
    MissingDependencyError
        When the package distributed is not installed.
    UsageError
        When nothing answers at the address.
    """
    with dask_client(address, processes) as client:
        yield Dask(client)


@contextmanager
def scheduler_for(address: str | None, processes: int | None) -> Iterator[Scheduler]:
    """The scheduler that runs the cases.

    Parameters
    ----------
    address : str, optional
        Of a dask cluster; plain processes by default.
    processes : int, optional
        At least 1; one for each processor by default.

    Raises
    ------
    UsageError
        When `processes` is below 1.
    """
    if processes is not None and processes < 1:
        raise UsageError(f"expected at least 1 process, got {processes}; leave it out for one a processor")
    number = processes or workers()
    if address is not None:
        with dask_cluster(address, number) as cluster:
            yield cluster
    elif number == 1:
        yield Here()
    else:
        yield Processes(number)
