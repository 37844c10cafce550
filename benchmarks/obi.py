"""Open Beam Interface: samples per second through encoder and decoder, and of a scan over loopback.

Encoder and decoder are measured in process time, best of several turns; loopback in wall time, client and server in one
process each, with the program, the counts and the check of every sample against the plan in it. What each of the two
processes needs of a processor is printed beside it: on a busy machine, wall time says little.

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
from stemscan.hardware.program import Program
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import specimen_from_array
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.simulators.obi.server import ObiServer


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
    """Serve until told to stop; tell the process time when asked."""
    plan = plan_of(samples)
    specimen = specimen_from_array(np.random.default_rng(0).random(plan.shape).astype(np.float32))
    server = ObiServer(VirtualObiDevice(plan, load_profile("obi"), specimen, seed=3))

    async def run() -> None:
        pipe.send(await server.start())
        while await asyncio.get_running_loop().run_in_executor(None, pipe.recv):
            pipe.send(time.process_time())
        await server.stop()

    asyncio.run(run())


def loopback(samples: int, repeats: int) -> tuple[float, float, float]:
    """The best of several scans: samples per second, and process time of client and server in seconds per sample."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(samples, there))
    process.start()
    path = ScanPath(plan_of(samples))
    controller = ObiController("127.0.0.1", here.recv(), load_profile("obi"))

    def times() -> tuple[float, float, float]:
        here.send(True)
        return time.perf_counter(), time.process_time(), here.recv()

    turns = []
    for _ in range(repeats + 1):
        began = times()
        controller.arm(path, 0, len(path))
        controller.start()
        while controller.read(1 << 18) is not None:
            pass
        turns.append([(end - start) / len(path) for start, end in zip(began, times(), strict=True)])
    controller.close()
    here.send(False)
    process.join()
    wall, client, server = (min(one) for one in zip(*turns, strict=True))
    return 1 / wall, client, server


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
    rate, client, server = loopback(options.samples, options.repeats)
    print(f"loopback  {rate / 1e6:8.2f} M samples/s", end=" ")
    print(f"(process time for a million: client {client * 1e6:.2f} s, server {server * 1e6:.2f} s)")


if __name__ == "__main__":
    main()
