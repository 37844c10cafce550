"""Readings of detectors against Poisson counts: efficiency, dark counts, noise, dead time, afterglow.

In this folder:

    python detector.py detector.jpg [--side 192]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from figures import image_of, options, panels, plan_of, save, scan
from scipy.stats import poisson

from stemscan.simulators.api import Specimen

chosen = options(__doc__)
plan = plan_of(chosen.side, dwell_ns=1000, dose={"electrons_per_sample": 20})
flat = Specimen(np.full(plan.shape, 0.5, np.float32), "flat")
READ: dict[str, Any] = {"digitiser": {"gain": 10.0, "offset": 50.0, "read_noise": 8.0, "bits": 12}}
DETECTORS: dict[str, dict[str, Any]] = {
    "ideal": {},
    "70 % detected": {"efficiency": {"detected": 0.7}},
    "dark counts, 3 a sample": {"dark": {"per_second": 3e6}},
    "dead time 60 ns": {"dead_time": {"ns": 60.0}},
    "pulses spread by 50 %, read noise": {**READ, "efficiency": {"pulse_spread": 0.5}},
}
figure, axes = panels(2, 3)
numbers = np.arange(30)
for axis, (title, settings) in zip(axes, DETECTORS.items(), strict=False):
    counts = scan(plan, flat, {"detectors": [settings]}).counts.astype(np.float64)
    if "digitiser" in settings:
        counts = (counts - 50) / 10
    axis.hist(counts, np.arange(31) - 0.5, density=True, color="0.75")
    axis.plot(numbers, poisson.pmf(numbers, 10), "k.-", lw=0.7, ms=3, label="Poisson, mean 10")
    axis.set(title=title, xlabel="electrons" if "digitiser" in settings else "counts")
axes[0].legend(frameon=False)
glowing = {"digitiser": {"gain": 50.0, "offset": 200.0, "bits": 14}, "afterglow": {"share": 0.6, "tau_us": 4.0}}
edge = np.zeros(plan.shape, np.float32)
edge[:, chosen.side // 3 : chosen.side // 2] = 1
image = image_of(plan, scan(plan, Specimen(edge, "edge"), {"detectors": [glowing]}).counts)
axes[5].imshow(np.sqrt(np.maximum(image - 200, 0))[: chosen.side // 2], cmap="gray", aspect="auto")
axes[5].set(title="afterglow of a bright stripe", xticks=[], yticks=[])
save(figure, chosen.output)
