"""
Dose against sampling ratio
===========================

The same number of electrons on few pixels or on many: which is better? With counting noise alone it hardly matters,
until samples are so
few that columns fall between them.
"""

import matplotlib.pyplot as plt

import stemscan as ss
from stemscan.simulators.api import render_crystal, sampled_frames

specimen = render_crystal("crystal:SrTiO3[001]", (192, 192), pixel_size_nm=0.02)
ratios = (1, 2, 3, 6, 12, 24, 48)
doses = {"12 e- per pixel": 12.0, "3 e- per pixel": 3.0, "0.75 e- per pixel": 0.75}

# %%
# Four passes each; the dose of a sample is what gives every scan the same electrons in all.

found: dict[str, list[float]] = {}
for name, per_pixel in doses.items():
    for samples in ratios:
        plan = ss.ScanPlan(
            pattern=ss.BlockRandom(block=8, samples_per_block=samples),
            shape=specimen.shape,
            passes=4,
            dwell="1us",
            dose=ss.Dose(electrons_per_sample=per_pixel / (4 * samples / 64)),
            pixel_size="0.02nm",
            seed=7,
        )
        frames, visits = sampled_frames(specimen.signal, plan, seed=3)
        inputs = ss.Inputs.from_arrays(frames, visits, plan.electrons_per_sample)
        image = ss.reconstruct(inputs, "fourier-eb", regression=False)
        found.setdefault(name, []).append(image.compare(specimen.signal).psnr)

# %%

figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (name, values), marker in zip(found.items(), "osD", strict=True):
    axis.plot([samples / 64 for samples in ratios], values, marker=marker, label=name)
axis.set(xscale="log", xlabel="sampling ratio of a pass [%]", ylabel="PSNR [dB]")
axis.set_xticks([samples / 64 for samples in ratios], [f"{100 * samples / 64:.3g}" for samples in ratios])
axis.minorticks_off()
axis.grid(visible=True, color="0.9")
axis.legend(title="electrons in all")

# %%
# Other faults of a microscope, such as read-out noise, drift and dead time, decide between sparse and full: see the
# page "Why sparse".
