"""
Columns with error bars
=======================

Atomic columns fitted to the counts: displacements as arrows, and how often their errors hold.
"""

import matplotlib.pyplot as plt
import numpy as np

import stemscan as ss

plan = ss.ScanPlan(
    pattern=ss.BlockRandom(block=8, samples_per_block=6),
    shape=(256, 256),
    passes=4,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=20),
    pixel_size="0.02nm",
    seed=7,
)
acq = ss.simulate(plan, "crystal:SrTiO3[001]?displaced=0.2&vacancies=0.03&seed=2", "acq.zarr", seed=1)
found = ss.find_columns(acq)
rec = ss.reconstruct(acq)

# %%
# Columns displaced with a probability above 0.9, ten times as long as they are, and sites that stand empty.

column, empty = found["kind"] == "column", (found["kind"] == "empty") & (found["llr_class"] < -5)
moved = column & (found["p_displaced"] > 0.9)
figure, axis = plt.subplots(figsize=(6.4, 6.4), layout="constrained")
axis.imshow(rec.image, cmap="gray")
axis.quiver(
    *(found[name][moved] for name in ("col", "row", "displacement_col", "displacement_row")),
    angles="xy",
    scale_units="xy",
    scale=0.1,
    color="#56b4e9",
    width=0.006,
)
axis.scatter(found["col"][empty], found["row"][empty], marker="x", s=70, color="#e69f00")
axis.set_title(f"{moved.sum()} displaced columns (10 x), {empty.sum()} vacancies")
axis.set_axis_off()

# %%
# Errors of one axis over their standard deviation, for columns whose true place is known.

truth = acq.truth_columns
there = truth["defect"] != 1
true = np.stack([truth["row"], truth["col"]], axis=1)[there]
at = np.stack([found["row"], found["col"]], axis=1)[column]
std = np.stack([found["row_std"], found["col_std"]], axis=1)[column]
inside = np.all((at > 15) & (at < 240), axis=1)
nearest = np.argmin(np.hypot(*(at[:, None] - true[None]).transpose(2, 0, 1)), axis=1)
ratio = ((at - true[nearest]) / std)[inside].ravel()
figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
axis.hist(ratio, bins=np.linspace(-4, 4, 33), density=True, color="0.7")
x = np.linspace(-4, 4, 200)
axis.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color="#0072b2", label="normal distribution")
axis.set(xlabel="error / standard deviation", ylabel="density")
axis.set_title(f"{np.mean(np.abs(ratio) < 1):.0%} within one, median {20 * np.median(std):.0f} pm per axis")
axis.legend()
