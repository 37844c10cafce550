"""The virtual detector: counts = f(seed, sample index, expected electrons), nothing else.

Every sample draws from its own counter-based random words (`stemscan.random`, stream `Stream.DETECTOR`), so batches,
threads and interruptions cannot change a count. Counts are exactly Poisson: see `poisson_table`.
Threads are Python threads on the compiled kernel, which releases the interpreter lock: numba's own thread layers
do not survive a fork or a second calling thread.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stemscan.arguments import whole_number
from stemscan.errors import UsageError
from stemscan.random import Stream
from stemscan.simulators.instrument.poisson_kernels import draw_counts
from stemscan.simulators.instrument.poisson_table import MAX_MEAN, poisson_tables
from stemscan.types import SEEDS, UINT16_ELECTRONS, Noise

__all__ = ["MAX_MEAN", "Noise", "check_means", "check_settings", "count_dtype", "detect", "poisson", "poisson_of"]


_MIN_PART = 1 << 16


def count_dtype(noise: Noise, electrons_per_sample: float) -> np.dtype[Any]:
    """Data type of counts: uint16 up to 60000 electrons per sample, else uint32; float32 under eq5.

    Parameters
    ----------
    noise : {"poisson", "eq5"}
    electrons_per_sample : float
        Expected electrons at signal 1 (lambda).
    """
    if noise == "eq5":
        return np.dtype(np.float32)
    return np.dtype(np.uint16 if electrons_per_sample <= UINT16_ELECTRONS else np.uint32)


def poisson(means: ArrayLike, *, seed: int, start: int = 0, threads: int = 1) -> NDArray[np.uint32]:
    """Poisson counts of given means; count `i` depends on `seed`, ``start + i`` and its mean only.

    Parameters
    ----------
    means : array_like, float (n,)
        Expected electrons, in [0, 2**25).
    seed : int
        0 to 2**64 - 1.
    start : int
        Index of the first sample.
    threads : int
        Python threads to share the work; the counts do not depend on it.

    Returns
    -------
    uint32 (n,)

    Raises
    ------
    UsageError
        If a mean is negative, not finite or too large.
    """
    array = np.ascontiguousarray(means, np.float64)
    return _draw(array, 1.0, seed, start, threads)


def poisson_of(means: NDArray[np.float64], seed: int, start: int, stream: int, channel: int) -> NDArray[np.uint32]:
    """Poisson counts as `poisson`, of a stream and, of detectors that stand side by side, a channel of their own."""
    return _draw(means, 1.0, seed, start, 1, stream, channel)


def detect(
    signal: NDArray[np.float32],
    *,
    electrons_per_sample: float,
    noise: Noise = "poisson",
    seed: int,
    start: int = 0,
    threads: int = 1,
) -> NDArray[Any]:
    """Readings of the detector for samples of known signal.

    Parameters
    ----------
    signal : float32 (n,)
        Specimen signal under the beam, in [0, 1].
    electrons_per_sample : float
        Expected electrons at signal 1 (lambda), in [0, 2**25).
    noise : {"poisson", "eq5"}
        "poisson": counts ~ Poisson(lambda u). "eq5": u Poisson(lambda), equation 5 of He et al. (ICCV 2021) times
        lambda, whose zeros and scale are not those of a counting detector.
    seed : int
        0 to 2**64 - 1.
    start : int
        Index of the first sample in the scan path.
    threads : int
        Python threads to share the work; the counts do not depend on it.

    Returns
    -------
    uint16, uint32 or float32 (n,)
        Detected electrons, type as `count_dtype`.

    Raises
    ------
    UsageError
        If `noise` is unknown, or an expected count is negative, not finite or too large.
    """
    check_settings(noise, seed)
    values = np.ascontiguousarray(signal, np.float32)
    dtype = count_dtype(noise, electrons_per_sample)
    if noise == "poisson":
        return _draw(values, electrons_per_sample, seed, start, threads).astype(dtype, copy=False)
    check_means(values, electrons_per_sample)
    electrons = _draw(np.ones_like(values), electrons_per_sample, seed, start, threads)
    return (values.astype(np.float64) * electrons).astype(dtype)


def check_settings(noise: str, seed: int) -> None:
    """Refuse what is no noise model and no seed."""
    if noise not in get_args(Noise):
        raise UsageError(f"expected noise 'poisson' or 'eq5', got {noise!r}, choose one of the two")
    whole_number(seed, "a seed from 0 to 2**64 - 1", 0, SEEDS - 1)


def check_means(values: NDArray[Any], scale: float) -> float:
    """Return the largest mean; refuse means that have no Poisson count here."""
    if values.ndim != 1:
        raise UsageError(f"expected one value for each sample, got an array of shape {values.shape}, flatten it")
    if not values.size:
        return 0.0
    low, high = float(values.min()) * scale, float(values.max()) * scale
    if not (low >= 0.0 and high < MAX_MEAN):
        raise UsageError(
            f"expected 0 to {MAX_MEAN:.0f} electrons in each sample, got {low:.10g} to {high:.10g}, "
            "check the dose and the signal"
        )
    return high


def _draw(
    values: NDArray[Any],
    scale: float,
    seed: int,
    start: int,
    threads: int,
    stream: int = Stream.DETECTOR,
    channel: int = 0,
) -> NDArray[np.uint32]:
    """Counts of means ``scale * values``, shared out to threads."""
    high = check_means(values, scale)
    check_settings("poisson", seed)
    tables = poisson_tables(high)
    out = np.empty(values.size, np.uint32)
    parts = max(1, min(threads, values.size // _MIN_PART))
    edges = [values.size * part // parts for part in range(parts + 1)]

    def work(begin: int, end: int) -> None:
        draw_counts(
            values[begin:end],
            np.float64(scale),
            np.uint64(seed),
            stream,
            channel << 8,
            np.uint64(start + begin),
            tables.entries,
            tables.start,
            tables.bits,
            tables.first,
            tables.levels,
            out[begin:end],
        )

    if parts == 1:
        work(0, values.size)
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(work, edges[:-1], edges[1:]))
    return out
