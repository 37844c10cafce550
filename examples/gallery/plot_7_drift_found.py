"""
Drift found and undone
======================

The stage moves during the scan. The motion is found from the samples alone.
"""

import matplotlib.pyplot as plt
import numpy as np

import stemscan as ss

plan = ss.ScanPlan(
    pattern=ss.BlockRandom(block=8, samples_per_block=3),
    shape=(256, 256),
    passes=6,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=10),
    pixel_size="0.02nm",
    seed=7,
)
specimen = "crystal:SrTiO3[001]?displaced=0.1&vacancies=0.03"
acq = ss.simulate(plan, specimen, "drifting.zarr", seed=1, instrument="drifting")
drift = ss.find_drift(acq)
print(drift)

# %%
# The true motion is known here, for the microscope was a virtual one.

every = 100
number = np.arange(0, len(ss.ScanPath(plan)), every)
true = acq.track("truth_trajectory")[::every] - acq.positions()[::every]
true -= true.mean(axis=0)
found = drift.trajectory
offsets = np.stack([np.interp(number, found.samples, found.offsets[:, axis]) for axis in (0, 1)], axis=1)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for axis, name, known, estimate in zip(axes, ("down", "right"), true.T, offsets.T, strict=True):
    axis.plot(number, known, color="0.6", lw=3, label="true")
    axis.plot(number, estimate, color="#d55e00", label="found")
    axis.set(xlabel="sample", title=name)
axes[0].set_ylabel("offset [px]")
axes[0].legend()

# %%

blurred = ss.reconstruct(acq, drift="off")
ss.store_drift("drifting.zarr", drift)
sharp = ss.reconstruct("drifting.zarr")
figure, axes = plt.subplots(1, 2, figsize=(7.4, 4), layout="constrained")
for axis, rec, title in zip(axes, (blurred, sharp), ("as it came", "motion undone"), strict=True):
    axis.imshow(rec.image[64:192, 64:192], cmap="gray", vmin=0, vmax=1)
    axis.set_title(title)
    axis.set_axis_off()
