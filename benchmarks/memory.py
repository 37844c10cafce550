"""Memory that steps say they need, against what they take.

    python -m benchmarks.memory [--sizes 1024,2048,4096] [--parts "fshnet;lowpass;import;..."]

Each part runs in a process of its own: first small, so that libraries are loaded and code is compiled, then at the
size, with the peak of its resident memory counted from there. What it said that it needs is the largest request that
came in. Needs below 64 MB are not asked for. What runs side by side where there is memory runs one at a time here, as
where there is little.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stemscan.recon import threads
from stemscan.recon.registry import method_names, ready_methods
from stemscan.runtime import memory

_PASSES = 4
_PERIOD = 16
_METHODS = tuple(method_names())
_TRAINED = tuple(name for name in _METHODS if name not in ready_methods())

Part = Callable[[int, Path], Callable[[], object]]


def _inputs(size: int, period: float = _PERIOD) -> object:
    """A sparse scan of waves, of some sampling ratio."""
    from stemscan.recon.inputs.inputs import Inputs

    random = np.random.default_rng(0)
    wave = np.cos(2 * np.pi * np.arange(size) / period)
    signal = (0.5 + 0.25 * wave[:, None] * wave).astype(np.float32).reshape(-1)
    frames, visits = np.zeros((_PASSES, size * size), np.float32), np.zeros((_PASSES, size * size), np.uint16)
    for number in range(_PASSES):
        at = random.integers(0, size * size, 3 * size * size // 64)
        visits[number, at] = 1
        frames[number, at] = random.poisson(10 * signal[at])
    shape = (_PASSES, size, size)
    return Inputs.from_arrays(frames.reshape(shape), visits.reshape(shape), 10.0)


def _method(name: str, period: float = _PERIOD) -> Part:
    def part(size: int, folder: Path) -> Callable[[], object]:
        from stemscan.recon.run import reconstruct

        weights = _untrained(name, folder) if name in _TRAINED else None
        inputs = _inputs(size, period)
        return lambda: reconstruct(inputs, name, device="cpu", weights=weights)  # type: ignore[arg-type]

    return part


def _untrained(name: str, folder: Path) -> Path:
    """Weights of a network as it was built."""
    from stemscan.recon.networks.registry import build
    from stemscan.recon.weights.file import WeightsInfo, save_weights

    path = folder / f"{name}.safetensors"
    if not path.exists():
        save_weights(build(name), path, WeightsInfo(architecture=name, frames=4, convention="paper"))
    return path


def _plan(size: int) -> object:
    from stemscan.plan.scan_plan import ScanPlan

    values = {"pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3}, "shape": [size, size]}
    return ScanPlan.from_dict(
        {
            **values,
            "passes": _PASSES,
            "seed": 7,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "pixel_size_nm": 0.01,
        }
    )


def _simulate(specimen: str) -> Part:
    def part(size: int, folder: Path) -> Callable[[], object]:
        from stemscan.simulators.session import simulate

        image = folder / f"{size}.npy"
        if specimen == "file":
            np.save(image, np.random.default_rng(0).random((size, size), np.float32))
        what = str(image) if specimen == "file" else specimen
        return lambda: simulate(_plan(size), what, folder / f"{size}.zarr", overwrite=True)  # type: ignore[arg-type]

    return part


def _read(size: int, folder: Path) -> Callable[[], object]:
    from stemscan.recon.inputs.reading import load_inputs

    _simulate("crystal:SrTiO3")(size, folder)()
    return lambda: load_inputs(folder / f"{size}.zarr")


def _import(size: int, folder: Path) -> Callable[[], object]:
    from stemscan.store.importing.imported import import_samples
    from stemscan.store.importing.measured import samples_from_frames

    frames = np.ones((2, size, size), np.uint16)

    def run() -> None:
        found = samples_from_frames(frames, np.ones((size, size), np.uint8))
        import_samples(found, folder / f"{size}.zarr", electrons_per_sample=10.0, overwrite=True)

    return run


def _check(size: int, folder: Path) -> Callable[[], object]:
    from stemscan.hardware.preflight.walk import check_flight
    from stemscan.hardware.profile import load_profile
    from stemscan.hardware.program import Program

    return lambda: check_flight(Program(_plan(size), load_profile("obi")))  # type: ignore[arg-type]


def _compare(size: int, folder: Path) -> Callable[[], object]:
    from stemscan.recon.metrics import BYTES_A_PIXEL, compare

    image, truth = np.random.default_rng(0).random((2, size, size), np.float32)

    def run() -> None:
        memory.require_memory(BYTES_A_PIXEL * size * size, "to compare")
        compare(image, truth)

    return run


PARTS: dict[str, Part] = {
    **{name: _method(name) for name in _METHODS},
    "fourier-eb, fine": _method("fourier-eb", 6),
    "fshnet, fine": _method("fshnet", 6),
    "blend, fine": _method("blend", 6),
    "simulate crystal": _simulate("crystal:SrTiO3"),
    "simulate synthetic": _simulate("synthetic:1/1"),
    "simulate file": _simulate("file"),
    "read a store": _read,
    "import": _import,
    "plan check": _check,
    "compare": _compare,
}


def _memory(line: str) -> int:
    """A line of the process's status in bytes."""
    return int(Path("/proc/self/status").read_text().split(f"{line}:")[1].split()[0]) * 1024


def _one_at_a_time(root: Path = Path("/")) -> memory.Room:
    """No memory for work side by side."""
    return memory.Room(0, f"{root}")


def _measure(part: str, size: int) -> None:
    """Run a part and print what it said and what it took."""
    asked = [0.0]
    with TemporaryDirectory() as name:
        PARTS[part](128, Path(name))()
        run = PARTS[part](size, Path(name))
        original = memory.room

        def note(root: Path = Path("/")) -> None:
            asked.append(float(sys._getframe(1).f_locals["needed"]))

        memory.room = note
        vars(threads)["room"] = _one_at_a_time
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before = _memory("VmRSS")
        run()
        taken = _memory("VmHWM") - before
        memory.room = original
    said = max(asked)
    ratio = f"{said / taken:.2f}" if said else "-"
    print(f"{part:<20} {size:6} {said / 1e6:9.0f} {taken / 1e6:9.0f} {ratio:>7} {taken / size**2:9.1f}", flush=True)


def main() -> None:
    """Print a table of parts and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1024,2048,4096")
    parser.add_argument("--parts", default=";".join(PARTS), help="separated by semicolons")
    parser.add_argument("--one", nargs=2, metavar=("PART", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _measure(options.one[0], int(options.one[1]))
        return
    print(f"{'part':<20} {'size':>6} {'said, MB':>9} {'took, MB':>9} {'ratio':>7} {'bytes/px':>9}", flush=True)
    for part in options.parts.split(";"):
        for size in options.sizes.split(","):
            command = [sys.executable, "-m", "benchmarks.memory", "--one", part, size]
            done = subprocess.run(command, check=False)
            if done.returncode:
                print(f"{part:<20} {size:>6} ended with {done.returncode}", flush=True)


if __name__ == "__main__":
    main()
