"""Processor time of a simulation by its parts, each beside the least that the same bytes or random words could take.

    python -m benchmarks.simulation_parts [--side 4096] [--runs 3]

Block-random 3/64 in 4 passes at dose 10 of a specimen of noise. Every part is done alone with the arrays of the
finished store; the least of the runs counts. `least` is a copy of the bytes that a part makes, the SHA-256 of those
that it hashes, or the drawing of 16 random bytes per sample. `all the rest` is what the whole simulation takes more:
commits, the record, threads.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from zarr.storage import MemoryStore

import stemscan as ss
from stemscan.path.scan_path import ScanPath
from stemscan.simulators.api import Specimen, detect
from stemscan.store.array_reader import SampleReader
from stemscan.store.arrays import _create
from stemscan.store.pictures import draw_pass
from stemscan.store.schema import ArraySpec


class Part(NamedTuple):
    """Work, and the least that it could take; `of` says how much that is of."""

    name: str
    work: Callable[[], object]
    least: Callable[[], object]
    of: str


def seconds(work: Callable[[], object], runs: int) -> float:
    """Least processor time."""
    found = []
    for _ in range(runs):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def made(values: NDArray[Any]) -> Callable[[], object]:
    """Copies values: the bytes of them written once."""
    return lambda: values.copy()


def hashed(*arrays: NDArray[Any]) -> Callable[[], object]:
    """Hashes values."""
    return lambda: [hashlib.sha256(one.reshape(-1).view(np.uint8).data).digest() for one in arrays]


def encoded(specs: dict[str, ArraySpec], arrays: dict[str, NDArray[Any]]) -> Callable[[], object]:
    """Compresses arrays into memory, as the store has them."""

    def encode() -> None:
        for name, values in arrays.items():
            array = _create(MemoryStore(), specs[name]).with_config({"write_empty_chunks": True})
            array[...] = values.reshape(specs[name].shape)

    return encode


def parts(acquisition: ss.Acquisition, plan: ss.ScanPlan, specimen: Specimen) -> list[Part]:
    """The parts of the simulation that made a store."""
    number, specs = acquisition.total_samples, acquisition._store.specs
    positions, counts = acquisition.positions(), acquisition.counts()
    pictures = {"frames": acquisition.frames(), "visits": acquisition.visits()}
    pictures |= {f"level{one}": acquisition.level(one) for one in range(1, acquisition.levels + 1)}
    reader = SampleReader(acquisition.path, specs)
    assert acquisition.truth is not None
    truth = {"truth": acquisition.truth}
    random = np.random.default_rng(0)
    drawn = np.concatenate([one.reshape(-1).view(np.uint8) for one in pictures.values()])

    def exposed() -> None:
        for start, pixels in ScanPath(plan).batches():
            detect(specimen.signal[pixels[:, 0], pixels[:, 1]], electrons_per_sample=10, seed=1, start=start)

    def draw() -> None:
        for index in range(acquisition.passes):
            for _ in draw_pass(reader, acquisition.layout, specs, index, number):
                pass

    path = Part("path", lambda: list(ScanPath(plan).batches()), made(positions), "positions copied")
    count = Part("path, signal and counts", exposed, lambda: random.bytes(16 * number), "random words")
    samples = {"samples/position": positions, "samples/counts": counts}
    size, large = (sum(one.nbytes for one in many.values()) / number for many in (samples, pictures))
    return [
        path,
        count,
        Part("truth hashed", hashed(*truth.values()), hashed(*truth.values()), "21 bytes per sample"),
        Part("truth compressed", encoded(specs, truth), made(truth["truth"]), "copied"),
        Part("samples hashed", hashed(*samples.values()), hashed(*samples.values()), f"{size:.0f} bytes per sample"),
        Part("samples compressed", encoded(specs, samples), made(positions), "copied"),
        Part("frames drawn", draw, made(drawn), f"{large:.0f} bytes per sample copied"),
        Part("frames hashed", hashed(*pictures.values()), hashed(*pictures.values()), "the same"),
        Part("frames compressed", encoded(specs, pictures), made(drawn), "copied"),
    ]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    plan = ss.ScanPlan(
        pattern=ss.BlockRandom(block=8, samples_per_block=3),
        shape=(asked.side, asked.side),
        passes=4,
        dwell="1us",
        dose=ss.Dose(electrons_per_sample=10),
        seed=3,
    )
    specimen = Specimen(np.random.default_rng(1).random((asked.side, asked.side), dtype=np.float32), "noise")
    with tempfile.TemporaryDirectory(dir=".") as place:
        store = Path(place) / "acq.zarr"

        def simulate() -> None:
            ss.simulate(plan, specimen, store, overwrite=True)

        simulate()
        whole = seconds(simulate, asked.runs) / plan.total_samples * 1e9
        print(f"{plan.total_samples:,} samples, {whole:.0f} ns of processor time per sample")
        print("| part | ns per sample | least | of |")
        print("|---|---:|---:|---|")
        total = 0.0
        for part in parts(ss.Acquisition.open(store), plan, specimen):
            took, least = (seconds(work, asked.runs) / plan.total_samples * 1e9 for work in (part.work, part.least))
            total += 0.0 if part.name == "path" else took
            print(f"| {part.name} | {took:.1f} | {least:.1f} | {part.of} |")
        print(f"| all the rest | {whole - total:.1f} | | |")


if __name__ == "__main__":
    main()
