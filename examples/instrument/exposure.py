"""Effects in time: the probe's current, and a specimen that fades, by the order of the scan at equal dose.

In this folder:

    python exposure.py exposure.jpg [--side 192]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from figures import crystal, image_of, options, panels, plan_of, save, scan

chosen = options(__doc__)
specimen = crystal(chosen.side)
LAW = {"critical_e_per_A2": 1500.0, "diffusion_nm": 0.02, "threshold_e_per_A2": 75.0, "recovery_us": 3000.0}
ORDERS: dict[str, dict[str, Any]] = {
    "raster": {},
    "interleaved": {"pattern": {"kind": "interleaved"}},
    "delocalised": {"order": {"kind": "delocalised"}},
}
figure, axes = panels(2, 3)
for axis, (title, changes) in zip(axes, ORDERS.items(), strict=False):
    plan = plan_of(chosen.side, **changes)
    batch = scan(plan, specimen, {"damage": LAW})
    assert batch.truths is not None
    fading = batch.truths["truth_fading"]
    shown = axis.imshow(image_of(plan, fading), cmap="magma", vmin=0.5, vmax=1)
    axis.set(title=f"{title}: {100 * fading.mean():.0f} % of the signal left", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes[:3], label="fading", shrink=0.8)

plan = plan_of(chosen.side)
batch = scan(plan, specimen, {"current": {"relative": 0.1, "shortest_us": 50.0}})
assert batch.truths is not None
current = batch.truths["truth_current"].astype(np.float64)
axes[3].plot(np.arange(current.size) * plan.dwell_ns / 1e6, current, lw=0.7)
axes[3].set(xlabel="time, ms", ylabel="current over its mean")
power = np.abs(np.fft.rfft(current - current.mean())) ** 2
frequency = np.fft.rfftfreq(current.size, plan.dwell_ns * 1e-9)
axes[4].loglog(frequency[1:], power[1:], lw=0.4)
axes[4].loglog(frequency[1:], power[1:20].mean() * frequency[10] / frequency[1:], "k--", lw=1, label="1/f")
axes[4].set(xlabel="frequency, Hz", ylabel="power", ylim=(power[1:].max() * 1e-10, None))
axes[4].legend(frameon=False)
layer = {"signal": 0.3, "saturation_e_per_A2": 3000.0, "spread_nm": 0.1}
plan = plan_of(chosen.side, passes=4)
batch = scan(plan, specimen, {"contamination": layer})
assert batch.truths is not None
added = batch.truths["truth_contamination"].reshape(4, -1).mean(axis=1)
axes[5].plot(np.arange(1, 5), added, "o-")
axes[5].set(xlabel="pass", ylabel="signal added by contamination", ylim=(0, None), xticks=[1, 2, 3, 4])
save(figure, chosen.output)
