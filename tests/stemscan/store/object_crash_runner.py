"""Kills writers of stores in a bucket at failpoints; run as a program by `test_store_objects.py`.

Arguments: a URL below which stores are made, and failpoints with the number of the passage, as `commit:recorded 2`. It
imports once and forks for every run, and connects only in the forks. The result is JSON on stdout: problems.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial

import zarr.core.sync
import zarr.storage  # noqa: F401

from stemscan.acquisition.scan import run_scan
from stemscan.objects.path import as_path
from stemscan.runtime import failpoints
from stemscan.store import schema
from stemscan.store.folders import folder_kind
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from tests.stemscan.store_kit import ScriptedController, contents, expected_counts, make_plan, resume

schema.SAMPLE_CHUNK = 10
schema.FRAME_CHUNK = 8
PLAN = make_plan()


def forked(work: Callable[[], None]) -> int:
    """Status of a process that did something."""
    if (child := os.fork()) == 0:
        try:
            work()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    return os.waitpid(child, 0)[1]


def write(url: str, point: str | None = None, passage: int = 0) -> None:
    """Make a store or go on with it, and die at a failpoint."""
    passed = 0

    def hook(name: str) -> None:
        nonlocal passed
        passed += name == point
        if passed == passage and name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    with failpoints.installed(hook), resume(as_path(url), PLAN) as writer:
        run_scan(PLAN, ScriptedController(max_batch=7), writer, commit_samples=7)


def check_left(url: str) -> None:
    """What a killed writer left is a readable beginning, or no store yet."""
    path = as_path(url)
    if folder_kind(path) in ("missing", "half-made"):
        return
    store = Acquisition.open(path)
    committed = store.samples_committed
    assert (store.counts() == expected_counts(0, committed)).all()
    assert not verify_store(path).problems
    sys.stderr.write(f"{url}: {committed} of {store.total_samples} samples, {store.state}\n")


def go_on(url: str, other: str) -> None:
    """In the end, the store is the one that nobody interrupted."""
    write(url)
    assert not verify_store(as_path(url)).problems
    found, wanted = contents(as_path(url)), contents(as_path(other))
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name] != wanted[name]] == []


def main(base: str, *points: str) -> None:
    """Kill at each failpoint."""
    problems = []
    whole = f"{base}/whole.zarr"
    if forked(partial(write, whole)):
        problems.append("the undisturbed writer failed")
    for number, text in enumerate(points):
        point, passage = text.split()
        url = f"{base}/{number}.zarr"
        if os.WTERMSIG(forked(partial(write, url, point, int(passage)))) != signal.SIGKILL:
            problems.append(f"{text} was not passed")
        steps = [partial(check_left, url), partial(go_on, url, whole)]
        problems += [f"after {text}: see stderr" for step in steps if forked(step)]
    sys.stdout.write(json.dumps(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
