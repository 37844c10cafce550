"""The page beside an acquisition: presses get there and back, ends are told, and neither takes the other with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from stemscan.acquisition.requests import ScanRequests
from stemscan.errors import ControllerError, UsageError
from stemscan.recon.view.beside import page_beside
from stemscan.recon.view.showing import Shown
from tests.recon.view.view_kit import PLAN, TOKEN, Page, add, message_of
from tests.stemscan.store_kit import create, memory_folder


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """A page of a store with a few samples."""
    with memory_folder() as folder:
        with create(folder / "a.zarr", PLAN) as store:
            add(store, 5)
        yield Shown(folder / "a.zarr", token=TOKEN)


def client(address: str) -> Page:
    """The page of another process."""
    return Page(None, None, address)  # type: ignore[arg-type]


def test_presses_are_carried_out_and_the_end_is_told(shown: Shown) -> None:
    woken = list[str]()
    requests = ScanRequests(woken.append)

    async def work() -> None:
        with suppress(ControllerError), page_beside(shown, requests, pytest.fail) as address:
            page = client(address)
            viewer = await page.connect()
            assert (await message_of(viewer))["buttons"] == ["stop", "more", "park"]
            assert (await message_of(viewer, name="a.zarr"))["samples"] == 5
            for name, words in (
                ("stop", "ends after this pass"),
                ("more", "one pass later"),
                ("park", "being blanked"),
            ):
                answer = await page.press(name)
                assert words in json.loads(answer.body)["words"]
            assert (await page.press("park", Origin="http://evil.example")).code == 403
            raise ControllerError("expected a beam, got none")
        told = await message_of(viewer)
        while not told.get("ended"):
            told = await message_of(viewer)
        assert told["ended"] == "The acquisition has failed: expected a beam, got none."
        viewer.close()

    asyncio.run(asyncio.wait_for(work(), 60))
    assert requests.notes() == ["stop after this pass", "one more pass", "blank and park now"]
    assert woken == ["parked from the page"]


def test_a_page_that_dies_takes_nothing_with_it(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    warned, told = list[str](), threading.Event()

    def warn(words: str) -> None:
        warned.append(words)
        told.set()

    started = list[subprocess.Popen[str]]()
    real = subprocess.Popen

    def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
        started.append(real(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with page_beside(shown, ScanRequests(), warn):
        os.kill(started[0].pid, signal.SIGKILL)
        assert told.wait(20)
    assert warned == ["the page has ended; the acquisition goes on"]


def test_an_acquisition_that_is_killed_is_told_of(shown: Shown) -> None:
    command = [sys.executable, "-m", "stemscan.recon.view.page_process"]

    async def work() -> None:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(asdict(shown) | {"store": str(shown.store)}) + "\n")
            process.stdin.flush()
            viewer = await client(json.loads(process.stdout.readline())["address"]).connect()
            await message_of(viewer, name="a.zarr")
            process.stdin.close()  # as the system does where the other side is killed
            told = await message_of(viewer)
            while not told.get("ended"):
                told = await message_of(viewer)
            assert "without a word: see that the beam is blanked" in told["ended"]
            viewer.close()
            assert process.wait(20) == 0

    asyncio.run(asyncio.wait_for(work(), 60))


def test_a_page_without_a_port_is_refused(shown: Shown) -> None:
    taken = Shown(Path(shown.store), "192.0.2.1", token=TOKEN)
    with pytest.raises(UsageError, match="--host and --port"), page_beside(taken, ScanRequests(), pytest.fail):
        pytest.fail("a page that nobody can reach")
