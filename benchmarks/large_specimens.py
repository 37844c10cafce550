"""Memory of `simulate` at large grids whose specimen is drawn or read band by band.

    python -m benchmarks.large_specimens 16384          # side in pixels; a pass of 3/64 each

Each specimen is scanned in a process of its own, which prints the largest memory that it had (of which files that are
mapped count as long as they are not given back), what of it is its own, and its seconds.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import zarr

from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.session import simulate

KINDS = ("crystal:SrTiO3[001]", "npy", "zarr")


def pictures(folder: Path, side: int) -> None:
    """The same picture as a file of numpy's and as a zarr array, written band by band."""
    line = (0.5 + 0.5 * np.sin(np.arange(side) / 3.0)).astype(np.float32)
    plain = np.lib.format.open_memmap(folder / "picture.npy", "w+", np.float32, (side, side))
    chunked = zarr.create_array(folder / "picture.zarr", shape=(side, side), chunks=(1024, 1024), dtype="f4")
    for first in range(0, side, 1024):
        band = line * np.float32(0.5 + 0.4 * np.cos(first / 700)) * np.ones((min(1024, side - first), 1), np.float32)
        plain[first : first + 1024] = chunked[first : first + 1024] = band
    plain.flush()


def scan(folder: Path, kind: str, side: int) -> None:
    """Scan one specimen, and print what that took."""
    own = [0]

    def watch() -> None:
        while True:
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            own[0] = max(own[0], int(status["RssAnon"].split()[0]))
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [side, side],
            "passes": 1,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "pixel_size_nm": 0.01,
            "seed": 7,
        }
    )
    began = time.perf_counter()
    simulate(plan, kind if ":" in kind else folder / f"picture.{kind}", folder / f"{kind[:3]}.zarr", seed=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{side} x {side}, {kind}: {peak} MiB at most, {own[0] // 1024} of its own, {time.perf_counter() - began:.0f} s"
    )


def main(side: int) -> None:
    """Scan each kind in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        pictures(Path(folder), side)
        for kind in KINDS:
            subprocess.run([sys.executable, "-m", "benchmarks.large_specimens", str(side), kind, folder], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        scan(Path(sys.argv[3]), sys.argv[2], int(sys.argv[1]))
    else:
        main(int(sys.argv[1]))
