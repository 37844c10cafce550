"""Samples a second of a virtual microscope with an instrument: each effect alone, and all of them.

A crystal of 1024 x 1024 pixels is scanned in passes of 3 samples in each 8 x 8 block, in serpentine blocks. Processor
time a sample is that of one thread; samples per second are by wall time with two threads, so that other work of the
machine makes them fewer. `path` is the time of the points alone, which is in all others.

    python -m benchmarks.instrument [--passes 32] [--repeats 3]
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import Specimen, VirtualMicroscope, render_crystal
from stemscan.simulators.instrument.settings import Instrument, instrument_names, instrument_of

HAADF: Final = {
    "collection": {"kind": "haadf"},
    "efficiency": {"detected": 0.8, "pulse_spread": 0.3},
    "dark": {"per_second": 1e5},
    "afterglow": {"share": 0.05, "tau_us": 2.0},
    "digitiser": {"gain": 20.0, "offset": 100.0, "read_noise": 5.0, "bits": 14},
}
EFFECTS: Final[dict[str, dict[str, Any]]] = {
    "probe": {"probe": {"fwhm_nm": 0.05, "defocus_nm": 2.0}},
    "current": {"current": {"relative": 0.03}},
    "coils": {"coils": {"tau_us": 0.5}},
    "flyback": {"flyback": {"share": 0.02, "tau_us": 20.0}},
    "jitter": {"jitter": {"sample_px": [0.1, 0.1], "row_px": [0.1, 0.2]}},
    "mains": {"mains": {"amplitude_px": [0.3, 0.2], "third_px": [0.1, 0.1]}},
    "stage drift": {
        "stage_drift": {"polynomial_nm": [[1.0, 0.5]], "settling_nm": [1.0, 2.0], "walk_nm": 0.2}
    },
    "damage": {
        "damage": {
            "critical_e_per_A2": 1e5, "diffusion_nm": 0.05, "threshold_e_per_A2": 100.0, "recovery_us": 1000.0,
        }
    },
    "contamination": {"contamination": {"signal": 0.1, "spread_nm": 0.1}},
    "dead time": {"detectors": [{"dead_time": {"ns": 50.0}}]},
    "detector with digitiser": {"detectors": [HAADF]},
}  # fmt: skip


def plan_of(passes: int) -> ScanPlan:
    """Passes of 49,152 samples, ten electrons and 2 us each."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [1024, 1024],
            "passes": passes,
            "dwell_ns": 2000,
            "dose": {"electrons_per_sample": 10},
            "pixel_size_nm": 0.02,
            "seed": 1,
        }
    )


def read_all(device: VirtualMicroscope, path: ScanPath) -> int:
    """Scan a path, and count its samples."""
    device.arm(path, 0, len(path))
    device.start()
    done = 0
    while (batch := device.read(1 << 18)) is not None:
        done += len(batch.counts)
    return done


def measure(specimen: Specimen, plan: ScanPlan, instrument: Instrument, repeats: int) -> tuple[float, float]:
    """Processor time per sample in ns on one thread, and million samples per second with two; the best of some."""
    path, cpu, wall = ScanPath(plan), float("inf"), float("inf")
    for _ in range(repeats):
        for threads in (1, 2):
            device = VirtualMicroscope(specimen, plan, seed=1, threads=threads, instrument=instrument)
            began, used = time.perf_counter(), time.process_time()
            read_all(device, path)
            if threads == 1:
                cpu = min(cpu, time.process_time() - used)
            else:
                wall = min(wall, time.perf_counter() - began)
    return cpu / plan.total_samples * 1e9, plan.total_samples / wall / 1e6


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    plan = plan_of(options.passes)
    specimen = render_crystal("SrTiO3", plan.shape, pixel_size_nm=0.02)
    everything = {key: value for name, one in EFFECTS.items() if name != "dead time" for key, value in one.items()}
    made = {name: Instrument.model_validate(one) for name, one in EFFECTS.items()}
    made |= {name: instrument_of(name) for name in instrument_names() if name != "template"}
    made["everything"] = Instrument.model_validate(everything)
    used = time.process_time()
    for _ in ScanPath(plan).batches(1 << 16):
        pass
    print(f"path {(time.process_time() - used) / plan.total_samples * 1e9:.0f} ns per sample\n")
    print("| instrument | processor time, ns per sample | million samples per second, two threads |\n|---|---|---|")
    for name, instrument in made.items():
        measure(specimen, plan_of(2), instrument, 1)  # compiles
        cpu, speed = measure(specimen, plan, instrument, options.repeats)
        print(f"| {name} | {cpu:.0f} | {speed:.1f} |", flush=True)


if __name__ == "__main__":
    main()
