"""Clients of dask clusters: of a scheduler at an address, or of processes on this machine."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, Final

from stemscan.errors import MissingDependencyError, UsageError
from stemscan.runtime.interrupts import blocked

__all__ = ["LOCAL", "dask_client", "require_distributed"]

LOCAL: Final = "local"
"""Instead of an address: a dask cluster of this machine."""

_DASHBOARD: Final = "localhost:8787"
_TIMEOUT_S: Final = 20


def require_distributed() -> None:
    """See that there can be a client.

    Raises
    ------
    MissingDependencyError
        When the package distributed is not installed.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as problem:
        raise MissingDependencyError(
            "expected the package distributed for a dask cluster, got none; install it: pip install 'stemscan[cluster]'"
        ) from problem


@contextmanager
def dask_client(address: str, processes: int, *, dashboard: bool = False) -> Iterator[Any]:
    """Connect to a dask cluster.

    Parameters
    ----------
    address : str
        Of the scheduler, such as tcp://host:8786; or "local" for a cluster of processes on this machine.
    processes : int
        Workers of a local cluster.
    dashboard : bool
        Serve the dashboard of a local cluster, at port 8787 where that is free.

    Raises
    ------
    MissingDependencyError
        When the package distributed is not installed.
    UsageError
        When nothing answers at the address.
    """
    require_distributed()
    import distributed

    if address == LOCAL:
        resource_tracker.ensure_running()  # which would let Ctrl-C through to the first worker if it began later
        with warnings.catch_warnings(), blocked():  # this process alone tells of Ctrl-C
            warnings.filterwarnings("ignore", message="Port .* is already in use")  # another one is taken, and told
            cluster = distributed.LocalCluster(
                n_workers=processes,
                threads_per_worker=1,
                processes=True,
                dashboard_address=_DASHBOARD if dashboard else None,
                silence_logs=logging.ERROR,  # that a busy worker takes its time to end is nobody's concern
            )
        with cluster, distributed.Client(cluster) as client:
            yield client
        return
    try:
        client = distributed.Client(address, timeout=_TIMEOUT_S)
    except (OSError, ValueError, TypeError) as problem:
        raise UsageError(
            f"expected a dask scheduler at {address!r}, got no answer ({type(problem).__name__}); start "
            "'dask scheduler' and give its address, or local"
        ) from problem
    with client:
        yield client
