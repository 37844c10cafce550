"""The page of a scan: first picture, pictures a second, what it costs the scan, many viewers, killed ones, a deaf one.

    python -m benchmarks.watching [--passes 16] [--per-block 32] [--repeats 3] [--viewers 20] [--killed 1000]
        [--side 1024] [--folder DIR]

A store of 1024 x 1024 pixels, or of another side, is played at 1 M samples per second (`benchmarks/paced.py`) into
another one by `stemscan acquire`, with and without `--watch`, in turns. Viewers speak to the page as a browser does:
messages, and each time per tile of the whole frame. What it costs is the scan's own time by its report, the median over
repeats; "lost" is what paced runs take beyond the dwells, which load of the machine from elsewhere raises for all
alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import websocket_connect

from benchmarks import paced
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import load_specimen
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition

CONTROLLER = f"{paced.__file__}:paced"


class Viewer:
    """What one viewer saw: times of pictures, by their version."""

    def __init__(self, address: str) -> None:
        self.place, _, self.token = address.partition("/#")
        self.pictures: dict[int, float] = {}
        self.filled: float | None = None

    async def watch(self) -> None:
        """Follow the page to its end."""
        stream = await websocket_connect(HTTPRequest(self.place.replace("http", "ws") + "/feed"))
        await stream.write_message(json.dumps({"token": self.token}))
        latest: list[Any] = []
        news = asyncio.Event()

        async def listen() -> None:
            while (text := await stream.read_message()) is not None:
                latest[:] = [json.loads(text)]
                news.set()
            latest[:] = [None]
            news.set()

        listening = asyncio.ensure_future(listen())
        try:
            while True:
                await news.wait()
                news.clear()
                message = latest[0]
                if message is None or message.get("ended"):
                    return
                if message.get("samples") and message["version"] not in self.pictures:
                    await self._tile(f"raw/{message['levels'] - 1}/0/0?v={message['version']}")
                    self.pictures[message["version"]] = time.monotonic()
                    self.filled = self.filled or time.monotonic()
        except OSError:
            return
        finally:
            listening.cancel()
            stream.close()

    async def _tile(self, name: str) -> None:
        """A tile of the page."""
        request = HTTPRequest(f"{self.place}/tile/{name}", headers={"X-Stemscan-Token": self.token})
        await AsyncHTTPClient().fetch(request)

    @property
    def rate(self) -> float:
        """Pictures a second."""
        times = sorted(self.pictures.values())
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0


def command(folder: Path, output: str, *more: str) -> list[str]:
    """`stemscan acquire` of the store that is played."""
    own = ["-o", str(folder / output), "--controller", CONTROLLER, "--set", f"store={folder / 'source.zarr'}"]
    return [sys.executable, "-m", "stemscan", "acquire", str(folder / "plan.yaml"), *own, "--json", *more]


def unwatched(folder: Path) -> dict[str, Any]:
    """Report of a scan that nobody watches."""
    done = subprocess.run(command(folder, "plain.zarr", "--overwrite"), capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


async def watched(folder: Path, viewers: int, trouble: Any = None) -> tuple[dict[str, Any], list[Viewer], float]:
    """Report of a scan that some watch, they themselves, and seconds from the first commit to the first picture."""
    shutil.rmtree(folder / "watched.zarr", ignore_errors=True)
    process = await asyncio.create_subprocess_exec(
        *command(folder, "watched.zarr", "--watch"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    address = (await process.stderr.readline()).decode().split()[-1]
    seen = [Viewer(address) for _ in range(viewers)]
    watching = [asyncio.ensure_future(one.watch()) for one in seen]
    began = asyncio.ensure_future(first_commit(folder / "watched.zarr"))
    troubling = None if trouble is None else asyncio.ensure_future(trouble(address))
    report = json.loads(await process.stdout.read())
    await process.wait()
    await asyncio.wait(watching, timeout=5)
    if troubling is not None:
        await troubling
    first = (seen[0].filled or float("nan")) - await began
    return report, seen, first


async def first_commit(path: Path) -> float:
    """Time at which a store has its first samples."""
    while True:
        try:
            text = json.loads((path / "zarr.json").read_text())
            if text["attributes"]["stemscan"]["samples_committed"]:
                return time.monotonic()
        except (OSError, ValueError, KeyError):
            pass
        await asyncio.sleep(0.005)


def handshake(address: str) -> socket.socket:
    """A viewer's connection, without a client behind it."""
    place, _, token = address.partition("/#")
    host = place.removeprefix("http://")
    name, _, port = host.rpartition(":")
    one = socket.create_connection((name, int(port)), timeout=20)
    one.sendall(
        f"GET /feed HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: {place}\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    one.recv(1024)
    data = json.dumps({"token": token}).encode()
    one.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)
    return one


