"""Kills writers of a store and checks what they leave; run as a program by `test_crash.py`.

It imports once and forks for every run, and touches zarr (which starts threads) only in the forks. The result is JSON
on stdout: how often each failpoint was passed, and a list of problems.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr.core.sync
import zarr.storage  # noqa: F401

from stemscan.acquisition.scan import run_scan
from stemscan.path.scan_path import ScanPath
from stemscan.runtime import failpoints
from stemscan.store import schema
from stemscan.store.batch import SampleBatch
from stemscan.store.folders import folder_kind
from stemscan.store.reader import Acquisition
from stemscan.store.record_parts import PassMoveRecord
from stemscan.store.verify import verify_store
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store_kit import (
    ScriptedController,
    SumFollower,
    contents,
    create,
    expected_counts,
    make_plan,
    pictures,
    resume,
)

schema.SAMPLE_CHUNK = 10
schema.FRAME_CHUNK = 8

PLAN, FOLLOWER = make_plan(), SumFollower()


def followed(path: Path, *, moves: int = 0) -> AcquisitionWriter:
    """The writer of a store in which drift is followed, gone on with; of a new one, passes that were begun."""
    writer = resume(path, PLAN, follow=FOLLOWER.record)
    known = writer.record.follow
    for number in range(0 if known is None else len(known.passes), moves):
        counts = int(expected_counts(0, PLAN.samples_per_pass * number).sum())
        asked = (counts / 4, -1.0 if number else 0.0)
        done = (min(round(asked[0]), 10.0), asked[1])
        writer.move(PassMoveRecord(offset_px=done, wanted_px=asked, std_px=0.5 if number else None))
    return writer


class LoggingController(ScriptedController):
    """Writes what it exposes to a file, before anyone can know of it."""

    def __init__(self, log: Path) -> None:
        super().__init__(moves_field=True)
        self.log = log

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples."""
        batch = super().read(max_samples)
        if batch is not None:
            with self.log.open("a") as file:
                file.write(f"{batch.start} {batch.start + len(batch.counts)}\n")
        return batch


def scan(path: Path, log: Path, *, batch: int = 5, commit: int = 16) -> None:
    """Acquire into a store that may or may not be there."""
    with followed(path) as acquisition:
        device = LoggingController(log)
        run_scan(PLAN, device, acquisition, batch_samples=batch, commit_samples=commit, follower=FOLLOWER)


def rescan(path: Path, log: Path) -> None:
    """Acquire over a store that is there."""
    with create(path, PLAN, overwrite=True, follow=FOLLOWER.record) as acquisition:
        run_scan(PLAN, LoggingController(log), acquisition, batch_samples=5, commit_samples=16, follower=FOLLOWER)


def give_up(path: Path, log: Path) -> None:
    """Acquire a part and abort."""
    with followed(path, moves=1) as acquisition:
        if acquisition.samples_appended < 7:
            acquisition.arm(7)
            acquisition.append(SampleBatch(acquisition.samples_appended, expected_counts(0, 7)))
        acquisition.abort()


def take_back(path: Path, log: Path) -> None:
    """Commit samples of which the last are wrong, say so, resume, and go back further."""
    with followed(path, moves=2) as acquisition:
        counts = expected_counts(0, 18)
        counts[13:] += 1
        acquisition.arm(18)
        acquisition.append(SampleBatch(0, counts))
        acquisition.commit()
        acquisition.mark_doubt(13, "they moved")
    with followed(path) as acquisition:
        acquisition.rewind(4, "to be sure")
    with followed(path, moves=2) as acquisition:
        acquisition.arm(15)
        acquisition.append(SampleBatch(4, expected_counts(4, 15)))
        acquisition.commit()


def break_pictures(path: Path, log: Path) -> None:
    """A complete store that loses what follows from its samples."""
    scan(path, log)
    shutil.rmtree(path / "digests")
    (path / "frames" / "zarr.json").unlink()
    (path / "visits" / "c" / "0" / "0" / "0").unlink()


def mend(path: Path, log: Path) -> None:
    """Make it anew."""
    assert verify_store(path, repair=True).sound


