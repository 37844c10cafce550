"""A simulated instrument with a grating under its beam, as a scan controller for stemscan."""

import math

import numpy as np

from stemscan.acquisition.armed_range import ArmedRange
from stemscan.acquisition.controllers import ControllerRequest
from stemscan.acquisition.scan_controller import Capabilities
from stemscan.errors import UsageError
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.provenance import Provenance

_PIECE = 1024  # samples that are drawn together, so that any sample has the same counts however a scan is cut


class Grating:
    """Counts electrons behind a grating: Poisson numbers about dose x (1 + cos) / 2.

    Parameters
    ----------
    period_px : float
        Distance of its lines in pixels, at least 2.
    angle_deg : float
        Between its lines and the columns.
    seed : int
        Of the counts.
    """

    capabilities = Capabilities("the grating", max_batch=4096)
    detector = DetectorInfo(unit="electron", dtype="uint16")

    def __init__(self, period_px=12.0, angle_deg=20.0, seed=1):
        if not period_px >= 2:
            raise UsageError(f"expected a grating of at least 2 pixels per line, got {period_px:g}; as grating:12")
        angle = math.radians(angle_deg)
        self._wave = 2 * math.pi / period_px * np.array([math.sin(angle), math.cos(angle)])
        self._seed = seed
        self._range = ArmedRange()

    @property
    def provenance(self):
        """Origin of the counts, for the store."""
        return Provenance(seed=self._seed)

    def arm(self, path, start, stop):
        """Get ready for samples start .. stop - 1."""
        self._range.arm(path, start, stop)

    def start(self):
        """Begin to expose the armed range."""
        self._range.start()

    def read(self, max_samples):
        """The next samples; None when the armed range was delivered."""
        return self._range.read(max_samples, self._exposed)

    def abort(self):
        """Blank the beam and drop the armed range."""
        self._range.drop()

    def close(self):
        """Let go of the instrument; this one has nothing to let go of."""
        self.abort()

    def _exposed(self, path, start, stop):
        """Samples from `start` to at most `stop`, of one piece."""
        return SampleBatch(start, self.counts(path, start, min(stop, (start // _PIECE + 1) * _PIECE)))

    def counts(self, path, start, stop):
        """Counts of samples start .. stop - 1 of one piece, (n,) uint16."""
        piece = start // _PIECE
        first = piece * _PIECE
        positions = path.positions(first, min(first + _PIECE, len(path)))
        mean = path.plan.electrons_per_sample * (1 + np.cos(positions @ self._wave)) / 2
        drawn = np.random.default_rng([self._seed, piece]).poisson(mean)
        return drawn[start - first : stop - first].astype(np.uint16)


def open_grating(request: ControllerRequest) -> Grating:
    """The instrument that ``stemscan acquire --controller grating:PERIOD --set angle=20 --set seed=1`` asks for."""
    unknown = set(request.options) - {"angle", "seed"}
    if unknown:
        raise UsageError(f"expected settings angle and seed of the grating, got {', '.join(sorted(unknown))}")
    try:
        period = float(request.address or 12)
        angle, seed = float(request.options.get("angle", 20)), int(request.options.get("seed", 1))
    except ValueError as problem:
        raise UsageError(f"expected numbers as grating:12 --set angle=20 --set seed=1, got: {problem}") from problem
    return Grating(period, angle, seed)
