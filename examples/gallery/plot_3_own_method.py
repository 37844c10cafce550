"""
A method of your own
====================

A method is a function of the inputs that returns an image, and maybe its standard deviation. It needs no registration.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

import stemscan as ss
from stemscan.recon.conformance import check_method


def smoothed(inputs, *, width: float = 2.5):
    """Mean of the samples around each pixel, weighted by a Gaussian.

    Parameters
    ----------
    inputs : Inputs
    width : float
        Standard deviation of the Gaussian in pixels.
    """
    signal, visits = (gaussian_filter(one.astype(float), width) for one in (inputs.S, inputs.V))
    return np.where(visits > 1e-6, signal / np.maximum(visits, 1e-6), inputs.mean)


# %%
# The same scan by this method and by one of the package.

plan = ss.ScanPlan(
    pattern=ss.BlockRandom(block=8, samples_per_block=3),
    shape=(192, 192),
    passes=4,
    dwell="1us",
    dose=ss.Dose(electrons_per_sample=10),
    pixel_size="0.02nm",
    seed=7,
)
acq = ss.simulate(plan, "crystal:SrTiO3[001]", "acq.zarr", seed=1)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.7), layout="constrained")
axes[0].imshow(acq.truth, cmap="gray", vmin=0, vmax=1)
axes[0].set_title("specimen")
for axis, method in zip(axes[1:], (smoothed, "fourier-eb"), strict=True):
    rec = ss.reconstruct(acq, method)
    axis.imshow(rec.image, cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"{rec.method}: {rec.compare(acq.truth).psnr:.1f} dB")
for axis in axes:
    axis.set_axis_off()

# %%
# What methods fail at (odd grids, gaps, nothing counted, samples between pixels, threads) is tried by the conformance
# suite; it
# raises where something is wrong.

check_method(smoothed, fills_gaps=False)