def fork(work: Callable[[], None]) -> int:
    """Run in a child process; its process id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        if code:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


def finish(child: int) -> int:
    """Wait; 0, an exit code, or minus a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def counting(names: Path) -> Callable[[str], None]:
    """A hook that writes down every failpoint."""

    def hook(name: str) -> None:
        with names.open("a") as file:
            file.write(name + "\n")

    return hook


def killing(at: int) -> Callable[[str], None]:
    """A hook that kills at the given failpoint, counted from 0."""
    left = [at]

    def hook(name: str) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(10)
        left[0] -= 1

    return hook


def exposed(log: Path) -> list[tuple[int, int]]:
    """What was exposed so far."""
    return (
        [(int(a), int(b)) for a, b in (line.split() for line in log.read_text().splitlines())] if log.exists() else []
    )


def inspect(path: Path) -> None:
    """Read what a killed writer left; raises where it is not what was committed."""
    if folder_kind(path) != "store":
        assert folder_kind(path) in ("missing", "empty", "half-made"), folder_kind(path)
        return
    store = Acquisition.open(path)
    committed = store.samples_committed
    if store.doubt is not None:
        proven = store.doubt["proven"]
        np.testing.assert_array_equal(store.counts(0, proven), expected_counts(0, proven))
        assert any("in doubt" in warning for warning in store.warnings)
        return
    np.testing.assert_array_equal(store.counts(), expected_counts(0, committed))
    np.testing.assert_array_equal(store.positions(), ScanPath(PLAN).positions(0, committed))
    frames, visits = pictures(PLAN, committed)
    np.testing.assert_array_equal(store.frames(), frames)
    np.testing.assert_array_equal(store.visits(), visits)
    assert (store.state == "complete") == (not store.warnings)


def progress(path: Path) -> tuple[int, int]:
    """Committed samples that are not in doubt, and armed ones, read without zarr."""
    if folder_kind(path) != "store":
        return 0, 0
    record = json.loads((path / "zarr.json").read_text())["attributes"]["stemscan"]
    return record.get("doubt", {}).get("proven", record["samples_committed"]), record["samples_armed"]


class Trial:
    """One store that is begun, killed, inspected, gone on with and compared."""

    def __init__(self, folder: Path, name: str, reference: dict[str, object]) -> None:
        self.path, self.log = folder / f"{name}.zarr", folder / f"{name}.log"
        self.name, self.reference = name, reference
        self.problems: list[str] = []

    def check(self, condition: bool, what: str) -> None:
        """Note a problem."""
        if not condition:
            self.problems.append(f"{self.name}: {what}")

    def resume_and_compare(self) -> None:
        """Inspect, go on, and compare with the undisturbed store."""
        committed, armed = progress(self.path)
        before = exposed(self.log)
        self.check(all(stop <= armed for _, stop in before), f"exposed {before} beyond {armed} armed")

        def work() -> None:
            if self.name.startswith("mend"):
                mend(self.path, self.log)
            inspect(self.path)
            scan(self.path, self.log, batch=7, commit=9)

        self.check(finish(fork(work)) == 0, "does not go on")
        after = exposed(self.log)[len(before) :]
        self.check(all(start >= committed for start, _ in after), f"exposed {after} again below {committed}")
        if self.problems:
            return
        now, reference = contents(self.path), self.reference
        if "samples_taken_back" in str(now["zarr.json"]):
            now, reference = (dict(files) for files in (now, reference))
            for files in (now, reference):
                root = json.loads(str(files["zarr.json"]))
                del root["attributes"]["stemscan"]["ledger"]
                files["zarr.json"] = json.dumps(root)
        differ = [name for name in {**now, **reference} if now.get(name) != reference.get(name)]
        self.check(not differ, f"differs in {differ}")


def hits_of(folder: Path, name: str, work: Callable[[Path, Path], None], path: Path) -> list[str]:
    """Failpoints that a run passes."""
    names = folder / f"{name}.names"

    def run() -> None:
        with failpoints.installed(counting(names)):
            work(path, folder / f"{name}.log")

    assert finish(fork(run)) == 0, name
    return names.read_text().split()


