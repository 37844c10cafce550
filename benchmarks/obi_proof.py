"""Acquisitions from a device that loses, adds and shifts readings: is every sample that of an undisturbed run?

    python -m benchmarks.obi_proof --runs 100 --samples 98304 --seed 1

Each run draws a sparse pattern or a raster, a dwell (fields 1 to 15), settling or none, readings of 16 or 8 bits, the
kinds of faults and how often they strike; what ends with an error is resumed. Printed are the faults that struck, the
pieces that could not be proven, the samples that the ledger says were exposed again and those that the device exposed
again, and the wrong ones.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import ScanController
from stemscan.errors import ControllerError
from stemscan.hardware.obi import link
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.profile import ControllerProfile, load_profile
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.obi.faults import READING_FAULTS, FaultyObiDevice
from stemscan.simulators.obi.server import ObiServer
from stemscan.store.batch import DetectorInfo
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter

SPECIMEN = specimen_from_array(np.random.default_rng(0).random((128, 128)).astype(np.float32))
DWELLS_NS = (250, 375, 500, 625, 1125, 2000)


@contextlib.contextmanager
def served(device: FaultyObiDevice) -> Iterator[int]:
    """The port at which a device is served by a thread."""
    loop, server = asyncio.new_event_loop(), ObiServer(device)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def plan_of(samples: int, dwell_ns: int, *, raster: bool) -> ScanPlan:
    """A plan of about so many samples."""
    sparse = {"kind": "block-random", "block": 8, "samples_per_block": 3}
    pattern, samples_per_pass = ({"kind": "raster"}, 16384) if raster else (sparse, 768)
    return ScanPlan.from_dict(
        {
            "pattern": pattern,
            "shape": [128, 128],
            "passes": max(1, samples // samples_per_pass),
            "dwell_ns": dwell_ns,
            "dose": {"electrons_per_sample": 2000},
            "seed": 1,
        }
    )


def begun(place: Path, plan: ScanPlan, controller: ScanController) -> AcquisitionWriter:
    """A store for what a controller gives, new or gone on with."""
    return AcquisitionWriter.resume(place, plan, Provenance((controller.detector,)))


def counts_of(place: Path, plan: ScanPlan, controller: ScanController) -> NDArray[np.uint16]:
    """Counts of an undisturbed controller."""
    with begun(place, plan, controller) as store:
        run_scan(plan, controller, store)
    counts: NDArray[np.uint16] = Acquisition.open(place).counts()
    return counts


def run(rng: np.random.Generator, samples: int, folder: Path) -> Counter[str]:
    """One acquisition."""
    plan = plan_of(samples, int(rng.choice(DWELLS_NS)), raster=rng.random() < 0.3)
    bits = int(rng.choice([16, 16, 8]))
    detector = DetectorInfo() if bits == 16 else DetectorInfo(unit="adu", gain=1 / 64)
    settle = load_profile("obi").settle if rng.random() < 0.5 else None
    profile: ControllerProfile = load_profile("obi").model_copy(update={"settle": settle, "output_bits": bits})
    kinds = [READING_FAULTS[at] for at in rng.permutation(len(READING_FAULTS))[: rng.integers(1, 5)]]
    device = FaultyObiDevice(
        plan,
        profile,
        SPECIMEN,
        seed=3,
        faults=kinds,
        every=int(rng.integers(10_000, 150_000)),
        fault_seed=int(rng.integers(1 << 32)),
    )
    place, done = folder / "a.zarr", Counter[str](runs=1, samples=plan.total_samples)
    with served(device) as port:
        while not place.exists() or Acquisition.open(place).state != "complete":
            controller = ObiController("127.0.0.1", port, profile, timeout=20, detector=detector)
            try:
                with begun(place, plan, controller) as store:
                    done["unproven"] += run_scan(plan, controller, store, commit_samples=1 << 15).unproven
            except ControllerError:
                done["resumed"] += 1
            finally:
                controller.close()
    right = counts_of(folder / "b.zarr", plan, VirtualMicroscope(SPECIMEN, plan, seed=3))
    if bits == 8:
        right = (right >> 6).astype(np.uint16)
    held = Acquisition.open(place)
    done["pieces with as many lost as added"] = device.cancelled
    wrong = "wrong samples" if not device.cancelled else "wrong samples, where as many were lost as added"
    done[wrong] = int((held.counts() != right).sum())
    done["exposed again, ledger"] = (held.ledger or {})["samples_exposed_again_at_most"]
    done["exposed again, device"] = device.ledger.plan_samples - plan.total_samples
    done.update(f"struck {strike.fault}" for strike in device.struck)
    return done


def main() -> None:
    """Attack and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--samples", type=int, default=98_304)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    vars(link)["_SILENCE_S"] = 0.3  # a device that hangs is given up sooner than a real one would be
    total: Counter[str] = Counter()
    for number in range(options.runs):
        with tempfile.TemporaryDirectory() as name:
            total += run(np.random.default_rng([options.seed, number]), options.samples, Path(name))
    total.setdefault("wrong samples", 0)
    for name, count in sorted(total.items()):
        print(f"{name:48} {count:12,}")


if __name__ == "__main__":
    main()
