"""The grating passes the suite for controllers, and stores hold what it counted."""

import numpy as np
from stemscan_grating import Grating, open_grating

from stemscan.acquisition.conformance import ControllerConformance
from stemscan.acquisition.controllers import ControllerRequest
from stemscan.acquisition.session import acquire


class TestGrating(ControllerConformance):
    """Opened as `stemscan acquire --controller grating:9` opens it."""

    def make_controller(self, plan):
        """A grating with lines 9 pixels apart."""
        return open_grating(ControllerRequest(plan, "9", {"seed": "3"}))

    def expected_counts(self, path, start, stop):
        """Counts of the instrument there, whatever the batches."""
        grating, counts = Grating(9.0, seed=3), []
        while start < stop:
            end = min(stop, (start // 1024 + 1) * 1024)
            counts.append(grating.counts(path, start, end))
            start = end
        return np.concatenate(counts)


def test_lines_are_where_they_should_be(tmp_path):
    """The mean counts along the lines are those of the wave."""
    plan = TestGrating().make_long_plan()
    store = acquire(plan, Grating(8.0, angle_deg=0.0), tmp_path / "a.zarr")
    mean = store.frames().sum(axis=(0, 1)) / store.visits().sum(axis=(0, 1))
    expected = plan.electrons_per_sample * (1 + np.cos(2 * np.pi / 8 * np.arange(plan.shape[1]))) / 2
    assert np.abs(mean - expected).max() < 0.5
    assert store.seed == 1
