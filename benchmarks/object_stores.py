"""Objects in a bucket: what a request and an acquisition cost where each answer is late, and s3fs beside obstore.

    python -m benchmarks.object_stores [MILLISECONDS]          # of latency, 20 unless given

A server of S3's language (moto, in a process of its own) answers late. s3fs is timed where it is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stemscan.objects.bucket import bucket_of
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.session import simulate
from tests.object_server import object_server

NUMBER, SIZE = 32, 256 * 1024


def timed(what: str, work: Callable[[], Any]) -> None:
    """Time something, by the clock and by the processor."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    print(f"{what:42} {time.perf_counter() - began:6.2f} s, {time.process_time() - cpu:5.2f} s of processor")


def by_obstore(data: bytes) -> None:
    """Objects by obstore, one by one and eight at a time."""
    bucket, pool, names = bucket_of("s3", "bucket"), ThreadPoolExecutor(8), [f"a{number}" for number in range(NUMBER)]
    timed("obstore: connect", lambda: bucket.version("none"))
    timed(f"obstore: put {NUMBER} of 256 KiB, one by one", lambda: [bucket.put(f"b{one}", data, None) for one in names])
    timed("obstore: put, 8 at a time", lambda: list(pool.map(lambda one: bucket.put(one, data, None), names)))
    timed("obstore: get, 8 at a time", lambda: list(pool.map(bucket.get, names)))


def by_s3fs(data: bytes) -> None:
    """The same by s3fs, in its own batches."""
    import s3fs

    system = s3fs.S3FileSystem(key="key", secret="secret", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    timed("s3fs: connect", lambda: system.exists("bucket/none"))
    timed("s3fs: put, one by one", lambda: [system.pipe_file(f"bucket/d{number}", data) for number in range(NUMBER)])
    names = [f"bucket/c{number}" for number in range(NUMBER)]
    timed("s3fs: put, in a batch", lambda: system.pipe(dict.fromkeys(names, data)))
    timed("s3fs: get, in a batch", lambda: system.cat(names))


def acquisitions(folder: Path) -> None:
    """The same simulation in a folder and in the bucket."""
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [1024, 1024],
            "passes": 4,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 7,
        }
    )
    simulate(plan, "synthetic:1/0", folder / "first.zarr")
    timed("1024 x 1024 x 4 into a folder", lambda: simulate(plan, "synthetic:1/0", folder / "acq.zarr"))
    timed("1024 x 1024 x 4 into the bucket", lambda: simulate(plan, "synthetic:1/0", "s3://bucket/acq.zarr"))


def serve(latency_ms: float) -> None:
    """Serve until killed, in a process of its own."""
    with object_server() as server:
        server.bucket("bucket")
        server.latency_s = latency_ms / 1000
        print(server.url, flush=True)
        while True:
            time.sleep(60)


def main(latency_ms: float) -> None:
    """Time everything."""
    command = [sys.executable, "-m", "benchmarks.object_stores", "serve", str(latency_ms)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert server.stdout is not None
        try:
            os.environ |= {"AWS_ENDPOINT_URL": server.stdout.readline().strip(), "AWS_REGION": "us-east-1"}
            os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
            data = os.urandom(SIZE)
            by_obstore(data)
            if find_spec("s3fs") is not None:
                by_s3fs(data)
            acquisitions(Path(folder))
        finally:
            server.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(float(sys.argv[2]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
