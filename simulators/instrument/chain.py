"""The chain of an instrument: from a sample's number to where the beam is, what it meets there and what is read.

A sample's counts are a function of plan, specimen, instrument, seed and its number. Samples are made in blocks of fixed
ends, whatever is asked for, and the last one is kept: so the counts cannot depend on batches, threads or where a scan
was resumed. Effects that remember (damage, contamination, afterglow) take the blocks in turn; asked for another than
the next, the specimen's history begins anew with the first. With a second thread, the way of the beam through the next
block is followed while this one is detected.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.hardware.coil_lag import LaggedPath
from stemscan.random import Stream, random_words
from stemscan.simulators.instrument.detector import detect
from stemscan.simulators.instrument.detectors import DetectorChain
from stemscan.simulators.instrument.exposure import Exposure
from stemscan.simulators.instrument.interpolation import signal_at
from stemscan.simulators.instrument.lagging_beam import mean_signal
from stemscan.store.batch import SampleBatch

if TYPE_CHECKING:
    from stemscan.hardware.coil_lag import CoilLag
    from stemscan.simulators.instrument.effect import Scan
    from stemscan.simulators.instrument.settings import Instrument
    from stemscan.types import Noise

__all__ = ["Chain", "channel_seed"]

_BLOCK: Final = 1 << 16


def channel_seed(seed: int, channel: int) -> int:
    """Seed of the electrons of a channel: that of the first is the simulation's."""
    return seed if not channel else int(random_words(np.uint64(seed), Stream.CHANNEL, np.uint64(channel), 0)[0])


@dataclass(frozen=True, eq=False)
class _Way:
    """Way of the beam through a block: times of dwells, places on the specimen, as far as a controller knows, ways."""

    start: int
    times: NDArray[np.float64]
    places: NDArray[np.float64]
    actual: NDArray[np.float32] | None
    ways: tuple[NDArray[np.float64], NDArray[np.float64]] | None


@dataclass(frozen=True, eq=False)
class _Lit:
    """Light of a block in its detectors, before afterglow, and the truths of its samples."""

    start: int
    way: _Way
    light: list[NDArray[Any]]
    truths: dict[str, NDArray[np.float32]]


