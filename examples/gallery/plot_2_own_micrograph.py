"""
Your own micrograph as the specimen
===================================

A micrograph that was measured with a full scan serves as the specimen of a virtual sparse scan. Here one is made;
put the name
of your file in the place of ``micrograph.tif``.
"""

import matplotlib.pyplot as plt
import numpy as np
import tifffile

import stemscan as ss
from stemscan.simulators.api import load_specimen, render_crystal

crystal = render_crystal("crystal:GaAs", (256, 256), pixel_size_nm=0.02)
tifffile.imwrite("micrograph.tif", np.random.default_rng(1).poisson(40 * crystal.signal).astype(np.float32))

# %%
# Smoothing as in the FSHNet paper takes most of the noise out, so that what is left can serve as truth.

plan = ss.ScanPlan(
    pattern=ss.BlockRandom(block=8, samples_per_block=3),
    shape=(256, 256),
    passes=4,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=10),
    pixel_size="0.02nm",
    seed=7,
)
specimen = load_specimen("micrograph.tif", plan.shape, pixel_size_nm=plan.pixel_size_nm, smooth="paper")
acq = ss.simulate(plan, specimen, "acq.zarr", seed=1)
rec = ss.reconstruct(acq)
print(rec.compare(acq.truth))

# %%

figure, axes = plt.subplots(1, 3, figsize=(10, 3.7), layout="constrained")
shown = {"micrograph": tifffile.imread("micrograph.tif"), "smoothed, the specimen": acq.truth, rec.method: rec.image}
for axis, (title, image) in zip(axes, shown.items(), strict=True):
    axis.imshow(image, cmap="gray")
    axis.set_title(title)
    axis.set_axis_off()
