"""Where the beam was: drift, jitter, mains pick-up and flyback distortion, and what a raster looks like with them.

In this folder:

    python motion.py motion.jpg [--side 192]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from figures import crystal, image_of, options, panels, plan_of, save, scan

from stemscan.path.scan_path import ScanPath

chosen = options(__doc__)
plan, specimen = plan_of(chosen.side), crystal(chosen.side)
minutes = plan.total_samples * plan.dwell_ns / 6e10
reach = 0.0015 * chosen.side  # nm that a stage drifts in the scan
MOTIONS: dict[str, dict[str, Any]] = {
    "stage drift": {
        "stage_drift": {
            "polynomial_nm": [[reach / minutes, -reach / minutes]],
            "settling_nm": [0.0, reach],
            "settling_min": minutes / 4,
            "walk_nm": 0.1 * reach / minutes**0.5,
        }
    },
    "jitter along rows": {"jitter": {"sample_px": [0.1, 0.1], "row_px": [0.2, 0.6]}},
    "mains, 50 Hz": {"mains": {"amplitude_px": [0.3, 1.5], "third_px": [0.0, 0.5]}},
    "flyback": {"flyback": {"share": 0.03, "tau_us": 300.0}},
}
figure, axes = panels(2, 4)
for number, (title, settings) in enumerate(MOTIONS.items()):
    batch = scan(plan, specimen, settings)
    assert batch.truths is not None
    moved = batch.truths["truth_trajectory"] - ScanPath(plan).positions(0, plan.total_samples)
    length = plan.total_samples if title == "stage drift" else min(20 * chosen.side, plan.total_samples)
    milliseconds = np.arange(length) * plan.dwell_ns / 1e6
    above, below = axes[number], axes[4 + number]
    above.imshow(image_of(plan, batch.counts), cmap="gray")
    above.set(title=title, xticks=[], yticks=[])
    for axis, name in enumerate(("row", "column")):
        below.plot(milliseconds, moved[:length, axis], lw=0.8, label=name)
    below.set(xlabel="time, ms", ylabel="beam beside its pixel, px" if number == 0 else "")
axes[4].legend(frameon=False)
save(figure, chosen.output)
