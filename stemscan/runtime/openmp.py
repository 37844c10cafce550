"""Waiting of the threads of one computation for each other."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["wait_politely"]

_SPINS: Final = 2000
"""About a tenth of a millisecond: longer than a short step of another thread, far shorter than a slice of time."""


def wait_politely() -> None:
    """Let OpenMP's threads sleep when another is not done at once; unless the user has said how they wait.

    Threads that spin until the others are done make a busy machine a hundred times slower. Threads that sleep at once
    are woken up a thousand times in a Fourier analysis, which costs a third of its time. It has an effect before
    OpenMP is loaded, so before torch is imported, in this process and in those that it starts. The number of turns is
    read by GNU's library alone; others sleep.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS))
