"""
A first scan
============

Plan a sparse scan of SrTiO3, count electrons on a virtual microscope, and look at what came back.
"""

import matplotlib.pyplot as plt

import stemscan as ss

# %%
# The plan: 3 of each 8 x 8 pixels in each of four passes, ten electrons where the specimen is brightest.

plan = ss.ScanPlan(
    pattern=ss.BlockRandom(block=8, samples_per_block=3),
    shape=(192, 192),
    passes=4,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=10),
    pixel_size="0.02nm",
    seed=7,
)
print(plan.summary())

# %%
# The scan, kept in a store that survives whatever ends the process, and its reconstruction.

acq = ss.simulate(plan, "crystal:SrTiO3[001]", "acq.zarr", seed=1)
rec = ss.reconstruct(acq)
print(rec.compare(acq.truth))

# %%

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for axis, image, title in zip(
    axes,
    (acq.truth, acq.frames()[0], rec.image),
    ("specimen", "counts of the first pass", f"{rec.method}"),
    strict=True,
):
    axis.imshow(image, cmap="gray")
    axis.set_title(title)
    axis.set_axis_off()
