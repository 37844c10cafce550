"""A crystal under other probes, and as detectors of other angles count it.

In this folder:

    python optics.py optics.jpg [--side 192]
"""

from __future__ import annotations

from typing import Any

from figures import crystal, image_of, options, panels, plan_of, save, scan

chosen = options(__doc__)
plan, specimen = plan_of(chosen.side, dose={"electrons_per_sample": 200}), crystal(chosen.side)
VIEWS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "source of 0.15 nm": {"probe": {"source_nm": 0.15}},
    "defocus 8 nm": {"probe": {"defocus_nm": 8.0}},
    "astigmatism 5 nm, 30 degrees": {"probe": {"defocus_nm": 2.0, "astigmatism_nm": 5.0, "astigmatism_deg": 30.0}},
    "tail": {"probe": {"tail": 0.6, "tail_nm": 0.3}},
    "HAADF, 70 to 200 mrad": {"detectors": [{"collection": {"kind": "haadf"}}]},
    "ABF, 11 to 22 mrad": {"detectors": [{"collection": {"kind": "abf"}}]},
    "BF, 0 to 11 mrad": {"detectors": [{"collection": {"kind": "bf"}}]},
}
figure, axes = panels(2, 4)
for axis, (title, settings) in zip(axes, VIEWS.items(), strict=True):
    axis.imshow(image_of(plan, scan(plan, specimen, settings).counts), cmap="gray")
    axis.set(title=title, xticks=[], yticks=[])
save(figure, chosen.output)
