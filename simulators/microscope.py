"""The virtual microscope: a `ScanController` like any other, with an array as specimen and the faults of an instrument.

What sample `i` counts follows from plan, specimen, instrument, noise, seed and coil lag alone. So it can be armed
anywhere on a path, read in batches of any size, aborted and armed again, and always delivers the same counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.acquisition.armed_range import ArmedRange
from stemscan.acquisition.scan_controller import Capabilities
from stemscan.arguments import real_number
from stemscan.errors import ControllerError, SpecimenError, UsageError
from stemscan.hardware.coil_lag import CoilLag
from stemscan.hardware.program import Program
from stemscan.path.scan_path import ScanPath
from stemscan.runtime.roomy import give_back
from stemscan.simulators.instrument.chain import Chain
from stemscan.simulators.instrument.clock import Clock
from stemscan.simulators.instrument.detector import check_means, check_settings, detect
from stemscan.simulators.instrument.effect import Scan
from stemscan.simulators.instrument.recent_path import RecentPath
from stemscan.simulators.instrument.settings import IDEAL, Instrument
from stemscan.simulators.specimens.crystal_specimen import reweighted
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.ledger import BeamTimes
from stemscan.store.provenance import Provenance
from stemscan.store.record_parts import SpecimenRecord
from stemscan.types import Noise

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["VirtualMicroscope", "expose"]

_MAX_BATCH: Final = 1 << 20
_USUAL: Final = ("haadf",)
_CODES_A_PIXEL: Final = 256
"""Steps in which the field of a microscope without a profile is moved."""


def expose(
    signal: NDArray[np.float32],
    path: ScanPath,
    start: int,
    stop: int,
    *,
    noise: Noise = "poisson",
    seed: int,
    threads: int = 1,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Counts of samples start .. stop - 1 of a path.

    Parameters
    ----------
    signal : float32 (H, W)
        C-contiguous, on the grid of the path's plan.
    noise : {"poisson", "eq5"}
    seed : int
        Of the detector, 0 to 2**64 - 1.

    Returns
    -------
    counts : uint16, uint32 or float32 (n,)
        See `stemscan.simulators.instrument.detector.detect`.
    pixels : int64 (n,)
        row * W + column of each sample.
    """
    positions = path.positions(start, stop)
    pixels = positions[:, 0].astype(np.int64) * signal.shape[1] + positions[:, 1]
    counts = detect(
        signal.reshape(-1).take(pixels),
        electrons_per_sample=path.plan.electrons_per_sample,
        noise=noise,
        seed=seed,
        start=start,
        threads=threads,
    )
    return counts, pixels


