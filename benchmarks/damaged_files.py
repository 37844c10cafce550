"""Damaged image files by the thousand: none may give a traceback, hang or fill the memory.

    python -m benchmarks.damaged_files FOLDER [--mutants 10000] [--formats tiff png ...] [--seed 1]

For each format a few small files are made; each mutant is one of them with bits flipped, numbers replaced by extreme
ones, stretches repeated, moved, zeroed or cut off. Mutant N of a format follows from the seed alone. It is read as
`stemscan simulate` reads a specimen. Counts go to FOLDER/counts.jsonl after every 250 mutants; the same command goes on
where it was stopped. Printed for each format: read, refused in one sentence, of these ended for their time or by a
crash of the worker; then faults: other errors, more than 10 s of computing, and memory beyond twice the file's honest
size (bytes of the file and of its pixels) plus 256 MiB; and the longest time and largest memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from stemscan.errors import StemscanError
from stemscan.files.read import read_picture
from stemscan.files.worker import the_worker
from tests.stemscan.files.seeds import SEEDS

__all__ = ["attack", "mutant"]

BATCH = 250
LONGEST_S = 10.0
SLACK = 256 << 20
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four damages of a file, most near its beginning or end, where headers and directories are."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if not changed:
            break
        spread = min(len(changed), int(rng.choice([64, 512, 4096, len(changed)])))
        place = int(rng.integers(spread))
        place = len(changed) - 1 - place if rng.random() < 0.3 else place
        kind = int(rng.integers(7))
        if kind <= 1:
            changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            changed[place] = int(rng.integers(256))
        elif kind == 3:
            width = int(rng.choice([1, 2, 4, 8]))
            value = int(EXTREMES[int(rng.integers(len(EXTREMES)))]) & ((1 << 8 * width) - 1)
            changed[place : place + width] = value.to_bytes(width, "little" if rng.random() < 0.7 else "big")
        elif kind == 4:
            length = int(rng.integers(1, 200))
            changed[place:place] = changed[place : place + length]
        elif kind == 5:
            changed[place : place + int(rng.integers(1, 200))] = b""
        else:
            del changed[int(rng.integers(len(changed))) :]
    return bytes(changed)


def attack(kind: str, numbers: range, folder: Path, seed: int = 1) -> Counter[str]:
    """Read some mutants of a format and count what came of them; see the module."""
    counts: Counter[str] = Counter()
    files = [(make(folder), make.__name__) for make in SEEDS[kind]]
    honest = []
    for path, _ in files:
        values = read_picture(path, 0).values
        honest.append((path.read_bytes(), path.stat().st_size + values.nbytes))
    for number in numbers:
        rng = np.random.default_rng([seed, sum(kind.encode()), number])
        which = int(rng.integers(len(files)))
        data, size = honest[which]
        path = folder / f"mutant{files[which][0].suffix}"
        path.write_bytes(mutant(data, rng))
        before = _memory(reset=True)
        began = _computed()
        try:
            read_picture(path, 0)
            counts["read"] += 1
        except StemscanError as problem:
            said = str(problem)
            counts["refused"] += 1
            counts["ended for its time"] += "takes longer to read" in said
            counts["crashed the worker"] += "made its reader fail" in said
            counts["not one sentence"] += not said.startswith("expected ") or "\n" in said
        except Exception as problem:  # noqa: BLE001 - that is what is sought
            counts["traceback"] += 1
            (folder / f"traceback-{kind}-{number}{path.suffix}").write_bytes(path.read_bytes())
            print(f"{kind} {number}: {type(problem).__name__}: {problem}", flush=True)
        seconds = _computed() - began
        grown = max(0, _memory() - before)
        counts["over 10 s"] += seconds > LONGEST_S
        counts["too much memory"] += grown > 2 * size + SLACK
        if seconds > LONGEST_S or grown > 2 * size + SLACK:
            print(f"{kind} {number}: {seconds:.1f} s, {grown / 2**20:.0f} MiB", flush=True)
        counts["longest ms"] = max(counts["longest ms"], int(1000 * seconds))
        counts["most MiB"] = max(counts["most MiB"], grown >> 20)
    return counts


def _computed() -> float:
    """Seconds of computing of this process, of workers that have ended, and of the one there is."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    pid = the_worker()
    if pid is not None:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _memory(*, reset: bool = False) -> int:
    """Peak of the memory of the worker and of this process; from now on, where it is reset."""
    total = 0
    for pid in ("self", the_worker()):
        if pid is None:
            continue
        try:
            if reset:
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += int(status.split("VmHWM:")[1].split()[0]) * 1024
    return total


def _batches(kinds: list[str], mutants: int, done: set[tuple[str, int]]) -> Iterator[tuple[str, range]]:
    """Work that is left."""
    for start in range(0, mutants, BATCH):
        for kind in kinds:
            if (kind, start) not in done:
                yield kind, range(start, min(start + BATCH, mutants))


def _table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """Sums over all batches of each format."""
    for kind in SEEDS:
        own = [line["counts"] for line in lines if line["kind"] == kind]
        total: Counter[str] = Counter()
        for counts in own:
            for name, count in counts.items():
                total[name] = max(total[name], count) if name in ("longest ms", "most MiB") else total[name] + count
        if own:
            named = ", ".join(f"{name} {total[name]}" for name in sorted(total))
            yield f"{kind}: {total['read'] + total['refused'] + total['traceback']} mutants: {named}"


def _start_ms(folder: Path) -> tuple[float, float]:
    """Milliseconds for the first picture, a tif of 1024 x 1024, which starts the worker, and for the next."""
    path = folder / "plain.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 65535, (1024, 1024)).astype(np.uint16))
    marks = [time.perf_counter()]
    for _ in range(2):
        read_picture(path)
        marks.append(time.perf_counter())
    return 1000 * (marks[1] - marks[0]), 1000 * (marks[2] - marks[1])


def main(report: Callable[[str], None] = print) -> None:
    """Run what is left and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--formats", nargs="+", default=list(SEEDS), choices=list(SEEDS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    first, following = _start_ms(options.folder)
    report(f"a tif of 1024 x 1024: {first:.0f} ms with the start of the worker, then {following:.1f} ms")
    record = options.folder / "counts.jsonl"
    lines = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    done = {(line["kind"], line["start"]) for line in lines}
    for kind, numbers in _batches(options.formats, options.mutants, done):
        counts = attack(kind, numbers, options.folder, options.seed)
        lines.append({"kind": kind, "start": numbers.start, "counts": dict(counts)})
        with record.open("a") as file:
            file.write(json.dumps(lines[-1]) + "\n")
    for line in _table(lines):
        report(line)


if __name__ == "__main__":
    main()
