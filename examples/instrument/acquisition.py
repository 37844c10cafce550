"""The picture of an acquisition (`stemscan info ACQ.zarr --png FILE`), of scans whose truth is known.

In this folder:

    python acquisition.py drift acquisition-drift.jpg [--side 512]      # drift that was followed, and found
    python acquisition.py damage acquisition-damage.jpg [--side 512]    # damage, current, and a detector of its own
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from figures import crystal, plan_of
from PIL import Image

import stemscan as ss
from stemscan.recon.drift.following import FollowDrift
from stemscan.recon.pictures.scan import draw_scan
from stemscan.simulators.api import VirtualMicroscope
from stemscan.simulators.instrument.settings import Instrument

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("which", choices=["drift", "damage"])
parser.add_argument("output", help="picture (jpg or png)")
parser.add_argument("--side", type=int, default=512, help="rows and columns of the scan")
chosen = parser.parse_args()

_WIDE = 1500
SPARSE: dict[str, Any] = {"pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3}}
samples = 3 * (chosen.side // 8) ** 2
if chosen.which == "drift":
    plan = plan_of(chosen.side, **SPARSE, passes=8, dwell_ns=round(1e9 / samples))
    settings: dict[str, Any] = {
        "stage_drift": {"polynomial_nm": [[-2.0, 4.0]], "settling_nm": [-0.1, 0.05], "settling_min": 0.03},
        "jitter": {"row_px": [0.1, 0.1]},
    }
else:
    plan = plan_of(chosen.side, **SPARSE, passes=8, dwell_ns=20_000)
    settings = {
        "damage": {"critical_e_per_A2": 1000.0, "diffusion_nm": 0.04},
        "current": {"relative": 0.1, "shortest_us": 500.0},
        "detectors": [{"efficiency": {"pulse_spread": 0.6}, "digitiser": {"gain": 20.0, "offset": 100.0, "bits": 14}}],
    }
microscope = VirtualMicroscope(crystal(chosen.side), plan, seed=1, instrument=Instrument.model_validate(settings))
with tempfile.TemporaryDirectory() as folder:
    follower = FollowDrift() if chosen.which == "drift" else None
    store = ss.acquire(plan, microscope, Path(folder) / "acq.zarr", follower=follower)
    if (drift := ss.find_drift(store)).verdict == "drift":
        ss.store_drift(store, drift)
    draw_scan(ss.Acquisition.open(store.path), Path(folder) / "acq.png")
    with Image.open(Path(folder) / "acq.png") as picture:
        small = picture.convert("RGB").resize((_WIDE, round(_WIDE * picture.height / picture.width)))
        small.save(chosen.output, quality=85)
