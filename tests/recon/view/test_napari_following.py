"""Layers of a store that grows: their arrays without napari, and in napari where it is installed.

In an environment with napari, PyQt6 and pytest-qt: xvfb-run python -m pytest -W default -p no:npe2 tests/recon/view
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.errors import StemscanError
from stemscan.recon.view.napari_following import Growth, follow
from stemscan.recon.view.napari_reader import reader_of
from stemscan.store.reader import Acquisition
from tests.recon.view.view_kit import PLAN, add
from tests.stemscan.store_kit import create

PASS = PLAN.samples_per_pass


def test_arrays_grow_with_the_store(place: Path) -> None:
    with create(place / "a.zarr", PLAN) as store:
        add(store, PASS - 3)
        growth = Growth(Acquisition.open(place / "a.zarr"))
        counts, visits = growth.counts[0], growth.visits
        assert (growth.newest, growth.look()) == (0, False)
        add(store, PASS)
        assert growth.look()
        assert (growth.newest, growth.samples, growth.complete) == (1, 2 * PASS - 3, False)
        add(store, PASS + 3)
        store.complete()
        assert growth.look()
    acquisition = Acquisition.open(place / "a.zarr")
    assert growth.complete
    assert counts is growth.counts[0]
    np.testing.assert_array_equal(counts, acquisition.frames())
    np.testing.assert_array_equal(visits, acquisition.visits())


def test_another_store_and_none_are_told_of(place: Path) -> None:
    with create(place / "a.zarr", PLAN) as store:
        add(store, PASS)
    growth = Growth(Acquisition.open(place / "a.zarr"))
    shutil.rmtree(place / "a.zarr")
    with create(place / "a.zarr", PLAN) as store:
        add(store, 3)
    with pytest.raises(StemscanError, match="to grow, got another one; open it again"):
        growth.look()
    shutil.rmtree(place / "a.zarr")
    with pytest.raises(OSError, match=r"zarr\.json"):
        growth.look()


def test_without_a_window_nothing_is_followed(place: Path) -> None:
    with create(place / "a.zarr", PLAN) as store:
        add(store, 3)
        follow(Growth(Acquisition.open(place / "a.zarr")))


@pytest.fixture
def viewer(request: pytest.FixtureRequest) -> Any:
    """A window of napari, of its own harness, which finds threads that are left."""
    pytest.importorskip("napari", reason="napari is not installed")
    pytest.importorskip("pytestqt", reason="pytest-qt is not installed, which napari's harness needs")
    if "DISPLAY" not in os.environ:
        pytest.skip("no screen here, not even a virtual one: run it by xvfb-run")
    return request.getfixturevalue("make_napari_viewer")()


def opened(viewer: Any, path: Path) -> None:
    """Open a store as dropping it does, without the registry of plug-ins."""
    read = reader_of(str(path))
    assert read is not None
    for data, attributes, _ in read(str(path)):
        viewer.add_image(data, **attributes)


def until(qtbot: Any, condition: Callable[[], bool]) -> None:
    """Let the window work until something holds."""
    qtbot.waitUntil(condition, timeout=10_000)


@pytest.mark.filterwarnings("ignore")
def test_napari_shows_what_comes(viewer: Any, qtbot: Any, place: Path) -> None:
    with create(place / "a.zarr", PLAN) as store:
        add(store, PASS)
        opened(viewer, place / "a.zarr")
        until(qtbot, lambda: viewer.dims.current_step[0] == 0)
        counts = viewer.layers["counts"]
        drawn = list[int]()
        counts.events.set_data.connect(lambda event: drawn.append(int(counts.data.sum())))
        add(store, PASS)
        until(qtbot, lambda: viewer.dims.current_step[0] == 1)
        assert counts.data[1].sum() > 0
        assert drawn
        add(store, PASS)
        store.complete()
        until(qtbot, lambda: viewer.dims.current_step[0] == 2)
    np.testing.assert_array_equal(counts.data, Acquisition.open(place / "a.zarr").frames())
    assert counts.contrast_limits[1] >= counts.data[1].max()


@pytest.mark.filterwarnings("ignore")
def test_napari_ends_with_the_layers(viewer: Any, qtbot: Any, place: Path) -> None:
    with create(place / "a.zarr", PLAN) as store:
        add(store, PASS)
        opened(viewer, place / "a.zarr")
        before = viewer.layers["counts"].data.copy()
        kept = viewer.layers["counts"].data
        viewer.layers.clear()
        qtbot.wait(1200)
        add(store, PASS)
        qtbot.wait(1200)
        np.testing.assert_array_equal(kept, before)


@pytest.mark.filterwarnings("ignore")
def test_napari_tells_of_a_store_that_was_deleted(viewer: Any, qtbot: Any, place: Path) -> None:
    from napari.utils.notifications import notification_manager

    with create(place / "a.zarr", PLAN) as store:
        add(store, PASS)
    opened(viewer, place / "a.zarr")
    shutil.rmtree(place / "a.zarr")
    until(qtbot, lambda: any("not renewed any more" in one.message for one in notification_manager.records))
    began = time.monotonic()
    viewer.layers.clear()
    assert time.monotonic() - began < 5
