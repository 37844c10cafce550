"""Pictures and films of a scan as it fills."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stemscan.errors import MissingDependencyError, UsageError
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.run import reconstruct
from stemscan.recon.view import film_files
from stemscan.recon.view.film import Sheet, moments
from stemscan.recon.view.film_files import check_film, write_film
from stemscan.simulators.api import Specimen
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from stemscan.types import RGB
from tests.recon.sampling_kit import lattice
from tests.stemscan.store_kit import make_plan


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Acquisition:
    """A complete scan of three passes."""
    plan = make_plan(passes=3)
    path = tmp_path_factory.mktemp("film") / "acq.zarr"
    simulate(plan, Specimen(lattice(plan.shape), "lattice"), path)
    return Acquisition.open(path)


def test_moments_end_with_the_whole_scan(store: Acquisition) -> None:
    told: list[tuple[int, int]] = []
    found = list(moments(store, 4, side=512, progress=lambda done, total: told.append((done, total))))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [one.samples for one in found] == [store.total_samples * part // 4 for part in (1, 2, 3, 4)]
    inputs = load_inputs(store)
    last = found[-1]
    np.testing.assert_array_equal(last.visited, inputs.V > 0)
    seen = inputs.S[last.visited] / inputs.V[last.visited]
    np.testing.assert_allclose(last.counts[last.visited], seen, rtol=1e-6)
    np.testing.assert_allclose(last.image, reconstruct(inputs, "fourier-eb", regression=False).image, atol=1e-5)
    assert last.caption.startswith("pass 3 of 3, ")
    assert found[0].caption.startswith("pass 1 of 3, ")
    assert np.count_nonzero(found[0].visited) < np.count_nonzero(last.visited)


def test_large_frames_are_averaged(store: Acquisition) -> None:
    (last,) = moments(store, 1, side=max(store.shape) // 2)
    assert max(last.image.shape) == max(store.shape) // 2
    inputs = load_inputs(store)
    block = inputs.S[:2, :2].sum() / max(inputs.V[:2, :2].sum(), 1)
    assert last.counts[0, 0] == pytest.approx(block, rel=1e-5)


@pytest.fixture(scope="module")
def pictures(store: Acquisition) -> list[RGB]:
    found = list(moments(store, 3, side=128))
    sheet = Sheet(found[-1], 128, store.pixel_size_nm, store.shape[1])
    return [sheet.draw(one) for one in found]


CAPTIONS = ["one", "two </script>", "three"]


def test_a_gif_has_all_pictures_and_ends_with_a_rest(tmp_path: Path, pictures: list[RGB]) -> None:
    write_film(pictures, CAPTIONS, tmp_path / "f.gif", seconds=0.6, title="acq.zarr")
    with Image.open(tmp_path / "f.gif") as film:
        assert getattr(film, "n_frames", 1) == 3
        assert film.size == pictures[0].shape[1::-1]
        assert film.info["duration"] == 200
        film.seek(2)
        assert film.info["duration"] == 2400
        last = np.asarray(film.convert("RGB")).astype(int)
    assert np.abs(last - pictures[-1]).mean() < 4


def test_a_png_is_the_end(tmp_path: Path, pictures: list[RGB]) -> None:
    write_film(pictures, CAPTIONS, tmp_path / "f.png", seconds=1, title="t")
    with Image.open(tmp_path / "f.png") as found:
        np.testing.assert_array_equal(np.asarray(found), pictures[-1])


def test_a_page_needs_nothing_else(tmp_path: Path, pictures: list[RGB]) -> None:
    write_film(pictures, CAPTIONS, tmp_path / "f.html", seconds=1, title="<b>acq</b>.zarr")
    text = (tmp_path / "f.html").read_text()
    assert not re.search(r"(?:src|href)=[\"']?(?!\")\w+:|https?://", text)
    assert "<title>&lt;b&gt;acq" in text
    assert text.count("</script>") == 1
    found = re.search(r"const pictures = (\[.*?\]), captions = (\[.*?\]);", text)
    assert found is not None
    assert len(json.loads(found[1])) == 3
    assert json.loads(found[2]) == CAPTIONS


def test_names_and_programs_that_are_wanting_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"ends in \.png, \.gif, \.mp4, \.html, got"):
        check_film(tmp_path / "film.avi")
    monkeypatch.setattr("matplotlib.animation.FFMpegWriter.isAvailable", lambda: False)
    with pytest.raises(MissingDependencyError, match="expected the program ffmpeg .* write .gif or .html"):
        check_film(tmp_path / "film.mp4")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not on this machine")
def test_an_mp4(tmp_path: Path, pictures: list[RGB]) -> None:
    write_film(pictures, CAPTIONS, tmp_path / "f.mp4", seconds=1, title="t")
    assert b"ftyp" in (tmp_path / "f.mp4").read_bytes()[:16]
    assert film_files.SUFFIXES == (".png", ".gif", ".mp4", ".html")