async def kill_many(address: str, number: int) -> None:
    """Connect viewers and kill them, each in the middle of what it is sent."""
    for _ in range(number):
        one = await asyncio.to_thread(handshake, address)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()


async def deaf(address: str) -> None:
    """Ask for a lot and read nothing, for three seconds."""
    one = await asyncio.to_thread(handshake, address)
    token = address.partition("/#")[2]
    other = socket.create_connection(one.getpeername())
    other.setblocking(False)
    ask = f"GET /tile/raw/0/0/0 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Stemscan-Token: {token}\r\n\r\n".encode()
    for _ in range(100):
        try:
            other.send(ask)
        except BlockingIOError:
            break
    await asyncio.sleep(3)
    one.close()
    other.close()


def rates(viewers: list[Viewer]) -> str:
    """Pictures a second of the slowest and the fastest viewer."""
    known = [one.rate for one in viewers]
    return f"{min(known):.1f} to {max(known):.1f} pictures a second each"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=16)
    parser.add_argument("--per-block", type=int, default=32)
    parser.add_argument("--folder", type=Path, help="where stores are written; /dev/shm shows what no disk costs")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--killed", type=int, default=1000)
    options = parser.parse_args()
    AsyncHTTPClient.configure(SimpleAsyncHTTPClient, max_clients=200)
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": options.per_block},
            "shape": [options.side, options.side], "passes": options.passes, "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10}, "pixel_size_nm": 0.01, "seed": 7,
        }
    )  # fmt: skip
    with TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        simulate(plan, load_specimen("crystal:SrTiO3[001]", plan.shape, pixel_size_nm=0.01), folder / "source.zarr")
        plan.save(folder / "plan.yaml")
        dwells = plan.total_samples * plan.dwell_ns / 1e9
        print(f"{plan.total_samples} samples, {dwells:.2f} s of dwells")
        plain, page = [], []
        for _ in range(options.repeats):
            plain.append(unwatched(folder)["seconds"])
            report, viewers, first = asyncio.run(watched(folder, 1))
            page.append(report["seconds"])
            print(
                f"unwatched {plain[-1]:.2f} s, watched {page[-1]:.2f} s (paused {report['paused_seconds']:.2f} s); "
                f"first picture {first:.2f} s after the first commit; {rates(viewers)}"
            )
        without, beside = statistics.median(plain), statistics.median(page)
        print(f"median: unwatched {without:.2f} s, watched {beside:.2f} s, {100 * (beside / without - 1):+.1f} %")
        if not options.killed:
            return
        _, viewers, _ = asyncio.run(watched(folder, options.viewers))
        print(f"{options.viewers} viewers: {rates(viewers)}")
        _, viewers, _ = asyncio.run(watched(folder, 1, deaf))
        print(f"beside one that does not read: {rates(viewers)}")
        report, viewers, _ = asyncio.run(watched(folder, 1, lambda address: kill_many(address, options.killed)))
        same = Acquisition.open(folder / "watched.zarr").digest() == Acquisition.open(folder / "source.zarr").digest()
        kept = "every sample kept" if same else "SAMPLES DIFFER"
        print(f"{options.killed} viewers killed: {kept}, {report['seconds']:.2f} s; {rates(viewers)}")


if __name__ == "__main__":
    main()