def chosen(kind: str, names: list[str], every: bool) -> list[int]:
    """Failpoints to kill at: all steps of a scan and every fourth file of it, and what only the other runs pass.

    Unless `every` one is asked for, the first and the last time that each of these is passed.
    """
    steps = steps_of(kind, names)
    if every:
        return steps
    first = {names[at]: at for at in reversed(steps)}
    last = {names[at]: at for at in steps}
    return sorted({*first.values(), *last.values()})


def steps_of(kind: str, names: list[str]) -> list[int]:
    """Failpoints of a run that matter."""
    own = {
        "rescan": ("remove:", "create:"),
        "go-on": ("resume:",),
        "give-up": ("abort:",),
    }
    files = [at for at, name in enumerate(names) if name.startswith("file:")]
    if kind == "scan":
        return sorted({*range(len(names))} - {*files} | {*files[::4]})
    if kind == "take-back":
        return list(range(names.index("doubt:recorded"), len(names)))
    if kind == "mend":
        return sorted({*range(len(names))} - {*files} | {*files[::3]})
    return [at for at, name in enumerate(names) if name.startswith(own[kind])]


def at_failpoints(folder: Path, every: bool) -> dict[str, object]:
    """Kill at failpoints of each kind of run."""
    reference_path = folder / "reference.zarr"
    passed = {"scan": hits_of(folder, "scan", scan, reference_path)}
    reference = contents(reference_path)
    problems, kills = list[str](), 0

    def half(path: Path, log: Path) -> None:
        with followed(path, moves=1) as store:
            store.arm(8)
            store.append(SampleBatch(0, expected_counts(0, 8)))
            store.commit()

    kinds = {
        "rescan": (scan, rescan),
        "go-on": (half, scan),
        "give-up": (None, give_up),
        "take-back": (None, take_back),
        "mend": (break_pictures, mend),
    }
    for kind, (first, run) in kinds.items():
        path = folder / f"count-{kind}.zarr"
        if first is not None:
            assert finish(fork(lambda first=first, path=path: first(path, folder / "first.log"))) == 0  # type: ignore[misc]
        passed[kind] = hits_of(folder, kind, run, path)
    runs = {"scan": (None, scan), **kinds}
    for kind, names in passed.items():
        first, run = runs[kind]
        for at in chosen(kind, names, every):
            name = names[at]
            trial = Trial(folder, f"{kind}-{at}-{name.replace(':', '-')}", reference)
            if first is not None:
                assert finish(fork(lambda first=first, path=trial.path: first(path, folder / "first.log"))) == 0  # type: ignore[misc]

            def work(run: Callable[[Path, Path], None] = run, trial: Trial = trial, at: int = at) -> None:
                with failpoints.installed(killing(at)):
                    run(trial.path, trial.log)

            trial.check(finish(fork(work)) == -signal.SIGKILL, "was not killed")
            trial.resume_and_compare()
            problems += trial.problems
            kills += 1
    return {
        "kills": kills,
        "passed": sorted({name for names in passed.values() for name in names}),
        "problems": problems,
    }


def at_random_moments(folder: Path, rounds: int) -> dict[str, object]:
    """Kill again and again at random moments, with other batch and commit sizes each time, until it is complete."""
    chance = random.Random(5)
    began = time.monotonic()
    assert finish(fork(lambda: scan(folder / "reference.zarr", folder / "reference.log"))) == 0
    usual = time.monotonic() - began
    reference, problems, kills = contents(folder / "reference.zarr"), list[str](), 0
    for number in range(rounds):
        trial = Trial(folder, f"random-{number}", reference)
        for _ in range(4):
            batch, commit = chance.randint(1, 24), chance.randint(1, 24)
            child = fork(lambda trial=trial, b=batch, c=commit: scan(trial.path, trial.log, batch=b, commit=c))  # type: ignore[misc]
            time.sleep(chance.uniform(0, usual))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            code = finish(child)
            trial.check(code in (0, -signal.SIGKILL), f"ended with {code}")
            kills += code != 0
        trial.resume_and_compare()
        problems += trial.problems
    return {"kills": kills, "problems": problems}


if __name__ == "__main__":
    ScanPath(PLAN).positions(0, PLAN.total_samples)  # loads the compiled code once, before the forks
    what, where, times = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    result = at_failpoints(where, times == "every") if what == "failpoints" else at_random_moments(where, int(times))
    sys.stdout.write(json.dumps(result))
