"""The virtual Open Beam Interface device under clients that mean ill, or leave: is the next one answered?

Each client does one thing: random bytes or commands; a fill or a free run, then gone, in each output mode; half a
command; a raster pixel that lets the device hang; answers that it never takes; silence. It leaves, is cut off, or
stays. After each of them another one comes and asks for a cookie. The last line says how many were answered, and how
long the slowest waited.

    python -m benchmarks.obi_clients --clients 2000 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import socket
import struct
import threading
import time
from contextlib import suppress

import numpy as np

from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.encoder import encode
from stemscan.hardware.profile import load_profile
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import specimen_from_array
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.simulators.obi.server import ObiServer

PATIENCE_S = 10.0
COOKIE = 0x5A3C
REGION = encode(obi.RasterRegion(0, 16384, 256, 0, 16384, 256))
KINDS = ("noise", "commands", "fill", "free run", "half a command", "hang", "answers not taken", "silence")
ENDS = ("leaves", "is cut off", "stays")


def data_of(kind: str, rng: np.random.Generator) -> bytes:
    """Bytes that a client of a kind sends."""
    mode = encode(obi.Synchronize(2, output=obi.Output(int(rng.integers(3)))))
    if kind == "noise":
        return rng.bytes(int(rng.integers(1, 50_000)))
    if kind == "commands":

        def field(top: int) -> int:
            return int(rng.integers(top))

        some = [
            *(encode(obi.VectorPixel(field(16384), field(16384), field(65535))) for _ in range(50)),
            *(encode(obi.RasterPixelRun(1 + field(65536), field(65535))) for _ in range(5)),
            encode(obi.Blank(bool(field(2)), bool(field(2)))),
            encode(obi.ExternalCtrl(bool(field(2)))),
            REGION,
        ]
        return mode + b"".join(some[number] for number in rng.permutation(len(some)))
    return {
        "fill": mode + REGION + encode(obi.RasterPixelFill(0)),
        "free run": mode + REGION + encode(obi.RasterPixelFreeRun(int(rng.integers(10)))),
        "half a command": b"\x8e\xff\xff" + rng.bytes(int(rng.integers(1, 1000)) | 1),
        "hang": encode(obi.RasterPixel(7)) + rng.bytes(100),
        "answers not taken": REGION + encode(obi.RasterPixelRun(65536, 0)) * 200,
        "silence": b"",
    }[kind]


def attack(port: int, kind: str, end: str, rng: np.random.Generator) -> socket.socket | None:
    """Send what a client of a kind sends; the connection, where it stays."""
    wire = socket.create_connection(("127.0.0.1", port), timeout=0.5)
    with suppress(OSError):
        wire.sendall(data_of(kind, rng))
        if kind not in ("answers not taken", "silence"):
            wire.settimeout(0.02)
            wire.recv(1 << 16)
    if end == "stays":
        return wire
    if end == "is cut off":
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
    return None


def answered(port: int) -> float | None:
    """Seconds until a new client gets the answer to its cookie; None if it does not."""
    began = time.monotonic()
    wanted, got = b"\xff\xff" + COOKIE.to_bytes(2, "big"), b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as wire:
        wire.sendall(encode(obi.Synchronize(COOKIE)) + encode(obi.Flush()))
        while wanted not in got and (more := wire.recv(1 << 16)):
            got += more
    return time.monotonic() - began if wanted in got else None


def main() -> None:
    """Attack and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "raster"},
            "shape": [64, 64],
            "passes": 1,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 1,
        }
    )
    specimen = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    device = VirtualObiDevice(plan, load_profile("obi"), specimen_from_array(specimen), seed=1)
    server, loop = ObiServer(device), asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    rng = np.random.default_rng(options.seed)
    waits: dict[str, list[float]] = collections.defaultdict(list)
    lost: collections.Counter[str] = collections.Counter()
    for _ in range(options.clients):
        kind, end = KINDS[int(rng.integers(len(KINDS)))], ENDS[int(rng.integers(len(ENDS)))]
        staying = attack(port, kind, end, rng)
        seconds = answered(port)
        if staying is not None:
            staying.close()
        if seconds is None:
            lost[kind] += 1
        else:
            waits[kind].append(seconds)
    print(f"{'client':20} {'answered':>9} {'not':>5} {'slowest s':>10}")
    for kind in KINDS:
        slowest = max(waits[kind], default=0.0)
        print(f"{kind:20} {len(waits[kind]):9} {lost[kind]:5} {slowest:10.2f}")
    every = [seconds for found in waits.values() for seconds in found]
    print(f"{options.clients} clients, {len(every)} answered, slowest {max(every, default=0.0):.2f} s")
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)


if __name__ == "__main__":
    main()
