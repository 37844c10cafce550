"""Open Beam Interface: samples a second through encoder and decoder, and of a scan over loopback.

Encoder and decoder are measured in process time, best of several turns; loopback in wall time, client and server in one
process each, with the program, the counts and the check of every sample against the virtual microscope left out.

    python -m benchmarks.obi --samples 1000000 --repeats 5
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.obi.encoder import StepEncoder
from stemscan.hardware.profile import load_profile
from stemscan.path import ScanPath
from stemscan.plan import ScanPlan
from stemscan.program import Program
from stemscan.simulators.api import specimen_from_array
from stemscan.simulators.obi_device import VirtualObiDevice
from stemscan.simulators.obi_server import ObiServer


def plan_of(samples: int) -> ScanPlan:
    """A plan of about so many samples."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [1024, 1024],
            "passes": max(1, samples // 49152),
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 1,
        }
    )


def best(call: Callable[[], object], repeats: int) -> float:
    """Least process time of a call in seconds."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return min(times)


def serve(samples: int, pipe: Connection) -> None:
    """Serve until told to stop."""
    plan = plan_of(samples)
    specimen = specimen_from_array(np.random.default_rng(0).random(plan.shape).astype(np.float32))
    server = ObiServer(VirtualObiDevice(plan, load_profile("obi"), specimen, seed=3))

    async def run() -> None:
        pipe.send(await server.start())
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await server.stop()

    asyncio.run(run())


def loopback(samples: int, repeats: int) -> float:
    """Samples a second over loopback, the best of several scans."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(samples, there))
    process.start()
    path = ScanPath(plan_of(samples))
    controller = ObiController("127.0.0.1", here.recv(), load_profile("obi"))
    rates = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        controller.arm(path, 0, len(path))
        controller.start()
        while controller.read(1 << 18) is not None:
            pass
        rates.append(len(path) / (time.perf_counter() - began))
    controller.close()
    here.send(None)
    process.join()
    return max(rates)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    plan = plan_of(options.samples)
    steps = Program(plan, load_profile("obi")).steps(0, plan.total_samples)
    data = StepEncoder(blanked=True).encode(steps)
    Decoder().feed(data)
    million = plan.total_samples / 1e6
    seconds = best(lambda: StepEncoder(blanked=True).encode(steps), options.repeats)
    print(f"{million:.2f} M samples, {len(steps) / 1e6:.2f} M steps, {len(data) / 1e6:.1f} MB")
    print(f"encode    {million / seconds:8.2f} M samples/s")
    print(f"decode    {million / best(lambda: Decoder().feed(data), options.repeats):8.2f} M samples/s")
    print(f"loopback  {loopback(options.samples, options.repeats) / 1e6:8.2f} M samples/s")


if __name__ == "__main__":
    main()
