"""
A scan controller of your own
=============================

Whatever exposes the samples of a path and delivers counts is a scan controller: a microscope, a simulator, a file.
This one has a
specimen of rings.
"""

import matplotlib.pyplot as plt
import numpy as np

import stemscan as ss
from stemscan.acquisition.armed_range import ArmedRange
from stemscan.acquisition.conformance import check_controller
from stemscan.acquisition.scan_controller import Capabilities
from stemscan.store.batch import DetectorInfo


class Rings:
    """Counts electrons behind rings about the centre of the field."""

    capabilities = Capabilities("the rings", max_batch=4096)
    detector = DetectorInfo(unit="electron", dtype="uint16")

    def __init__(self):
        self.range = ArmedRange()  # keeps the turns of arm, start and read

    def arm(self, path, start, stop):
        """Get ready for a range of samples; nothing is exposed."""
        self.range.arm(path, start, stop)

    def start(self):
        """Begin to expose them."""
        self.range.start()

    def read(self, max_samples):
        """Deliver the next samples."""
        return self.range.read(min(max_samples, 4096), self.expose)

    def expose(self, path, start, stop):
        """Count electrons: the same ones of a sample, however the scan is cut."""
        rows, columns = path.positions(start, stop).T
        radius = np.hypot(rows - path.plan.shape[0] / 2, columns - path.plan.shape[1] / 2)
        mean = path.plan.electrons_per_sample * (0.5 + 0.5 * np.cos(radius / 5))
        counts = [np.random.default_rng([7, sample]).poisson(m) for sample, m in enumerate(mean, start)]
        return ss.SampleBatch(start, np.array(counts, np.uint16))

    def abort(self):
        """Blank the beam and drop the range."""
        self.range.drop()

    def close(self):
        """End."""
        self.abort()


# %%
# The conformance suite says whether it keeps the protocol; then it acquires like any other.

check_controller(lambda plan: Rings())
plan = ss.ScanPlan(
    pattern=ss.BlueNoise(ratio=0.1),
    shape=(128, 128),
    passes=3,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=10),
    seed=1,
)
acq = ss.acquire(plan, Rings(), "rings.zarr")
rec = ss.reconstruct(acq, "fourier-eb")

# %%

figure, axes = plt.subplots(1, 2, figsize=(7, 3.7), layout="constrained")
visits = acq.visits().sum(axis=0)
axes[0].imshow(np.where(visits > 0, acq.frames().sum(axis=0), np.nan), cmap="gray")
axes[0].set_title("counts where visited")
axes[1].imshow(rec.image, cmap="gray")
axes[1].set_title(rec.method)
for axis in axes:
    axis.set_axis_off()
