"""Signals at many moments of every command: the exit code, what is said, and what is left behind.

    python -m benchmarks.interruptions [--moments 40] [--signal SIGINT] [COMMAND ...]

The moments are calls of Python functions, spread evenly from the first line of the command to its end, so that a
moment can be visited again. Before the first line Python itself is started; what it says to a signal there is not ours.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["struck"]

_STRIKE = """
import os, signal, sys
import stemscan.cli.main as main
at, signum, calls, handle = int(sys.argv[1]), int(sys.argv[2]), 0, main.raise_interrupts

def profile(frame, event, argument):
    global calls
    calls += event == "call"
    if event == "call" and calls == at:
        sys.setprofile(None)
        signal.raise_signal(signum)

def begin():
    handle()
    sys.setprofile(profile)

main.raise_interrupts = begin
try:
    main.run(sys.argv[3:])
finally:
    sys.setprofile(None)
    if at == 0:
        print("calls", calls)
"""

Ending = tuple[int, str, tuple[str, ...]]
"""Exit code, what came on stderr, and the files that are left."""

COMMANDS = {
    "plan": ["plan", "-o", "p.yaml", "--shape", "64x64"],
    "plan check": ["plan", "check", "{plan}", "-o", "c.png"],
    "plan export": ["plan", "export", "{plan}", "-o", "x.csv", "--to", "csv"],
    "simulate": ["simulate", "{plan}", "crystal:Si", "-o", "s.zarr"],
    "recon zarr": ["recon", "{store}", "-o", "r.zarr", "--method", "linear"],
    "recon png": ["recon", "{store}", "-o", "r.png", "--method", "linear"],
    "recon tif": ["recon", "{store}", "-o", "r.tif", "--method", "fourier-eb"],
    "import": ["import", "{frames}", "--mask", "{frames}", "--dose", "10", "--noise", "eq5", "-o", "i.zarr"],
    "info": ["info", "{store}"],
}


def struck(arguments: list[str], at: int, signum: int, folder: Path) -> Ending:
    """Run a command in a folder and send it a signal at its call number `at`; 0 sends none and prints their number."""
    done = _run(arguments, at, signum, folder)
    left = tuple(sorted(str(path.relative_to(folder)) for path in folder.rglob("*")))
    return done.returncode, done.stderr, left


def _run(arguments: list[str], at: int, signum: int, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _STRIKE, str(at), str(int(signum)), *arguments]
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def main() -> None:
    """Strike the commands and print a table of how they ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=40)
    parser.add_argument("--signal", default="SIGINT")
    parser.add_argument("commands", nargs="*", default=list(COMMANDS))
    options = parser.parse_args()
    signum = signal.Signals[options.signal]
    signal.signal(signum, signal.SIG_DFL)  # it may be ignored here, by nohup for one
    with tempfile.TemporaryDirectory() as name:
        inputs = _inputs(Path(name))
        print(f"{'command':<12} moments  as it should  done before  otherwise")
        for command in options.commands:
            arguments = [argument.format(**inputs) for argument in COMMANDS[command]]
            _report(command, arguments, options.moments, signum)


def _report(command: str, arguments: list[str], moments: int, signum: int) -> None:
    """Strike one command; a line of counts, and one for each ending that is not as it should be."""
    total = 0
    for _ in range(2):  # the first run makes caches
        with tempfile.TemporaryDirectory() as name:
            total = int(_run(arguments, 0, signum, Path(name)).stdout.rsplit("calls", 1)[1])
    right, before, wrong = 0, 0, []
    for number in range(moments):
        at = 1 + total * number // moments
        folder = Path(tempfile.mkdtemp())
        code, err, left = struck(arguments, at, signum, folder)
        shutil.rmtree(folder)
        partial = [path for path in left if "partial" in path or path.endswith(".old")]
        if code == 0 and not err:
            before += 1
        elif code == 128 + signum and err.count("\n") == 1 and not partial:
            right += 1
        else:
            wrong.append(f"  at call {at}: {code} {err[-300:]!r} {partial}")
    print(f"{command:<12} {moments:7} {right:13} {before:12} {len(wrong):10}", *wrong, sep="\n", flush=True)


def _inputs(folder: Path) -> dict[str, str]:
    """A plan, a store and frames."""
    import numpy as np

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "stemscan", *arguments, "-q"], cwd=folder, check=True)

    run("plan", "-o", "plan.yaml", "--shape", "64x64")
    run("simulate", "plan.yaml", "crystal:Si", "-o", "store.zarr")
    np.save(folder / "frames.npy", np.ones((2, 64, 64), np.uint16))
    names = {"plan": "plan.yaml", "store": "store.zarr", "frames": "frames.npy"}
    return {name: os.fspath(folder / file) for name, file in names.items()}


if __name__ == "__main__":
    main()
