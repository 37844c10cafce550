"""Whole commands from the shell, as a user runs them: seconds by the clock and of processors, after a first run.

And how long after the end of a scan `acquire --image` has written its image.

python -m benchmarks.commands [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEMSCAN = [sys.executable, "-m", "stemscan"]
MISSING = "missing.zarr"


def seconds_of(command: list[str], folder: Path, output: str | None) -> tuple[float, float]:
    """Wall and processor seconds of one run; what it made is removed before."""
    if output is not None:
        shutil.rmtree(folder / output, ignore_errors=True)
        (folder / output).unlink(missing_ok=True)
    began, before = time.perf_counter(), os.times()
    failing = MISSING in command
    done = subprocess.run([*STEMSCAN, *command], cwd=folder, check=False, capture_output=True)
    taken, after = time.perf_counter() - began, os.times()
    assert (done.returncode != 0) == failing, done.stderr
    return taken, after.children_user - before.children_user + after.children_system - before.children_system


def seconds_to_image(folder: Path, image: str) -> float:
    """Seconds from the end of an acquisition until its image is written."""
    command = ["acquire", "plan.yaml", "--specimen", "crystal:SrTiO3[001]", "-o", "scan.zarr", "--image", image]
    done = subprocess.run([*STEMSCAN, *command, "--overwrite", "--json"], cwd=folder, check=True, capture_output=True)
    return float(json.loads(done.stdout)["image_seconds"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    cases: list[tuple[list[str], str | None]] = [
        (["--help"], None),
        (["plan", "-o", "plan.yaml", "--pixel-size", "0.01nm"], "plan.yaml"),
        (["simulate", "plan.yaml", "crystal:SrTiO3[001]", "-o", "acq.zarr"], "acq.zarr"),
        (["info", "acq.zarr"], None),
        (["recon", MISSING, "-o", "image.tif"], "image.tif"),
        (["recon", "acq.zarr", "-o", "image.tif", "--method", "fshnet"], "image.tif"),
        (["recon", "acq.zarr", "-o", "image.tif"], "image.tif"),
    ]
    print("4 passes of 3/64 at 1024 x 1024\n")
    print("| command | median s | least s | most s | median processor s |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command, output in cases:
            seconds_of(command, folder, output)  # compiled code and caches
            wall, processor = zip(*(seconds_of(command, folder, output) for _ in range(options.runs)), strict=True)
            print(
                f"| stemscan {' '.join(command)} | {statistics.median(wall):.2f} | {min(wall):.2f} | {max(wall):.2f} "
                f"| {statistics.median(processor):.2f} |",
                flush=True,
            )
        print("\n| image of `acquire --image` | median s after the scan | least s | most s |\n|---|---|---|---|")
        for image in ("image.tif", "image.png"):
            seconds = [seconds_to_image(folder, image) for _ in range(options.runs)]
            print(f"| {image} | {statistics.median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} |")


if __name__ == "__main__":
    main()
