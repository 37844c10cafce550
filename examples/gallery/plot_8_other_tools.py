"""
Reading a store with zarr, HyperSpy and napari
==============================================

An acquisition is a Zarr group whose root is an OME-Zarr image. Nothing of stemscan is needed to read it.
"""

from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
import zarr

import stemscan as ss

plan = ss.ScanPlan(
    pattern=ss.BlockRandom(block=8, samples_per_block=3),
    shape=(192, 192),
    passes=4,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=10),
    pixel_size="0.02nm",
    seed=7,
)
ss.reconstruct(ss.simulate(plan, "crystal:SrTiO3[001]", "acq.zarr", seed=1)).save("image.tif")

# %%
# **zarr.** Counts of all passes over their visits; pixels without a visit are unknown, not dark.

group = zarr.open_group("acq.zarr", mode="r")
counts, visits = group["frames"][:].sum(axis=(0, 1)), group["visits"][:].sum(axis=0)
mean = np.divide(counts, visits, out=np.full(counts.shape, np.nan), where=visits > 0)
record = group.attrs["stemscan"]
print(record["state"], "-", record["plan"]["pattern"], "-", group["frames"].shape)

figure, axis = plt.subplots(figsize=(4.4, 4), layout="constrained")
shown = axis.imshow(mean, cmap="gray")
figure.colorbar(shown, label="electrons per visit")
axis.set_axis_off()

# %%
# **HyperSpy** loads the reconstruction with its scale, and takes arrays as signals.

if find_spec("hyperspy") is not None:
    import hyperspy.api as hs

    print(hs.load("image.tif"))
    signal = hs.signals.Signal2D(mean)
    signal.axes_manager.signal_axes.set(scale=0.02, units="nm")
    print(signal)
else:
    print("HyperSpy is not installed here")

# %%
# **napari** has a reader for stores and tables (``pip install "stemscan[napari]"``): drop them on its window. In a
# script:

if find_spec("napari") is not None:
    import napari

    viewer = napari.components.ViewerModel()
    viewer.open("acq.zarr", plugin="stemscan")
    print([layer.name for layer in viewer.layers])
else:
    print("napari is not installed here")