class Chain:
    """Samples of a scan with an instrument.

    Parameters
    ----------
    scan : Scan
        Its path is for the chain alone.
    signals : sequence of float32 (H, W)
        Of the specimen for each detector, under the probe; one and the same array where they see the same.
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
        signals: Sequence[NDArray[np.float32]],
        lag: CoilLag,
        *,
        noise: Noise = "poisson",
        threads: int = 1,
    ) -> None:
        self._scan, self._signals, self._noise = scan, tuple(signals), noise
        clock = scan.clock
        self._lagged: LaggedPath | None = None
        if lag.tau_ns > 0:
            self._lagged = LaggedPath(scan.path, lag, clock.waits if clock.ever_waits else None, clock.dwell_ns)
        self._moves = [effect.moves(scan) for effect in instrument.motions]
        self._exposure = Exposure(instrument, scan)
        self._detectors = [
            DetectorChain(one, number, scan.seed, clock) for number, one in enumerate(instrument.detectors)
        ]
        self._shares = [one.collection.response(instrument.scattering) for one in instrument.detectors]
        self._tracks = instrument.tracks
        self._run_in = max(one.run_in for one in self._detectors)
        self._size = max(_BLOCK, self._run_in)
        self._edges = np.arange(0, len(scan.path) + 1, self._size)
        self._moves_of_passes: NDArray[np.float64] | None = None
        self._latest: SampleBatch | None = None
        self._lit: dict[int, _Lit] = {}
        self._pool = ThreadPoolExecutor(1) if threads > 1 else None
        self._ahead: tuple[int, Future[_Way]] | None = None

    def samples(self, start: int, stop: int) -> SampleBatch:
        """Samples from `start` to at most `stop`: those in one block."""
        first = int(self._edges[np.searchsorted(self._edges, start, side="right") - 1])
        if self._latest is None or self._latest.start != first:
            self._latest = self._read(first)
        return self._latest[start - first : stop - first]

    def move_field(self, offsets: NDArray[np.float64], number: int) -> None:
        """Take the field to lie elsewhere from pass `number` on.

        Blocks end with passes from now on, and what was made of samples of that pass is dropped.

        Parameters
        ----------
        offsets : float64 (T, 2)
            Of each pass, (row, column) in pixels.
        """
        self._moves_of_passes = offsets.copy()
        each = self._scan.plan.samples_per_pass
        self._edges = np.union1d(self._edges, np.arange(0, len(self._scan.path) + 1, each))
        first = number * each
        self._latest = None
        self._lit = {start: lit for start, lit in self._lit.items() if start + len(lit.way.times) <= first}
        if self._ahead is not None:
            self._ahead[1].result()
            self._ahead = None
        if self._exposure.at > first:
            self._exposure.begin_anew()

    # ------------------------------------------------------------------ blocks, by their first sample

    def _read(self, start: int) -> SampleBatch:
        """Readings of a block."""
        earlier = self._before(start)
        for before in earlier:
            if before not in self._lit:
                self._lit[before] = self._light(before)
        lit = self._light(start)
        late = [self._lit[before] for before in earlier]
        counts = [self._reading(channel, lit, late) for channel in range(len(lit.light))]
        self._lit = {one.start: one for one in (*late, lit)} if self._run_in else {}
        read = counts[0] if len(counts) == 1 else np.stack(counts, axis=1)
        return SampleBatch(start, read, lit.way.actual, lit.truths or None)

    def _before(self, start: int) -> list[int]:
        """Blocks before one whose light is still seen in it."""
        if not self._run_in:
            return []
        first = np.searchsorted(self._edges, max(start - self._run_in, 0), side="right") - 1
        return [int(edge) for edge in self._edges[first:] if edge < start]

    def _reading(self, channel: int, lit: _Lit, before: list[_Lit]) -> NDArray[Any]:
        """Numbers of one detector."""
        detector, light = self._detectors[channel], lit.light[channel]
        if detector.run_in:
            earlier = np.concatenate([light[:0], *(one.light[channel] for one in before)])[-detector.run_in :]
            joined = np.concatenate([earlier, light])
            light = detector.delayed(joined, lit.start - len(earlier))[len(earlier) :]
        return detector.read(light, lit.start)

    def _light(self, start: int) -> _Lit:
        """Light of a block, its specimen as all samples before left it."""
        exposure = self._exposure
        if exposure.remembers and exposure.at != start:
            if exposure.at > start:
                exposure.begin_anew()
            while exposure.at < start:
                past = self._follow(exposure.at)
                exposure.take(past.start, past.times, past.places)
        way = self._way(start)
        met = exposure.take(start, way.times, way.places)
        truths = dict(met.truths)
        if "truth_trajectory" in self._tracks:
            truths["truth_trajectory"] = way.places.astype(np.float32)
        met_by: dict[int, NDArray[np.float32]] = {}
        for one in self._signals:
            if id(one) not in met_by:
                met_by[id(one)] = met.changed(self._under(one, way))
        light = [
            self._electrons(number, met_by[id(one)], met.current, start) for number, one in enumerate(self._signals)
        ]
        return _Lit(start, way, light, truths)

    def _electrons(
        self, channel: int, signal: NDArray[np.float32], current: NDArray[np.float64] | None, start: int
    ) -> NDArray[Any]:
        """Light in one detector."""
        scan, detector = self._scan, self._detectors[channel]
        dose = scan.plan.electrons_per_sample
        constant, slope = self._shares[channel]
        ideal = detector.detector.counts_all and current is None and (constant, slope) == (0.0, 1.0)
        if self._noise == "eq5" or ideal:
            seen, seed = np.float32(constant) + np.float32(slope) * signal, channel_seed(scan.seed, channel)
            return detect(seen, electrons_per_sample=dose, noise=self._noise, seed=seed, start=start)
        means = (constant + slope * signal.astype(np.float64)) * dose
        return detector.light(means if current is None else means * current, start)

    def _under(self, signal: NDArray[np.float32], way: _Way) -> NDArray[np.float32]:
        """The signal under the beam, (n,)."""
        if way.ways is None or self._lagged is None:
            return signal_at(signal, way.places)
        return mean_signal(signal, *way.ways, self._lagged.lasting)

    def _way(self, start: int) -> _Way:
        """Way through a block, which may have been followed ahead; the next one is."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] != start:
            ahead[1].result()
            ahead = None
        way = self._follow(start) if ahead is None else ahead[1].result()
        following = self._end(start)
        unknown = self._moves_of_passes is not None and following % self._scan.plan.samples_per_pass == 0
        if self._pool is not None and following < len(self._scan.path) and not unknown:
            self._ahead = following, self._pool.submit(self._follow, following)
        return way

    def _follow(self, start: int) -> _Way:
        """Follow the beam through a block."""
        scan, stop = self._scan, self._end(start)
        commands = scan.path.positions(start, stop)
        times, offsets = scan.clock.middles(start, stop), np.zeros((stop - start, 2))
        for add in self._moves:
            add(start, times, offsets)
        if self._moves_of_passes is not None:  # a block is of one pass
            offsets += self._moves_of_passes[start // scan.plan.samples_per_pass]
        if self._lagged is None:
            return _Way(start, times, offsets + commands, None, None)
        begins, actual = self._lagged.ways(start, stop)
        return _Way(start, times, offsets + actual, actual, (offsets + begins, offsets + commands))

    def _end(self, start: int) -> int:
        """End of the block that begins with a sample."""
        after = int(np.searchsorted(self._edges, start, side="right"))
        return int(self._edges[after]) if after < len(self._edges) else len(self._scan.path)