class VirtualMicroscope:
    """A scan controller that counts electrons from a specimen.

    Parameters
    ----------
    specimen : Specimen
        On the plan's grid.
    plan : ScanPlan
        Plan of the scan; its dose sets the type of the counts.
    noise : {"poisson", "eq5"}
        Statistics of the counts, see `stemscan.simulators.instrument.detector.detect`.
    seed : int
        Of the detector, 0 to 2**64 - 1; the path has the plan's own.
    threads : int
        Threads of the detector; the counts do not depend on it.
    coil_tau_ns : float, optional
        Time constant of the scan coils in ns, at least 0. With one above 0 the beam lags behind its path
        (see `coil_lag`): a sample counts the mean of the specimen's signal along the beam's way during the dwell
        (see `lagging_beam`), and batches carry the mean positions. None is 0.
    profile : ControllerProfile, optional
        Of a controller for whose settle times and flyback the beam waits before its dwells, and as whose beam the
        ledger counts it; it does not wait unless given.
    instrument : Instrument, optional
        Effects of the microscope (`stemscan.simulators.instrument.settings`); an ideal one unless given.
    detectors : tuple of str
        Names of its detectors (`stemscan.simulators.instrument.collection.KINDS`), a channel each, in place of the
        instrument's: see `Instrument.seen_by`. They share the beam and its faults, each with noise of its own.

    Raises
    ------
    SpecimenError
        If the specimen is not on the plan's grid.
    UsageError
        If noise, seed or time constant is none, the dose is too large, or an effect of the instrument needs a pixel
        size that is not known.
    ProfileError
        If the profile's controller cannot do the plan.
    """

    def __init__(
        self,
        specimen: Specimen,
        plan: ScanPlan,
        *,
        noise: Noise = "poisson",
        seed: int,
        threads: int = 1,
        coil_tau_ns: float | None = None,
        profile: ControllerProfile | None = None,
        instrument: Instrument = IDEAL,
        detectors: tuple[str, ...] = _USUAL,
    ) -> None:
        if specimen.shape != plan.shape:
            raise SpecimenError(
                f"expected a specimen on the plan's grid of {plan.shape[0]} x {plan.shape[1]} pixels, got "
                f"{specimen.shape[0]} x {specimen.shape[1]} ({specimen.name!r}), load it for that shape"
            )
        check_settings(noise, seed)
        self.specimen = specimen
        self.noise = noise
        self.seed = int(seed)
        check_means(np.array(specimen.limits), plan.electrons_per_sample)
        self.instrument = instrument if detectors == _USUAL else instrument.seen_by(detectors)
        self.lag = CoilLag(self._tau_ns(coil_tau_ns))
        self._program = None if profile is None else Program(plan, profile)
        dwell = plan.dwell_ns if self._program is None else self._program.quantisation.dwell_ns
        self.lag.run_in(plan.shape, dwell)  # refuses what could not be followed
        self._clock = Clock(plan, self._program)
        self._threads = threads
        self._digest = plan.digest()
        self._channels = self._meanings(plan)
        self._path: ScanPath | None = None
        self._moves: NDArray[np.float64] | None = None
        self._chain: Chain | None = None
        self._record = SpecimenRecord(name=specimen.name, sha256=specimen.sha256, record=specimen.record)
        self._pixel_size = self._record.pixel_size_nm if plan.pixel_size_nm is None else plan.pixel_size_nm
        seen: dict[float, NDArray[np.float32]] = {}
        for one in self.instrument.detectors:
            weight = one.collection.exponent
            if weight not in seen:
                seen[weight] = self._under_probe(reweighted(specimen, weight))
        self._signals = [seen[one.collection.exponent] for one in self.instrument.detectors]
        self._make_chain(ScanPath(plan))  # refuses what cannot be
        self._range = ArmedRange()

    @property
    def capabilities(self) -> Capabilities:
        """Its abilities: any range of any path on its grid; positions other than the commanded with a lag only."""
        lags = self.lag.tau_ns > 0
        return Capabilities(
            name="the virtual microscope",
            max_batch=_MAX_BATCH,
            actual_positions=lags,
            resumable=True,
            moves_field=True,
        )

    @property
    def detector(self) -> DetectorInfo:
        """Counted electrons, or what its instrument's detector makes of them, of the first channel."""
        return self.channels[0]

    @property
    def channels(self) -> tuple[DetectorInfo, ...]:
        """The same of each channel."""
        return self._channels

    @property
    def provenance(self) -> Provenance:
        """Noise, seed, specimen, instrument, truth, and the lag of the coils where they lag."""
        specimen, lags = self.specimen, self.lag.tau_ns > 0
        kinds, scattering = [one.collection for one in self.instrument.detectors], self.instrument.scattering
        truths = [kind.signal(signal, scattering) for kind, signal in zip(kinds, self._signals, strict=True)]
        waits = None if self._program is None else self._program.profile.waits_digest()
        return Provenance(
            noise=self.noise,
            seed=self.seed,
            specimen=self._record,
            instrument=self.instrument.record(),
            truth=truths[0] if len(truths) == 1 else np.stack(truths),
            truth_columns=specimen.columns,
            coil_tau_ns=self.lag.tau_ns if lags else None,
            coil_waits=waits if lags else None,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the specimen, one sentence each."""
        return tuple(self.specimen.warnings)

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready for samples start .. stop - 1; what was armed before is dropped.

        Raises
        ------
        ControllerError
            If the path is not that of its plan or the range is not inside it.
        """
        self._check(path)
        self._range.arm(path, start, stop)
        self._take(path)

    def move_field(self, path: ScanPath, number: int, offset: tuple[float, float]) -> tuple[float, float]:
        """Move the field from pass `number` on: by codes of the profile's controller, or as far as half of it.

        The beam has come to rest on its new origin before the pass begins, so that coil lag has no part in it.
        """
        self._check(path)
        if self._program is None:
            room = np.array(path.plan.shape) / 2
            row, column = (float(one) for one in np.rint(np.clip(offset, -room, room) * _CODES_A_PIXEL))
            done = row / _CODES_A_PIXEL, column / _CODES_A_PIXEL
        else:
            _, (done,) = self._program.moved([offset])
        self._take(path)
        if self._moves is None:
            self._moves = np.zeros((path.plan.passes, 2))
            self._chain = self._make_chain(path)
        self._moves[number:] = done
        assert self._chain is not None, "expected a chain of a field that moves"
        self._chain.move_field(self._moves, number)
        return done

    def _check(self, path: ScanPath) -> None:
        """Refuse a path of another plan."""
        if path.plan.digest() != self._digest:
            raise ControllerError(
                f"expected a path of plan {self._digest[:12]}, got one of {path.plan.digest()[:12]}; make a virtual "
                "microscope for each plan"
            )

    def _take(self, path: ScanPath) -> None:
        """Get ready for a path of its plan."""
        if path is not self._path:
            self._moves = None
            self._chain, self._path = self._make_chain(path), path

    def _make_chain(self, path: ScanPath) -> Chain | None:
        """The chain of its samples; none where nothing is between the specimen and its counts."""
        if self.instrument.is_ideal and self.lag.tau_ns == 0 and self._moves is None:
            return None
        scan = Scan(path.plan, RecentPath(path.plan), self.seed, self._pixel_size, self._clock)
        return Chain(self.instrument, scan, self._signals, self.lag, noise=self.noise, threads=self._threads)

    def _tau_ns(self, given: float | None) -> float:
        """Time constant of the coils: as given, or of the instrument."""
        own = 1000.0 * self.instrument.coils.tau_us
        if given is None:
            return own
        if own:
            raise UsageError(
                f"expected the coils' time constant from the instrument, {own:g} ns, or as an argument, got both; "
                "leave one out"
            )
        return real_number(given, "a coil time constant in ns")

    def _meanings(self, plan: ScanPlan) -> tuple[DetectorInfo, ...]:
        """Meaning of each channel's counts."""
        instrument = self.instrument
        if self.noise == "eq5":
            if not (all(one.counts_all for one in instrument.detectors) and instrument.current.is_off):
                raise UsageError(
                    "expected noise 'poisson' for an instrument with a detector or current of its own, got 'eq5'; "
                    "leave the noise out"
                )
            return tuple(DetectorInfo("electron", dtype="float32", name=one.name) for one in instrument.detectors)
        return tuple(one.info(self._clock.dwell_ns, plan.electrons_per_sample) for one in instrument.detectors)

    def _under_probe(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """A signal under the instrument's probe."""
        probe = self.instrument.probe
        if probe.is_off:
            return signal
        if self._pixel_size is None:
            raise UsageError(
                "instrument: probe: expected a plan with pixel_size_nm, for lengths in nm, got one without; state the "
                "pixel size in the plan"
            )
        return probe.blurred(signal, self._pixel_size)

    def start(self) -> None:
        """Begin to expose the armed range."""
        self._range.start()

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next 1 .. max_samples samples; None when the armed range was delivered."""
        return self._range.read(min(max_samples, _MAX_BATCH), self._exposed)

    @property
    def reached(self) -> int:
        """The first sample of the range armed last that was not exposed since."""
        return self._range.reached

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """Times of the beam for samples start .. stop - 1: as the profile's controller, else dwells alone."""
        if self._program is None:
            return BeamTimes.dwells(stop - start, path.plan.dwell_ns)
        return self._program.beam_times(start, stop)

    def _exposed(self, path: ScanPath, start: int, stop: int) -> SampleBatch:
        """Samples start .. stop - 1."""
        if self._chain is not None:
            return self._chain.samples(start, stop)
        signal, noise, threads = self._signals[0], self.noise, self._threads
        counts, _ = expose(signal, path, start, stop, noise=noise, seed=self.seed, threads=threads)
        give_back(signal)
        return SampleBatch(start, counts)

    def abort(self) -> None:
        """Drop the armed range."""
        self._range.drop()

    def close(self) -> None:
        """Nothing to release; it can be armed again."""
        self.abort()
