"""The chain of an instrument: from a sample's number to where the beam is, what it meets there and what is read.

A sample's counts are a function of plan, specimen, instrument, seed and its number. Samples are made in blocks of fixed
ends, whatever is asked for, and the last one is kept: so the counts cannot depend on batches, threads or where a scan
was resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.instrument.detector import detect
from stemscan.simulators.instrument.interpolation import signal_at
from stemscan.simulators.instrument.lagging_beam import mean_signal
from stemscan.store.batch import SampleBatch

if TYPE_CHECKING:
    from stemscan.hardware.coil_lag import LaggedPath
    from stemscan.simulators.instrument.effect import Scan
    from stemscan.simulators.instrument.settings import Instrument
    from stemscan.types import Noise

__all__ = ["Chain"]

_BLOCK: Final = 1 << 16
_MIN_PART: Final = 1 << 13


class Chain:
    """Samples of a scan with an instrument.

    Parameters
    ----------
    instrument : Instrument
    scan : Scan
    signal : float32 (H, W)
        Of the specimen.
    lagged : LaggedPath, optional
        Positions of a beam that lags behind its path.
    noise : {"poisson", "eq5"}
    threads : int
        The samples do not depend on it.

    Raises
    ------
    UsageError
        When an effect cannot be in this scan.
    """

    def __init__(
        self,
        instrument: Instrument,
        scan: Scan,
        signal: NDArray[np.float32],
        *,
        lagged: LaggedPath | None = None,
        noise: Noise = "poisson",
        threads: int = 1,
    ) -> None:
        self._scan, self._signal, self._lagged, self._noise, self._threads = scan, signal, lagged, noise, threads
        self._moves = [effect.moves(scan) for effect in instrument.motions]
        self._latest: SampleBatch | None = None

    def samples(self, start: int, stop: int) -> SampleBatch:
        """Samples from `start` to at most `stop`: those in one block."""
        first = start // _BLOCK * _BLOCK
        if self._latest is None or self._latest.start != first:
            self._latest = self._block(first, min(first + _BLOCK, len(self._scan.path)))
        return self._latest[start - first : stop - first]

    def _block(self, start: int, stop: int) -> SampleBatch:
        """A whole block."""
        scan, size = self._scan, stop - start
        commands = scan.path.positions(start, stop)
        offsets = np.zeros((size, 2))
        times = scan.clock.middles(start, stop)
        actual: NDArray[np.float32] | None = None
        begins = targets = means = commands.astype(np.float64)
        if self._lagged is not None:
            ways, actual = self._lagged.ways(start, stop)
            begins, means = ways.astype(np.float64), actual.astype(np.float64)
        signal = np.empty(size, np.float32)

        def look(part: slice) -> None:
            moved = offsets[part]
            for add in self._moves:
                add(start + part.start, times[part], moved)
            if self._lagged is None:
                signal[part] = signal_at(self._signal, targets[part] + moved)
            else:
                ends = begins[part] + moved, targets[part] + moved
                signal[part] = mean_signal(self._signal, *ends, self._lagged.lasting)

        self._share(look, size)
        truths: dict[str, NDArray[Any]] = {}
        if self._moves:
            truths["truth_trajectory"] = (means + offsets).astype(np.float32)
        counts = detect(
            signal,
            electrons_per_sample=scan.plan.electrons_per_sample,
            noise=self._noise,
            seed=scan.seed,
            start=start,
            threads=self._threads,
        )
        return SampleBatch(start, counts, actual, truths or None)

    def _share(self, work: Callable[[slice], None], size: int) -> None:
        """Share out the samples of a block to threads."""
        parts = max(1, min(self._threads, size // _MIN_PART))
        edges = [size * part // parts for part in range(parts + 1)]
        slices = [slice(*ends) for ends in pairwise(edges)]
        if parts == 1:
            work(slices[0])
            return
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(work, slices))
