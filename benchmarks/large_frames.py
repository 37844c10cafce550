"""Time and memory of reconstructions by the size of the frame, from the shell.

    python -m benchmarks.large_frames [--sides 1024 4096 16384] [--method fourier-eb] [--set regression=false]
                                      [--memory 2GiB] [--specimen "crystal:SrTiO3[001]"] [--tail]

Block-random 3 of 8 x 8 pixels, 4 passes, 10 electrons per sample. Each store is simulated in the current folder and
deleted after its reconstruction, which runs twice at the first side, for the first may compile. Time is that of the
whole command, processor time that of all its processes; memory is the largest sum of what its processes have for
themselves, taken every 50 ms. `--tail` prints what the command says of the image, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_STEMSCAN = (sys.executable, "-m", "stemscan")


def tree(root: int) -> list[int]:
    """A process and those that it started, and they."""
    found = [root]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found


def memory(process: int) -> int:
    """Bytes that a process has for itself."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss_Anon:"):
            return 1024 * int(line.split()[1])
    return 0


def times(process: int) -> tuple[float, float]:
    """Processor time of a process so far, of it the system's."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    user, system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13])
    return user + system, system


def measured(command: list[str]) -> tuple[float, float, float, float, str]:
    """Wall, processor and system seconds, peak bytes and output of a command."""
    start, most, spent = time.perf_counter(), 0, dict[int, tuple[float, float]]()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        while running.poll() is None:
            total = 0
            for process in tree(running.pid):
                with suppress(OSError):  # it has just ended
                    spent[process] = times(process)
                    total += memory(process)
            most = max(most, total)
            time.sleep(0.05)
        told = running.stdout.read() if running.stdout else ""
    if running.returncode:
        raise SystemExit(running.returncode)
    wall = time.perf_counter() - start
    processor, system = (sum(one[kind] for one in spent.values()) for kind in (0, 1))
    return wall, processor, system, most, told


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 4096, 16384])
    parser.add_argument("--method", default="fourier-eb")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--specimen", default="crystal:SrTiO3[001]")
    parser.add_argument("--tail", action="store_true")
    asked = parser.parse_args()
    folder = Path("large_frames")
    folder.mkdir()
    print("| side | wall, s | processor, s | of it system | processor, us per pixel | over the first | GiB |")
    print("|---|---|---|---|---|---|---|")
    first = 0.0
    for side in asked.sides:
        plan, store, image = folder / "plan.yaml", folder / "acq.zarr", folder / "image.zarr"
        quiet = ["--overwrite", "--quiet"]
        subprocess.run([*_STEMSCAN, "plan", "-o", str(plan), "--shape", f"{side}x{side}", *quiet], check=True)
        subprocess.run([*_STEMSCAN, "simulate", str(plan), asked.specimen, "-o", str(store), *quiet], check=True)
        command = [*_STEMSCAN, "recon", str(store), "-o", str(image), "--overwrite", "--method", asked.method]
        command += [part for setting in asked.settings for part in ("--set", setting)]
        if side > 2048:
            command += ["--memory", asked.memory]
        if not first:
            measured(command)
        wall, processor, system, peak, told = measured(command)
        a_pixel = 1e6 * processor / side**2
        first = first or a_pixel
        row = f"{wall:.1f}", f"{processor:.1f}", f"{100 * system / processor:.0f} %", f"{a_pixel:.3f}"
        print(f"| {side} | {' | '.join(row)} | {a_pixel / first:.2f} | {peak / 2**30:.2f} |", flush=True)
        if asked.tail:
            print(told)
        shutil.rmtree(store)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
