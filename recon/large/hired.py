"""Tiles done by the workers of a dask cluster: each is an errand, of which this process alone keeps what comes."""

from __future__ import annotations

import gc
import pickle
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from stemscan import __version__
from stemscan.errors import InputNotFoundError, ReconError, StemscanError, UsageError
from stemscan.recon.evaluation.clients import dask_client
from stemscan.recon.large.flight import Crew, Errand, Task, travels
from stemscan.recon.threads import limit_threads

if TYPE_CHECKING:
    from stemscan.recon.large.work import TileWork
    from stemscan.recon.method import Method

__all__ = ["check_travels", "dask_crew"]

_AHEAD: Final = 2
"""Tiles under way for each thread of the workers, so that none waits."""

_COUNTED_EVERY_S: Final = 5.0
_WORKERS_WITHIN_S: Final = 30

_alone = threading.Lock()


def check_travels(method: Method) -> None:
    """Refuse a method that cannot be sent to other machines.

    Raises
    ------
    UsageError
    """
    if not travels(method):
        raise UsageError(
            f"--scheduler: expected a method of this package, which workers have, got {method}; leave it out"
        )


@contextmanager
def dask_crew(work: TileWork, address: str) -> Iterator[Crew]:
    """Workers of the cluster whose scheduler is at an address.

    Raises
    ------
    UsageError
        When no scheduler answers.
    ReconError
        When no worker comes, one has another version or does not see the store, or the scheduler ends.
    """
    with dask_client(address, 0) as client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_WITHIN_S)
        except TimeoutError as problem:
            raise ReconError(
                f"expected workers at the scheduler {address!r}, got none in {_WORKERS_WITHIN_S} s; start some by: "
                f"dask worker {address}"
            ) from problem
        hired = _Hired(client, work)
        try:
            yield hired
        finally:
            hired.dismiss()


class _Hired:
    """Workers."""

    def __init__(self, client: Any, work: TileWork) -> None:
        from distributed import as_completed

        self._client, self._work = client, work
        self._begun: dict[Any, Task] = {}
        self._landed = as_completed()
        self._room, self._counted = 0, -_COUNTED_EVERY_S

    def has_room(self) -> bool:
        if time.monotonic() - self._counted >= _COUNTED_EVERY_S:
            self._room = max(1, _AHEAD * sum(self._client.nthreads().values()))
            self._counted = time.monotonic()
        return len(self._begun) < self._room

    def begin(self, task: Task) -> None:
        errand = self._work.errand(task)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # a tile is as large as it is
            future = self._client.submit(_done_there, __version__, pickle.dumps(errand), pure=False)
        self._begun[future] = task
        self._landed.add(future)

    def wait(self) -> tuple[Task, Any]:
        future = next(self._landed)
        task = self._begun.pop(future)
        if future.cancelled():
            raise ReconError(
                "expected the dask scheduler to live, got its end; finished tiles are kept, --resume goes on from there"
            )
        problem = future.exception()
        if isinstance(problem, InputNotFoundError):
            raise ReconError(
                f"expected workers that see the files of this command, got from one: {problem}; share the folder with "
                "them, or give the store's URL"
            ) from problem
        if isinstance(problem, StemscanError):
            raise problem
        if problem is not None:
            what = " ".join(str(problem).split()) or type(problem).__name__
            raise ReconError(
                f"expected workers to do tile {task.tile.name}, got: {what}; give them more memory, or the same "
                "version of stemscan, and --resume"
            ) from problem
        return task, self._work.keep(task, future.result())

    def dismiss(self) -> None:
        """Take back what is under way."""
        self._client.cancel(list(self._begun))


def _done_there(version: str, sent: bytes) -> Any:
    """On a worker: do an errand, one at a time; it is opened here, so that what fails can be told."""
    if version != __version__:
        raise ReconError(
            f"expected workers with stemscan {version}, got one with {__version__}; install the same version there"
        )
    with _alone, limit_threads(1):
        try:
            errand: Errand = pickle.loads(sent)
            return errand.function(*errand.arguments)
        finally:
            gc.collect()
