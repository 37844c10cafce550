"""Plans, acquisitions and reconstructions as notebooks show them, with a kernel and without."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stemscan as ss
from stemscan.recon.contradiction.contradiction import Contradiction
from stemscan.recon.view import notebook
from stemscan.store.writer import AcquisitionWriter
from tests.recon.sampling_kit import lattice
from tests.recon.view.view_kit import PLAN, add
from tests.stemscan.store_kit import create

PICTURE = 'src="data:image/png;base64,'


def grown(path: Path, samples: int | None = None) -> AcquisitionWriter:
    """A store with so many samples, still being written."""
    store = create(path, PLAN)
    if samples != 0:
        add(store, samples or store.total_samples)
    return store


def test_a_plan_shows_its_first_pass_and_its_cost() -> None:
    html = ss.view(PLAN)._repr_html_()
    assert html.count(PICTURE) == 2
    assert PLAN.digest() in html


def test_an_acquisition_by_itself_and_by_its_path(place: Path) -> None:
    grown(place / "acq.zarr").close()
    for what in (ss.Acquisition.open(place / "acq.zarr"), place / "acq.zarr", str(place / "acq.zarr")):
        view = ss.view(what)
        html = view._repr_html_()
        assert f"{PLAN.total_samples:,} of {PLAN.total_samples:,}" in html
        assert "reconstruction of" in html
        assert html.count(PICTURE) == 8, "counts, image, charts, pass, coverage, path, deviation, contradictions"
        assert "role=" not in html
        assert repr(view).startswith("Acquisition ")


def test_a_reconstruction_shows_its_maps() -> None:
    image = lattice((30, 41))
    done = ss.Reconstruction(image, 0 * image + 0.1, "linear", {}, 0.25, checked=Contradiction(image, 5.0, 3.0))
    assert ss.view(done)._repr_html_().count(PICTURE) == 3


def test_html_needs_nothing_else(place: Path) -> None:
    grown(place / "acq.zarr").close()
    path = ss.view(place / "acq.zarr").save(place / "acq.html")
    text = path.read_text()
    assert text.startswith("<!doctype html>")
    for other in ("<script", "http://", "https://", "<link", "<iframe"):
        assert other not in text
    with pytest.raises(ss.StemscanError, match="choose another name or --overwrite"):
        ss.view(place / "acq.zarr").save(path)
    with pytest.raises(ss.StemscanError, match=r"expected a file that ends in \.html, got '.*acq\.txt'; rename it"):
        ss.view(PLAN).save(place / "acq.txt")


@pytest.mark.parametrize("samples", [0, 20])
def test_an_incomplete_store_says_so(place: Path, samples: int) -> None:
    grown(place / "acq.zarr", samples).close()
    html = ss.view(place / "acq.zarr")._repr_html_()
    assert f"{samples} of {PLAN.total_samples:,}" in html
    assert "; acquire --resume goes on" in html


def test_a_store_that_was_deleted_or_damaged_is_a_sentence(place: Path) -> None:
    grown(place / "acq.zarr").close()
    acquisition = ss.Acquisition.open(place / "acq.zarr")
    view = ss.view(acquisition)
    (place / "acq.zarr" / "zarr.json").write_text("{}")
    assert 'role="alert"' in view._repr_html_()
    shutil.rmtree(place / "acq.zarr")
    assert "which does not exist" in view._repr_html_()
    with pytest.raises(ss.StemscanError, match="got nothing; it was deleted"):
        ss.view(acquisition)


@pytest.mark.parametrize(
    ("what", "words"),
    [(3, "or the path of one, got 3;"), (np.zeros(3), "got an? ndarray;"), ("none.zarr", "which does not exist")],
)
def test_other_things_are_refused_in_a_sentence(what: Any, words: str) -> None:
    with pytest.raises(ss.StemscanError, match=words) as found:
        ss.view(what)
    (line,) = found.value._render_traceback_()  # type: ignore[attr-defined]
    assert line.endswith(str(found.value))


def test_it_follows_a_store_until_that_is_complete(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "Maker", notebook._Here)  # a process of its own takes its time to start
    pages = list[str]()
    enough = threading.Event()
    with grown(place / "acq.zarr", 20) as store:
        view = ss.view(place / "acq.zarr")
        assert view._follow is not None

        def update(html: str) -> None:
            pages.append(html)
            enough.set()

        thread = threading.Thread(target=view._follow, args=(update, view._ended))
        thread.start()
        assert enough.wait(20)
        add(store, store.total_samples - 20)
        store.complete()
    thread.join(60)
    assert not thread.is_alive()
    assert "20 of" in pages[0]
    assert f"reconstruction of {PLAN.total_samples:,} samples" in pages[-1]
    assert ss.view(place / "acq.zarr")._follow is None


def test_it_ends_when_it_is_told_to(place: Path) -> None:
    with grown(place / "acq.zarr", 20):
        view = ss.view(place / "acq.zarr")
        assert view._follow is not None
        view.stop()
        view._follow(lambda html: None, view._ended)
    assert view.wait()


CELLS = (
    """
import stemscan as ss
from tests.recon.view.test_notebook import PLAN, Path, add, grown
store = grown(Path("acq.zarr"), 20)
v = ss.view("acq.zarr")
v
""",
    """
add(store, store.total_samples - 20)
store.complete(); store.close()
ended = v.wait(60)
""",
    "ss.view(PLAN)",
    "ss.view(3)",
)


def test_a_notebook_is_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    nbformat = pytest.importorskip("nbformat")
    root = Path(__file__).resolve().parents[3]
    monkeypatch.setenv("PYTHONPATH", str(root))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS])
    client = nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(place)}}
    )
    client.execute()
    live, _, plan, wrong = (cell.outputs for cell in book.cells)
    assert [one.output_type for one in live] == ["display_data"]
    assert live[0].data["text/plain"].startswith("Acquisition ")
    assert f"reconstruction of {PLAN.total_samples:,} samples" in live[0].data["text/html"]
    assert plan[0].data["text/html"].count(PICTURE) == 2
    assert wrong[0].traceback == [
        "UsageError: expected a ScanPlan, an Acquisition, a Reconstruction or the path of one, got 3; load it "
        "first, as by ss.load"
    ]
