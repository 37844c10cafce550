"""The page in a real browser without a screen: it fills, its buttons reach the controller, it tells what it lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stemscan as ss
from benchmarks import paced
from stemscan.simulators.api import load_specimen
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import make_plan

PASSES = 8
PLAN = make_plan(shape=[128, 128], passes=PASSES, dwell_ns=1_000_000, pixel_size_nm=0.02)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CONTROLLER = f"{paced.__file__}:paced"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser; skips where there is none, unless one must be there."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found, why = None, "playwright is not installed (pip install playwright)"
    else:
        why = "no Chromium here (apt-get install chromium)"
    if found is None:
        if os.environ.get("STEMSCAN_BROWSER") == "needed":
            pytest.fail(f"expected a browser, got none: {why}")
        pytest.skip(why)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab; fails where the console had an error."""
    context = browser.new_context(viewport={"width": 1300, "height": 1500})
    tab, wrong = context.new_page(), []
    tab.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda problem: wrong.append(str(problem)))
    tab.wrong = wrong
    yield tab
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to be played at the pace of its dwells, some six seconds."""
    path = tmp_path_factory.mktemp("source") / "source.zarr"
    simulate(PLAN, load_specimen("crystal:SrTiO3[001]", PLAN.shape, pixel_size_nm=0.02), path)
    PLAN.save(path.with_name("plan.yaml"))
    return path


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "stemscan", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def address_of(pipe: Any) -> str:
    """The address that a command prints."""
    for line in pipe:
        if (at := line.find("http://")) >= 0:
            return str(line[at:]).split()[0].rstrip('",')
    raise AssertionError("expected an address, got none")


def acquiring(source: Path, output: Path) -> Any:
    """`acquire --watch` with a controller that takes its time."""
    plan, store = source.with_name("plan.yaml"), f"store={source}"
    return running("acquire", plan, "-o", output, "--watch", "--controller", CONTROLLER, "--set", store, "--json")


def until(tab: Any, condition: str, patience_ms: int = 20_000) -> None:
    """Wait until something holds in a page; the page itself may evaluate no text."""
    ends = time.monotonic() + patience_ms / 1000
    while not tab.evaluate(condition):
        assert time.monotonic() < ends, condition
        tab.wait_for_timeout(50)


def filled(tab: Any, which: str) -> float:
    """Share of a canvas that is not black."""
    shot = np.asarray(Image.open(io.BytesIO(tab.locator(f"#{which} canvas").screenshot())).convert("L"))
    return float((shot > 20).mean())


def test_a_scan_is_watched_and_ended_after_a_pass(browser: Any, page: Any, source: Path, tmp_path: Path) -> None:
    with acquiring(source, tmp_path / "a.zarr") as process:
        address = address_of(process.stderr)
        page.goto(address)
        until(page, "document.querySelector('#words').textContent === 'being acquired'", 20_000)
        until(page, "pagesShown()[0] >= 2", 20_000)
        assert filled(page, "left") > 0.5
        place, _, token = address.partition("/#")
        refused = page.evaluate(
            """async (token) => (await fetch("/press/park", {method: "POST", body: "{}",
            headers: {"X-Stemscan-Token": token, "Content-Type": "application/json"}})).status""",
            token[:-1] + ("a" if token[-1] != "a" else "b"),
        )
        assert refused == 403
        assert page.wrong.pop().startswith("Failed to load resource")
        stranger = browser.new_page()
        stranger.goto(f"{place}/#wrong")
        stranger.wait_for_selector("#alarm:has-text('no valid token')")
        stranger.goto("about:blank")
        stranger.close()
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Stop after this pass").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#pressed:has-text('ends after this pass')")
        page.wait_for_selector("#alarm:has-text('The acquisition is complete')", timeout=30_000)
        told = json.loads(process.communicate(timeout=30)[0])
        assert process.returncode == 0
        page.wait_for_selector("#alarm:has-text('The page has ended')", timeout=10_000)
        assert page.get_by_role("button", name="Blank and park now").is_disabled()
        page.goto("about:blank")
        page.wrong[:] = [words for words in page.wrong if "WebSocket" not in words and "ERR_CONNECTION" not in words]
    store = Acquisition.open(tmp_path / "a.zarr")
    assert store.state == "complete"
    assert told["stopped"]["reason"] == "asked for"
    assert told["stopped"]["passes"] < PASSES
    assert [entry.get("request") for entry in store.history] == [None, "stop after this pass", None]


@pytest.mark.long
def test_a_scan_is_parked_from_the_page(page: Any, source: Path, tmp_path: Path) -> None:
    with acquiring(source, tmp_path / "a.zarr") as process:
        page.goto(address_of(process.stderr))
        until(page, "pagesShown()[0] >= 1", 20_000)
        page.get_by_role("button", name="Blank and park now").click()
        page.wait_for_selector("#alarm:has-text('told to blank')", timeout=20_000)
        _, errors = process.communicate(timeout=30)
        assert process.returncode in (130, 143)  # where these tests were started with SIGINT ignored
        assert "error: parked from the page; the beam was told to blank" in errors
        page.wait_for_selector("#alarm:has-text('The page has ended')", timeout=10_000)
        page.goto("about:blank")  # else it asks on for what has ended
        page.wrong.clear()
    store = Acquisition.open(tmp_path / "a.zarr")
    assert store.state == "aborted"
    assert 0 < store.samples_committed < PLAN.total_samples
    assert "blank and park now" in [entry.get("request") for entry in store.history]


def test_a_finished_store_is_replayed_zoomed_saved_and_lost(page: Any, source: Path) -> None:
    with running("watch", source, "--speed", "100", "--json") as process:
        page.goto(address_of(process.stdout))
        page.wait_for_selector("#words:has-text('complete')", timeout=20_000)
        until(page, "pagesShown()[1] >= 1", 60_000)
        assert filled(page, "right") > 0.3
        for name, text in (("dose", "e⁻/Å²"), ("counts", "Poisson"), ("spread", "times the mean"), ("quality", "PSNR")):
            assert text in page.locator(f"#{name}").inner_text()
        wide = page.evaluate("document.querySelector('#left .rule').style.width")
        page.keyboard.press("1")
        assert page.evaluate("document.querySelector('#left .rule').style.width") != wide
        page.keyboard.press("n")
        until(page, "document.querySelector('#right .high').textContent !== ''")
        page.keyboard.press("t")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        with page.expect_download() as saving:
            page.keyboard.press("s")
        with Image.open(saving.value.path()) as saved:
            assert saved.size[0] > 1000
        process.terminate()
        page.wait_for_selector("#alarm:has-text('nothing below is current')", timeout=5_000)
        assert page.evaluate("getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
        assert process.wait(20) == 143
        page.goto("about:blank")  # else it asks on for what has ended
        page.wrong.clear()


def test_a_store_that_is_deleted_while_it_is_watched(page: Any, source: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.zarr"
    shutil.copytree(source, path)
    with running("watch", path, "--speed", "1e6", "--json") as process:
        page.goto(address_of(process.stdout))
        page.wait_for_selector("#words:has-text('complete')", timeout=20_000)
        until(page, "pagesShown()[0] >= 1", 20_000)
        shutil.rmtree(path)
        page.wait_for_selector("#alarm:has-text('does not exist. What is below is older.')", timeout=5_000)
        page.goto("about:blank")  # before the command ends


@pytest.mark.long
def test_a_phone_needs_no_scrolling_sideways(browser: Any, source: Path) -> None:
    with running("watch", source, "--speed", "1e6", "--json") as process:
        context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
        tab = context.new_page()
        tab.goto(address_of(process.stdout))
        until(tab, "pagesShown()[0] >= 1", 20_000)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        context.close()


def test_a_view_in_one_file_shows_itself(page: Any, source: Path, tmp_path: Path) -> None:
    path = ss.view(source).save(tmp_path / "view.html")
    page.goto(path.as_uri())
    page.locator("details").first.locator("summary").click()
    assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
    assert page.locator("img").count() == 8
    assert page.locator("figure:visible").count() == 7
